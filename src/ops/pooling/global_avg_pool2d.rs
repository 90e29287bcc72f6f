//! The mean of every plane.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::error::Error;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::planes::{planes_per_task, sum};
use crate::ops::simd::{self, Float, vectorised};

/// The mean of each channel of each image; differentiable.
///
/// ```text
/// y_nc = 1/(H·W) Σ_hw x_nchw
/// ```
///
/// On a CPU in f32 or f64 the fused operation, which adds in f64; elsewhere
/// [`global_avg_pool2d_composite`].
///
/// - **Shapes**: `x` (N, C, H, W); the result is (N, C). N may be 0.
/// - **Range**: between the smallest and the largest number of the channel.
/// - **Source**: Lin, Chen & Yan 2014 (arXiv 1312.4400), section 3.2.
///
/// # Errors
/// Another rank, H or W of 0, or numbers that are not floating-point.
pub fn global_avg_pool2d(x: &Tensor) -> crate::Result<Tensor> {
    check(x)?;
    if is_fused(x) {
        Ok([x].apply(Mean)?)
    } else {
        global_avg_pool2d_composite(x)
    }
}

/// The function [`global_avg_pool2d`] in plain candle operations, for every device.
///
/// # Errors
/// As [`global_avg_pool2d`].
pub fn global_avg_pool2d_composite(x: &Tensor) -> crate::Result<Tensor> {
    check(x)?;
    let mean = widened("x", x)?.flatten_from(2)?.mean(2)?;
    Ok(mean.to_dtype(x.dtype())?)
}

fn check(x: &Tensor) -> crate::Result<()> {
    match x.dims() {
        [_, _, height, width] if height * width > 0 => Ok(()),
        dims => Err(Error::shape(
            "global_avg_pool2d",
            "x",
            "(N, C, H, W) with H, W at least 1",
            dims,
        )),
    }
}

struct Mean;

impl Kernel<1> for Mean {
    fn operation(&self) -> Operation {
        Operation::GlobalAvgPool2d
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, c, height, width) = x.layout.shape().dims4()?;
        Ok((means(x.numbers, height * width)?, Shape::from((n, c))))
    }

    fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        if !x.track_op() {
            return Ok([None]);
        }
        let (_, _, height, width) = x.dims4()?;
        Ok([Some([g].apply_detached(Spread { height, width })?)])
    }
}

fn means<T: Float>(x: &[T], plane: usize) -> Result<Vec<T>> {
    let arch = simd::arch()?;
    let mean = |plane: &[T]| vectorised!(arch, T::from_f64(sum(plane, |v| v) / plane.len() as f64));
    Ok(x.par_chunks(plane)
        .with_min_len(planes_per_task(plane))
        .map(mean)
        .collect())
}

/// The gradient of the mean: every number of a plane gets the same.
struct Spread {
    height: usize,
    width: usize,
}

impl Kernel<1> for Spread {
    fn operation(&self) -> Operation {
        Operation::GlobalAvgPool2d
    }

    fn forward<T: Float>(&self, [g]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, c) = g.layout.shape().dims2()?;
        let spread = spread(g.numbers, self.height * self.width);
        Ok((spread, Shape::from((n, c, self.height, self.width))))
    }
}

fn spread<T: Float>(gradient: &[T], plane: usize) -> Vec<T> {
    let mut spread = vec![T::zero(); gradient.len() * plane];
    spread
        .par_chunks_mut(plane)
        .zip(gradient)
        .with_min_len(planes_per_task(plane))
        .for_each(|(plane, g)| plane.fill(T::from_f64((*g).into() / plane.len() as f64)));
    spread
}
