//! Points on the segments of bands.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::rows::dims;
use crate::device;
use crate::error::Error;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
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
    if !is_fused(path) {
        return band_points_composite(path, places);
    }
    check(path, places)?;
    Ok([path].apply_detached(Points { places })?)
}

/// The points of [`band_points`] in plain candle operations, on every device.
///
/// # Errors
/// As [`band_points`].
pub fn band_points_composite(path: &Tensor, places: &[(usize, f64)]) -> crate::Result<Tensor> {
    check(path, places)?;
    let (bands, points, width) = path.dims3()?;
    let (dtype, path) = (path.dtype(), widened("path", &path.detach())?);
    let each = places.len() / bands.max(1);
    let rows = path.reshape((bands * points, width))?;
    // A point whose share is 0 takes its segment's first end twice: 0 · ∞ would not be a number.
    let ends = |end: usize| -> crate::Result<Tensor> {
        let row = |(at, (segment, t)): (usize, &(usize, f64))| {
            let own = if *t == (1 - end) as f64 { 1 - end } else { end };
            (at / each * points + segment + own) as u32
        };
        let index: Vec<u32> = places.iter().enumerate().map(row).collect();
        device::rows(&rows, &index)
    };
    let share = |share: fn(f64) -> f64| -> crate::Result<Tensor> {
        let shares: Vec<f64> = places.iter().map(|(_, t)| share(*t)).collect();
        let shares = Tensor::from_vec(shares, (places.len(), 1), path.device())?;
        Ok(shares.to_dtype(path.dtype())?)
    };
    let sum =
        (ends(0)?.broadcast_mul(&share(|t| 1. - t)?)? + ends(1)?.broadcast_mul(&share(|t| t)?)?)?;
    Ok(sum.reshape((bands, each, width))?.to_dtype(dtype)?)
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
    places: &'a [(usize, f64)],
}

impl Kernel<1> for Points<'_> {
    fn operation(&self) -> Operation {
        OPERATION
    }

    fn forward<T: Float>(&self, [path]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (bands, points, width) = path.layout.shape().dims3()?;
        let arch = arch()?;
        let each = self.places.len() / bands;
        let mut y = vec![T::zero(); self.places.len() * width];
        y.par_chunks_mut(width.max(1))
            .zip(self.places)
            .enumerate()
            .for_each(|(at, (y, &(segment, t)))| {
                let start = (at / each * points + segment) * width;
                let (from, to) = path.numbers[start..][..2 * width].split_at(width);
                if t == 0. || t == 1. {
                    y.copy_from_slice(if t == 0. { from } else { to });
                    return;
                }
                let (rest, t) = (T::from_f64(1. - t), T::from_f64(t));
                arch.dispatch(
                    #[inline(always)]
                    || {
                        for ((y, from), to) in y.iter_mut().zip(from).zip(to) {
                            *y = *from * rest + *to * t;
                        }
                    },
                );
            });
        Ok((y, Shape::from((bands, each, width))))
    }
}
