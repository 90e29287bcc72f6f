//! Cross-entropy against softened labels.

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::error::Result;
use crate::losses::{Loss, LossTerms, cross_entropy};
use crate::models::Network;
use crate::ops;

/// L = (1 − ε) L_CE − (ε/C) (1/N) Σ_i Σ_c log softmax(f(x_i))_c: the cross-entropy against labels
/// of which the share ε is spread over all C classes (Szegedy et al. 2016), as PyTorch's
/// `cross_entropy(label_smoothing=ε)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelSmoothing {
    /// ε, in [0, 1).
    pub smoothing: f64,
}

impl Loss for LabelSmoothing {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        Ok(self.terms(network, batch)?.loss)
    }

    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        let logits = network.forward(&batch.inputs)?;
        let loss = ops::cross_entropy(&logits, &batch.labels, self.smoothing)?;
        let logits = logits.detach();
        let own = cross_entropy(&logits, &batch.labels)?;
        Ok(LossTerms {
            loss,
            logits: Some(logits),
            cross_entropy: Some(own),
            isometric: None,
        })
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}
