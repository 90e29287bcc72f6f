//! Exact nearest neighbours of many points of many numbers, in blocks.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::slices::euclidean;
use crate::device;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::Bar;

/// Numbers of a block of points in f64: 16 MB.
const BLOCK: usize = 1 << 21;
/// Squared distances that are kept at a time: 32 MB.
const SQUARES: usize = 1 << 22;
/// Points of a block at most, so that there is one for every thread.
const MOST_POINTS: usize = 512;

/// A point near another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Neighbor {
    pub index: usize,
    pub distance: f64,
}

/// For each of the points `rows`, the nearest of those that it may have, as many as `wanted` says:
/// the nearest first, of equally near ones the first in the data; all, if there are fewer.
///
/// `points` (N, D) are finite numbers of any type. Distances are exact: matrix products find those
/// that can be among the nearest, whatever was lost by rounding, and their distances are computed
/// in f64 from the differences. It takes up to 16 MB for each thread and 50 MB beside.
///
/// # Errors
/// Numbers so large that their squares overflow, or the user asks to stop.
pub(crate) fn nearest(
    points: &Tensor,
    rows: &[usize],
    wanted: impl Fn(usize) -> usize + Sync,
    excluded: impl Fn(usize, usize) -> bool + Sync,
    bar: &Bar,
) -> Result<Vec<Vec<Neighbor>>> {
    let (n, width) = points.dims2()?;
    let block = (BLOCK / width.max(1)).clamp(1, MOST_POINTS);
    let firsts: Vec<usize> = (0..n).step_by(block).collect();
    let others = |first: usize| in_f64(&points.narrow(0, first, block.min(n - first))?);
    let squares = in_order(&firsts, |first| {
        Ok(others(first)?.sqr()?.sum(1)?.to_vec1::<f64>()?)
    })?
    .concat();
    check_size(&squares)?;
    // Of ‖a‖² + ‖b‖² − 2ab as a share of ‖a‖² + ‖b‖²: each sum of D products may lose D roundings.
    let rounding = 4. * (width + 8) as f64 * f64::EPSILON;
    let mut found = Vec::with_capacity(rows.len());
    for rows in rows.chunks(block.min(SQUARES / n.max(1)).max(1)) {
        interrupt::check()?;
        let ids: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let own = in_f64(&device::rows(points, &ids)?)?;
        let products = in_order(&firsts, |first| {
            Ok(own.matmul(&others(first)?.t()?)?.to_vec2::<f64>()?)
        })?;
        let of_row = |(at, row): (usize, &usize)| {
            let products = products.iter().filter_map(|block| block.get(at)).flatten();
            let near = |(index, (square, product)): (usize, (&f64, &f64))| {
                let sum = squares[*row] + square;
                let (about, lost) = (sum - 2. * product, rounding * sum);
                (!excluded(*row, index)).then_some((index, about - lost, about + lost))
            };
            let others = squares.iter().zip(products).enumerate().filter_map(near);
            nearest_of(points, *row, possible(others.collect(), wanted(*row)))
                .map(|all| all.into_iter().take(wanted(*row)).collect())
        };
        let nearest = rows.par_iter().enumerate().map(of_row);
        let nearest: Vec<Result<Vec<Neighbor>>> = nearest.collect();
        for neighbors in nearest {
            found.push(neighbors?);
        }
        bar.add(rows.len() as f64);
    }
    Ok(found)
}

/// The Euclidean distance of two of the points (N, D), in f64.
///
/// # Errors
/// There is no such point.
pub(crate) fn distance(points: &Tensor, one: usize, other: usize) -> Result<f64> {
    let row = |index: usize| -> Result<Vec<f64>> { Ok(in_f64(&points.get(index)?)?.to_vec1()?) };
    Ok(euclidean(&row(one)?, &row(other)?))
}

/// Those of (index, least, most square of the distance) that can be among the `wanted` nearest.
fn possible(others: Vec<(usize, f64, f64)>, wanted: usize) -> Vec<usize> {
    let mut most: Vec<f64> = others.iter().map(|(_, _, most)| *most).collect();
    let limit = match wanted.checked_sub(1) {
        None => return Vec::new(),
        Some(last) if last < most.len() => *most.select_nth_unstable_by(last, f64::total_cmp).1,
        Some(_) => f64::INFINITY,
    };
    let is_near = |(index, least, _): (usize, f64, f64)| (least <= limit).then_some(index);
    others.into_iter().filter_map(is_near).collect()
}

/// Some points by their distance from `row`.
fn nearest_of(points: &Tensor, row: usize, others: Vec<usize>) -> Result<Vec<Neighbor>> {
    let own: Vec<f64> = in_f64(&points.get(row)?)?.to_vec1()?;
    let neighbor = |index: usize| {
        let other: Vec<f64> = in_f64(&points.get(index)?)?.to_vec1()?;
        let distance = euclidean(&own, &other);
        Ok(Neighbor { index, distance })
    };
    let mut found: Vec<Neighbor> = others.into_iter().map(neighbor).collect::<Result<_>>()?;
    found.sort_unstable_by(|a, b| {
        let by_distance = a.distance.total_cmp(&b.distance);
        by_distance.then(a.index.cmp(&b.index))
    });
    Ok(found)
}

/// `work` on each of `firsts` in parallel, its results in order.
fn in_order<T: Send>(firsts: &[usize], work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let all: Vec<Result<T>> = firsts.par_iter().map(|first| work(*first)).collect();
    all.into_iter().collect()
}

fn in_f64(points: &Tensor) -> Result<Tensor> {
    Ok(points.to_device(&Device::Cpu)?.to_dtype(DType::F64)?)
}

/// # Errors
/// A sum of two of these squares, and a little more, is not finite.
fn check_size(squares: &[f64]) -> Result<()> {
    match squares.iter().all(|square| *square < f64::MAX / 8.) {
        true => Ok(()),
        false => Err(Error::argument(
            "distance",
            "a finite number",
            f64::INFINITY,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// By all differences.
    fn by_hand(points: &Tensor, row: usize, wanted: usize) -> Result<Vec<Neighbor>> {
        let others = (0..points.dim(0)?).filter(|other| *other != row);
        let all = nearest_of(points, row, others.collect())?;
        Ok(all.into_iter().take(wanted).collect())
    }

    #[test]
    fn neighbors_are_those_by_all_differences() -> Result<()> {
        let far = |points: Tensor| -> Result<Tensor> { Ok((points * 1e-3)?.affine(1., 1e3)?) };
        let mut rng = Rng::new(3);
        // Several blocks; many equal distances; points far from 0, where products lose most.
        let grid = Tensor::arange(0u32, 1_100, &Device::Cpu)?.to_dtype(DType::F32)?;
        let grid = Tensor::stack(&[(&grid / 33.)?.floor()?, (&grid / 7.)?.floor()?], 1)?;
        let noise =
            |rng: &mut Rng, n, width| rng.normal((n, width), 0., 1., DType::F32, &Device::Cpu);
        for points in [
            grid,
            noise(&mut rng, 1_100, 3)?,
            far(noise(&mut rng, 700, 40)?)?,
            noise(&mut rng, 9, BLOCK / 4)?,
        ] {
            let n = points.dim(0)?;
            let rows: Vec<usize> = (0..n).rev().step_by(7).collect();
            for wanted in [1, 5, n] {
                let found = nearest(&points, &rows, |_| wanted, |i, j| i == j, &Bar::hidden())?;
                for (row, found) in
                    rows.iter()
                        .zip(&found)
                        .step_by(if wanted == n { 50 } else { 1 })
                {
                    assert_eq!(found, &by_hand(&points, *row, wanted)?, "{n} points, {row}");
                    assert_eq!(found.len(), wanted.min(n - 1));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn each_point_has_its_own_count_and_its_own_others() -> Result<()> {
        let line = Tensor::new(&[[0f64], [1.], [3.], [6.]], &Device::Cpu)?;
        let odd = |i: usize, j: usize| i == j || j % 2 == 1;
        let found = nearest(&line, &[3, 0], |row| row, odd, &Bar::hidden())?;
        let near = |index, distance| Neighbor { index, distance };
        assert_eq!(found, [vec![near(2, 3.), near(0, 6.)], vec![]]);
        assert_eq!(distance(&line, 1, 3)?, 5.);
        let huge = Tensor::new(&[[1e200f64], [0.]], &Device::Cpu)?;
        let refused = nearest(&huge, &[0], |_| 1, |i, j| i == j, &Bar::hidden()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "distance is inf; expected a finite number"
        );
        Ok(())
    }
}
