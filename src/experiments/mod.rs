//! The papers' experiments, each as the sweep that its notebook runs after showing one case step by step.

pub mod cifar10;
pub mod isometry_mnist;
