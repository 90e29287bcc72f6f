//! The units of a residual stage: convolutions, each with a normalisation, the addition of an
//! earlier result and a ReLU.

mod backward;
mod batch;
mod begun;
mod evaluation;
mod frozen;
mod fused;
mod gradient;
mod laid;
mod layers;
mod passes;
mod plan;
mod starts;
#[cfg(test)]
mod tests;
mod training;
mod unit;
mod unit_gradient;
mod units;
mod workspace;

pub(crate) use begun::Begun;
pub use frozen::FrozenUnits;
pub use unit::{ConvUnit, ConvUnits, UnitNorm};
pub(crate) use units::conv_units_in;
pub use units::{conv_units, conv_units_composite};
pub(crate) use workspace::Workspace;
