//! The isometric loss: how far a representation is from keeping the distances inside each cell of a partition.

use std::any::Any;
use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use crate::distances::{Euclidean, Metric};
use crate::error::{Error, Result};
use crate::ops::isometric_fused;

/// L_ISO = (1/N²) Σ_ij G_ij (d(x_i, x_j) − d(z_i, z_j))², with G_ij = 1 where `cells[i] == cells[j]`, else 0.
///
/// `x`: (N, D) points; `z`: (N, E) their representations, the same dtype; `cells`: N numbers, the cell of the partition
/// each point lies in (its class; all equal for a global isometry). A scalar ≥ 0, differentiable in `x` and in `z`;
/// 0 for an isometry. Only pairs inside a cell are visited.
///
/// Euclidean distances in f32 or f64 on the CPU go to a fused kernel, all else to [`isometric_composite`]. Either gives
/// the same numbers whatever the number of threads.
///
/// *isometry* paper, section 2: the second term of the loss, ‖G ⊙ D_M − G ⊙ D_Φ‖²_F / N².
///
/// # Errors
/// No points, or shapes or dtypes that do not fit.
pub fn isometric(x: &Tensor, z: &Tensor, cells: &[u32], metric: &dyn Metric) -> Result<Tensor> {
    let groups = groups(x, z, cells)?;
    let euclidean = (metric as &dyn Any).is::<Euclidean>();
    if euclidean && x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64) {
        isometric_fused::apply(x, z, groups)
    } else {
        composite(x, z, &groups, metric)
    }
}

/// [`isometric`] in plain candle operations: runs on every device, and is what the fused kernel is tested against.
/// Takes memory for Σ n²·(D + E) numbers, n the sizes of the cells.
///
/// # Errors
/// As [`isometric`].
pub fn isometric_composite(x: &Tensor, z: &Tensor, cells: &[u32], metric: &dyn Metric) -> Result<Tensor> {
    composite(x, z, &groups(x, z, cells)?, metric)
}

fn composite(x: &Tensor, z: &Tensor, groups: &[Vec<u32>], metric: &dyn Metric) -> Result<Tensor> {
    let n = x.dim(0)? as f64;
    let mut sum = Tensor::zeros((), z.dtype(), z.device())?;
    for group in groups {
        // A whole batch in one cell needs no gathering.
        let rows = |t: &Tensor| -> Result<Tensor> {
            if group.len() == t.dim(0)? {
                return Ok(t.clone());
            }
            Ok(t.index_select(&Tensor::new(group.as_slice(), t.device())?, 0)?)
        };
        let difference = (metric.pairwise(&rows(x)?)? - metric.pairwise(&rows(z)?)?)?;
        sum = (sum + difference.sqr()?.sum_all()?)?;
    }
    Ok((sum / (n * n))?)
}

/// The points of each cell that holds two or more, ascending.
fn groups(x: &Tensor, z: &Tensor, cells: &[u32]) -> Result<Vec<Vec<u32>>> {
    const NAME: &str = "isometric";
    if x.rank() != 2 || x.dim(0)? == 0 {
        return Err(Error::shape(NAME, "x", "(N, D) with N at least 1", x.dims()));
    }
    let n = x.dim(0)?;
    if z.rank() != 2 || z.dim(0)? != n {
        return Err(Error::shape(NAME, "z", format!("({n}, E), a row for each of x"), z.dims()));
    }
    if cells.len() != n {
        return Err(Error::shape(NAME, "cells", format!("({n},), one for each row of x"), &[cells.len()]));
    }
    if x.dtype() != z.dtype() {
        return Err(Error::argument("dtype of z", format!("{:?}, that of x", x.dtype()), format!("{:?}", z.dtype())));
    }
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (point, &cell) in (0..).zip(cells) {
        members.entry(cell).or_default().push(point);
    }
    Ok(members.into_values().filter(|points| points.len() > 1).collect())
}
