//! The papers' experiments. A notebook shows one case step by step; each module here runs the whole
//! sweep.

pub mod certify;
pub mod cifar10;
pub mod connectivity;
pub mod connectivity_cifar10;
pub mod connectivity_regions;
mod curve;
pub mod decoders;
pub mod isometry_audit;
pub mod isometry_mnist;
pub mod isometry_rings;
pub mod isometry_torus;
mod sweep;
pub mod tasks;

pub use curve::Curve;
pub use sweep::{Run, Sweep, cases};
