//! Cross-entropy against softened labels.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::losses::cross_entropy::LogSoftmax;
use crate::losses::{Loss, Terms};
use crate::models::Network;

/// L = (1 − ε) L_CE − (ε/C) (1/N) Σ_i Σ_c log softmax(f(x_i))_c: the cross-entropy against labels of which the share ε
/// is spread over all C classes (Szegedy et al. 2016), as PyTorch's `cross_entropy(label_smoothing=ε)`.
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
        if !(0. ..1.).contains(&self.smoothing) {
            return Err(Error::argument("smoothing", "a number in [0, 1)", self.smoothing));
        }
        let logits = network.forward(x)?;
        let log_softmax = LogSoftmax::new(&logits)?;
        let (own, all) = (log_softmax.at(labels)?.mean_all()?, log_softmax.mean()?.mean_all()?);
        let loss = ((&own * (1. - self.smoothing))? + (all * self.smoothing)?)?;
        Ok(Terms { loss, logits: Some(logits.detach()), cross_entropy: Some(own.detach()), isometric: None })
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}
