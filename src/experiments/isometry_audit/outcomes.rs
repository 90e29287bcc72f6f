//! What attacks leave of a network, in numbers and a few images.
//!
//! All attacked images of a network are a quarter of a gigabyte at `paper` scale.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::attacks::{
    MinimalNorm, RobustEvaluation, Stage, Warning, median_distance, share_beyond,
};
use crate::error::Result;

/// What AutoAttack leaves at one radius: a [`RobustEvaluation`] without its images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtRadius {
    /// ε, the radius of the ball, pixel units.
    pub eps: f64,
    /// The number of images.
    pub images: usize,
    /// The share of images that kept their true label under every attack, in [0, 1].
    pub robust_accuracy: f64,
    /// The attacks, in their order; none where no image was left to attack.
    pub stages: Vec<Stage>,
    /// What makes the robust accuracy hard to believe.
    pub warnings: Vec<Warning>,
}

impl From<RobustEvaluation> for AtRadius {
    fn from(found: RobustEvaluation) -> Self {
        Self {
            eps: found.eps,
            images: found.images,
            robust_accuracy: found.robust_accuracy,
            stages: found.stages,
            warnings: found.warnings,
        }
    }
}

/// The smallest changes that mislead: a [`MinimalNorm`] with the first of its images alone.
#[derive(Clone, Debug)]
pub struct SmallestChanges {
    /// The distance of the nearest image found that misleads, of every attacked image, pixel units;
    /// `None` where none was found.
    pub distance: Vec<Option<f64>>,
    /// The images found for the first attacked images, (K, …) with K at most
    /// [`AuditParams::kept_images`](super::AuditParams::kept_images); where none was found, the image
    /// itself.
    pub images: Tensor,
}

impl SmallestChanges {
    /// Keeps the distances and the first `kept` images of what an attack found.
    ///
    /// # Errors
    /// `kept` is 0.
    pub fn of(found: MinimalNorm, kept: usize) -> Result<Self> {
        Ok(Self {
            // A copy: a part of a tensor keeps the whole of it in memory.
            images: found.data.first(kept)?.inputs.copy()?,
            distance: found.distance,
        })
    }

    /// The share of images that are not misled within `eps`, as [`MinimalNorm::robust_accuracy`].
    pub fn robust_accuracy(&self, eps: f64) -> f64 {
        share_beyond(&self.distance, eps)
    }

    /// The median of the distances, as [`MinimalNorm::median`].
    pub fn median(&self) -> Option<f64> {
        median_distance(&self.distance)
    }
}
