//! The nearest neighbours of points, exactly.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::distances::{Distance as _, Euclidean};
use crate::error::{Error, Result};
use crate::interrupt;

/// The nearest of the other points, for every point; the nearest first, of equally near ones the
/// first in the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbors {
    /// The rows of the neighbours, `[point][rank]`.
    pub indices: Vec<Vec<usize>>,
    /// Their Euclidean distances ≥ 0, `[point][rank]`, in the units of the points.
    pub distances: Vec<Vec<f64>>,
}

/// The `k` nearest of the other points, for each row of `x` (N, D).
///
/// Exact: all N² distances are computed, a row at a time, in f64. A point is never its own
/// neighbour; a duplicate is one at distance 0.
///
/// # Errors
/// `x` is no matrix, has no rows or columns, or a number that is not finite or so large that
/// distances are not; `k` is 0 or not below N.
pub fn nearest_neighbors(x: &Tensor, k: usize) -> Result<Neighbors> {
    let x = points(x)?;
    let n = x.dim(0)?;
    if k == 0 || k >= n {
        return Err(Error::argument(
            "k",
            format!("at least 1 and below {n}, the number of points"),
            k,
        ));
    }
    let rows = (0..n).into_par_iter().map(|point| {
        let distances = distances_from(&x, point)?;
        let mut order = others_by_distance(&distances, point);
        order.truncate(k);
        let distances = order.iter().map(|&other| distances[other]).collect();
        Ok((order, distances))
    });
    let (indices, distances) = rows
        .collect::<Result<Vec<(Vec<usize>, Vec<f64>)>>>()?
        .into_iter()
        .unzip();
    Ok(Neighbors { indices, distances })
}

/// `x` as (N, D) of f64 on the host, cut off from what made it.
///
/// # Errors
/// No matrix, no rows, no columns, or a number that is not finite.
pub(crate) fn points(x: &Tensor) -> Result<Tensor> {
    if x.rank() != 2 || x.elem_count() == 0 {
        return Err(Error::shape(
            "neighbors",
            "x",
            "(N, D), neither 0",
            x.dims(),
        ));
    }
    let x = x
        .detach()
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?
        .contiguous()?;
    match x
        .flatten_all()?
        .to_vec1::<f64>()?
        .into_iter()
        .find(|number| !number.is_finite())
    {
        Some(number) => Err(Error::argument("x", "finite coordinates", number)),
        None => Ok(x),
    }
}

/// d(x_point, x_j) of all j.
///
/// # Errors
/// A distance that overflows, or the user asks to stop.
pub(crate) fn distances_from(x: &Tensor, point: usize) -> Result<Vec<f64>> {
    interrupt::check()?;
    let distances = Euclidean
        .distance(&x.narrow(0, point, 1)?, x)?
        .to_vec1::<f64>()?;
    match distances.iter().find(|distance| !distance.is_finite()) {
        Some(distance) => Err(Error::argument("distance", "a finite number", distance)),
        None => Ok(distances),
    }
}

/// All points but `point`, the nearest first.
pub(crate) fn others_by_distance(distances: &[f64], point: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..distances.len())
        .filter(|&other| other != point)
        .collect();
    // Stable, so that ties keep the order of the data.
    order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
    order
}
