//! Points of a line as tensors, f64, a row each: what the search for linear pieces needs beside matrix
//! products. On a CPU plain loops, on a GPU the kernels of `kernels.cu`.
//!
//! Images are rows of pixels with their channels side by side: (points, pixels · channels).

#[cfg(feature = "cuda")]
#[macro_use]
mod cuda;

mod added;
mod between;
mod changes;
mod patches;

pub(crate) use added::add;
pub(crate) use between::Between;
pub(crate) use changes::changes;
pub(crate) use patches::Patches;
