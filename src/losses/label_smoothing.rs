//! Cross-entropy against softened labels.

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::error::Result;
use crate::losses::{Loss, LossTerms, cross_entropy};
use crate::models::Network;
use crate::ops;

/// The cross-entropy against softened labels: a share ε of each label is spread over all classes.
///
/// ```text
/// L = (1 − ε) L_CE − (ε/C) (1/N) Σ_i Σ_c log softmax(f(x_i))_c
/// ```
///
/// f(x_i) are the logits of input i, C is the number of classes, L_CE the
/// [cross-entropy](super::CrossEntropy). It keeps a network from growing ever surer of its answers.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; the loss is a scalar ().
/// - **Range**: ≥ 0, in nats; at least the entropy of a softened label.
/// - **Source**: Szegedy et al. 2016 (arXiv 1512.00567), section 7, as PyTorch's
///   `cross_entropy(label_smoothing=ε)`.
///
/// # Errors
/// [`Loss::loss`] refuses ε outside \[0, 1) and what [`cross_entropy`] refuses.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 3], Activation::Tanh, vb))?;
/// let x = Tensor::new(&[[1f32, 2.]], &device)?;
/// let all = Dataset::new(x.repeat((3, 1))?, Tensor::new(&[0u32, 1, 2], &device)?)?;
/// let one = Dataset::new(x, Tensor::new(&[2u32], &device)?)?;
/// let value = |loss: &dyn Loss, data: &Dataset| -> isopath::Result<f32> {
///     Ok(loss.loss(&network, data)?.to_scalar()?)
/// };
/// let expected = 0.9 * value(&CrossEntropy, &one)? + 0.1 * value(&CrossEntropy, &all)?;
/// assert!((value(&LabelSmoothing { smoothing: 0.1 }, &one)? - expected).abs() < 1e-5);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelSmoothing {
    /// ε, the share of a label that is spread over the classes, in \[0, 1).
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
