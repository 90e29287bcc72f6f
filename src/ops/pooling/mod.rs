//! Pooling: one number for each window of a plane.

mod global_avg_pool2d;
mod max_pool2d;

pub use global_avg_pool2d::{global_avg_pool2d, global_avg_pool2d_composite};
pub use max_pool2d::{max_pool2d, max_pool2d_composite};
