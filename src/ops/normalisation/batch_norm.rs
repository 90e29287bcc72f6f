//! Batch normalisation in training and in evaluation mode.

use candle_core::Tensor;

use super::checks::{check_batch, check_eval};
use super::fused;
use super::running::BatchNorm;
use crate::error::Result;
use crate::ops::dtype::{is_fused, widened};

/// Batch normalisation in training mode: by the mean and the variance of the batch itself.
///
/// ```text
/// y = (x − μ_c) / √(σ²_c + eps) · gamma_c + beta_c
/// ```
///
/// μ_c and σ²_c are the mean and the (biased) variance of channel c in this batch. The output is
/// differentiable in `x`, `gamma` and `beta`, also through μ and σ². The statistics come along for
/// [`BatchNorm::running`]. PyTorch's `eps` is 1e-5.
///
/// On a CPU in f32 or f64 the fused operation: sums are in f64, and two passes over the data give
/// the output, two more the gradients; the same numbers whatever the number of threads. Elsewhere
/// [`batch_norm_composite`].
///
/// - **Shapes**: `x` (N, C, H, W), `gamma` and `beta` (C,), of one dtype; the output is (N, C, H,
///   W), the statistics are (C,).
/// - **Range**: any number; with gamma 1 and beta 0 each channel has mean 0 and variance at most 1.
///   `eps` > 0.
/// - **Source**: Ioffe & Szegedy 2015 (arXiv 1502.03167), algorithm 1, as PyTorch's `BatchNorm2d`.
///
/// # Errors
/// Shapes or dtypes that do not fit; `eps` not positive and finite; fewer than two numbers a
/// channel, N·H·W <
/// 2. (PyTorch refuses one number, but not none.)
pub fn batch_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<BatchNorm> {
    check_batch(x, gamma, beta, eps)?;
    if !is_fused(x) {
        return batch_norm_composite(x, gamma, beta, eps);
    }
    fused::train(x, gamma, beta, eps)
}

/// The function [`batch_norm`] in plain candle operations, for every device.
///
/// # Errors
/// As [`batch_norm`].
pub fn batch_norm_composite(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
) -> Result<BatchNorm> {
    let count = check_batch(x, gamma, beta, eps)? as f64;
    let (dtype, x) = (x.dtype(), widened("x", x)?);
    let mean = x.mean_keepdim((0, 2, 3))?;
    let centred = x.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim((0, 2, 3))?;
    let normal = centred.broadcast_div(&(&variance + eps)?.sqrt()?)?;
    let output = normal
        .broadcast_mul(&by_channel(gamma)?)?
        .broadcast_add(&by_channel(beta)?)?
        .to_dtype(dtype)?;
    let mean = mean.detach().flatten_all()?.to_dtype(dtype)?;
    let variance = (variance.detach().flatten_all()? * (count / (count - 1.)))?.to_dtype(dtype)?;
    Ok(BatchNorm {
        output,
        mean,
        variance,
    })
}

/// Batch normalisation in evaluation mode: by a mean and a variance that are given.
///
/// ```text
/// y = (x − mean_c) / √(variance_c + eps) · gamma_c + beta_c
/// ```
///
/// Differentiable in `x`, `gamma` and `beta`. Where a convolution comes before,
/// [`fold_batch_norm`](super::fold_batch_norm) makes it cost nothing. On a CPU in f32 or f64 the
/// fused operation, elsewhere [`batch_norm_eval_composite`].
///
/// - **Shapes**: `x` (N, C, H, W), `gamma`, `beta`, `mean` and `variance` (C,), of one dtype; the
///   result is (N, C, H, W). N may be 0.
/// - **Range**: any number. `eps` > 0.
/// - **Source**: Ioffe & Szegedy 2015 (arXiv 1502.03167), algorithm 2, as PyTorch's `BatchNorm2d`.
///
/// # Errors
/// Shapes or dtypes that do not fit; `eps` not positive and finite.
pub fn batch_norm_eval(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    [mean, variance]: [&Tensor; 2],
    eps: f64,
) -> Result<Tensor> {
    check_eval(x, gamma, beta, mean, variance, eps)?;
    if !is_fused(x) {
        return batch_norm_eval_composite(x, gamma, beta, [mean, variance], eps);
    }
    fused::eval(x, gamma, beta, mean, variance, eps)
}

/// The function [`batch_norm_eval`] in plain candle operations, for every device.
///
/// # Errors
/// As [`batch_norm_eval`].
pub fn batch_norm_eval_composite(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    [mean, variance]: [&Tensor; 2],
    eps: f64,
) -> Result<Tensor> {
    check_eval(x, gamma, beta, mean, variance, eps)?;
    let variance = widened("variance", &variance.detach())?;
    let scale = widened("gamma", gamma)?.div(&(variance + eps)?.sqrt()?)?;
    let centred = widened("x", x)?.broadcast_sub(&by_channel(&mean.detach())?)?;
    Ok(centred
        .broadcast_mul(&by_channel(&scale)?)?
        .broadcast_add(&by_channel(beta)?)?
        .to_dtype(x.dtype())?)
}

/// A vector (C,) as (1, C, 1, 1), in the dtype that a twin adds up in.
fn by_channel(vector: &Tensor) -> Result<Tensor> {
    Ok(widened("a number for each channel", vector)?.reshape((1, vector.elem_count(), 1, 1))?)
}
