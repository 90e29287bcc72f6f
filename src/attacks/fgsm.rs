//! The fast gradient sign method.

use std::fmt;
use std::sync::Arc;

use super::goal::{Goal, Norm};
use super::pgd::Pgd;
use crate::checks::Bounds;
use crate::error::Result;
use crate::losses::Loss;
use crate::progress::Progress;

/// The fast gradient sign method: [`Pgd`] with one full step of ε from the image,
///
/// x' = clip(x + ε · sign(∇ₓ L(x, t))).
///
/// In L∞ along the cross-entropy, pixels in \[0, 1\], unless told otherwise. ε is what the *isometry*
/// paper calls the step size of FGSM.
///
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 2], Activation::Tanh, vb))?;
/// let device = device::best();
/// let images = Tensor::full(0.5f32, (3, 4), &device)?;
/// let data = Dataset::new(images, Tensor::new(&[0u32, 1, 0], &device)?)?;
/// let curve = Fgsm::default().curve(&network, &data, &[0.01, 0.1])?;
/// assert_eq!(curve.accuracy.len(), 2);
/// # Ok::<(), isopath::Error>(())
/// ```
///
/// Source: Goodfellow et al. 2015 (arXiv 1412.6572); *isometry* paper, sections 2.2 and 3.3.
#[derive(Clone)]
pub struct Fgsm {
    /// The loss that the attacker follows. Default the cross-entropy.
    pub loss: Arc<dyn Loss>,
    /// Default L∞. With L2 the step is ε · g / ‖g‖₂ (the fast gradient method without the sign).
    pub norm: Norm,
    /// Default untargeted.
    pub goal: Goal,
    /// Pixels stay inside; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// Images attacked together, at least 1; matters when the loss couples the samples of a batch.
    /// Default 100.
    pub batch_size: usize,
    /// Whether a moving line shows how far an attack of more than a second has come. Default shown.
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
    /// The attack with all defaults that follows `loss`.
    pub fn along(loss: impl Loss + 'static) -> Self {
        Self {
            loss: Arc::new(loss),
            ..Self::default()
        }
    }

    /// The same as PGD: one step. Its α is not read, since ε, the step of each attack, may be 0.
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

/// `FGSM`.
impl fmt::Display for Fgsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FGSM")
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
