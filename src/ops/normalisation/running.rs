//! What batch normalisation measures: the statistics of a batch, and the running ones.

use candle_core::Tensor;

use super::checks::channel;
use crate::error::{Error, Result};

/// What [`batch_norm`](super::batch_norm()) gives.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// The normalised images, (N, C, H, W); differentiable.
    pub output: Tensor,
    /// The mean of every channel, (C,); no gradient.
    pub mean: Tensor,
    /// The variance of every channel with N·H·W − 1 in the denominator, (C,); no gradient.
    pub variance: Tensor,
}

impl BatchNorm {
    /// The running statistics after this batch: (1 − momentum) · before + momentum · batch, for
    /// mean and variance.
    ///
    /// `mean` and `variance`: (C,), before this batch (PyTorch starts with 0 and 1); `momentum` in
    /// [0, 1], PyTorch's is 0.1.
    ///
    /// # Errors
    /// `momentum` outside [0, 1]; shapes or dtypes that do not fit.
    pub fn running(
        &self,
        mean: &Tensor,
        variance: &Tensor,
        momentum: f64,
    ) -> Result<(Tensor, Tensor)> {
        running_statistics([mean, variance], [&self.mean, &self.variance], momentum)
    }
}

/// (1 − momentum) · `before` + momentum · `batch`, both a mean and a variance, (C,) each; no
/// gradient.
///
/// # Errors
/// `momentum` outside [0, 1]; shapes or dtypes that do not fit.
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
