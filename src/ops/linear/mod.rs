//! Layers of a fully connected network, and their matrix products.

mod eigen;
mod gram_sums;
mod layer;
mod narrow;
mod product;

pub(crate) use eigen::largest_eigenvector;
pub use gram_sums::{gram_sums, gram_sums_composite};
pub use layer::{linear, linear_composite, linear_tanh, linear_tanh_composite};
pub(crate) use product::product;
