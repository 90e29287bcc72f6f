//! Cross-entropy against softened labels.

use candle_core::Tensor;

use crate::error::Result;
use crate::losses::{Loss, Terms, cross_entropy};
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
    fn loss(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Tensor> {
        Ok(self.terms(network, x, labels)?.loss)
    }

    fn terms(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Terms> {
        let logits = network.forward(x)?;
        let loss = ops::cross_entropy(&logits, labels, self.smoothing)?;
        let logits = logits.detach();
        let own = cross_entropy(&logits, labels)?;
        Ok(Terms {
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
