//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.

mod adam;
mod isometric;
mod isometric_fused;
mod linear;
mod tanh;

pub use adam::{AdamStep, adam, adam_composite};
pub use isometric::{isometric, isometric_composite};
pub use linear::{linear, linear_composite, linear_tanh, linear_tanh_composite};
