//! Products of narrow matrices, as in a network with twenty units per layer.
//!
//! `gemm` copies one factor for each product and fills its vectors along the narrow side: for 1600
//! rows by 20 columns it takes a third longer. Here the narrow side is filled up to whole vectors
//! once.

use candle_core::{Layout, Result};
use pulp::{Simd, WithSimd};

use crate::ops::simd::{self, Float};

/// Terms of a sum, or rows of the product, up to which this is the faster way.
const FEW: usize = 128;
/// Rows of the product that are formed together.
const ROWS: usize = 4;
/// Terms that are summed up together: many terms lose less that way.
const TERMS: usize = 64;

/// a·b, if the product has few columns, and `a` few columns or, transposed, few rows.
pub(super) fn product<T: Float>(
    a: &[T],
    la: &Layout,
    b: &[T],
    lb: &Layout,
) -> Result<Option<Vec<T>>> {
    let ((rows, terms), (terms_of_b, columns)) = (la.shape().dims2()?, lb.shape().dims2()?);
    let ([a_row, a_term], [b_term, b_column]) = (
        [la.stride()[0], la.stride()[1]],
        [lb.stride()[0], lb.stride()[1]],
    );
    if terms != terms_of_b || columns == 0 {
        return Ok(None);
    }
    let (a, b) = (&a[la.start_offset()..], &b[lb.start_offset()..]);
    let order = if a_term == 1 && terms <= FEW {
        LoopOrder::ByRow
    } else if a_row == 1 && b_column == 1 && b_term > 0 && rows <= FEW {
        LoopOrder::ByTerm
    } else {
        return Ok(None);
    };
    Ok(simd::narrowest::<T>(columns)?.dispatch(Narrow {
        a,
        b,
        rows,
        terms,
        columns,
        a_row,
        a_term,
        b_term,
        b_column,
        order,
    }))
}

#[derive(Clone, Copy)]
enum LoopOrder {
    /// One block of rows of the product after the other.
    ByRow,
    /// One block of terms of all sums after the other.
    ByTerm,
}

struct Narrow<'a, T> {
    a: &'a [T],
    b: &'a [T],
    rows: usize,
    terms: usize,
    columns: usize,
    /// Numbers from one row of `a` to the next, and so on.
    a_row: usize,
    a_term: usize,
    b_term: usize,
    b_column: usize,
    order: LoopOrder,
}

impl<T: Float> WithSimd for Narrow<'_, T> {
    type Output = Option<Vec<T>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        // Of each row of the product so many vectors.
        match self.columns.div_ceil(T::lanes::<S>()) {
            1 => Some(self.run::<S, 1>(simd)),
            2 => Some(self.run::<S, 2>(simd)),
            3 => Some(self.run::<S, 3>(simd)),
            _ => None,
        }
    }
}

impl<T: Float> Narrow<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(&self, simd: S) -> Vec<T> {
        match self.order {
            LoopOrder::ByRow => self.by_row::<S, V>(simd),
            LoopOrder::ByTerm => self.by_term::<S, V>(simd),
        }
    }

    #[inline(always)]
    fn by_row<S: Simd, const V: usize>(&self, simd: S) -> Vec<T> {
        let &Self {
            a,
            b,
            rows,
            terms,
            columns,
            a_row,
            b_term,
            b_column,
            ..
        } = self;
        let width = V * T::lanes::<S>();
        let mut filled = vec![T::zero(); terms * width];
        for (term, filled) in filled.chunks_exact_mut(width).enumerate() {
            for (column, filled) in filled[..columns].iter_mut().enumerate() {
                *filled = b[term * b_term + column * b_column];
            }
        }
        let filled = T::vectors::<S>(&filled);
        // A row's last vector reaches into the next row, which is written after it.
        let mut product = vec![T::zero(); rows * columns + width];
        for first in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - first);
            let lines: [&[T]; ROWS] =
                std::array::from_fn(|row| &a[(first + row.min(count - 1)) * a_row..][..terms]);
            let mut sums = [[T::splat(simd, T::zero()); V]; ROWS];
            for (term, b) in filled.chunks_exact(V).enumerate() {
                for row in 0..ROWS {
                    let a = T::splat(simd, lines[row][term]);
                    for v in 0..V {
                        sums[row][v] = T::mul_add(simd, a, b[v], sums[row][v]);
                    }
                }
            }
            for (row, sums) in sums[..count].iter().enumerate() {
                let out = &mut product[(first + row) * columns..][..width];
                T::vectors_mut::<S>(out).copy_from_slice(sums);
            }
        }
        product.truncate(rows * columns);
        product
    }

    #[inline(always)]
    fn by_term<S: Simd, const V: usize>(&self, simd: S) -> Vec<T> {
        let &Self {
            a,
            b,
            rows,
            terms,
            columns,
            a_term,
            b_term,
            ..
        } = self;
        let width = V * T::lanes::<S>();
        // The vectors of `b` may reach into its next row: what they give is left out. The last rows
        // are filled up.
        let within = if b.len() < width {
            0
        } else {
            ((b.len() - width) / b_term + 1).min(terms)
        };
        let mut last = vec![T::zero(); (terms - within) * width];
        for (term, last) in (within..terms).zip(last.chunks_exact_mut(width)) {
            last[..columns].copy_from_slice(&b[term * b_term..][..columns]);
        }
        let mut totals = vec![T::zero(); rows.next_multiple_of(ROWS) * width];
        for first in (0..terms).step_by(TERMS) {
            let some = first..(first + TERMS).min(terms);
            for (four, totals) in T::vectors_mut::<S>(&mut totals)
                .chunks_exact_mut(ROWS * V)
                .enumerate()
            {
                // A last four that is not full repeats its last row.
                let four: [usize; ROWS] =
                    std::array::from_fn(|row| (four * ROWS + row).min(rows - 1));
                let mut sums = [[T::splat(simd, T::zero()); V]; ROWS];
                for term in some.clone() {
                    let b = if term < within {
                        &b[term * b_term..]
                    } else {
                        &last[(term - within) * width..]
                    };
                    let (a, b) = (&a[term * a_term..][..rows], T::vectors::<S>(&b[..width]));
                    for row in 0..ROWS {
                        let a = T::splat(simd, a[four[row]]);
                        for v in 0..V {
                            sums[row][v] = T::mul_add(simd, a, b[v], sums[row][v]);
                        }
                    }
                }
                for (total, &sum) in totals.iter_mut().zip(sums.as_flattened()) {
                    *total = T::plus(simd, *total, sum);
                }
            }
        }
        let mut product = Vec::with_capacity(rows * columns);
        for row in totals.chunks_exact(width).take(rows) {
            product.extend_from_slice(&row[..columns]);
        }
        product
    }
}
