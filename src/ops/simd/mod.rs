//! SIMD vectors, which the kernels are written with.

mod arch;
mod exp;
mod float;
mod tanh;
#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) mod tested;
mod transpose;

pub(super) use arch::narrowest;
pub(crate) use arch::{Loop, arch, vectorised};
pub(super) use float::Float;
pub(super) use transpose::transpose;
