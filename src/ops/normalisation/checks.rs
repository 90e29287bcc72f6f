//! Checks of the arguments of batch normalisation.

use candle_core::{DType, Tensor};

use crate::checks::positive;
use crate::error::{Error, Result};

/// Checks images, scale and shift in training mode; gives N·H·W.
pub(super) fn check_batch(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<usize> {
    check(x, gamma, beta, eps)?;
    check_count(x.dims())
}

/// Checks that N·H·W of the shape (N, C, H, W) is at least two, and gives it.
pub(in crate::ops) fn check_count(x: &[usize]) -> Result<usize> {
    let count = x[0] * x[2] * x[3];
    if count < 2 {
        return Err(Error::shape(
            "batch_norm",
            "x",
            "(N, C, H, W) with N·H·W at least 2 in training",
            x,
        ));
    }
    Ok(count)
}

/// Checks images, scale, shift and statistics in evaluation mode.
pub(super) fn check_eval(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> Result<()> {
    check(x, gamma, beta, eps)?;
    channel("mean", mean, x.dims(), x.dtype())?;
    channel("variance", variance, x.dims(), x.dtype())
}

fn check(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<()> {
    check_eps(eps)?;
    if x.rank() != 4 {
        return Err(Error::shape("batch_norm", "x", "(N, C, H, W)", x.dims()));
    }
    channel("gamma", gamma, x.dims(), x.dtype())?;
    channel("beta", beta, x.dims(), x.dtype())
}

/// Checks that `eps` is positive and finite.
pub(in crate::ops) fn check_eps(eps: f64) -> Result<()> {
    positive("eps", eps)
}

/// Checks that `vector` has a number for each channel of images of shape `x`, in their dtype.
pub(in crate::ops) fn channel(
    name: &'static str,
    vector: &Tensor,
    x: &[usize],
    dtype: DType,
) -> Result<()> {
    if vector.dims() != [x[1]] {
        let expected = format!("({},), a number for each channel", x[1]);
        return Err(Error::shape("batch_norm", name, expected, vector.dims()));
    }
    if vector.dtype() != dtype {
        return Err(Error::argument(
            name,
            format!("{dtype:?}, as x"),
            format!("{:?}", vector.dtype()),
        ));
    }
    Ok(())
}
