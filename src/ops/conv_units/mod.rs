//! The units of a residual stage: convolutions, each with a normalisation, the addition of an
//! earlier result and a ReLU.

mod fused;
mod unit;
mod units;

pub use unit::{ConvUnit, ConvUnits, UnitNorm};
pub use units::{conv_units, conv_units_composite};
