//! The largest eigenvalue of a small matrix, from below and from above.

use candle_core::{DType, Device, Tensor};

use crate::distances::slices::{dot, norm};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::ops::largest_eigenvector;

/// The spectral norm ‖A‖₂ of each matrix of (N, rows, columns), in f64: the root of the largest
/// eigenvalue of A·Aᵀ or Aᵀ·A, whichever matrix is smaller.
///
/// From below, rounding apart: what their power iteration has found is a vector's own stretch.
///
/// # Errors
/// A power iteration that does not settle.
pub fn spectral_norms(matrices: &Tensor) -> Result<Vec<f64>> {
    const STEPS: usize = 5_000;
    let (count, rows, columns) = matrices.dims3()?;
    let matrices = matrices
        .detach()
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?
        .contiguous()?;
    let turned = matrices.transpose(1, 2)?.contiguous()?;
    let gram = match rows <= columns {
        true => matrices.matmul(&turned)?,
        false => turned.matmul(&matrices)?,
    };
    let one = |index: usize| -> Result<f64> {
        let matrix = gram.get(index)?;
        let found = largest_eigenvector(&matrix, STEPS)?;
        let rows = matrix.flatten_all()?.to_vec1::<f64>()?;
        let image = rows
            .chunks(found.vector.len())
            .map(|row| dot(row, &found.vector));
        let value = dot(&image.collect::<Vec<_>>(), &found.vector).max(0.);
        match found.is_settled {
            true => Ok(value.sqrt()),
            false => {
                let expected = format!("to settle within {STEPS} steps");
                let got = format!("still moving at {value}");
                Err(Error::argument("largest eigenvalue", expected, got))
            }
        }
    };
    (0..count).map(one).collect()
}

/// Squarings of a Gram matrix: a Frobenius norm of n numbers then is too large by a factor of at most
/// n^(1/2^(k+2)).
const SQUARINGS: usize = 12;

/// ‖A‖₂ of a matrix of f64 on the host, from above.
pub fn from_above(matrix: &Tensor) -> Result<f64> {
    let (rows, columns) = matrix.dims2()?;
    let turned = matrix.t()?.contiguous()?;
    let (a, b, n) = match rows <= columns {
        true => (matrix, &turned, rows),
        false => (&turned, matrix, columns),
    };
    // More than γ_k of products of k terms, for the matrices and for their norms.
    let gamma = 4. * (rows * columns + n * n + 8) as f64 * f64::EPSILON;
    let product = |a: &Tensor, b: &Tensor| Ok::<_, Error>(crate::ops::product(a, b)?);
    // In units of its largest number, so that no square overflows or vanishes.
    let frobenius = |matrix: &Tensor| -> Result<f64> {
        let numbers = matrix.flatten_all()?.to_vec1::<f64>()?;
        let largest = numbers.iter().fold(0f64, |a, b| a.max(b.abs()));
        let scaled: Vec<f64> = numbers.iter().map(|number| number / largest).collect();
        let size = largest * norm(&scaled) * (1. + gamma);
        Ok(if largest > 0. { size } else { 0. })
    };
    let size = frobenius(matrix)?;
    if size == 0. || !size.is_finite() {
        return Ok(size);
    }
    let one = ((a / size)?, (b / size)?);
    let mut square = product(&one.0, &one.1)?;
    // ‖A_k‖₂² = ‖A_k A_kᵀ‖₂ ≤ scale · ‖A_{k+1}‖₂ + what was rounded, ‖A_k‖_F being 1.
    let mut scales = Vec::with_capacity(SQUARINGS);
    for _ in 0..SQUARINGS {
        interrupt::check()?;
        let scale = frobenius(&square)?;
        let next = (square / scale)?;
        // Its transpose, since rounding may have made it unsymmetric.
        square = product(&next, &next.t()?.contiguous()?)?;
        scales.push(scale);
    }
    let mut bound = frobenius(&square)?;
    for scale in scales.into_iter().rev() {
        bound = scale * (bound + 2. * gamma).sqrt() * (1. + gamma);
    }
    Ok(size * (bound + 2. * gamma).sqrt() * (1. + gamma))
}
