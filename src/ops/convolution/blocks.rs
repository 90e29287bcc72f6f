//! Sums for every pair of two channels, in blocks that stay in the registers.

use pulp::Simd;

use super::panels::VECTORS;
use crate::ops::simd::Float;

/// Sums in rows, one row for each channel of the input.
pub(super) trait Blocks<T: Float> {
    /// Those of M rows from `row` on, in V vectors from `column` on.
    fn block<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    );

    /// All of so many rows, with `width` numbers each, which are whole vectors.
    #[inline(always)]
    fn all_blocks<S: Simd>(&mut self, simd: S, rows: usize, width: usize) {
        if S::REGISTER_COUNT < 32 {
            blocks::<T, S, Self, 6>(self, simd, rows, width)
        } else {
            blocks::<T, S, Self, 8>(self, simd, rows, width)
        }
    }
}

/// Σ_pairs x[from + m] · dy[to + v]: M numbers of x times V vectors of dy.
#[inline(always)]
pub(super) fn outer<T: Float, S: Simd, const M: usize, const V: usize>(
    simd: S,
    pairs: &[[u32; 2]],
    x: &[T],
    dy: &[T],
) -> [[T::Vector<S>; V]; M] {
    let mut sums = [[T::splat(simd, T::zero()); V]; M];
    for &[from, to] in pairs {
        let x = &x[from as usize..][..M];
        let dy = &T::vectors::<S>(&dy[to as usize..][..V * T::lanes::<S>()])[..V];
        for m in 0..M {
            let number = T::splat(simd, x[m]);
            for v in 0..V {
                sums[m][v] = T::mul_add(simd, number, dy[v], sums[m][v]);
            }
        }
    }
    sums
}

/// Most rows of a block.
pub(super) const ROWS: usize = 8;

#[inline(always)]
fn blocks<T: Float, S: Simd, B: Blocks<T> + ?Sized, const M: usize>(
    sums: &mut B,
    simd: S,
    rows: usize,
    width: usize,
) {
    let wide = VECTORS * T::lanes::<S>();
    let mut column = 0;
    while column < width {
        if width - column >= wide {
            column_of_blocks::<T, S, B, M, VECTORS>(sums, simd, rows, column);
            column += wide;
        } else {
            column_of_blocks::<T, S, B, M, 1>(sums, simd, rows, column);
            column += T::lanes::<S>();
        }
    }
}

#[inline(always)]
fn column_of_blocks<T: Float, S: Simd, B: Blocks<T> + ?Sized, const M: usize, const V: usize>(
    sums: &mut B,
    simd: S,
    rows: usize,
    column: usize,
) {
    let mut row = 0;
    while row < rows {
        match rows - row {
            left if left >= M => {
                sums.block::<S, M, V>(simd, row, column);
                row += M;
            }
            4.. => {
                sums.block::<S, 4, V>(simd, row, column);
                row += 4;
            }
            3 => {
                sums.block::<S, 3, V>(simd, row, column);
                row += 3;
            }
            _ => {
                sums.block::<S, 1, V>(simd, row, column);
                row += 1;
            }
        }
    }
}
