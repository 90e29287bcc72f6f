//! Auto-PGD: projected gradient ascent that chooses its step sizes.

mod ascent;
mod run;
mod trace;

use std::fmt;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::goal::Norm;
use crate::checks::{Bounds, at_least_one};
use crate::error::{Error, Result};
use crate::progress::Progress;

pub use trace::Way;

/// The loss that [`Apgd`] ascends, of the logits z of one image with label y.
///
/// ```text
/// cross-entropy   log Σ_c exp(z_c) − z_y
/// DLR             −(z_y − max_{c≠y} z_c) / (z_π1 − z_π3 + 1e-12)
/// targeted DLR    −(z_y − z_t) / (z_π1 − (z_π3 + z_π4)/2 + 1e-12)
/// ```
///
/// z_πk is the k-th largest logit; t goes through the classes with the largest logits other than y,
/// one attack for each. DLR is the *difference of logits ratio*: it does not change when all logits
/// are multiplied by a number or moved by one, so that a network cannot hide by its scale.
///
/// - **Shapes**: z (C,), y a class; a number.
/// - **Range**: cross-entropy ≥ 0, in nats; DLR ≥ −1, above 0 for a wrong answer. DLR needs 3
///   classes, its targeted form 4.
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), equations 1, 5 and 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApgdLoss {
    /// The cross-entropy.
    CrossEntropy,
    /// The difference of logits ratio.
    Dlr,
    /// The difference of logits ratio towards this many classes, one after another.
    TargetedDlr {
        /// The number of classes to aim at, at least 1; never more than there are wrong ones.
        targets: usize,
    },
}

impl ApgdLoss {
    /// The name of the attack that ascends it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "APGD-CE",
            Self::Dlr => "APGD-DLR",
            Self::TargetedDlr { .. } => "APGD-T",
        }
    }
}

/// Where an attack starts.
///
/// - **Shapes**: images (N, …), as those that are attacked.
/// - **Range**: projected onto the ball and the bounds.
/// - **Source**: ours.
#[derive(Clone, Debug, Default)]
pub enum Start {
    /// Uniform in the cube \[−1, 1\]ᵈ, or normal, then scaled to the surface of the ball.
    #[default]
    Random,
    /// The image itself.
    Image,
    /// The given images (N, …), such as those that another attack found.
    At(Tensor),
}

/// Auto-PGD (APGD): projected gradient ascent with momentum, whose step size halves where progress
/// ends.
///
/// ```text
/// z_{k+1} = P(x_k + η_k normalise(∇ₓ L(x_k)))
/// x_{k+1} = P(x_k + 0.75 (z_{k+1} − x_k) + 0.25 (x_k − x_{k−1}))
/// ```
///
/// P projects onto the ball and the bounds; η_0 = 2ε. At checkpoints (after 22 % of the steps, then
/// at intervals 3 % shorter each time, at least 6 %) the step size of an image is halved, and it goes
/// back to its best point so far, if the loss rose in at most `rho` of the steps since the last
/// checkpoint, or if neither the step size nor the best loss changed there. There is no step size to
/// choose.
///
/// Every image is an attack of its own: results depend neither on the batch nor on the order of the
/// images.
///
/// - **Shapes**: images (N, …), labels (N,) of u32; the attacked images have the images' shape.
/// - **Range**: ε ≥ 0, in pixel units; every x_k inside the bounds and within ε of x.
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), algorithm 1, with the constants of its public
///   code. That code compares the first loss with 0 where we, as the paper, compare it with the loss
///   at the start.
///
/// # Errors
/// [`Attack::attack`](super::Attack::attack) refuses what [`Apgd::validate`] and what every attack
/// refuses, and too few classes for the loss.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 5], Activation::Tanh, vb))?;
/// let images = Tensor::full(0.5f32, (3, 4), &device::best())?;
/// let answers = predictions(&network, &images)?;
/// let data = Dataset::new(images, answers)?;
/// let attacked = Apgd::default().attack(&network, &data, 0.5)?;
/// let once = Pgd { steps: 1, alpha: 0.5, ..Pgd::default() }.attack(&network, &data, 0.5)?;
/// assert!(attacked.success_rate() >= once.success_rate());
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Apgd {
    /// The loss to ascend. Default the cross-entropy.
    pub loss: ApgdLoss,
    /// The norm of the ball. Default L∞.
    pub norm: Norm,
    /// The number of steps, at least 1. Default 100.
    pub steps: usize,
    /// The number of attempts from different random starts, at least 1; more than one needs
    /// [`Start::Random`]. Default 1.
    pub restarts: usize,
    /// The share ρ of steps that must raise the loss between two checkpoints, in \[0, 1\]. Default
    /// 0.75.
    pub rho: f64,
    /// Where the attack starts. Default at random.
    pub start: Start,
    /// Whether an image rests as soon as it is misled; otherwise it takes all steps, and the misled
    /// point of largest loss is kept. Default true.
    pub until_misled: bool,
    /// The range that pixels are clipped to; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The number of images asked together, at least 1; it does not change the results. Default 200.
    pub batch_size: usize,
    /// The seed of the random starts. Default 0.
    pub seed: u64,
    /// Whether a progress bar shows how far an attack of more than a second has come. Default shown.
    pub progress: Progress,
}

impl Default for Apgd {
    fn default() -> Self {
        Self {
            loss: ApgdLoss::CrossEntropy,
            norm: Norm::default(),
            steps: 100,
            restarts: 1,
            rho: 0.75,
            start: Start::default(),
            until_misled: true,
            bounds: Some(Bounds::default()),
            batch_size: 200,
            seed: 0,
            progress: Progress::default(),
        }
    }
}

impl Apgd {
    /// APGD-T: the attack along the targeted DLR loss towards 9 classes, with all other defaults.
    pub fn targeted() -> Self {
        Self {
            loss: ApgdLoss::TargetedDlr { targets: 9 },
            ..Self::default()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// `steps`, `restarts`, `batch_size` or the number of targets 0, more than one restart without a
    /// random start, `rho` outside \[0, 1\], or bounds that are not finite with min < max.
    pub fn validate(&self) -> Result<()> {
        at_least_one("steps", self.steps)?;
        at_least_one("restarts", self.restarts)?;
        at_least_one("batch_size", self.batch_size)?;
        if let ApgdLoss::TargetedDlr { targets } = self.loss {
            at_least_one("targets", targets)?;
        }
        if !(0. ..=1.).contains(&self.rho) {
            return Err(Error::argument("rho", "a number in [0, 1]", self.rho));
        }
        if self.restarts > 1 && !matches!(self.start, Start::Random) {
            let expected = "1 unless the start is random";
            return Err(Error::argument("restarts", expected, self.restarts));
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}

/// Writes `APGD-CE, 100 steps`, `APGD-DLR` or `APGD-T`, and the norm L2 and restarts if there are
/// several.
impl fmt::Display for Apgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.steps == 1 { "step" } else { "steps" };
        write!(f, "{}, {} {steps}", self.loss.name(), self.steps)?;
        if self.norm == Norm::L2 {
            f.write_str(", L2")?;
        }
        match self.restarts {
            1 => Ok(()),
            restarts => write!(f, ", {restarts} restarts"),
        }
    }
}
