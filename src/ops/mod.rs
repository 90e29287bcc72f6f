//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.

mod linear_tanh;
mod tanh;

pub use linear_tanh::{linear_tanh, linear_tanh_composite};
