//! The papers' experiments, each as the sweep that its notebook runs after showing one case step by step.

pub mod cifar10;
mod curve;
pub mod isometry_mnist;
pub mod isometry_rings;
pub mod isometry_torus;

pub use curve::Curve;
