//! Two-dimensional convolution and its transpose.
//!
//! `conv2d` and `conv_transpose2d` hold the public functions; `layer` both as one operation of
//! candle; `gather` and `weight_gradient` the loops over images; `pixels` the layout of an image for
//! these loops; `pass` one direction of a convolution, by the sum of its taps (`product`) or by
//! Winograd's transforms (`winograd`).

mod blocks;
mod checks;
mod conv2d;
mod conv_transpose2d;
pub(super) mod gather;
pub(super) mod geometry;
mod layer;
mod narrow;
mod outer;
pub(super) mod panels;
pub(super) mod pass;
pub(super) mod pixels;
mod pointwise;
pub(super) mod product;
pub(super) mod steps;
pub(super) mod weight_gradient;
pub(super) mod winograd;

pub use conv_transpose2d::{ConvTranspose2dParams, conv_transpose2d, conv_transpose2d_composite};
pub(super) use conv2d::geometry;
pub use conv2d::{Conv2dParams, conv2d, conv2d_composite, conv2d_relu, conv2d_relu_composite};
