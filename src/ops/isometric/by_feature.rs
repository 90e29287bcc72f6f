//! The loop by feature: a vector holds one feature of many points.

use pulp::Simd;

use super::points::{FOUR, TILE};
use crate::ops::simd::Float;

/// Some vectors of points in a tile of features.
pub(super) struct Vectors<'a, V> {
    pub(super) tile: &'a [V],
    /// Vectors of a feature.
    pub(super) stride: usize,
    /// The first of them.
    pub(super) first: usize,
}

/// The distances from four points, `near` feature by feature, to those of the tile; rows of
/// [`TILE`].
#[inline(always)]
pub(super) fn distances<S: Simd, T: Float>(
    simd: S,
    others: &Vectors<'_, T::Vector<S>>,
    near: &[[T; FOUR]],
    out: &mut [T],
) {
    let out_stride = TILE / T::lanes::<S>();
    let out = T::vectors_mut::<S>(out);
    for vector in (others.first..others.stride).step_by(2) {
        let mut sums = [[T::splat(simd, T::zero()); 2]; FOUR];
        for (feature, near) in others.tile.chunks_exact(others.stride).zip(near) {
            let (a, b) = (feature[vector], feature[vector + 1]);
            for row in 0..FOUR {
                let point = T::splat(simd, near[row]);
                let (a, b) = (T::minus(simd, a, point), T::minus(simd, b, point));
                sums[row][0] = T::mul_add(simd, a, a, sums[row][0]);
                sums[row][1] = T::mul_add(simd, b, b, sums[row][1]);
            }
        }
        for row in 0..FOUR {
            let out = &mut out[row * out_stride + vector - others.first..][..2];
            out[0] = T::sqrt(simd, sums[row][0]);
            out[1] = T::sqrt(simd, sums[row][1]);
        }
    }
}

/// With d the difference of two points' features and w its weight, adds the `w d` of four points to
/// `sums`, feature by feature four vectors that are not summed yet, and to `gradient`, the tile's
/// other points.
#[inline(always)]
pub(super) fn add_differences<S: Simd, T: Float>(
    simd: S,
    others: &Vectors<'_, T::Vector<S>>,
    near: &[[T; FOUR]],
    weights: &[T],
    sums: &mut [T::Vector<S>],
    gradient: &mut [T::Vector<S>],
) {
    // Two features' points, sums and gradients, and four weights, fill the registers of AVX-512.
    let mut feature = 0;
    if S::REGISTER_COUNT >= 32 {
        while feature + 2 <= near.len() {
            add_features::<S, T, 2>(simd, others, near, weights, sums, gradient, feature);
            feature += 2;
        }
    }
    while feature < near.len() {
        add_features::<S, T, 1>(simd, others, near, weights, sums, gradient, feature);
        feature += 1;
    }
}

#[inline(always)]
fn add_features<S: Simd, T: Float, const K: usize>(
    simd: S,
    others: &Vectors<'_, T::Vector<S>>,
    near: &[[T; FOUR]],
    weights: &[T],
    sums: &mut [T::Vector<S>],
    gradient: &mut [T::Vector<S>],
    feature: usize,
) {
    let &Vectors {
        tile,
        stride,
        first,
    } = others;
    let length = stride - first;
    let (gradient, _) = gradient[feature * stride..][..K * stride].split_at_mut(K * stride);
    let mut features = [&tile[..0]; K];
    let mut weight_rows = [&tile[..0]; FOUR];
    let mut points = [[T::splat(simd, T::zero()); FOUR]; K];
    let mut totals = points;
    for row in 0..FOUR {
        weight_rows[row] = &T::vectors::<S>(&weights[row * TILE..][..TILE])[..length];
    }
    for k in 0..K {
        features[k] = &tile[(feature + k) * stride + first..][..length];
        for row in 0..FOUR {
            points[k][row] = T::splat(simd, near[feature + k][row]);
            totals[k][row] = sums[(feature + k) * FOUR + row];
        }
    }
    let mut gradients = gradient.chunks_exact_mut(stride);
    let gradients: [_; K] = std::array::from_fn(|_| match gradients.next() {
        Some(gradient) => &mut gradient[first..][..length],
        None => &mut [],
    });
    for vector in 0..length {
        for k in 0..K {
            let other = features[k][vector];
            let mut gradient = gradients[k][vector];
            for row in 0..FOUR {
                let weight = weight_rows[row][vector];
                let difference = T::minus(simd, points[k][row], other);
                totals[k][row] = T::mul_add(simd, weight, difference, totals[k][row]);
                gradient = T::mul_add(simd, weight, difference, gradient);
            }
            gradients[k][vector] = gradient;
        }
    }
    for (k, totals) in totals.iter().enumerate() {
        sums[(feature + k) * FOUR..][..FOUR].copy_from_slice(totals);
    }
}
