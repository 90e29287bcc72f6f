//! Tables and figures of the results.

mod elsewhere;
mod gradients;
mod networks;
mod robustness;
mod shared;
mod stretch;
