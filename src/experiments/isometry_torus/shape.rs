//! What the layers of a stack do to the distances and the circles of the torus.

use candle_core::Tensor;
use serde::Serialize;

use crate::datasets::{Dataset, Torus};
use crate::device;
use crate::error::Result;
use crate::metrics::{
    accuracy, correlation, distances_within, members, most_prominent_loop, stress,
};
use crate::models::{LayerOutput, LocallyIsometric};

/// The shape of the torus in one layer of a stack, at the resolution of that layer. Distances are
/// those between two points of one region, all regions together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LayerShape {
    /// The number of regions at this resolution.
    pub regions: usize,
    /// The accuracy on the points it was trained on, in [0, 1].
    pub accuracy: f64,
    /// The [`stress`] of the distances between the points themselves: 0 if all are kept.
    pub stress: f64,
    /// The [`correlation`] of the distances between the points and between their representations.
    pub distance_correlation: f64,
    /// The [`stress`] of the distances between the layer's inputs, Φ of the layer before, which its
    /// loss asks it to keep.
    pub stress_of_layer: f64,
    /// The share of the circles around the tube whose [loop is kept](crate::metrics::Loop::kept).
    pub loop_kept: f64,
}

/// Measures what every layer does to the torus, coarse to fine.
///
/// # Errors
/// Shapes that do not fit, or circles of fewer than three points.
pub fn layer_shapes(stack: &LocallyIsometric, torus: &Torus) -> Result<Vec<LayerShape>> {
    let circles = members(&torus.points, &torus.circles)?;
    let outputs = stack.outputs(&torus.points)?;
    let shape = |(index, (output, level)): (usize, (&LayerOutput, Dataset))| {
        let within = |points: &Tensor| distances_within(points, &level.labels);
        let before = within(&torus.points)?;
        let (input, after) = (
            within(&output.input)?,
            within(&output.representation)?.concat(),
        );
        let kept = |circle: &Tensor| -> Result<bool> {
            Ok(most_prominent_loop(&device::select(&output.representation, circle, 0)?)?.kept())
        };
        let kept = circles.iter().map(kept).collect::<Result<Vec<bool>>>()?;
        let regions = before.len();
        let before = before.concat();
        Ok(LayerShape {
            regions,
            accuracy: accuracy(&stack.classifier(index)?, &level)?,
            stress: stress(&before, &after)?,
            distance_correlation: correlation(&before, &after)?,
            stress_of_layer: stress(&input.concat(), &after)?,
            loop_kept: kept.iter().filter(|kept| **kept).count() as f64 / kept.len() as f64,
        })
    };
    outputs
        .iter()
        .zip(torus.levels()?)
        .enumerate()
        .map(shape)
        .collect()
}
