//! Helpers of the kernels on images: (N, C, H, W) is N·C planes of H·W numbers, one after another.

use candle_core::Result;
use pulp::Arch;
use rayon::prelude::*;

use super::simd::{self, Float, vectorised};

/// A sum has sixteen lanes whatever the processor's width, so every processor gives the same
/// number.
const LANES: usize = 16;

/// Numbers that a parallel task takes at a time where planes do not matter.
pub(super) const CHUNK: usize = 32_768;

/// Planes a parallel task should take at least, so that it lasts some ten microseconds.
pub(super) fn planes_per_task(plane: usize) -> usize {
    (20_000 / plane.max(1)).max(1)
}

/// Σ term(value).
#[inline(always)]
pub(super) fn sum<T: Float>(values: &[T], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0f64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += term(chunk[lane].into());
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += term(value.into());
    }
    lanes.iter().sum()
}

/// Σ a and Σ a · term(b).
#[inline(always)]
pub(super) fn sum_and_product<T: Float>(a: &[T], b: &[T], term: impl Fn(f64) -> f64) -> [f64; 2] {
    let (mut sums, mut products) = ([0f64; LANES], [0f64; LANES]);
    let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            let value: f64 = a[lane].into();
            sums[lane] += value;
            products[lane] += value * term(b[lane].into());
        }
    }
    for (lane, (&a, &b)) in a_rest.iter().zip(b_rest).enumerate() {
        let value: f64 = a.into();
        sums[lane] += value;
        products[lane] += value * term(b.into());
    }
    [sums.iter().sum(), products.iter().sum()]
}

/// Adds `other` to `sum`.
pub(super) fn add<T: Float>(arch: Arch, sum: &mut [T], other: &[T]) {
    vectorised!(arch, {
        sum.iter_mut()
            .zip(other)
            .for_each(|(sum, other)| *sum += *other)
    });
}

/// (1 − t) a + t b, exactly a or b at its ends.
pub(super) fn between<T: Float>(arch: Arch, [a, b]: [&[T]; 2], t: f64, y: &mut [T]) {
    if t == 0. || t == 1. {
        y.copy_from_slice(if t == 0. { a } else { b });
        return;
    }
    let (rest, t) = (T::from_f64(1. - t), T::from_f64(t));
    vectorised!(arch, {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = *a * rest + *b * t;
        }
    });
}

/// Each number, or 0 if it is below. A NaN stays one.
#[inline(always)]
pub(super) fn relu<T: Float>(values: &mut [T]) {
    values.iter_mut().for_each(|value| {
        *value = if *value < T::zero() {
            T::zero()
        } else {
            *value
        }
    });
}

/// `value`, or 0 if it is not to be kept.
///
/// Plus 0: of a choice that is stored where its number was read, the compiler makes stores under a mask,
/// each of which costs a dozen others on AVX2.
#[inline(always)]
pub(super) fn kept<T: Float>(keep: bool, value: T) -> T {
    let kept = if keep { value } else { T::zero() };
    kept + T::zero()
}

/// The gradient `g` of a ReLU's result `y`, 0 where that is not above 0.
#[inline(always)]
pub(super) fn relu_gradient<T: Float>(g: &mut [T], y: &[T]) {
    g.iter_mut()
        .zip(y)
        .for_each(|(g, &y)| *g = kept(y > T::zero(), *g));
}

/// [`relu_gradient`] of whole tensors, in parallel.
pub(super) fn rectify<T: Float>(g: &mut [T], y: &[T]) -> Result<()> {
    let arch = simd::arch()?;
    g.par_chunks_mut(CHUNK)
        .zip(y.par_chunks(CHUNK))
        .for_each(|(g, y)| {
            vectorised!(arch, relu_gradient(g, y));
        });
    Ok(())
}
