//! Operations in f64 on batches of points that lie in plain memory: for procedures that run a network
//! layer by layer on points of their own making, and ask for no gradient.
//!
//! The channels of a pixel lie side by side, as [`Pixels`] says, so that one layer's result is the
//! next one's argument. A vector is an image of one pixel.

mod convolution;
mod rows;
#[cfg(test)]
mod tests;
mod windows;

pub(crate) use super::convolution::pixels::Pixels;
pub(crate) use convolution::LaidConvolution;
pub(crate) use rows::Rows;
pub(crate) use windows::{Means, Windows};

/// Numbers that are read and written by whole vectors.
pub(super) const LANES: usize = super::convolution::pixels::LANES;
