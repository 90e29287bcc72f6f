//! Activation functions: each acts on every number alone.

mod leaky_relu;
mod relu;
pub(super) mod tanh;

pub use leaky_relu::{leaky_relu, leaky_relu_composite};
pub(crate) use relu::relu;
