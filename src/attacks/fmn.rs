//! The fast minimum-norm attack.

mod run;
mod shrink;

use std::fmt;

use super::goal::{Goal, Norm};
use crate::checks::{Bounds, at_least_one, positive};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The fast minimum-norm attack (FMN): gradient steps inside a ball that shrinks where the network is
/// misled and grows where it is not.
///
/// ```text
/// L(x)    = max_{c≠t} f_c(x) − f_t(x),   δ_k = x_k − x,   δ* the shortest δ_j that misleads so far
/// ε_k     = min(ε_{k−1} (1 − γ_k), ‖δ*‖)        f misled at x_k
///           ε_{k−1} (1 + γ_k)                   misled before
///           ‖δ_k‖ + |L(x_k)| / ‖∇L(x_k)‖_q      never yet, in the first half of the steps
///           ε_{k−1} (1 + γ)                     never yet, in the second half
/// x_{k+1} = clip(project(x_k + α_k ∇L(x_k) / ‖∇L(x_k)‖₂, ε_k))
/// α_k     = from α down to α / 100,   γ_k from γ down to 0.001, both along a cosine
/// ```
///
/// q is the dual of the norm: 1 for L∞, 2 for L2. The last line of ε_k is ours: where pixels stop at
/// their bounds, or where a smooth network is nearly linear, the third line alone can end in front of
/// the boundary and never cross it. foolbox 3.3.4 finds the same images where it finds one in the
/// first half; its L2 attack leaves the projection out.
///
/// - **Shapes**: images (N, …), labels (N,) of u32.
/// - **Range**: every x_k inside the bounds; distances ≥ 0, in pixel units.
/// - **Source**: Pintor et al. 2021 (arXiv 2102.12827), algorithm 1, with the constants of their
///   code.
///
/// # Errors
/// [`MinimalAttack::minimal`](super::MinimalAttack::minimal) refuses what [`Fmn::validate`] and what every attack refuses, and a
/// network of one class.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 3], Activation::Tanh, vb))?;
/// let images = Tensor::full(0.5f32, (3, 4), &device::best())?;
/// let data = Dataset::new(images.clone(), predictions(&network, &images)?)?;
/// let minimal = Fmn { norm: Norm::L2, ..Fmn::default() }.minimal(&network, &data)?;
/// assert_eq!(minimal.robust_accuracy(0.), 1.);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fmn {
    /// The norm of the distance. Default L∞.
    pub norm: Norm,
    /// The number of steps, at least 1. Default 100.
    pub steps: usize,
    /// The length α > 0 of the first step in L2, in pixel units; the last is a hundredth. Default 1.
    pub alpha: f64,
    /// The share γ in (0, 1) by which the ball first changes. Default 0.05.
    pub gamma: f64,
    /// The range of pixels; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The number of images asked together, at least 1; changes the speed alone. Default 250.
    pub batch_size: usize,
    /// Whether a progress bar shows how far an attack of more than a second has come. Default
    /// shown.
    pub progress: Progress,
}

impl Default for Fmn {
    fn default() -> Self {
        Self {
            norm: Norm::default(),
            steps: 100,
            alpha: 1.,
            gamma: 0.05,
            bounds: Some(Bounds::default()),
            batch_size: 250,
            progress: Progress::default(),
        }
    }
}

impl Fmn {
    /// Checks every field.
    ///
    /// # Errors
    /// `steps` or `batch_size` 0, α not positive and finite, γ outside (0, 1), or bounds that are
    /// not finite with min < max.
    pub fn validate(&self) -> Result<()> {
        at_least_one("steps", self.steps)?;
        at_least_one("batch_size", self.batch_size)?;
        positive("alpha", self.alpha)?;
        if !(self.gamma > 0. && self.gamma < 1.) {
            return Err(Error::argument("gamma", "a number in (0, 1)", self.gamma));
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}

/// Writes `FMN, 100 steps`, and the norm L2.
impl fmt::Display for Fmn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.steps == 1 { "step" } else { "steps" };
        let words = self.norm.words(&Goal::Untargeted);
        write!(f, "FMN, {} {steps}{words}", self.steps)
    }
}
