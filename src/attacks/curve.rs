//! Robust accuracy over many step sizes or radii in one call.

use serde::{Deserialize, Serialize};

/// A robust-accuracy curve; the three lists have one entry a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustAccuracy {
    /// The attack in words.
    pub attack: String,
    /// The radius ε of the ball, pixel units.
    pub eps: Vec<f64>,
    /// The step size α, pixel units; equals ε for FGSM.
    pub step_size: Vec<f64>,
    /// The share of images that keep their true label in every restart, in \[0, 1\].
    pub accuracy: Vec<f64>,
    /// Images whose gradient was exactly 0 at the first step, of which the attack knew nothing: see
    /// [`Adversarial::zero_gradients`](super::Adversarial::zero_gradients).
    pub zero_gradients: usize,
    /// All attacked images.
    pub images: usize,
    /// What the whole curve took, seconds of wall time.
    pub seconds: f64,
}
