//! Differentiable kernels, each with a plain `_composite` twin that runs on every device.

mod activation;
mod adam;
mod conv_units;
mod convolution;
mod cross_entropy;
mod custom;
mod dtype;
mod isometric;
mod linear;
mod memory;
mod normalisation;
mod operation;
mod planes;
mod pooling;
mod simd;

pub use activation::{leaky_relu, leaky_relu_composite};
pub use adam::{AdamStep, adam, adam_composite};
pub use conv_units::{ConvUnit, ConvUnits, UnitNorm, conv_units, conv_units_composite};
pub use convolution::{
    Conv2dParams, ConvTranspose2dParams, conv_transpose2d, conv_transpose2d_composite, conv2d,
    conv2d_composite, conv2d_relu, conv2d_relu_composite,
};
pub(crate) use cross_entropy::labels_of;
pub use cross_entropy::{
    cross_entropies, cross_entropies_composite, cross_entropy, cross_entropy_composite,
};
pub use isometric::{
    Distances, isometric, isometric_composite, isometric_to, isometric_to_composite,
};
pub use linear::{linear, linear_composite, linear_tanh, linear_tanh_composite};
pub use normalisation::{
    BatchNorm, batch_norm, batch_norm_composite, batch_norm_eval, batch_norm_eval_composite,
    fold_batch_norm, running_statistics,
};
#[doc(hidden)]
pub use operation::Operation;
pub use pooling::{
    global_avg_pool2d, global_avg_pool2d_composite, max_pool2d, max_pool2d_composite,
};
