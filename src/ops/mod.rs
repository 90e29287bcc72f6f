//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.

mod adam;
mod isometric;
mod isometric_fused;
mod linear;
mod tanh;

pub use adam::{AdamStep, adam, adam_composite};
pub use isometric::{isometric, isometric_composite};
pub use linear::{linear, linear_composite};
pub use tanh::{tanh, tanh_composite};

use candle_core::Layout;

/// The numbers of a contiguous tensor.
fn contiguous<'a, T>(values: &'a [T], layout: &Layout) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => candle_core::bail!("a tensor of shape {:?} is not contiguous", layout.dims()),
    }
}
