//! What a network does to the distances and the loop of each ring.

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::device;
use crate::error::Result;
use crate::metrics::{correlation, members, most_prominent_loop, pair_distances, stress};
use crate::models::{Network, Representation};
use crate::statistics::quantiles;

/// The shape of one ring in the last hidden layer, beside its shape in space.
#[derive(Clone, Debug, PartialEq)]
pub struct RingShape {
    /// The [`stress`] of its distances: 0 if all are kept.
    pub stress: f64,
    /// The [`correlation`] of its distances before and after.
    pub distance_correlation: f64,
    /// The [prominence](crate::metrics::Loop::prominence) of its loop after.
    pub loop_prominence: f64,
    /// Whether its [loop is kept](crate::metrics::Loop::kept).
    pub loop_kept: bool,
    /// Quantiles of the distances between its points: the least, 5 %, 10 %, …, the largest.
    pub distances_before: Vec<f64>,
    /// Quantiles of the distances between their representations, in the same way.
    pub distances_after: Vec<f64>,
}

/// The representation Φ of points `x` (N, 3): the output of the last hidden layer of `network`.
///
/// # Errors
/// Shapes that do not fit.
pub fn representation(network: &dyn Network, x: &Tensor) -> Result<Tensor> {
    Ok(Representation::LastHidden.of(network, x)?.detach())
}

/// Measures what `network` does to each ring, ring by ring.
///
/// # Errors
/// Shapes that do not fit, or a ring of fewer than three points.
pub fn ring_shapes(network: &dyn Network, rings: &Dataset) -> Result<Vec<RingShape>> {
    let phi = representation(network, &rings.inputs)?;
    let shape = |index: &Tensor| {
        let (x, phi) = (
            device::select(&rings.inputs, index, 0)?,
            device::select(&phi, index, 0)?,
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
