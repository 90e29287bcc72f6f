//! Lengths of rows of numbers.

use candle_core::{D, Result, Shape, Tensor};
use rayon::prelude::*;

use super::rows::sums;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::simd::{Float, arch, vectorised};

/// The lengths of rows of numbers, such as the forces on the pivots of bands;
/// without a gradient.
///
/// ```text
/// ‖x_i‖₂ = √(Σ_j x_ij²)
/// ```
///
/// On a CPU in f32 or f64 one pass, elsewhere [`row_norms_composite`].
///
/// - **Shapes**: `rows` (…, D); the result has the axes before the last.
/// - **Range**: ≥ 0.
/// - **Source**: the definition.
///
/// # Errors
/// No axis, or numbers that are not floating-point.
pub fn row_norms(rows: &Tensor) -> crate::Result<Tensor> {
    if !is_fused(rows) {
        return row_norms_composite(rows);
    }
    rows.dim(D::Minus1)?;
    Ok([rows].apply_detached(Norms)?)
}

/// The lengths of [`row_norms`] in plain candle operations, on every device.
///
/// # Errors
/// As [`row_norms`].
pub fn row_norms_composite(rows: &Tensor) -> crate::Result<Tensor> {
    let (dtype, rows) = (rows.dtype(), widened("rows", &rows.detach())?);
    Ok(rows.sqr()?.sum(D::Minus1)?.sqrt()?.to_dtype(dtype)?)
}

const OPERATION: Operation = Operation::RowNorms;

struct Norms;

impl Kernel<1> for Norms {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [rows]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let dims = rows.layout.dims();
        let (width, outer) = dims
            .split_last()
            .map_or((1, dims), |(width, outer)| (*width, outer));
        let arch = arch()?;
        let norm = |at: usize| {
            let row = &rows.numbers[at * width..][..width];
            let [square] = vectorised!(arch, {
                sums(
                    [row],
                    #[inline(always)]
                    |[number]| [number * number],
                )
            });
            T::from_f64(square.sqrt())
        };
        let norms = (0..outer.iter().product())
            .into_par_iter()
            .map(norm)
            .collect();
        Ok((norms, Shape::from(outer)))
    }
}
