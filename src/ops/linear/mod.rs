//! Layers of a fully connected network, and their matrix products.

mod layer;
mod narrow;
mod product;

pub use layer::{linear, linear_composite, linear_tanh, linear_tanh_composite};
pub(crate) use product::product;
