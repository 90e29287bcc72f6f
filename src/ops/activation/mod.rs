//! Activation functions: each acts on every number alone.

mod leaky_relu;
pub(super) mod tanh;

pub use leaky_relu::{leaky_relu, leaky_relu_composite};
