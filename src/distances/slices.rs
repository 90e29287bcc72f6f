//! Distances and products of vectors that are slices, for results that are computed on the host.

/// Σ_k term(a_k, b_k), in eight sums that fill a vector; the order does not depend on the
/// processor.
#[inline(always)]
fn sum<T: Copy + Into<f64>>(a: &[T], b: &[T], term: impl Fn(f64, f64) -> f64) -> f64 {
    let term = |a: &T, b: &T| term((*a).into(), (*b).into());
    let mut sums = [0.; 8];
    let (blocks_a, blocks_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = blocks_a
        .remainder()
        .iter()
        .zip(blocks_b.remainder())
        .map(|(a, b)| term(a, b))
        .sum::<f64>();
    for (a, b) in blocks_a.zip(blocks_b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(a, b);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// √Σ_k (a_k − b_k)², in f64.
#[inline(always)]
pub(crate) fn euclidean<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b)).sqrt()
}

/// Σ_k a_k b_k, in f64.
#[inline(always)]
pub(crate) fn dot<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
    sum(a, b, |a, b| a * b)
}

/// Σ_k |a_k| |b_k|.
#[inline(always)]
pub(crate) fn dot_of_sizes(a: &[f64], b: &[f64]) -> f64 {
    sum(a, b, |a, b| (a * b).abs())
}

/// √Σ_k a_k².
pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
