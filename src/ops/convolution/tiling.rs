//! Splits the work of a convolution into parts that fit the caches.

use std::ops::Range;

use candle_core::WithDType;

/// Numbers of one part of the work that stay in the second cache.
pub(super) const CACHED: usize = 120_000;
/// Positions below which images are put side by side.
pub(super) const POSITIONS: usize = 384;
/// Parts that occupy the threads of a small machine.
pub(super) const PARTS: usize = 4;

/// The rows of a result in bands that stay in the second cache, `channels` channels each.
pub(super) fn bands([height, width]: [usize; 2], channels: usize) -> Vec<Range<usize>> {
    let rows = CACHED
        .checked_div(channels)
        .map_or(height, |count| count.max(POSITIONS) / width);
    let rows = height.div_ceil(height.div_ceil(rows.max(1)));
    // Of whole vectors.
    let rows = (rows..rows + 16)
        .find(|rows| (rows * width).is_multiple_of(16))
        .unwrap_or(rows)
        .min(height);
    (0..height)
        .step_by(rows)
        .map(|start| start..height.min(start + rows))
        .collect()
}

/// to\[j, i\] = from\[i, j\] for `rows` rows i of `from`, `pitch` apart, and as many j as `to` has
/// rows, `to_pitch` apart.
pub(super) fn transpose<T: Copy>(
    from: &[T],
    pitch: usize,
    rows: usize,
    to: &mut [T],
    to_pitch: usize,
) {
    // Some at a time, so that what is written stays in the first cache.
    for (block, to) in to.chunks_mut(16 * to_pitch).enumerate() {
        for row in 0..rows {
            let from = &from[row * pitch + 16 * block..];
            to[row..]
                .iter_mut()
                .step_by(to_pitch)
                .zip(from)
                .for_each(|(to, from)| *to = *from);
        }
    }
}

pub(super) fn zero<T: WithDType>(numbers: &mut Vec<T>, count: usize) {
    numbers.clear();
    numbers.resize(count, T::zero());
}
