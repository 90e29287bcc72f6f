//! Winograd's transform of the weight.

use candle_core::Result;
use rayon::prelude::*;

use super::points::G;
use super::shape::{KERNEL, POINTS, READ, TAPS};
use crate::ops::convolution::steps::Direction;
use crate::ops::simd::{Float, arch, vectorised};

/// Kernels at a time.
const CHUNK: usize = 8;

/// G g Gᵀ of each kernel of a weight (outputs, inputs, 3, 3), as (outputs, inputs, 6, 6), in f64,
/// rounded once. For the gradient the taps are turned round.
///
/// # Errors
/// `ISOPATH_SIMD` asks for vectors that the processor does not have.
pub(in crate::ops::convolution) fn transformed<T: Float>(
    weight: &[T],
    direction: Direction,
) -> Result<Vec<T>> {
    let arch = arch()?;
    let mut result = vec![T::zero(); weight.len() / TAPS * POINTS];
    result
        .par_chunks_mut(CHUNK * POINTS)
        .zip(weight.par_chunks(CHUNK * TAPS))
        .with_min_len(64)
        .for_each(|(result, weight)| {
            vectorised!(arch, transform(weight, direction, result));
        });
    Ok(result)
}

#[inline(always)]
fn transform<T: Float>(weight: &[T], direction: Direction, result: &mut [T]) {
    // The kernels side by side, so that the loops over them become vectors.
    let mut taps = [[0f64; CHUNK]; TAPS];
    for (at, kernel) in weight.as_chunks::<TAPS>().0.iter().enumerate() {
        for (tap, number) in kernel.iter().enumerate() {
            let tap = match direction {
                Direction::Forward => tap,
                Direction::Backward => TAPS - 1 - tap,
            };
            taps[tap][at] = number.to_f64();
        }
    }
    let mut columns = [[[0f64; CHUNK]; KERNEL]; READ];
    for (columns, row) in columns.iter_mut().zip(G) {
        for (x, columns) in columns.iter_mut().enumerate() {
            for at in 0..CHUNK {
                columns[at] = row[0] * taps[x][at]
                    + row[1] * taps[KERNEL + x][at]
                    + row[2] * taps[2 * KERNEL + x][at];
            }
        }
    }
    let mut products = [[0f64; CHUNK]; POINTS];
    for (y, columns) in columns.iter().enumerate() {
        for (x, row) in G.iter().enumerate() {
            for at in 0..CHUNK {
                products[y * READ + x][at] =
                    row[0] * columns[0][at] + row[1] * columns[1][at] + row[2] * columns[2][at];
            }
        }
    }
    for (at, kernel) in result.as_chunks_mut::<POINTS>().0.iter_mut().enumerate() {
        for (to, from) in kernel.iter_mut().zip(&products) {
            *to = T::from_f64(from[at]);
        }
    }
}
