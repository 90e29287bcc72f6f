//! The statistics of batch normalisation: those of a batch, and the running ones.

use candle_core::Tensor;

use super::checks::channel;
use crate::error::{Error, Result};

/// The result of batch normalisation in training mode, with the statistics of the batch.
///
/// ```text
/// mean_c = μ_c,  variance_c = M/(M − 1) · σ²_c,  M = N·H·W
/// ```
///
/// [`batch_norm`](super::batch_norm()) gives it: there are μ, σ² and the output's formula.
///
/// - **Shapes**: `output` (N, C, H, W), `mean` and `variance` (C,).
/// - **Range**: any number; `variance` ≥ 0.
/// - **Source**: Ioffe & Szegedy 2015 (arXiv 1502.03167), algorithms 1 and 2, as PyTorch's
///   `BatchNorm2d`.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// The normalised images, (N, C, H, W); differentiable.
    pub output: Tensor,
    /// The mean of each channel, (C,); no gradient.
    pub mean: Tensor,
    /// The variance of each channel with N·H·W − 1 in the denominator, (C,); no gradient.
    pub variance: Tensor,
}

impl BatchNorm {
    /// The running mean and variance after this batch.
    ///
    /// ```text
    /// after = (1 − momentum) · before + momentum · batch
    /// ```
    ///
    /// `mean` and `variance` are those before this batch; PyTorch starts with 0 and 1, and its
    /// momentum is 0.1.
    ///
    /// - **Shapes**: `mean` and `variance` (C,); so are the results.
    /// - **Range**: `momentum` in \[0, 1\]; a variance is ≥ 0 if the one before is.
    /// - **Source**: PyTorch's `BatchNorm2d`.
    ///
    /// # Errors
    /// `momentum` outside \[0, 1\]; shapes or dtypes that do not fit.
    pub fn running(
        &self,
        mean: &Tensor,
        variance: &Tensor,
        momentum: f64,
    ) -> Result<(Tensor, Tensor)> {
        running_statistics([mean, variance], [&self.mean, &self.variance], momentum)
    }
}

/// The running mean and variance after a batch.
///
/// ```text
/// after = (1 − momentum) · before + momentum · batch
/// ```
///
/// `before` and `batch` are a mean and a variance each. No gradient flows into `before`. PyTorch's
/// momentum is 0.1.
///
/// - **Shapes**: all (C,), of one dtype; so are the results.
/// - **Range**: `momentum` in \[0, 1\]; a variance is ≥ 0 if both others are.
/// - **Source**: PyTorch's `BatchNorm2d`.
///
/// # Errors
/// `momentum` outside \[0, 1\]; shapes or dtypes that do not fit.
pub fn running_statistics(
    before: [&Tensor; 2],
    batch: [&Tensor; 2],
    momentum: f64,
) -> Result<(Tensor, Tensor)> {
    if !(0. ..=1.).contains(&momentum) {
        return Err(Error::argument("momentum", "a number in [0, 1]", momentum));
    }
    let blend = |name, before: &Tensor, batch: &Tensor| -> Result<Tensor> {
        channel(name, before, &[1, batch.elem_count()], batch.dtype())?;
        Ok(((before.detach() * (1. - momentum))? + (batch * momentum)?)?)
    };
    Ok((
        blend("mean", before[0], batch[0])?,
        blend("variance", before[1], batch[1])?,
    ))
}
