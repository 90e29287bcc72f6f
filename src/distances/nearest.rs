//! Exact nearest neighbours of many points of many numbers, in blocks.

use candle_core::Tensor;
use rayon::prelude::*;

use super::numbers::{Numbers, on_host};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::Bar;

/// Points of a block at most.
const MOST_POINTS: usize = 512;
/// Squared distances that are kept at a time: 32 MB.
const SQUARES: usize = 1 << 22;

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
/// in f64 from the differences. It takes up to 20 MB for each thread and 50 MB beside.
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
    let points = &on_host(points)?;
    let (storage, layout) = points.storage_and_layout();
    let numbers = &Numbers::of(&storage, layout)?;
    let squares: Vec<f64> = (0..n)
        .into_par_iter()
        .map(|row| numbers.square(row))
        .collect();
    check_size(&squares)?;
    // Of ‖a‖² + ‖b‖² − 2ab as a share of ‖a‖² + ‖b‖²: each sum of D products may lose D roundings.
    let rounding = 4. * (width + 8) as f64 * f64::EPSILON;
    let mut found = Vec::with_capacity(rows.len());
    // Some blocks for every thread.
    let block = n
        .div_ceil(2 * rayon::current_num_threads())
        .clamp(1, MOST_POINTS);
    let firsts: Vec<usize> = (0..n).step_by(block).collect();
    for rows in rows.chunks((SQUARES / n.max(1)).clamp(1, MOST_POINTS)) {
        interrupt::check()?;
        let of_block = |first: &usize| {
            let others: Vec<usize> = (*first..n.min(first + block)).collect();
            Ok(numbers.products(rows, &others)?.to_vec2::<f64>()?)
        };
        let products: Vec<Result<_>> = firsts.par_iter().map(of_block).collect();
        let products = products.into_iter().collect::<Result<Vec<_>>>()?;
        let of_row = |(at, row): (usize, &usize)| {
            let products = products.iter().filter_map(|block| block.get(at)).flatten();
            let near = |(index, (square, product)): (usize, (&f64, &f64))| {
                let sum = squares[*row] + square;
                let (about, lost) = (sum - 2. * product, rounding * sum);
                (!excluded(*row, index)).then_some((index, about - lost, about + lost))
            };
            let others = squares.iter().zip(products).enumerate().filter_map(near);
            let mut near = nearest_of(numbers, *row, possible(others.collect(), wanted(*row)));
            near.truncate(wanted(*row));
            near
        };
        found.par_extend(rows.par_iter().enumerate().map(of_row));
        bar.add(rows.len() as f64);
    }
    Ok(found)
}

/// The Euclidean distance of two of the points (N, D), in f64.
///
/// # Errors
/// There is no such point.
pub(crate) fn distance(points: &Tensor, one: usize, other: usize) -> Result<f64> {
    let [one, other] = [one, other].map(|row| points.narrow(0, row, 1));
    let pair = on_host(&Tensor::cat(&[one?, other?], 0)?)?;
    let (storage, layout) = pair.storage_and_layout();
    Ok(Numbers::of(&storage, layout)?.distance(0, 1))
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
fn nearest_of(numbers: &Numbers, row: usize, others: Vec<usize>) -> Vec<Neighbor> {
    let neighbor = |index| Neighbor {
        index,
        distance: numbers.distance(row, index),
    };
    let mut found: Vec<Neighbor> = others.into_iter().map(neighbor).collect();
    found.sort_unstable_by(|a, b| {
        let by_distance = a.distance.total_cmp(&b.distance);
        by_distance.then(a.index.cmp(&b.index))
    });
    found
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
    use candle_core::{DType, Device};

    use super::*;
    use crate::distances::numbers::COLUMNS;
    use crate::rng::Rng;

    /// By all differences.
    fn by_hand(points: &Tensor, row: usize, wanted: usize) -> Result<Vec<Neighbor>> {
        let others = (0..points.dim(0)?).filter(|other| *other != row);
        let (storage, layout) = points.storage_and_layout();
        let mut all = nearest_of(&Numbers::of(&storage, layout)?, row, others.collect());
        all.truncate(wanted);
        Ok(all)
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
            noise(&mut rng, 9, 3 * COLUMNS + 1)?,
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
