//! The eigenvector of a small matrix's largest eigenvalue, by power iteration.

use candle_core::{DType, Device, Tensor};

use crate::distances::slices::{dot, norm};
use crate::error::Result;
use crate::interrupt;
use crate::rng::Rng;

/// After so many steps the matrix is squared: where one eigenvalue is far above the others, a few
/// steps are enough, and where two lie close together they part sooner.
const STEPS_BETWEEN: usize = 8;
/// The matrix is squared at most so often: a step on its 1024th power is worth 1024.
const SQUARINGS: usize = 10;
/// A step that changes the estimate by less than this share of it is the last.
const TOLERANCE: f64 = 1e-14;

/// Where a power iteration ended.
pub(crate) struct Eigenvector {
    /// The vector, of length 1; of zeros for a matrix of zeros.
    pub vector: Vec<f64>,
    /// Whether the last step changed the largest eigenvalue of the matrix, or of its power, by less
    /// than 1e-14 of itself.
    pub is_settled: bool,
}

/// The eigenvector of the largest eigenvalue of a symmetric, positive semidefinite matrix (n, n).
///
/// From a start drawn with a fixed seed, in at most `steps` steps; the matrix is squared after every
/// eight, up to its 1024th power. Where the two largest eigenvalues are equal it is one of the
/// vectors of both.
///
/// # Errors
/// No square matrix.
pub(crate) fn largest_eigenvector(matrix: &Tensor, steps: usize) -> Result<Eigenvector> {
    let n = matrix.dim(0)?;
    let host = matrix.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let mut rows = host.flatten_all()?.to_vec1::<f64>()?;
    if !scale(&mut rows) {
        return Ok(Eigenvector {
            vector: vec![0.; n],
            is_settled: true,
        });
    }
    let start =
        Rng::new(0)
            .stream("power iteration")
            .normal(n, 0., 1., DType::F64, &Device::Cpu)?;
    let mut vector = start.to_vec1::<f64>()?;
    let (mut value, mut is_settled) = (0., false);
    for step in 0..=steps {
        // A step on a small matrix takes no longer than the check.
        if step % 64 == 0 {
            interrupt::check()?;
        }
        let length = norm(&vector);
        vector.iter_mut().for_each(|v| *v /= length);
        if is_settled || step == steps {
            break;
        }
        if step > 0 && step % STEPS_BETWEEN == 0 && step / STEPS_BETWEEN <= SQUARINGS {
            let power = Tensor::from_vec(rows, (n, n), &Device::Cpu)?;
            rows = power.matmul(&power)?.flatten_all()?.to_vec1()?;
            scale(&mut rows);
            value = 0.;
        }
        let image: Vec<f64> = rows.chunks(n).map(|row| dot(row, &vector)).collect();
        let next: f64 = dot(&image, &vector);
        is_settled = (next - value).abs() <= TOLERANCE * next.abs();
        (value, vector) = (next, image);
    }
    Ok(Eigenvector { vector, is_settled })
}

/// In units of the largest number, so that no power overflows or vanishes; false for zeros.
fn scale(numbers: &mut [f64]) -> bool {
    let largest = numbers.iter().fold(0f64, |largest, x| largest.max(x.abs()));
    if largest == 0. {
        return false;
    }
    numbers.iter_mut().for_each(|x| *x /= largest);
    true
}
