//! AutoAttack: four attacks without a parameter to choose, each on what the others left.

mod run;
mod suspicion;

use super::evaluation::RobustEvaluation;
use super::goal::Norm;
use crate::checks::{Bounds, at_least_one};
use crate::datasets::Dataset;
use crate::error::Result;
use crate::models::Network;
use crate::progress::Progress;

/// The robust accuracy of a network under AutoAttack, in the L∞ ball of radius `eps`.
///
/// ```text
/// robust accuracy(ε) = (1/N) Σ_i [argmax f(x') = t_i for every x' that an attack found in the ball]
/// ```
///
/// [`AutoAttack::evaluate`] with all defaults: pixels in \[0, 1\].
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32, the true ones.
/// - **Range**: `eps` ≥ 0, in pixel units.
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690).
///
/// # Errors
/// As [`AutoAttack::evaluate`].
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let rings = datasets::entangled_rings(&RingsParams { points: 40, ..RingsParams::default() })?;
/// let network = Model::new(0, |vb| Mlp::new(&[3, 20, 20, 2], Activation::Tanh, vb))?;
/// let attack = AutoAttack { bounds: None, queries: 0, ..AutoAttack::default() };
/// let found = attack.evaluate(&network, &rings.dataset()?, 0.1)?;
/// assert!(found.robust_accuracy <= found.accuracy);
/// println!("{found}");
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn autoattack(network: &dyn Network, data: &Dataset, eps: f64) -> Result<RobustEvaluation> {
    AutoAttack::default().evaluate(network, data, eps)
}

/// AutoAttack: APGD on the cross-entropy, APGD on the targeted DLR loss, FAB towards the same classes,
/// and Square; each attacks the images that kept their label so far.
///
/// With three classes the untargeted DLR loss takes the place of the targeted one, which needs four;
/// with two it is left out. Give flattened images their shape, (C, H, W), by
/// [`Dataset::reshaped`]: on a line of pixels Square's windows are single pixels, and it is weak.
///
/// - **Shapes**: images (N, …), labels (N,) of u32.
/// - **Range**: ε ≥ 0, in pixel units.
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), section 5, the standard version.
#[derive(Clone, Debug)]
pub struct AutoAttack {
    /// The norm of the ball. Default L∞.
    pub norm: Norm,
    /// The steps of APGD and of FAB, at least 1. Default 100.
    pub steps: usize,
    /// The wrong classes that the targeted attacks aim at, one after another, at least 1. Default 9.
    pub targets: usize,
    /// The queries of Square; 0 leaves it out. Default 5,000.
    pub queries: usize,
    /// The range that pixels are clipped to; `None` leaves them unclipped. Default \[0, 1\].
    pub bounds: Option<Bounds>,
    /// The number of images asked together, at least 1; it does not change the results. Default 200.
    pub batch_size: usize,
    /// The seed of all random numbers. Default 0.
    pub seed: u64,
    /// Whether progress bars show how far attacks of more than a second have come. Default shown.
    pub progress: Progress,
}

impl Default for AutoAttack {
    fn default() -> Self {
        Self {
            norm: Norm::default(),
            steps: 100,
            targets: 9,
            queries: 5000,
            bounds: Some(Bounds::default()),
            batch_size: 200,
            seed: 0,
            progress: Progress::default(),
        }
    }
}

impl AutoAttack {
    /// Checks every field.
    ///
    /// # Errors
    /// `steps`, `targets` or `batch_size` 0, or bounds that are not finite with min < max.
    pub fn validate(&self) -> Result<()> {
        at_least_one("steps", self.steps)?;
        at_least_one("targets", self.targets)?;
        at_least_one("batch_size", self.batch_size)?;
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}
