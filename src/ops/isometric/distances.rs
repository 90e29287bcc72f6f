//! Distances that are known in advance, for points that do not change.

use std::sync::Arc;

use candle_core::{DType, Tensor};

use super::cells::Cells;
use super::checks::{check_cells, check_representations, rows};
use crate::checks::finite;
use crate::device;
use crate::distances::Distance;
use crate::error::{Error, Result};

/// Distances computed by a matrix product, as PyTorch's `cdist` does, are symmetric and positive
/// only up to this.
const ROUNDING: f64 = 1e-4;

/// The known distances between points, which a representation is to keep.
///
/// ```text
/// D_ij = d(x_i, x_j)
/// ```
///
/// For [`isometric_to`](super::isometric_to). Where the points never change, as in a training set
/// of one batch, the distances are computed once.
///
/// - **Shapes**: a matrix (N, N), or the pairs inside the cells of a partition of N points.
/// - **Range**: finite numbers ≥ 0, in f32 or f64; symmetric, up to rounding.
/// - **Source**: *isometry*, section 2, the matrix D_M.
#[derive(Clone, Debug)]
pub struct Distances {
    kind: Kind,
    values: Tensor,
    n: usize,
}

#[derive(Clone, Debug)]
enum Kind {
    Matrix,
    Pairs(Arc<Cells>),
}

impl Distances {
    /// The distances of all pairs, from their matrix; they serve any partition.
    ///
    /// ```text
    /// D_ij = matrix[i, j]
    /// ```
    ///
    /// No gradient flows into the matrix. It must be symmetric, up to 1e-4 of its largest entry:
    /// the gradient reads a row where the formula asks for the row and the column.
    ///
    /// - **Shapes**: `matrix` (N, N), N ≥ 1.
    /// - **Range**: finite numbers ≥ 0, up to 1e-4 of the largest.
    /// - **Source**: *isometry*, section 2, the matrix D_M.
    ///
    /// # Errors
    /// A tensor that is not square, has no rows or is neither f32 nor f64; negative, infinite or
    /// NaN entries; no symmetry.
    pub fn from_matrix(matrix: &Tensor) -> Result<Self> {
        let n = matrix.dims().first().copied().unwrap_or(0);
        if matrix.dims() != [n, n] || n == 0 {
            return Err(Error::shape(
                "distances",
                "matrix",
                "(N, N) with N at least 1",
                matrix.dims(),
            ));
        }
        let values = checked(matrix)?;
        let largest = number(values.max_all()?)?;
        let skew = number((&values - values.t()?.contiguous()?)?.abs()?.max_all()?)?;
        if skew > ROUNDING * largest {
            return Err(Error::argument(
                "|D_ij - D_ji|",
                format!("at most 1e-4 of the largest, {largest}"),
                skew,
            ));
        }
        Ok(Self {
            kind: Kind::Matrix,
            values,
            n,
        })
    }

    /// The distances of the pairs inside the cells of a partition alone.
    ///
    /// ```text
    /// D_ij = d(x_i, x_j)  where cells_i = cells_j
    /// ```
    ///
    /// They take memory for Σ n² numbers, n the sizes of the cells. No gradient flows into `x`.
    ///
    /// - **Shapes**: `x` (N, D) points, N ≥ 1; `cells` (N,), the cell of each.
    /// - **Range**: finite numbers ≥ 0, up to 1e-4 of the largest.
    /// - **Source**: *isometry*, section 2, G ⊙ D_M.
    ///
    /// # Errors
    /// No points, shapes that do not fit, a dtype other than f32 and f64, or distances that are not
    /// finite.
    pub fn within_cells(x: &Tensor, cells: &[u32], metric: &dyn Distance) -> Result<Self> {
        if x.rank() != 2 || x.dim(0)? == 0 {
            return Err(Error::shape(
                "distances",
                "x",
                "(N, D) with N at least 1",
                x.dims(),
            ));
        }
        let n = x.dim(0)?;
        check_cells(cells, n, "x")?;
        let (x, partition) = (x.detach(), Arc::new(Cells::new(cells)));
        // Row by row: all at once would take D times the memory.
        let mut parts = Vec::with_capacity(n);
        for cell in partition.iter() {
            let points = rows(&x, cell)?;
            for row in 0..cell.len() {
                parts.push(metric.distance(&points.narrow(0, row, 1)?, &points)?);
            }
        }
        let values = if parts.is_empty() {
            Tensor::zeros(0, x.dtype(), x.device())?
        } else {
            Tensor::cat(&parts, 0)?
        };
        Ok(Self {
            kind: Kind::Pairs(partition),
            values: checked(&values)?,
            n,
        })
    }

    pub(super) fn is_matrix(&self) -> bool {
        matches!(self.kind, Kind::Matrix)
    }

    /// The matrix, or the squares of the cells, one after the other.
    pub(super) fn tensor(&self) -> &Tensor {
        &self.values
    }

    /// Whether `z` and `cells` fit; the partition.
    pub(super) fn check(&self, z: &Tensor, cells: &[u32]) -> Result<Arc<Cells>> {
        check_representations(z, self.n, "the distances", self.values.dtype())?;
        check_cells(cells, self.n, "the distances")?;
        match &self.kind {
            Kind::Matrix => Ok(Arc::new(Cells::new(cells))),
            Kind::Pairs(partition) => {
                let differs = partition
                    .names()
                    .iter()
                    .zip(cells)
                    .position(|(a, b)| a != b);
                let Some(point) = differs else {
                    return Ok(partition.clone());
                };
                let expected = format!(
                    "{}, as when the distances were made",
                    partition.names()[point]
                );
                Err(Error::argument("cell of a point", expected, cells[point]))
            }
        }
    }

    /// The distances D_M of one cell after the other.
    pub(super) fn squares(&self, partition: &Cells) -> impl FnMut(&[u32]) -> Result<Tensor> {
        let mut starts = partition.starts_of_pairs().into_iter();
        move |cell| match self.kind {
            Kind::Matrix if cell.len() == self.n => Ok(self.values.clone()),
            Kind::Matrix => {
                let index = Tensor::new(cell, self.values.device())?;
                device::select(&device::select(&self.values, &index, 0)?, &index, 1)
            }
            Kind::Pairs(_) => {
                let (start, n) = (starts.next().unwrap_or(0), cell.len());
                Ok(self.values.narrow(0, start, n * n)?.reshape((n, n))?)
            }
        }
    }
}

/// Finite distances ≥ 0, in order in memory and cut off from what made them.
fn checked(values: &Tensor) -> Result<Tensor> {
    if !matches!(values.dtype(), DType::F32 | DType::F64) {
        return Err(Error::argument(
            "dtype of the distances",
            "F32 or F64: convert the points with to_dtype(DType::F32)",
            format!("{:?}", values.dtype()),
        ));
    }
    let values = values.detach().contiguous()?;
    if values.elem_count() > 0 {
        finite("distances", "numbers", &values)?;
        // Cosine distances of parallel vectors are 0 up to rounding.
        let least = number(values.min_all()?)?;
        if least < -ROUNDING * number(values.max_all()?)?.abs() {
            return Err(Error::argument("the least distance", "a number ≥ 0", least));
        }
    }
    Ok(values)
}

fn number(scalar: Tensor) -> Result<f64> {
    Ok(scalar.to_dtype(DType::F64)?.to_scalar()?)
}
