//! Cross-entropy, the usual loss of a classifier.

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::error::Result;
use crate::losses::{Loss, LossTerms};
use crate::models::Network;
use crate::ops;

/// The cross-entropy, the usual loss of a classifier: how surprised the network is by the labels.
///
/// ```text
/// L_CE = −(1/N) Σ_i log softmax(f(x_i))_{t_i}
/// ```
///
/// f(x_i) are the logits of input i, t_i its label, and N the size of the batch. An attack that
/// follows this loss stands still where the network is sure: see
/// [`LogitDifference`](super::LogitDifference).
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the loss is a scalar ().
/// - **Range**: ≥ 0, in nats; log C where all C logits are equal.
/// - **Source**: *isometry*, section 2, first displayed equation, first term, which the paper
///   prints without its sign and factor; here as PyTorch's `cross_entropy`.
///
/// # Errors
/// [`Loss::loss`] refuses what [`cross_entropy`] refuses.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 3], Activation::Tanh, vb))?;
/// let data = Dataset::new(
///     Tensor::new(&[[0.5f32, -1.]], &device)?,
///     Tensor::new(&[2u32], &device)?,
/// )?;
/// let loss = CrossEntropy.loss(&network, &data)?.to_scalar::<f32>()?;
/// let probability = nn::ops::softmax(&network.forward(&data.inputs)?, 1)?.to_vec2::<f32>()?[0][2];
/// assert!((loss + probability.ln()).abs() < 1e-5);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrossEntropy;

impl Loss for CrossEntropy {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        cross_entropy(&network.forward(&batch.inputs)?, &batch.labels)
    }

    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        let logits = network.forward(&batch.inputs)?;
        let loss = cross_entropy(&logits, &batch.labels)?;
        let cross_entropy = Some(loss.detach());
        Ok(LossTerms {
            loss,
            logits: Some(logits.detach()),
            cross_entropy,
            isometric: None,
        })
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// The cross-entropy of logits against labels, the mean over the batch; differentiable.
///
/// ```text
/// L_CE = −(1/N) Σ_i log softmax(z_i)_{t_i}
/// ```
///
/// z_i are the logits of input i, t_i its label. [`ops::cross_entropy`] with ε = 0.
///
/// - **Shapes**: `logits` (N, C), `labels` (N,) of u32, each below C; the result is a scalar ().
/// - **Range**: ≥ 0, in nats.
/// - **Source**: *isometry*, section 2, first displayed equation, first term, which the paper
///   prints without its sign and factor; here as PyTorch's `cross_entropy`.
///
/// # Errors
/// Shapes that do not fit, logits that are not floating-point numbers, labels that are not u32 or
/// out of range, or an empty batch.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    ops::cross_entropy(logits, labels, 0.)
}
