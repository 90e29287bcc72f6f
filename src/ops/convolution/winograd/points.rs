//! The points of the interpolation, and the matrix of the weight that follows from them.

use super::shape::{KERNEL, READ};

/// The points ±A and ±B; 0 and ∞ are the other two.
pub(super) const A: f64 = 0.75;
pub(super) const B: f64 = 1.5;

/// G: row j is (1, t_j, t_j²) / ∏_(k ≠ j) (t_j − t_k) over the finite points, and that of ∞ is
/// (0, 0, 1).
pub(super) const G: [[f64; KERNEL]; READ] = [
    row(0., A * A * B * B),
    row(A, 2. * A * A * (A * A - B * B)),
    row(-A, 2. * A * A * (A * A - B * B)),
    row(B, 2. * B * B * (B * B - A * A)),
    row(-B, 2. * B * B * (B * B - A * A)),
    [0., 0., 1.],
];

const fn row(point: f64, product: f64) -> [f64; KERNEL] {
    [1. / product, point / product, point * point / product]
}
