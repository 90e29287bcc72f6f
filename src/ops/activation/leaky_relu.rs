//! The leaky rectifier.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::error::Error;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::dtype::{is_fused, widened};
use crate::ops::operation::Operation;
use crate::ops::planes::CHUNK;
use crate::ops::simd::{self, Float, vectorised};

/// The leaky rectifier, which shrinks numbers below 0 by a factor; differentiable.
///
/// ```text
/// y = x  where x > 0,  else slope · x
/// ```
///
/// The derivative at 0 is `slope`. A slope of 0 is ReLU; Keras takes 0.3. On a CPU in f32 or f64
/// one pass, elsewhere [`leaky_relu_composite`].
///
/// - **Shapes**: `x` of any shape; the result has the same.
/// - **Range**: any number; ≥ 0 for slope 0. `slope` is in \[0, 1\].
/// - **Source**: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic
///   models".
///
/// # Errors
/// `slope` outside \[0, 1\], or numbers that are not floating-point.
pub fn leaky_relu(x: &Tensor, slope: f64) -> crate::Result<Tensor> {
    check(slope)?;
    if is_fused(x) {
        return Ok([x].apply(LeakyRelu(slope))?);
    }
    leaky_relu_composite(x, slope)
}

/// The function [`leaky_relu`] in plain candle operations, for every device.
///
/// # Errors
/// As [`leaky_relu`].
pub fn leaky_relu_composite(x: &Tensor, slope: f64) -> crate::Result<Tensor> {
    check(slope)?;
    let (dtype, x) = (x.dtype(), widened("x", x)?);
    let factor = x
        .detach()
        .gt(0.)?
        .to_dtype(x.dtype())?
        .affine(1. - slope, slope)?;
    Ok((x * factor)?.to_dtype(dtype)?)
}

fn check(slope: f64) -> crate::Result<()> {
    if (0. ..=1.).contains(&slope) {
        return Ok(());
    }
    Err(Error::argument("slope", "a number in [0, 1]", slope))
}

struct LeakyRelu(f64);

impl Kernel<1> for LeakyRelu {
    fn operation(&self) -> Operation {
        Operation::LeakyRelu
    }

    fn forward<T: Float>(&self, [x]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let y = scale(x.numbers, x.numbers, self.0)?;
        Ok((y, x.layout.shape().clone()))
    }

    fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        Ok([Some([g, x].apply_detached(Gradient(self.0))?)])
    }
}

/// The gradient in x, from the gradient in y and from x.
struct Gradient(f64);

impl Kernel<2> for Gradient {
    fn operation(&self) -> Operation {
        Operation::LeakyRelu
    }

    fn forward<T: Float>(&self, [g, x]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let of_x = scale(g.numbers, x.numbers, self.0)?;
        Ok((of_x, g.layout.shape().clone()))
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
        vectorised!(arch, {
            for ((y, &value), &x) in y.iter_mut().zip(values).zip(x) {
                *y = if x > T::zero() { value } else { value * slope };
            }
        });
    });
    Ok(y)
}
