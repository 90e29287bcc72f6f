//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.

mod isometric;
mod isometric_fused;

pub use isometric::{isometric, isometric_composite};
