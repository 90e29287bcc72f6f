//! Vectors of numbers: what the kernels are written in.

mod arch;
mod exp;
mod float;
mod tanh;

pub(super) use arch::{arch, narrowest};
pub(super) use float::Float;
