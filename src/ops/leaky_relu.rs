//! The leaky rectifier.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::planes::{CHUNK, Float};
use super::{contiguous, is_fused, simd};
use crate::error::Error;

/// y = x where x > 0, else `slope` · x, number by number; differentiable, with the derivative
/// `slope` at 0.
///
/// `x`: any shape; `slope` in \[0, 1\]: 0 is ReLU, Keras takes 0.3. On a CPU in f32 or f64 one
/// pass, elsewhere [`leaky_relu_composite`].
///
/// # Errors
/// `slope` outside \[0, 1\].
pub fn leaky_relu(x: &Tensor, slope: f64) -> crate::Result<Tensor> {
    check(slope)?;
    if is_fused(x) {
        return Ok(x.contiguous()?.apply_op1(LeakyRelu(slope))?);
    }
    leaky_relu_composite(x, slope)
}

/// [`leaky_relu`] in plain candle operations, for every device.
///
/// # Errors
/// As [`leaky_relu`].
pub fn leaky_relu_composite(x: &Tensor, slope: f64) -> crate::Result<Tensor> {
    check(slope)?;
    let factor = x
        .detach()
        .gt(0.)?
        .to_dtype(x.dtype())?
        .affine(1. - slope, slope)?;
    Ok((x * factor)?)
}

fn check(slope: f64) -> crate::Result<()> {
    if (0. ..=1.).contains(&slope) {
        return Ok(());
    }
    Err(Error::argument("slope", "a number in [0, 1]", slope))
}

struct LeakyRelu(f64);

impl CustomOp1 for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = match x {
            CpuStorage::F32(x) => CpuStorage::F32(scale(
                contiguous(x, layout)?,
                contiguous(x, layout)?,
                self.0,
            )?),
            CpuStorage::F64(x) => CpuStorage::F64(scale(
                contiguous(x, layout)?,
                contiguous(x, layout)?,
                self.0,
            )?),
            _ => bail!("leaky_relu: expected f32 or f64"),
        };
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(
            gradient
                .contiguous()?
                .apply_op2_no_bwd(&x.detach(), &Gradient(self.0))?,
        ))
    }
}

/// Of the gradient of y and x.
struct Gradient(f64);

impl CustomOp2 for Gradient {
    fn name(&self) -> &'static str {
        "leaky_relu-gradient"
    }

    fn cpu_fwd(
        &self,
        g: &CpuStorage,
        lg: &Layout,
        x: &CpuStorage,
        lx: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let of_x = match (g, x) {
            (CpuStorage::F32(g), CpuStorage::F32(x)) => {
                CpuStorage::F32(scale(contiguous(g, lg)?, contiguous(x, lx)?, self.0)?)
            }
            (CpuStorage::F64(g), CpuStorage::F64(x)) => {
                CpuStorage::F64(scale(contiguous(g, lg)?, contiguous(x, lx)?, self.0)?)
            }
            _ => bail!("leaky_relu: the gradient has another dtype than x"),
        };
        Ok((of_x, lg.shape().clone()))
    }
}

/// `values` where `x` is above 0, else `slope` times them.
fn scale<T: Float>(values: &[T], x: &[T], slope: f64) -> Result<Vec<T>> {
    let (arch, slope) = (simd::arch()?, T::from_f64(slope));
    let mut y = vec![T::zero(); values.len()];
    let chunks = y
        .par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK))
        .zip(x.par_chunks(CHUNK));
    chunks.for_each(|((y, values), x)| {
        arch.dispatch(
            #[inline(always)]
            || {
                for ((y, &value), &x) in y.iter_mut().zip(values).zip(x) {
                    *y = if x > T::zero() { value } else { value * slope };
                }
            },
        );
    });
    Ok(y)
}
