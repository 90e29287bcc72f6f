//! The vector algebra of elastic bands, one pass through memory for each step of it.
//!
//! A batch of B bands is one tensor (B, N, D), N points of D numbers each. None of these has a
//! gradient: a band follows forces, not the gradient of a loss through them.

mod forces;
mod lengths;
mod norms;
mod points;
mod rows;

pub use forces::{PivotForce, band_forces, band_forces_composite};
pub use lengths::{band_lengths, band_lengths_composite};
pub use norms::{row_norms, row_norms_composite};
pub(crate) use points::points_between;
pub use points::{Place, band_points, band_points_composite};
