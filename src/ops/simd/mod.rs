//! SIMD vectors, which the kernels are written with.

mod arch;
mod exp;
mod float;
mod tanh;

pub(crate) use arch::arch;
pub(super) use arch::narrowest;
pub(super) use float::Float;
