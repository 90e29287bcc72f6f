//! The eigenvector of a small matrix's largest eigenvalue, by power iteration.

use candle_core::{DType, Device, Tensor};

use crate::distances::slices::{dot, norm};
use crate::error::Result;
use crate::interrupt;
use crate::rng::Rng;

/// The matrix is squared so often first: a step on its 64th power is worth 64, so that eigenvalues
/// which lie close together part sooner.
const SQUARINGS: usize = 6;
/// A step that changes the estimate by less than this share of it is the last.
const TOLERANCE: f64 = 1e-14;

/// Where a power iteration ended.
pub(crate) struct Eigenvector {
    /// The vector, of length 1; of zeros for a matrix of zeros.
    pub vector: Vec<f64>,
    /// Whether the last step changed the largest eigenvalue of the 64th power by less than 1e-14 of
    /// itself.
    pub is_settled: bool,
}

/// The eigenvector of the largest eigenvalue of a symmetric, positive semidefinite matrix (n, n).
///
/// From a start drawn with a fixed seed, at most `steps` steps on the 64th power of the matrix.
/// Where the two largest eigenvalues are equal it is one of the vectors of both.
///
/// # Errors
/// No square matrix.
pub(crate) fn largest_eigenvector(matrix: &Tensor, steps: usize) -> Result<Eigenvector> {
    let n = matrix.dim(0)?;
    let mut power = matrix.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    for squaring in 0..=SQUARINGS {
        // In units of its largest number, so that no power overflows or vanishes.
        let largest = power.abs()?.max_all()?.to_scalar::<f64>()?;
        if largest == 0. {
            let vector = vec![0.; n];
            return Ok(Eigenvector {
                vector,
                is_settled: true,
            });
        }
        power = (power / largest)?;
        if squaring < SQUARINGS {
            power = power.matmul(&power)?;
        }
    }
    let rows = power.flatten_all()?.to_vec1::<f64>()?;
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
        let image: Vec<f64> = rows.chunks(n).map(|row| dot(row, &vector)).collect();
        let next: f64 = dot(&image, &vector);
        is_settled = (next - value).abs() <= TOLERANCE * next.abs();
        (value, vector) = (next, image);
    }
    Ok(Eigenvector { vector, is_settled })
}
