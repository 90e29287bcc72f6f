//! The papers' experiments, each as the sweep that its notebook runs after showing one case step by
//! step.

pub mod cifar10;
pub mod connectivity;
pub mod connectivity_cifar10;
mod curve;
pub mod decoders;
pub mod isometry_mnist;
pub mod isometry_rings;
pub mod isometry_torus;
mod sweep;

pub use curve::Curve;
pub use sweep::{Run, Sweep, cases};
