//! The mean of every plane.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::planes::{planes_per_task, sum};
use super::simd::{self, Float};
use super::{contiguous, is_fused};
use crate::error::Error;

/// y_nc = 1/(H·W) Σ_hw x_nchw.
///
/// `x`: (N, C, H, W); the result is (N, C), differentiable. N may be 0. On a CPU in f32 or f64 the
/// fused operation, which adds in f64; elsewhere [`global_avg_pool2d_composite`].
///
/// # Errors
/// Another rank, or planes without a number.
pub fn global_avg_pool2d(x: &Tensor) -> crate::Result<Tensor> {
    check(x)?;
    if is_fused(x) {
        Ok(x.contiguous()?.apply_op1(Mean)?)
    } else {
        global_avg_pool2d_composite(x)
    }
}

/// [`global_avg_pool2d`] in plain candle operations, for every device.
///
/// # Errors
/// As [`global_avg_pool2d`].
pub fn global_avg_pool2d_composite(x: &Tensor) -> crate::Result<Tensor> {
    check(x)?;
    Ok(x.flatten_from(2)?.mean(2)?)
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

impl CustomOp1 for Mean {
    fn name(&self) -> &'static str {
        "global_avg_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, height, width) = layout.shape().dims4()?;
        let means = match x {
            CpuStorage::F32(x) => CpuStorage::F32(means(contiguous(x, layout)?, height * width)?),
            CpuStorage::F64(x) => CpuStorage::F64(means(contiguous(x, layout)?, height * width)?),
            _ => bail!("global_avg_pool2d: expected f32 or f64"),
        };
        Ok((means, Shape::from((n, c))))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let (_, _, height, width) = x.dims4()?;
        Ok(Some(
            gradient
                .contiguous()?
                .apply_op1_no_bwd(&Spread { height, width })?,
        ))
    }
}

fn means<T: Float>(x: &[T], plane: usize) -> Result<Vec<T>> {
    let arch = simd::arch()?;
    let mean = |plane: &[T]| arch.dispatch(|| T::from_f64(sum(plane, |v| v) / plane.len() as f64));
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

impl CustomOp1 for Spread {
    fn name(&self) -> &'static str {
        "global_avg_pool2d-gradient"
    }

    fn cpu_fwd(&self, gradient: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c) = layout.shape().dims2()?;
        let plane = self.height * self.width;
        let spread = match gradient {
            CpuStorage::F32(g) => CpuStorage::F32(spread(contiguous(g, layout)?, plane)),
            CpuStorage::F64(g) => CpuStorage::F64(spread(contiguous(g, layout)?, plane)),
            _ => bail!("global_avg_pool2d: expected f32 or f64"),
        };
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
