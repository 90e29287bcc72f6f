//! Tables and figures of the results.

mod gradients;
mod networks;
mod robustness;
mod shared;
mod stretch;
