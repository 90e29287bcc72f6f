//! Points on the segments of bands.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::rows::dims;
use crate::device;
use crate::error::Error;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::planes::between;
use crate::ops::simd::{Float, arch};

/// Points on the segments of bands, without a gradient.
///
/// ```text
/// y_{b,m} = (1 − t) z_{b,s} + t z_{b,s+1},  (s, t) = places[b, m]
/// ```
///
/// A share t of 0 or 1 gives the segment's end exactly. On a CPU in f32 or f64 one pass, elsewhere
/// [`band_points_composite`].
///
/// - **Shapes**: `path` (B, N, D), N at least 2; B·M `places`, band by band; the result (B, M, D).
/// - **Range**: s below N − 1, t in \[0, 1\].
/// - **Source**: the definition.
///
/// # Errors
/// No (B, N, D) with N ≥ 2, places that are no multiple of B, a segment that there is not, or numbers
/// that are not floating-point.
pub fn band_points(path: &Tensor, places: &[(usize, f64)]) -> crate::Result<Tensor> {
    on_bands(path, places, points_between)
}

/// The points of [`band_points`] in plain candle operations, on every device.
///
/// # Errors
/// As [`band_points`].
pub fn band_points_composite(path: &Tensor, places: &[(usize, f64)]) -> crate::Result<Tensor> {
    on_bands(path, places, points_between_composite)
}

/// A point between two others: the numbers i and j of these, and the share t of the way from the first to
/// the second.
pub type Place = ([usize; 2], f64);

/// `points` between rows of bands.
fn on_bands(
    path: &Tensor,
    places: &[(usize, f64)],
    points: fn(&Tensor, &[Place]) -> crate::Result<Tensor>,
) -> crate::Result<Tensor> {
    check(path, places)?;
    let (bands, rows, width) = path.dims3()?;
    let each = places.len() / bands.max(1);
    let place = |(at, (segment, t)): (usize, &(usize, f64))| {
        let row = at / each * rows + segment;
        ([row, row + 1], *t)
    };
    let places: Vec<Place> = places.iter().enumerate().map(place).collect();
    let points = points(&path.reshape((bands * rows, width))?, &places)?;
    Ok(points.reshape((bands, each, width))?)
}

/// Points (P, D) between rows of `rows` (N, D), without a gradient: (1 − t) z_i + t z_j. A share of 0 or
/// 1 gives the row exactly.
///
/// # Errors
/// A row that there is not, or numbers that are not floating-point.
pub(crate) fn points_between(rows: &Tensor, places: &[Place]) -> crate::Result<Tensor> {
    if !is_fused(rows) {
        return points_between_composite(rows, places);
    }
    check_rows(rows, places)?;
    Ok([rows].apply_detached(Points { places })?)
}

fn points_between_composite(rows: &Tensor, places: &[Place]) -> crate::Result<Tensor> {
    check_rows(rows, places)?;
    let (dtype, rows) = (rows.dtype(), widened("rows", &rows.detach())?);
    // A point whose share is 0 takes its first row twice: 0 · ∞ would not be a number.
    let ends = |end: usize| -> crate::Result<Tensor> {
        let row = |(ends, t): &Place| {
            let own = if *t == (1 - end) as f64 { 1 - end } else { end };
            ends[own] as u32
        };
        let index: Vec<u32> = places.iter().map(row).collect();
        device::rows(&rows, &index)
    };
    let share = |share: fn(f64) -> f64| -> crate::Result<Tensor> {
        let shares: Vec<f64> = places.iter().map(|(_, t)| share(*t)).collect();
        let shares = Tensor::from_vec(shares, (places.len(), 1), rows.device())?;
        Ok(shares.to_dtype(rows.dtype())?)
    };
    let sum =
        (ends(0)?.broadcast_mul(&share(|t| 1. - t)?)? + ends(1)?.broadcast_mul(&share(|t| t)?)?)?;
    Ok(sum.to_dtype(dtype)?)
}

fn check_rows(rows: &Tensor, places: &[Place]) -> crate::Result<()> {
    let (count, _) = rows.dims2()?;
    match places
        .iter()
        .find(|(ends, _)| ends.iter().any(|end| *end >= count))
    {
        Some((ends, _)) => {
            let expected = format!("below {count}");
            Err(Error::argument("rows", expected, format!("{ends:?}")))
        }
        None => Ok(()),
    }
}

fn check(path: &Tensor, places: &[(usize, f64)]) -> crate::Result<()> {
    let (bands, points, _) = dims(OPERATION.name(), path)?;
    if places.is_empty() || !places.len().is_multiple_of(bands) {
        let expected = format!("as many for each of {bands} bands, at least one");
        return Err(Error::argument("places", expected, places.len()));
    }
    let outside = |(segment, t): &&(usize, f64)| *segment >= points - 1 || !(0. ..=1.).contains(t);
    match places.iter().find(outside) {
        Some(place) => {
            let expected = format!("a segment below {} and a share in [0, 1]", points - 1);
            Err(Error::argument("place", expected, format!("{place:?}")))
        }
        None => Ok(()),
    }
}

const OPERATION: Operation = Operation::BandPoints;

struct Points<'a> {
    places: &'a [Place],
}

impl Kernel<1> for Points<'_> {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [rows]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (_, width) = rows.layout.shape().dims2()?;
        let arch = arch()?;
        let mut y = vec![T::zero(); self.places.len() * width];
        y.par_chunks_mut(width.max(1))
            .zip(self.places)
            .for_each(|(y, &(ends, t))| {
                let ends = ends.map(|end| &rows.numbers[end * width..][..width]);
                between(arch, ends, t, y);
            });
        Ok((y, Shape::from((self.places.len(), width))))
    }
}
