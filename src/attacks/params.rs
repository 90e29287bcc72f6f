//! What an attack may do.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::bounds::Bounds;
use crate::error::{Error, Result};

/// The norm that measures a perturbation δ, over all pixels of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// ‖δ‖∞ = max |δ_i|.
    #[default]
    LInf,
    /// ‖δ‖₂ = √(Σ δ_i²).
    L2,
}

/// What the attacker wants.
#[derive(Clone, Debug, Default)]
pub enum Goal {
    /// Any label but the true one: ascends the loss at the true labels.
    #[default]
    Untargeted,
    /// These labels, (N,) of `u32`: descends the loss at them.
    Targeted(Tensor),
}

impl Goal {
    /// Whether a prediction is what the attacker wants; `aim` is the true label, or the one to
    /// reach.
    pub(super) fn is_met(&self, prediction: u32, aim: u32) -> bool {
        match self {
            Self::Untargeted => prediction != aim,
            Self::Targeted(_) => prediction == aim,
        }
    }
}

/// How [`pgd`](super::pgd) attacks: ten steps of 0.01 in L∞ from the image itself, pixels in [0,
/// 1], unless told otherwise.
#[derive(Clone, Debug)]
pub struct PgdParams {
    /// The norm of the ball and of a step. Default L∞.
    pub norm: Norm,
    /// Default untargeted.
    pub goal: Goal,
    /// α > 0, the length of a step in `norm`, in pixel units. Default 0.01.
    pub alpha: f64,
    /// At least 1. Default 10, as in the *isometry* paper, section 2.2.
    pub steps: usize,
    /// Start uniformly in the ball (then clipped to the bounds), not at the image. Default false.
    pub random_start: bool,
    /// Attempts from different random starts, at least 1; of each image the first attempt that
    /// succeeds is kept (the first of all when none does). More than one needs `random_start`.
    /// Default 1.
    pub restarts: usize,
    /// Pixels stay inside; `None` leaves them unclipped. Default [0, 1].
    pub bounds: Option<Bounds>,
    /// Images attacked together, at least 1; matters when the loss couples the samples of a batch.
    /// Default 100, the batch the *isometry* paper trains on.
    pub batch_size: usize,
    /// Of the random starts. Default 0.
    pub seed: u64,
}

impl Default for PgdParams {
    fn default() -> Self {
        let FgsmParams {
            norm,
            goal,
            bounds,
            batch_size,
        } = FgsmParams::default();
        Self {
            norm,
            goal,
            alpha: 0.01,
            steps: 10,
            random_start: false,
            restarts: 1,
            bounds,
            batch_size,
            seed: 0,
        }
    }
}

impl PgdParams {
    /// Checks every field.
    ///
    /// # Errors
    /// α not positive and finite, `steps`, `restarts` or `batch_size` 0, more than one restart
    /// without a random start, or bounds that are not finite with min < max.
    pub fn validate(&self) -> Result<()> {
        if !(self.alpha.is_finite() && self.alpha > 0.) {
            return Err(Error::argument("alpha", "a finite number > 0", self.alpha));
        }
        for (name, count) in [
            ("steps", self.steps),
            ("restarts", self.restarts),
            ("batch_size", self.batch_size),
        ] {
            if count == 0 {
                return Err(Error::argument(name, "at least 1", count));
            }
        }
        if self.restarts > 1 && !self.random_start {
            return Err(Error::argument(
                "restarts",
                "1 unless random_start is true",
                self.restarts,
            ));
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}

/// How [`fgsm`](super::fgsm) attacks: the fields of [`PgdParams`] that one full step has.
#[derive(Clone, Debug)]
pub struct FgsmParams {
    /// Default L∞. With L2 the step is ε · g / ‖g‖₂ (the fast gradient method without the sign).
    pub norm: Norm,
    /// Default untargeted.
    pub goal: Goal,
    /// Default [0, 1].
    pub bounds: Option<Bounds>,
    /// Default 100.
    pub batch_size: usize,
}

impl Default for FgsmParams {
    fn default() -> Self {
        Self {
            norm: Norm::default(),
            goal: Goal::default(),
            bounds: Some(Bounds::default()),
            batch_size: 100,
        }
    }
}

impl FgsmParams {
    /// The same attack as PGD: one step of length `alpha` from the image. At `alpha` = ε it is
    /// FGSM.
    pub fn one_step(&self, alpha: f64) -> PgdParams {
        let Self {
            norm,
            goal,
            bounds,
            batch_size,
        } = self.clone();
        PgdParams {
            norm,
            goal,
            bounds,
            batch_size,
            alpha,
            steps: 1,
            ..PgdParams::default()
        }
    }
}

/// # Errors
/// `eps` negative or not finite.
pub(super) fn validate_eps(eps: f64) -> Result<()> {
    if eps.is_finite() && eps >= 0. {
        Ok(())
    } else {
        Err(Error::argument("eps", "a finite number ≥ 0", eps))
    }
}
