//! The isometric loss: how much a representation changes the distances inside the cells of a
//! partition.
//!
//! [`isometric`] states the formula. `loss` holds the functions; `distances` the distances that are
//! known in advance; `fused` the operation of candle for Euclidean distances; `kernel` a block of
//! it; `by_feature` and `by_point` its two innermost loops; `points` and `cells` the layout of the
//! points and of the partition in memory.

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
