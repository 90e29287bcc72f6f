//! Batch normalisation of images: Ioffe & Szegedy 2015, as PyTorch's `BatchNorm2d`.
//!
//! `batch_norm` holds the functions; `fused` their kernel as an operation of candle; `kernels` the
//! loops over slices; `running` the running statistics; `fold` the folding into a convolution.

mod batch_norm;
pub(super) mod checks;
mod fold;
mod fused;
pub(super) mod kernels;
pub(super) mod pixels;
mod running;

pub use batch_norm::{
    batch_norm, batch_norm_composite, batch_norm_eval, batch_norm_eval_composite,
};
pub use fold::fold_batch_norm;
pub use running::{BatchNorm, running_statistics};
