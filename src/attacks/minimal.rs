//! Attacks that look for the smallest change that misleads, and what they find.

use std::fmt;
use std::time::Instant;

use super::adversarial::Adversarial;
use super::curve::RobustAccuracy;
use super::goal::{Norm, validate_eps};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::Network;
use crate::statistics;

/// A radius that holds every image.
pub(super) const ANY_DISTANCE: f64 = f64::MAX;

/// An attack that looks for the smallest change of each image that misleads a network.
///
/// ```text
/// minimise ‖x' − x‖  over  argmax f(x') ≠ t
/// ```
///
/// One run gives the robust accuracy at every radius.
///
/// - **Shapes**: images (N, …) of floating-point numbers, labels (N,) of u32.
/// - **Range**: images inside the attack's bounds, \[0, 1\] by default; distances ≥ 0, in pixel
///   units.
/// - **Source**: Szegedy et al. 2014 (arXiv 1312.6199), section 4.1.
///
/// # Errors
/// A field of the attack out of its range, and images, labels or a network that
/// [`Attack`](super::Attack) refuses, too.
pub trait MinimalAttack: Send + Sync {
    /// The smallest change found for each image of `data`.
    ///
    /// An image that the network already gets wrong has the distance 0. The results depend neither
    /// on the batches nor on the order of the images.
    ///
    /// - **Shapes**: inputs (N, …) as the network takes them, labels (N,) of u32, the true ones.
    /// - **Range**: distances ≥ 0, in pixel units; the images found inside the attack's bounds.
    /// - **Source**: as the trait.
    ///
    /// # Errors
    /// As the trait.
    fn minimal(&self, network: &dyn Network, data: &Dataset) -> Result<MinimalNorm>;
}

/// The smallest changes that an attack found, one for each image.
///
/// ```text
/// d_i = ‖x'_i − x_i‖,  argmax f(x'_i) ≠ t_i
/// ```
///
/// d_i bounds from above the distance from image i to the decision boundary.
///
/// - **Shapes**: images (N, …), labels (N,), a list of N entries.
/// - **Range**: distances ≥ 0, in pixel units; 0 where the network is wrong before the attack.
/// - **Source**: Croce & Hein 2020 (arXiv 1907.02044); Pintor et al. 2021 (arXiv 2102.12827).
#[derive(Clone, Debug)]
pub struct MinimalNorm {
    /// The name of the attack, with the number of its steps.
    pub attack: String,
    /// The norm of the distances.
    pub norm: Norm,
    /// The distance of the nearest image found that misleads; `None` where none was found.
    pub distance: Vec<Option<f64>>,
    /// The images found, with their true labels; where none was found, the image itself.
    pub data: Dataset,
    /// The images before the attack, with their true labels.
    pub original: Dataset,
    /// The number of images whose gradient was exactly 0 at the first step; see
    /// [`Adversarial::zero_gradients`].
    pub zero_gradients: usize,
    /// The time that the attack took, seconds of wall time.
    pub seconds: f64,
}

impl MinimalNorm {
    /// What an attack without a radius found.
    pub(super) fn timed(norm: Norm, attack: impl FnOnce() -> Result<Adversarial>) -> Result<Self> {
        let begin = Instant::now();
        let found = attack()?;
        let distances = found.success.iter().zip(&found.distance);
        Ok(Self {
            distance: distances
                .map(|(success, distance)| success.then_some(*distance))
                .collect(),
            attack: found.attack,
            norm,
            data: found.data,
            original: found.original,
            zero_gradients: found.zero_gradients,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }

    /// The share of images that are not misled within `eps`.
    ///
    /// ```text
    /// (1/N) Σ_i [d_i > eps]
    /// ```
    ///
    /// - **Shapes**: a number.
    /// - **Range**: \[0, 1\], falling in `eps`; at 0 the accuracy of the network.
    /// - **Source**: the definition.
    pub fn robust_accuracy(&self, eps: f64) -> f64 {
        share_beyond(&self.distance, eps)
    }

    /// The robust accuracy at each radius of `eps`.
    ///
    /// ```text
    /// accuracy(ε) = (1/N) Σ_i [d_i > ε]
    /// ```
    ///
    /// - **Shapes**: one point for each radius.
    /// - **Range**: radii ≥ 0, in pixel units; accuracies in \[0, 1\].
    /// - **Source**: the definition.
    ///
    /// # Errors
    /// A radius that is negative or not finite, or no `eps` at all.
    pub fn curve(&self, eps: &[f64]) -> Result<RobustAccuracy> {
        checked_radii(eps)?;
        Ok(RobustAccuracy {
            attack: self.attack.clone(),
            eps: eps.to_vec(),
            step_size: eps.to_vec(),
            accuracy: eps.iter().map(|eps| self.robust_accuracy(*eps)).collect(),
            zero_gradients: self.zero_gradients,
            images: self.distance.len(),
            seconds: self.seconds,
        })
    }

    /// The median of the distances, an image that was never misled being infinitely far away; `None`
    /// where that makes the median infinite.
    ///
    /// ```text
    /// the middle of the sorted d_i, or the mean of the two in the middle
    /// ```
    ///
    /// - **Shapes**: a number.
    /// - **Range**: ≥ 0, in pixel units.
    /// - **Source**: the definition.
    pub fn median(&self) -> Option<f64> {
        median_distance(&self.distance)
    }
}

/// The share of images that are not misled within `eps`.
pub(crate) fn share_beyond(distance: &[Option<f64>], eps: f64) -> f64 {
    let right = |distance: &&Option<f64>| distance.is_none_or(|distance| distance > eps);
    distance.iter().filter(right).count() as f64 / distance.len() as f64
}

/// The median distance; `None` where it is infinite.
pub(crate) fn median_distance(distance: &[Option<f64>]) -> Option<f64> {
    let far = distance.iter().map(|d| d.unwrap_or(f64::INFINITY));
    statistics::median(&far.collect::<Vec<_>>()).filter(|median| median.is_finite())
}

/// # Errors
/// A radius that is negative or not finite, or none at all.
pub(super) fn checked_radii(eps: &[f64]) -> Result<()> {
    if eps.is_empty() {
        return Err(Error::argument("eps", "at least one", "none"));
    }
    eps.iter().try_for_each(|eps| validate_eps(*eps))
}

/// Writes `FAB, 100 steps, 9 targets: 97 of 100 images misled, the median distance 0.123`.
impl fmt::Display for MinimalNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let misled = self.distance.iter().flatten().count();
        let images = self.distance.len();
        write!(
            f,
            "{}: {misled} of {images} images misled, the median distance ",
            self.attack
        )?;
        match self.median() {
            Some(median) => write!(f, "{median:.3}"),
            None => f.write_str("unknown"),
        }
    }
}
