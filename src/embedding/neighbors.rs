//! Exact nearest neighbours.

use candle_core::{DType, Device, Tensor};

use crate::distances::nearest::{Neighbor, nearest};
use crate::distances::{Distance as _, Euclidean};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::Bar;

/// The nearest of the other points, for every point; the nearest first, of equally near ones the
/// first in the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbors {
    /// The rows of the neighbours, `[point][rank]`.
    pub indices: Vec<Vec<usize>>,
    /// Their Euclidean distances ≥ 0, `[point][rank]`, in the units of the points.
    pub distances: Vec<Vec<f64>>,
}

/// The `k` nearest of the other points, for each row of `x`.
///
/// ```text
/// the k indices j ≠ i with the smallest d_ij = ‖x_i − x_j‖₂,   for each i
/// ```
///
/// Exact: matrix products find all that can be among the nearest, whatever was lost by rounding, and
/// their distances are computed in f64. A point is never its own
/// neighbour; a duplicate is one at distance 0. A progress bar says how far it is if it takes more
/// than a second.
///
/// - **Shapes**: `x` (N, D); the result has N rows of k.
/// - **Range**: indices below N, distances ≥ 0 in the units of the points.
/// - **Source**: the definition; scikit-learn's `NearestNeighbors` with brute force.
///
/// # Errors
/// `x` is no matrix, has no rows or columns, or a number that is not finite or so large that
/// distances are not; more than 10¹³ differences, N²·D; `k` is 0 or not below N.
pub fn nearest_neighbors(x: &Tensor, k: usize) -> Result<Neighbors> {
    check_size(x, k)?;
    let bar = Bar::slow("neighbours").of(x.dim(0)?, "points");
    neighbors_shown(&points(x)?, k, &bar)
}

/// The `k` nearest of the other points of checked `x`, `bar` moving on with each point.
pub(super) fn neighbors_shown(x: &Tensor, k: usize, bar: &Bar) -> Result<Neighbors> {
    let n = x.dim(0)?;
    if k == 0 || k >= n {
        return Err(Error::argument(
            "k",
            format!("at least 1 and below {n}, the number of points"),
            k,
        ));
    }
    let rows: Vec<usize> = (0..n).collect();
    let found = nearest(x, &rows, |_| k, |point, other| point == other, bar)?;
    let of = |neighbors: &Vec<Neighbor>| {
        let both = neighbors.iter().map(|near| (near.index, near.distance));
        both.unzip()
    };
    let (indices, distances) = found.iter().map(of).unzip();
    Ok(Neighbors { indices, distances })
}

/// Numbers of a block of points whose distances are computed together: they stay in the cache.
const BLOCK: usize = 1 << 15;
/// Differences of two coordinates that are still computed: some hours of a laptop.
const MOST_DIFFERENCES: f64 = 1e13;
/// Bytes that are still taken.
const MOST_BYTES: f64 = 8e9;

/// Refuses what would take days or all memory, with `k` neighbours of each point of `x` (N, D).
///
/// # Errors
/// It would.
pub(crate) fn check_size(x: &Tensor, k: usize) -> Result<()> {
    let [n, width] = *x.dims() else {
        // Another check says so.
        return Ok(());
    };
    let (points, width) = (n as f64, width as f64);
    let differences = points * points * width;
    // The points twice in f64; neighbours, edges and turns.
    let bytes = points * (16. * width + 200. * k as f64);
    let got = format!("{n} of {width} numbers, with {k} neighbours each");
    if differences > MOST_DIFFERENCES {
        let expected = format!(
            "at most {MOST_DIFFERENCES:.0e} differences of coordinates for all pairs, not \
             {differences:.1e} (days): take a sample of the points, or a representation with fewer \
             numbers"
        );
        return Err(Error::argument("points", expected, got));
    }
    if bytes > MOST_BYTES {
        let expected = format!(
            "at most {:.0} GB of memory, not {:.0} GB: take a sample of the points, or fewer \
             neighbours",
            MOST_BYTES / 1e9,
            bytes / 1e9
        );
        return Err(Error::argument("points", expected, got));
    }
    Ok(())
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
    let (n, width) = x.dims2()?;
    let (own, block) = (x.narrow(0, point, 1)?, (BLOCK / width).clamp(1, n));
    let mut distances = Vec::with_capacity(n);
    for first in (0..n).step_by(block) {
        let others = x.narrow(0, first, block.min(n - first))?;
        distances.extend(Euclidean.distance(&own, &others)?.to_vec1::<f64>()?);
    }
    match distances.iter().find(|distance| !distance.is_finite()) {
        Some(distance) => Err(Error::argument("distance", "a finite number", distance)),
        None => Ok(distances),
    }
}

/// All points but `point`, the nearest first, of equally near ones the first in the data.
pub(crate) fn others_by_distance(distances: &[f64], point: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..distances.len())
        .filter(|&other| other != point)
        .collect();
    order.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_says_how_far_it_is() -> Result<()> {
        let x = Tensor::arange(0., 12., &Device::Cpu)?.reshape((6, 2))?;
        let (bar, written) = Bar::in_memory("neighbours");
        let bar = bar.of(6, "points");
        neighbors_shown(&x, 2, &bar)?;
        drop(bar);
        assert!(written.text().contains("100 %") && written.text().contains("6/6"));
        Ok(())
    }

    #[test]
    fn blocks_of_points_have_the_distances_of_all() -> Result<()> {
        // Three blocks, the last of one point.
        let width = BLOCK / 4;
        let x = Tensor::arange(0., (9 * width) as f64, &Device::Cpu)?.reshape((9, width))?;
        let distances = distances_from(&x.sin()?, 5)?;
        let whole = Euclidean.distance(&x.sin()?.narrow(0, 5, 1)?, &x.sin()?)?;
        assert_eq!(distances, whole.to_vec1::<f64>()?);
        Ok(())
    }
}
