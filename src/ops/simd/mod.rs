//! SIMD vectors, which the kernels are written with.

mod arch;
mod exp;
mod float;
mod tanh;

pub(super) use arch::{arch, narrowest};
pub(super) use float::Float;
