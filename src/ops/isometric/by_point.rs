//! The loop by point: a vector holds many features of one point.

use pulp::Simd;

use super::points::{FOUR, Rows, TILE};
use crate::ops::simd::Float;

/// The distances from the points `own` to `others`; rows of [`TILE`].
#[inline(always)]
pub(super) fn distances<S: Simd, T: Float>(
    simd: S,
    rows: &Rows<'_, T>,
    own: [u32; FOUR],
    others: &[u32],
    out: &mut [T],
) {
    let mut near = [T::vectors::<S>(rows.row(own[0])); FOUR];
    for row in 1..FOUR {
        near[row] = T::vectors::<S>(rows.row(own[row]));
    }
    for (pair, others) in others.chunks(2).enumerate() {
        // An odd one is its own partner; the second result is overwritten with zeros later.
        let [a, b] =
            [others[0], others[others.len() - 1]].map(|other| T::vectors::<S>(rows.row(other)));
        let mut sums = [[T::splat(simd, T::zero()); 2]; FOUR];
        for (vector, (&a, &b)) in a.iter().zip(b).enumerate() {
            for row in 0..FOUR {
                let point = near[row][vector];
                let (a, b) = (T::minus(simd, a, point), T::minus(simd, b, point));
                sums[row][0] = T::mul_add(simd, a, a, sums[row][0]);
                sums[row][1] = T::mul_add(simd, b, b, sums[row][1]);
            }
        }
        for row in 0..FOUR {
            out[row * TILE + 2 * pair] = T::sum_across(simd, sums[row][0]).root();
            out[row * TILE + 2 * pair + 1] = T::sum_across(simd, sums[row][1]).root();
        }
    }
}

/// With d the difference of two points and w its weight, adds the `w d` of four points `own` to
/// `sums`, a row each, and to `gradient`, a row for each of `others`.
#[inline(always)]
pub(super) fn add_differences<S: Simd, T: Float>(
    simd: S,
    rows: &Rows<'_, T>,
    own: [u32; FOUR],
    others: &[u32],
    weights: &[T],
    sums: &mut [T],
    gradient: &mut [T],
) {
    let vectors = rows.stride / T::lanes::<S>();
    let mut vector = 0;
    if S::REGISTER_COUNT >= 32 {
        while vector + 2 <= vectors {
            add_vectors::<S, T, 2>(simd, rows, own, others, weights, sums, gradient, vector);
            vector += 2;
        }
    }
    while vector < vectors {
        add_vectors::<S, T, 1>(simd, rows, own, others, weights, sums, gradient, vector);
        vector += 1;
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of its only caller, and where to begin"
)]
#[inline(always)]
fn add_vectors<S: Simd, T: Float, const K: usize>(
    simd: S,
    rows: &Rows<'_, T>,
    own: [u32; FOUR],
    others: &[u32],
    weights: &[T],
    sums: &mut [T],
    gradient: &mut [T],
    vector: usize,
) {
    let mut points = [[T::splat(simd, T::zero()); FOUR]; K];
    let mut totals = points;
    for row in 0..FOUR {
        for k in 0..K {
            points[k][row] = T::vectors::<S>(rows.row(own[row]))[vector + k];
            totals[k][row] = T::vectors::<S>(&sums[row * rows.stride..][..rows.stride])[vector + k];
        }
    }
    for (j, (&other, gradient)) in others
        .iter()
        .zip(gradient.chunks_exact_mut(rows.stride))
        .enumerate()
    {
        let other = &T::vectors::<S>(rows.row(other))[vector..vector + K];
        let gradient = &mut T::vectors_mut::<S>(gradient)[vector..vector + K];
        for row in 0..FOUR {
            let weight = T::splat(simd, weights[row * TILE + j]);
            for k in 0..K {
                let difference = T::minus(simd, points[k][row], other[k]);
                totals[k][row] = T::mul_add(simd, weight, difference, totals[k][row]);
                gradient[k] = T::mul_add(simd, weight, difference, gradient[k]);
            }
        }
    }
    for (row, sums) in sums.chunks_exact_mut(rows.stride).enumerate() {
        let sums = &mut T::vectors_mut::<S>(sums)[vector..vector + K];
        sums.iter_mut()
            .zip(&totals)
            .for_each(|(sum, totals)| *sum = totals[row]);
    }
}
