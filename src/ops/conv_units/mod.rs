//! Convolutions, each normalised, added to an earlier result and rectified: what a stage of a
//! residual network is.

mod fused;
mod unit;
mod units;

pub use unit::{ConvUnit, ConvUnits, UnitNorm};
pub use units::{conv_units, conv_units_composite};
