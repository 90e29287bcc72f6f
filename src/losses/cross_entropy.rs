//! Cross-entropy, the usual loss of a classifier.

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::error::Result;
use crate::losses::{Loss, LossTerms};
use crate::models::Network;
use crate::ops;

/// L_CE = −(1/N) Σ_i log softmax(f(x_i))_{t_i}, t the labels.
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

/// −(1/N) Σ_i log softmax(`logits`_i)_{t_i}: a scalar ≥ 0, differentiable in the logits.
///
/// `logits`: (N, classes); `labels`: (N,) of u32, each below the number of classes. The mean over
/// the batch, as PyTorch's `cross_entropy` has it; the *isometry* paper's section 2 writes the
/// sum's sign and factor loosely.
///
/// # Errors
/// Shapes that do not fit, labels out of range, or an empty batch.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    ops::cross_entropy(logits, labels, 0.)
}
