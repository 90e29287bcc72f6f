//! The isometric loss: how far a representation is from keeping the distances inside each cell of a
//! partition.
//!
//! `loss` has the formulas, `distances` those that are known before, `fused` the operation of candle
//! for Euclidean distances, `kernel` a block of it, `by_feature` and `by_point` its two innermost
//! loops, `points` and `cells` how points lie in memory and in the partition.

mod by_feature;
mod by_point;
mod cells;
mod checks;
mod distances;
mod fused;
mod kernel;
mod loss;
mod points;

pub use distances::Distances;
pub use loss::{isometric, isometric_composite, isometric_to, isometric_to_composite};
