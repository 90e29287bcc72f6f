//! Matrices with orthogonal rows or columns, for initial weights.

use candle_core::{DType, Device, Tensor};

use crate::distances::slices::{dot, norm};
use crate::error::{Error, Result};

/// The orthogonal matrix of a given one: orthogonal initial weights, of normal numbers.
///
/// ```text
/// A = Q·R,  QᵀQ = 1,  R upper triangular with a positive diagonal;  W = Q
/// ```
///
/// for a matrix with at least as many rows as columns; else W is the transpose of that of Aᵀ, and
/// W Wᵀ = 1. Of independent normal numbers, W is uniform among all such matrices. By the method of
/// Gram and Schmidt, twice, in f64; no gradient flows through it.
///
/// - **Shapes**: `matrix` (outputs, inputs); the result, too.
/// - **Range**: finite numbers, the rows or the columns independent; the result in \[−1, 1\].
/// - **Source**: Saxe, McClelland & Ganguli 2014 (arXiv 1312.6120), as PyTorch's
///   `nn.init.orthogonal_` with gain 1.
///
/// # Errors
/// A tensor that is no matrix, or rows or columns that depend on each other.
pub fn orthogonal(matrix: &Tensor) -> Result<Tensor> {
    let &[rows, columns] = matrix.dims() else {
        let (expected, got) = ("(outputs, inputs)", matrix.dims());
        return Err(Error::shape("orthogonal", "matrix", expected, got));
    };
    let wide = matrix
        .detach()
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?;
    let is_tall = rows >= columns;
    // The vectors that are to be orthogonal, a row each.
    let vectors = if is_tall { wide.t()? } else { wide };
    let mut found: Vec<Vec<f64>> = Vec::with_capacity(rows.min(columns));
    for mut vector in vectors.to_vec2::<f64>()? {
        let before = norm(&vector);
        for _ in 0..2 {
            for other in &found {
                let along = dot(&vector, other);
                let pairs = vector.iter_mut().zip(other);
                pairs.for_each(|(number, other)| *number -= along * other);
            }
        }
        let length = norm(&vector);
        if length.is_nan() || length <= 1e-12 * before {
            let expected = "finite, its rows or columns independent";
            return Err(Error::argument("matrix", expected, "neither"));
        }
        vector.iter_mut().for_each(|number| *number /= length);
        found.push(vector);
    }
    let flat = Tensor::from_vec(
        found.concat(),
        (rows.min(columns), rows.max(columns)),
        &Device::Cpu,
    )?;
    let turned = if is_tall { flat.t()? } else { flat };
    Ok(turned
        .contiguous()?
        .to_dtype(matrix.dtype())?
        .to_device(matrix.device())?)
}
