//! Rows of D numbers, and sums over them.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::ops::simd::Float;

/// A sum has eight lanes whatever the processor's width, so every processor gives the same number.
const LANES: usize = 8;

/// B, N ≥ 2 and D of bands.
pub(super) fn dims(op: &'static str, path: &Tensor) -> Result<(usize, usize, usize)> {
    match *path.dims() {
        [bands, points, width] if points >= 2 => Ok((bands, points, width)),
        _ => Err(Error::shape(
            op,
            "path",
            "(B, N, D), N at least 2",
            path.dims(),
        )),
    }
}

/// Σ term(numbers of all rows at one place), for each of the `K` terms.
#[inline(always)]
pub(super) fn sums<T: Float, const R: usize, const K: usize>(
    rows: [&[T]; R],
    term: impl Fn([T; R]) -> [T; K],
) -> [f64; K] {
    let width = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let mut lanes = [[0f64; LANES]; K];
    let whole = rows.map(|row| row[..width].as_chunks::<LANES>().0);
    // Several rows at once: zipped, the compiler would not see that they are equally long.
    #[expect(clippy::needless_range_loop)]
    for chunk in 0..width / LANES {
        let chunks: [&[T; LANES]; R] = std::array::from_fn(|row| &whole[row][chunk]);
        for lane in 0..LANES {
            let terms = term(std::array::from_fn(|row| chunks[row][lane]));
            for k in 0..K {
                lanes[k][lane] += terms[k].into();
            }
        }
    }
    #[expect(clippy::needless_range_loop)]
    for at in width / LANES * LANES..width {
        let terms = term(std::array::from_fn(|row| rows[row][at]));
        for k in 0..K {
            lanes[k][0] += terms[k].into();
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}
