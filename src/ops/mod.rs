//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.

mod adam;
mod batch_norm;
mod batch_norm_fused;
mod batch_norm_kernels;
mod conv2d;
mod conv2d_grid;
mod conv2d_kernels;
mod conv2d_layer;
mod conv2d_simd;
mod conv_transpose2d;
mod conv_units;
mod cross_entropy;
mod exp;
mod global_avg_pool2d;
mod isometric;
mod leaky_relu;
mod linear;
mod max_pool2d;
mod narrow;
mod planes;
mod product;
mod simd;
mod tanh;

pub use adam::{AdamStep, adam, adam_composite};
pub use batch_norm::{
    BatchNorm, batch_norm, batch_norm_composite, batch_norm_eval, batch_norm_eval_composite,
    fold_batch_norm, running_statistics,
};
pub use conv_transpose2d::{ConvTranspose2dParams, conv_transpose2d, conv_transpose2d_composite};
pub use conv_units::{ConvUnit, ConvUnits, UnitNorm, conv_units, conv_units_composite};
pub use conv2d::{Conv2dParams, conv2d, conv2d_composite, conv2d_relu, conv2d_relu_composite};
pub(crate) use cross_entropy::labels_of;
pub use cross_entropy::{
    cross_entropies, cross_entropies_composite, cross_entropy, cross_entropy_composite,
};
pub use global_avg_pool2d::{global_avg_pool2d, global_avg_pool2d_composite};
pub use isometric::{
    Distances, isometric, isometric_composite, isometric_to, isometric_to_composite,
};
pub use leaky_relu::{leaky_relu, leaky_relu_composite};
pub use linear::{linear, linear_composite, linear_tanh, linear_tanh_composite};
pub use max_pool2d::{max_pool2d, max_pool2d_composite};

use candle_core::{DType, Layout, Tensor};

/// Whether there are kernels of our own for `x`: on the CPU, f32 and f64.
fn is_fused(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
}

/// The numbers of a contiguous tensor.
fn contiguous<'a, T>(values: &'a [T], layout: &Layout) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => candle_core::bail!("a tensor of shape {:?} is not contiguous", layout.dims()),
    }
}
