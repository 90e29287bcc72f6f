//! Layers of a fully connected network, and their matrix products.

mod eigen;
mod layer;
mod narrow;
mod product;

pub(crate) use eigen::largest_eigenvector;
pub use layer::{linear, linear_composite, linear_tanh, linear_tanh_composite};
pub(crate) use product::product;
