//! SIMD vectors, which the kernels are written with.

mod arch;
mod exp;
mod float;
mod tanh;
#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) mod tested;

pub(crate) use arch::arch;
pub(super) use arch::narrowest;
pub(super) use float::Float;
