//! The largest eigenvalue of a small matrix.

use candle_core::{DType, Device, Tensor};

use crate::distances::slices::{dot, norm};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::rng::Rng;

const STEPS: usize = 5_000;
/// A step that changes the estimate by less than this share of it is the last.
const TOLERANCE: f64 = 1e-12;

/// The largest eigenvalue of a symmetric, positive semidefinite n×n matrix, given row by row, by
/// power iteration.
///
/// From a start drawn with a fixed seed. The estimate grows towards the eigenvalue and never
/// exceeds it, rounding apart; where the two largest are equal it still converges.
pub fn largest_eigenvalue(matrix: &[f64], n: usize) -> Result<f64> {
    let start =
        Rng::new(0)
            .stream("power iteration")
            .normal(n, 0., 1., DType::F64, &Device::Cpu)?;
    let mut vector = start.to_vec1::<f64>()?;
    let mut value = 0.;
    for step in 0..STEPS {
        // A step on a small matrix takes no longer than the check.
        if step % 64 == 0 {
            interrupt::check()?;
        }
        let length = norm(&vector);
        // A zero matrix.
        if length == 0. {
            return Ok(0.);
        }
        vector.iter_mut().for_each(|v| *v /= length);
        let image: Vec<f64> = matrix
            .chunks(n.max(1))
            .map(|row| dot(row, &vector))
            .collect();
        let next = dot(&image, &vector);
        vector = image;
        if (next - value).abs() <= TOLERANCE * next.abs() {
            return Ok(next.max(0.));
        }
        value = next;
    }
    let expected = format!("to settle within {STEPS} steps");
    Err(Error::argument(
        "largest eigenvalue",
        expected,
        format!("still moving at {value}"),
    ))
}

/// The spectral norm ‖A‖₂ of each matrix of (N, rows, columns), in f64: the root of the largest
/// eigenvalue of A·Aᵀ or Aᵀ·A, whichever matrix is smaller.
pub fn spectral_norms(matrices: &Tensor) -> Result<Vec<f64>> {
    let (count, rows, columns) = matrices.dims3()?;
    let matrices = matrices
        .detach()
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?
        .contiguous()?;
    let turned = matrices.transpose(1, 2)?.contiguous()?;
    let (gram, n) = if rows <= columns {
        (matrices.matmul(&turned)?, rows)
    } else {
        (turned.matmul(&matrices)?, columns)
    };
    let flat = gram.flatten_all()?.to_vec1::<f64>()?;
    (0..count)
        .map(|index| Ok(largest_eigenvalue(&flat[index * n * n..(index + 1) * n * n], n)?.sqrt()))
        .collect()
}
