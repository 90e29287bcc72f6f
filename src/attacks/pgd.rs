//! Projected gradient descent.

use std::fmt;
use std::sync::Arc;

use super::batches::Batched;
use super::goal::{Goal, Norm};
use crate::checks::{Bounds, positive};
use crate::error::{Error, Result};
use crate::losses::{CrossEntropy, Loss};
use crate::progress::Progress;

/// Projected gradient descent: several steps of length α, each back into the ball around the image.
///
/// ```text
/// x_0     = x,  or uniform in the ball
/// x_{k+1} = clip(project(x_k + α · normalise(∇ₓ L(x_k, t))))
/// ```
///
/// A targeted attack steps against the gradient. The head of [the module](crate::attacks) has
/// project and normalise for both norms. Ten steps of 0.01 in L∞ along the cross-entropy, from the
/// image itself, pixels in \[0, 1\], unless told otherwise.
///
/// - **Shapes**: images (N, …), labels (N,) of u32; the attacked images have the images' shape.
/// - **Range**: ε ≥ 0 and α > 0, in pixel units; every x_k inside the bounds and within ε of x.
/// - **Source**: Madry et al. 2018 (arXiv 1706.06083); *isometry*, sections 2.2 and 3.3.
///
/// # Errors
/// [`Attack::attack`](super::Attack::attack) refuses what [`Pgd::validate`] and what every attack
/// refuses.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 2], Activation::Tanh, vb))?;
/// let device = device::best();
/// let images = Tensor::full(0.5f32, (3, 4), &device)?;
/// let data = Dataset::new(images, Tensor::new(&[0u32, 1, 0], &device)?)?;
/// let attacked = Pgd { steps: 40, ..Pgd::default() }.attack(&network, &data, 0.1)?;
/// assert!(attacked.loss_after > attacked.loss_before);
/// assert!(attacked.distance.iter().all(|distance| *distance <= 0.1 + 1e-6));
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct Pgd {
    /// The loss that the attacker follows. Default the cross-entropy.
    pub loss: Arc<dyn Loss>,
    /// The norm of the ball and of a step. Default L∞.
    pub norm: Norm,
    /// The answer that the attacker wants. Default untargeted.
    pub goal: Goal,
    /// The length α > 0 of a step in `norm`, in pixel units. Default 0.01.
    pub alpha: f64,
    /// The number of steps, at least 1. Default 10, as in the *isometry* paper, section 2.2.
    pub steps: usize,
    /// Whether to start uniformly in the ball (then clipped to the bounds), not at the image.
    /// Default false.
    pub random_start: bool,
    /// The number of attempts from different random starts, at least 1; of each image the first
    /// attempt that succeeds is kept (the first of all when none does). More than one needs
    /// `random_start`. Default 1.
    pub restarts: usize,
    /// The range that pixels are clipped to; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The number of images attacked together, at least 1; matters when the loss couples the
    /// samples of a batch. Default 100, the batch the *isometry* paper trains on.
    pub batch_size: usize,
    /// The seed of the random starts. Default 0.
    pub seed: u64,
    /// Whether a progress bar shows how far an attack of more than a second has come. Default
    /// shown.
    pub progress: Progress,
}

impl Default for Pgd {
    fn default() -> Self {
        Self {
            loss: Arc::new(CrossEntropy),
            norm: Norm::default(),
            goal: Goal::default(),
            alpha: 0.01,
            steps: 10,
            random_start: false,
            restarts: 1,
            bounds: Some(Bounds::default()),
            batch_size: 100,
            seed: 0,
            progress: Progress::default(),
        }
    }
}

impl Pgd {
    /// The attack that follows `loss`, with all other defaults.
    pub fn along(loss: impl Loss + 'static) -> Self {
        Self {
            loss: Arc::new(loss),
            ..Self::default()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// α not positive and finite, `steps`, `restarts` or `batch_size` 0, more than one restart
    /// without a random start, or bounds that are not finite with min < max.
    pub fn validate(&self) -> Result<()> {
        positive("alpha", self.alpha)?;
        let counts = [
            ("steps", self.steps),
            ("restarts", self.restarts),
            ("batch_size", self.batch_size),
        ];
        for (name, count) in counts {
            if count == 0 {
                return Err(Error::argument(name, "at least 1", count));
            }
        }
        if self.restarts > 1 && !self.random_start {
            let expected = "1 unless random_start is true";
            return Err(Error::argument("restarts", expected, self.restarts));
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }

    pub(super) fn batched(&self) -> Batched<'_> {
        Batched {
            bounds: self.bounds,
            goal: &self.goal,
            batch_size: self.batch_size,
        }
    }
}

/// Writes `PGD, 10 steps`, and the norm L2, a targeted goal, and the number of restarts if there are
/// several.
impl fmt::Display for Pgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.steps == 1 { "step" } else { "steps" };
        let words = self.norm.words(&self.goal);
        write!(f, "PGD, {} {steps}{words}", self.steps)?;
        match self.restarts {
            1 => Ok(()),
            restarts => write!(f, ", {restarts} restarts"),
        }
    }
}

impl fmt::Debug for Pgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pgd")
            .field("loss", &self.loss.describe())
            .field("norm", &self.norm)
            .field("goal", &self.goal)
            .field("alpha", &self.alpha)
            .field("steps", &self.steps)
            .field("random_start", &self.random_start)
            .field("restarts", &self.restarts)
            .field("bounds", &self.bounds)
            .field("batch_size", &self.batch_size)
            .field("seed", &self.seed)
            .finish()
    }
}
