//! The fast gradient sign method.

use std::fmt;
use std::sync::Arc;

use super::goal::{Goal, Norm};
use super::pgd::Pgd;
use crate::checks::Bounds;
use crate::error::Result;
use crate::losses::Loss;
use crate::progress::Progress;

/// The fast gradient sign method: one full step of ε from the image along the gradient's sign.
///
/// ```text
/// x' = clip(x + ε · sign(∇ₓ L(x, t)))      untargeted: t the true label
/// x' = clip(x − ε · sign(∇ₓ L(x, t)))      targeted:   t the label to reach
/// ```
///
/// It is [`Pgd`] with one step, α = ε. In L∞ along the cross-entropy, pixels in \[0, 1\], unless
/// told otherwise. ε is what the *isometry* paper calls the step size of FGSM.
///
/// - **Shapes**: images (N, …), labels (N,) of u32; the attacked images have the images' shape.
/// - **Range**: ε ≥ 0, in pixel units; x' inside the bounds and within ε of x.
/// - **Source**: Goodfellow et al. 2015 (arXiv 1412.6572); *isometry*, sections 2.2 and 3.3.
///
/// # Errors
/// [`Attack::attack`](super::Attack::attack) refuses a batch size of 0, bounds that are not finite
/// with min < max, and what every attack refuses.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 2], Activation::Tanh, vb))?;
/// let device = device::best();
/// let images = Tensor::full(0.5f32, (3, 4), &device)?;
/// let data = Dataset::new(images, Tensor::new(&[0u32, 1, 0], &device)?)?;
/// let attacked = Fgsm::default().attack(&network, &data, 0.1)?;
/// assert!(attacked.loss_after > attacked.loss_before);
/// assert!(attacked.distance.iter().all(|distance| (distance - 0.1).abs() < 1e-6));
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct Fgsm {
    /// The loss that the attacker follows. Default the cross-entropy.
    pub loss: Arc<dyn Loss>,
    /// The norm of the ball and of the step. Default L∞; with L2 the step is ε · g / ‖g‖₂ (the fast
    /// gradient method without the sign).
    pub norm: Norm,
    /// The answer that the attacker wants. Default untargeted.
    pub goal: Goal,
    /// The range that pixels are clipped to; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The number of images attacked together, at least 1; matters when the loss couples the
    /// samples of a batch. Default 100.
    pub batch_size: usize,
    /// Whether a progress bar shows how far an attack of more than a second has come. Default
    /// shown.
    pub progress: Progress,
}

impl Default for Fgsm {
    fn default() -> Self {
        let Pgd {
            loss,
            norm,
            goal,
            bounds,
            batch_size,
            progress,
            ..
        } = Pgd::default();
        Self {
            loss,
            norm,
            goal,
            bounds,
            batch_size,
            progress,
        }
    }
}

impl Fgsm {
    /// The attack that follows `loss`, with all other defaults.
    pub fn along(loss: impl Loss + 'static) -> Self {
        Self {
            loss: Arc::new(loss),
            ..Self::default()
        }
    }

    /// This attack as PGD with one step. Its α is not read, since ε, the step of each attack, may
    /// be 0.
    pub(super) fn one_step(&self) -> Result<Pgd> {
        let Self {
            loss,
            norm,
            goal,
            bounds,
            batch_size,
            progress,
        } = self.clone();
        let pgd = Pgd {
            loss,
            norm,
            goal,
            bounds,
            batch_size,
            progress,
            steps: 1,
            ..Pgd::default()
        };
        pgd.validate()?;
        Ok(pgd)
    }
}

/// Writes `FGSM`, and the norm L2 and a targeted goal.
impl fmt::Display for Fgsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FGSM{}", self.norm.words(&self.goal))
    }
}

impl fmt::Debug for Fgsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fgsm")
            .field("loss", &self.loss.describe())
            .field("norm", &self.norm)
            .field("goal", &self.goal)
            .field("bounds", &self.bounds)
            .field("batch_size", &self.batch_size)
            .finish()
    }
}
