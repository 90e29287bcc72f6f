//! The loss from points, and from distances that are known in advance.

use std::any::Any;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::cells::Cells;
use super::checks::{check_points, rows};
use super::distances::Distances;
use super::fused::{self, Reference};
use crate::distances::{Distance, Euclidean};
use crate::error::Result;
use crate::ops::dtype::{self, widened};

/// The isometric loss: how much a representation changes the distances inside the cells of a
/// partition.
///
/// ```text
/// L_ISO = (1/N²) Σ_ij G_ij (d(x_i, x_j) − d(z_i, z_j))²,  G_ij = 1 where cells_i = cells_j, else 0
/// ```
///
/// z_i is the representation of point x_i, and `cells` the [partition](crate::losses::Partition) G:
/// the cell that each point lies in (its class; all equal for a global isometry). Differentiable in
/// `x` and in `z`. Only pairs inside a cell are visited, and a point alone in its cell adds
/// nothing. [`IsometricLoss`](crate::losses::IsometricLoss) takes it of a network; where x never
/// changes, [`isometric_to`] saves its distances.
///
/// Euclidean distances in f32 or f64 on the CPU go to a fused kernel, all else to
/// [`isometric_composite`]. Either gives the same numbers whatever the number of threads. The
/// kernel takes memory for some N·(D + E) numbers; its vectors are the widest that the processor
/// has, which `ISOPATH_SIMD` (`avx512`, `avx2`, `scalar`) narrows.
///
/// - **Shapes**: `x` (N, D) and `z` (N, E) of one dtype, `cells` (N,); the result is a scalar ().
/// - **Range**: ≥ 0, in the square of the distance's unit; 0 where every distance inside a cell is
///   kept.
/// - **Source**: *isometry*, section 2, first displayed equation, second term,
///   ‖G ⊙ D_M − G ⊙ D_Φ‖²_F / N².
///
/// # Errors
/// No points, or shapes or dtypes that do not fit.
///
/// # Examples
/// ```
/// use isopath::{distances::Euclidean, ops, prelude::*};
///
/// let x = Tensor::new(&[[0f32, 0.], [3., 4.], [1., 1.]], &device::best())?;
/// // The two points of cell 0 are 5 apart, then 10; the third is alone in its cell.
/// let loss = ops::isometric(&x, &(&x * 2.)?, &[0, 0, 1], &Euclidean)?;
/// assert!((loss.to_scalar::<f32>()? - 2. * 5f32.powi(2) / 9.).abs() < 1e-5);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn isometric(x: &Tensor, z: &Tensor, cells: &[u32], metric: &dyn Distance) -> Result<Tensor> {
    if !is_fused(z, metric) {
        return isometric_composite(x, z, cells, metric);
    }
    check_points(x, z, cells)?;
    fused::apply(Reference::Points, x, z, Arc::new(Cells::new(cells)))
}

/// The function [`isometric`] in plain candle operations, for every device.
///
/// It takes memory for Σ n²·(D + E) numbers, n the sizes of the cells.
///
/// # Errors
/// As [`isometric`].
pub fn isometric_composite(
    x: &Tensor,
    z: &Tensor,
    cells: &[u32],
    metric: &dyn Distance,
) -> Result<Tensor> {
    check_points(x, z, cells)?;
    let x = widened("x", x)?;
    composite(
        |cell| pairwise(&rows(&x, cell)?, metric),
        z,
        &Cells::new(cells),
        metric,
    )
}

/// The isometric loss against distances that are known: [`isometric`] for points that never change.
///
/// ```text
/// L_ISO = (1/N²) Σ_ij G_ij (D_ij − d(z_i, z_j))²
/// ```
///
/// D are the `distances` of the points, z their representations, `cells` the partition G; cells
/// must be those of `distances` if they were made for cells. Differentiable in `z`. `metric`
/// measures z alone.
///
/// - **Shapes**: `distances` of N points, `z` (N, E) of their dtype, `cells` (N,); the result is a
///   scalar ().
/// - **Range**: ≥ 0, in the square of the distance's unit; 0 where every distance inside a cell is
///   kept.
/// - **Source**: *isometry*, section 2, first displayed equation, second term.
///
/// # Errors
/// No points, or shapes, dtypes or cells that do not fit.
pub fn isometric_to(
    distances: &Distances,
    z: &Tensor,
    cells: &[u32],
    metric: &dyn Distance,
) -> Result<Tensor> {
    if !is_fused(z, metric) {
        return isometric_to_composite(distances, z, cells, metric);
    }
    let partition = distances.check(z, cells)?;
    let kind = if distances.is_matrix() {
        Reference::Matrix
    } else {
        Reference::Pairs
    };
    fused::apply(kind, distances.tensor(), z, partition)
}

/// The function [`isometric_to`] in plain candle operations, for every device.
///
/// # Errors
/// As [`isometric_to`].
pub fn isometric_to_composite(
    distances: &Distances,
    z: &Tensor,
    cells: &[u32],
    metric: &dyn Distance,
) -> Result<Tensor> {
    let partition = distances.check(z, cells)?;
    composite(distances.squares(&partition), z, &partition, metric)
}

fn is_fused(z: &Tensor, metric: &dyn Distance) -> bool {
    (metric as &dyn Any).is::<Euclidean>() && dtype::is_fused(z)
}

/// The loss in candle operations; `square` gives the distances D_M of a cell's points, one cell
/// after the other.
fn composite(
    mut square: impl FnMut(&[u32]) -> Result<Tensor>,
    z: &Tensor,
    cells: &Cells,
    metric: &dyn Distance,
) -> Result<Tensor> {
    let (n, dtype, z) = (z.dim(0)? as f64, z.dtype(), widened("z", z)?);
    let mut sum = Tensor::zeros((), z.dtype(), z.device())?;
    if z.elem_count() > 0 {
        // A sum of no distances depends on z all the same, with a gradient of zeros.
        let first = z.flatten_all()?.get(0)?;
        let never = Tensor::zeros((), DType::U8, z.device())?;
        sum = never.where_cond(&first, &sum)?;
    }
    for cell in cells.iter() {
        let given = square(cell)?;
        let difference = (given - pairwise(&rows(&z, cell)?, metric)?)?;
        sum = (sum + difference.sqr()?.sum_all()?)?;
    }
    Ok((sum / (n * n))?.to_dtype(dtype)?)
}

/// Points without features are measured on the CPU: CUDA has no sums of no numbers.
fn pairwise(points: &Tensor, metric: &dyn Distance) -> Result<Tensor> {
    if points.elem_count() > 0 {
        return metric.pairwise(points);
    }
    let here = Tensor::zeros(points.dims(), points.dtype(), &Device::Cpu)?;
    Ok(metric.pairwise(&here)?.to_device(points.device())?)
}
