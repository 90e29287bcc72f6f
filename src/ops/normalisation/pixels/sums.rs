//! Sums over the pixels of images in vectors of channels.

use pulp::Simd;

use crate::ops::convolution::pixels::LANES;
use crate::ops::simd::Float;

/// Pixels whose sum, taken [`WAYS`] at a time, loses nothing in f32; they stay in the nearest caches.
pub(super) const BLOCK: usize = 128;

/// Sums that are taken side by side and added up at the end of a block: one alone would wait for each
/// addition.
pub(super) const WAYS: usize = 4;

/// The sum of all.
#[inline(always)]
pub(super) fn total<T: Float, S: Simd>(simd: S, sums: [T::Vector<S>; WAYS]) -> T::Vector<S> {
    let pairs = [
        T::plus(simd, sums[0], sums[1]),
        T::plus(simd, sums[2], sums[3]),
    ];
    T::plus(simd, pairs[0], pairs[1])
}

/// A vector's numbers in f64, zeros after them.
#[inline(always)]
pub(super) fn wide<T: Float, S: Simd>(vector: T::Vector<S>) -> [f64; LANES] {
    let mut numbers = [T::zero(); LANES];
    T::vectors_mut::<S>(&mut numbers)[0] = vector;
    numbers.map(Into::into)
}
