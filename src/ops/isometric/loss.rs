//! The loss from points, and from distances that are known.

use std::any::Any;
use std::sync::Arc;

use candle_core::Tensor;

use super::cells::Cells;
use super::checks::{check_points, rows};
use super::distances::Distances;
use super::fused::{self, Given};
use crate::distances::{Distance, Euclidean};
use crate::error::Result;
use crate::ops::dtype::{self, widened};

/// L_ISO = (1/N²) Σ_ij G_ij (d(x_i, x_j) − d(z_i, z_j))², with G_ij = 1 where
/// `cells[i] == cells[j]`, else 0.
///
/// `x`: (N, D) points; `z`: (N, E) their representations, the same dtype; `cells`: N numbers, the
/// cell of the partition each point lies in (its class; all equal for a global isometry). A scalar
/// ≥ 0, differentiable in `x` and in `z`; 0 for an isometry. Only pairs inside a cell are visited.
/// Where x never changes, [`isometric_to`] saves its distances.
///
/// Euclidean distances in f32 or f64 on the CPU go to a fused kernel, all else to
/// [`isometric_composite`]. Either gives the same numbers whatever the number of threads. The
/// kernel takes memory for some N·(D + E) numbers; its vectors are the widest that the processor
/// has, which `ISOPATH_SIMD` (`avx512`, `avx2`, `scalar`) narrows.
///
/// *isometry* paper, section 2: the second term of the loss, ‖G ⊙ D_M − G ⊙ D_Φ‖²_F / N².
///
/// # Errors
/// No points, or shapes or dtypes that do not fit.
pub fn isometric(x: &Tensor, z: &Tensor, cells: &[u32], metric: &dyn Distance) -> Result<Tensor> {
    if !is_fused(z, metric) {
        return isometric_composite(x, z, cells, metric);
    }
    check_points(x, z, cells)?;
    fused::apply(Given::Points, x, z, Arc::new(Cells::new(cells)))
}

/// [`isometric`] in plain candle operations: runs on every device, and is what the fused kernel is
/// tested against. Takes memory for Σ n²·(D + E) numbers, n the sizes of the cells.
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
        |cell| metric.pairwise(&rows(&x, cell)?),
        z,
        &Cells::new(cells),
        metric,
    )
}

/// L_ISO as [`isometric`], with D_M given: (1/N²) Σ_ij G_ij (D_M,ij − d(z_i, z_j))².
///
/// `z`: (N, E); `cells`: N numbers, those of `distances` if it was made for cells. A scalar ≥ 0,
/// differentiable in `z`.
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
        Given::Matrix
    } else {
        Given::Pairs
    };
    fused::apply(kind, distances.tensor(), z, partition)
}

/// [`isometric_to`] in plain candle operations, for every device.
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

/// `square`: D_M of a cell's points; it is asked for one cell after the other.
fn composite(
    mut square: impl FnMut(&[u32]) -> Result<Tensor>,
    z: &Tensor,
    cells: &Cells,
    metric: &dyn Distance,
) -> Result<Tensor> {
    let (n, dtype, z) = (z.dim(0)? as f64, z.dtype(), widened("z", z)?);
    let mut sum = Tensor::zeros((), z.dtype(), z.device())?;
    for cell in cells.iter() {
        let difference = (square(cell)? - metric.pairwise(&rows(&z, cell)?)?)?;
        sum = (sum + difference.sqr()?.sum_all()?)?;
    }
    Ok((sum / (n * n))?.to_dtype(dtype)?)
}
