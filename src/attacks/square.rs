//! The Square attack.

mod first;
mod run;
mod search;
mod window;

use std::fmt;

use super::goal::{Goal, Norm};
use crate::checks::{Bounds, at_least_one};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The Square attack: a random search that asks for logits alone, and for no gradient.
///
/// ```text
/// L(x')  = max_{c≠t} f_c(x') − f_t(x')
/// x_0    = clip(x + δ),  δ in L∞: ±ε for each column of each channel,  in L2: hills of either sign
/// x'     = x_k with one square window changed          k = 0, 1, …
/// x_{k+1} = x' if L(x') > L(x_k) or f is misled at x',  else x_k
/// ```
///
/// A window lies anywhere in the image, each place equally likely. In L∞ each of its channels
/// becomes x + ε or x − ε; in L2 it gains the length of δ that a second window loses, and all that
/// is left of ε. It covers the share p of the image, which halves along the way. A search ends at
/// the first image that misleads, else after `queries` windows. It finds what gradients hide: where
/// it beats an attack that follows a gradient, the gradient is masked.
///
/// Places, signs and schedule are those of the paper. Two of them differ from the authors' code,
/// which torchattacks repeats: a window there never reaches the last line and column, and all images
/// of a batch share it.
///
/// - **Shapes**: images (N, C, H, W), or (N, H, W) of one channel; labels (N,) of u32. Points (N, d)
///   are one line, on which a window is a single number: give flattened images their shape by
///   [`reshaped`](crate::datasets::Dataset::reshaped) first, or the search is a weak one.
/// - **Range**: ε ≥ 0, in pixel units; every image inside the bounds and within ε of x.
/// - **Source**: Andriushchenko et al. 2020 (arXiv 1912.00049), algorithms 1 to 3; Croce & Hein 2020
///   (arXiv 2003.01690) for the number of queries.
///
/// # Errors
/// [`Attack::attack`](super::Attack::attack) refuses what [`Square::validate`] and what every attack refuses, images that
/// have more axes, and a network of one class.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[16, 8, 2], Activation::Tanh, vb))?;
/// let images = Tensor::full(0.5f32, (3, 1, 4, 4), &device::best())?;
/// let labels = predictions(&network, &images)?;
/// let data = Dataset::new(images, labels)?;
/// let square = Square { queries: 100, ..Square::default() };
/// let attacked = square.attack(&network, &data, 0.3)?;
/// assert!(attacked.loss_after > attacked.loss_before);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Square {
    /// The norm of the ball. Default L∞.
    pub norm: Norm,
    /// The number of windows that are tried, at least 1. Default 5,000, as in AutoAttack.
    pub queries: usize,
    /// The share of the image that the first windows cover, in (0, 1]. Default 0.8, as in
    /// AutoAttack.
    pub p_init: f64,
    /// The range of pixels; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The number of images asked together, at least 1; changes the speed alone. Default 250.
    pub batch_size: usize,
    /// The seed of the windows and signs, which follow from it and the image alone. Default 0.
    pub seed: u64,
    /// Whether a progress bar shows how far an attack of more than a second has come. Default
    /// shown.
    pub progress: Progress,
}

impl Default for Square {
    fn default() -> Self {
        Self {
            norm: Norm::default(),
            queries: 5_000,
            p_init: 0.8,
            bounds: Some(Bounds::default()),
            batch_size: 250,
            seed: 0,
            progress: Progress::default(),
        }
    }
}

impl Square {
    /// Checks every field.
    ///
    /// # Errors
    /// `queries` or `batch_size` 0, `p_init` outside (0, 1], or bounds that are not finite with
    /// min < max.
    pub fn validate(&self) -> Result<()> {
        at_least_one("queries", self.queries)?;
        at_least_one("batch_size", self.batch_size)?;
        if !(self.p_init > 0. && self.p_init <= 1.) {
            return Err(Error::argument("p_init", "a number in (0, 1]", self.p_init));
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}

/// Writes `Square, 5000 queries`, and the norm L2.
impl fmt::Display for Square {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.norm.words(&Goal::Untargeted);
        write!(f, "Square, {} queries{words}", self.queries)
    }
}
