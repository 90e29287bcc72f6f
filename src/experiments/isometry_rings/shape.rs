//! What a network does to the distances and the loop of each ring.

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::error::Result;
use crate::metrics::{correlation, members, most_prominent_loop, pair_distances, stress};
use crate::models::{Network, Representation};
use crate::statistics::quantiles;

/// What became of one ring in the last hidden layer.
#[derive(Clone, Debug, PartialEq)]
pub struct RingShape {
    /// [`stress`] of its distances: 0 if all are kept.
    pub stress: f64,
    /// [`correlation`] of its distances before and after.
    pub distance_correlation: f64,
    /// [`Loop::prominence`](crate::metrics::Loop::prominence) after.
    pub loop_prominence: f64,
    /// [`Loop::kept`](crate::metrics::Loop::kept) after.
    pub loop_kept: bool,
    /// Quantiles of the distances between its points: the least, 5 %, 10 %, …, the largest.
    pub distances_before: Vec<f64>,
    /// Quantiles of the distances between their representations, in the same way.
    pub distances_after: Vec<f64>,
}

/// Φ, the output of the last hidden layer of `network`, of points `x` (N, 3).
///
/// # Errors
/// Shapes that do not fit.
pub fn representation(network: &dyn Network, x: &Tensor) -> Result<Tensor> {
    Ok(Representation::LastHidden.of(network, x)?.detach())
}

/// What `network` does to each ring, ring by ring.
///
/// # Errors
/// Shapes that do not fit, or a ring of fewer than three points.
pub fn ring_shapes(network: &dyn Network, rings: &Dataset) -> Result<Vec<RingShape>> {
    let phi = representation(network, &rings.inputs)?;
    let shape = |index: &Tensor| {
        let (x, phi) = (
            rings.inputs.index_select(index, 0)?,
            phi.index_select(index, 0)?,
        );
        let (before, after) = (pair_distances(&x)?, pair_distances(&phi)?);
        let ring = most_prominent_loop(&phi)?;
        Ok(RingShape {
            stress: stress(&before, &after)?,
            distance_correlation: correlation(&before, &after)?,
            loop_prominence: ring.prominence(),
            loop_kept: ring.kept(),
            distances_before: quantiles(&before, 20),
            distances_after: quantiles(&after, 20),
        })
    };
    members(&rings.inputs, &rings.labels)?
        .iter()
        .map(shape)
        .collect()
}
