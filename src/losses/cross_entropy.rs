//! Cross-entropy, the usual loss of a classifier.

use candle_core::{D, DType, Tensor};

use crate::error::{Error, Result};
use crate::losses::{Loss, Terms};
use crate::models::Network;

/// L_CE = −(1/N) Σ_i log softmax(f(x_i))_{t_i}, t the labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrossEntropy;

impl Loss for CrossEntropy {
    fn loss(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Tensor> {
        cross_entropy(&network.forward(x)?, labels)
    }

    fn terms(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Terms> {
        let logits = network.forward(x)?;
        let loss = cross_entropy(&logits, labels)?;
        let cross_entropy = Some(loss.detach());
        Ok(Terms { loss, logits: Some(logits.detach()), cross_entropy, isometric: None })
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// −(1/N) Σ_i log softmax(`logits`_i)_{t_i}: a scalar ≥ 0, differentiable in the logits.
///
/// `logits`: (N, classes); `labels`: (N,) of u32, each below the number of classes. The mean over the batch, as
/// PyTorch's `cross_entropy` has it; the *isometry* paper's section 2 writes the sum's sign and factor loosely.
///
/// # Errors
/// Shapes that do not fit, labels out of range, or an empty batch.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    Ok(cross_entropies(logits, labels)?.mean_all()?)
}

/// −log softmax(`logits`_i)_{t_i} of each sample: (N,), each ≥ 0; shapes and errors as [`cross_entropy`], their mean.
///
/// # Errors
/// Shapes that do not fit, labels out of range, or an empty batch.
pub fn cross_entropies(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    LogSoftmax::new(logits)?.at(labels)
}

/// log softmax(logits)_ic = shifted_ic − log_sum_i.
pub(super) struct LogSoftmax {
    shifted: Tensor,
    log_sum: Tensor,
}

impl LogSoftmax {
    /// # Errors
    /// Not (N, classes), or one of them 0.
    pub fn new(logits: &Tensor) -> Result<Self> {
        if !matches!(*logits.dims(), [n, classes] if n > 0 && classes > 0) {
            return Err(Error::shape("cross_entropy", "logits", "(N, classes), neither 0", logits.dims()));
        }
        // The shift keeps exp() in range; its gradient cancels, hence the detach.
        let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
        let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
        Ok(Self { shifted, log_sum })
    }

    /// −log softmax at the label of each sample, (N,).
    ///
    /// # Errors
    /// Labels that are not (N,) of u32, or out of range.
    pub fn at(&self, labels: &Tensor) -> Result<Tensor> {
        let (n, classes) = self.shifted.dims2()?;
        let host = labels_of(labels, n)?;
        if let Some(label) = host.iter().find(|&&label| label as usize >= classes) {
            return Err(Error::argument("label", format!("below {classes}, the number of classes"), label));
        }
        let own = self.shifted.gather(&labels.unsqueeze(1)?.contiguous()?, 1)?;
        Ok((&self.log_sum - own)?.squeeze(1)?)
    }

    /// −log softmax of each sample, the mean over the classes, (N,).
    pub fn mean(&self) -> Result<Tensor> {
        Ok((&self.log_sum - self.shifted.mean_keepdim(D::Minus1)?)?.squeeze(1)?)
    }
}

/// The labels of a batch of `n` on the host.
///
/// # Errors
/// Not (N,) of u32.
pub(crate) fn labels_of(labels: &Tensor, n: usize) -> Result<Vec<u32>> {
    if labels.dims() != [n] {
        return Err(Error::shape("loss", "labels", format!("({n},), one for each input"), labels.dims()));
    }
    if labels.dtype() != DType::U32 {
        return Err(Error::argument("dtype of labels", "U32", format!("{:?}", labels.dtype())));
    }
    Ok(labels.to_vec1()?)
}
