//! Loss functions, which a training minimises and an attacker follows.
//!
//! | loss | for |
//! |---|---|
//! | [`CrossEntropy`], [`LabelSmoothing`] | training; the usual loss of an attacker |
//! | [`IsometricLoss`] | training that keeps distances, the *isometry* paper's L |
//! | [`JacobianPenalty`] | training that keeps logits from changing with the input |
//! | [`LogitDifference`], [`RescaledLogitDifference`] | attacks where the cross-entropy has no gradient left |
//! | [`Reconstruction`] | training a decoder |

mod cross_entropy;
mod isometric;
mod jacobian_penalty;
mod label_smoothing;
mod logit_difference;
mod reconstruction;

pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use isometric::{IsometricLoss, Partition};
pub use jacobian_penalty::JacobianPenalty;
pub use label_smoothing::LabelSmoothing;
pub use logit_difference::{LogitDifference, RescaledLogitDifference};
pub use reconstruction::Reconstruction;

use std::fmt;

use candle_core::{DType, Tensor};

pub use crate::ops::cross_entropies;

use crate::datasets::Dataset;
use crate::error::Result;
use crate::models::Network;

/// A scalar function of a network and a labelled batch, differentiable in weights and inputs.
///
/// ```text
/// L(f; x, t) ∈ ℝ,  f the network, x the inputs, t the labels
/// ```
///
/// Training descends it in the weights of f; an attack ascends it in x. A loss of one's own needs
/// the one method without a default.
///
/// - **Shapes**: x (N, …), t (N,) of u32; the loss is a scalar ().
/// - **Range**: any number.
/// - **Source**: ours, the common form of the losses of this module.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// /// The mean of the largest logits.
/// struct Confidence;
///
/// impl Loss for Confidence {
///     fn loss(&self, network: &dyn Network, batch: &Dataset) -> isopath::Result<Tensor> {
///         Ok(network.forward(&batch.inputs)?.max(1)?.mean_all()?)
///     }
/// }
///
/// let device = device::best();
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 3], Activation::Tanh, vb))?;
/// let x = Tensor::zeros((4, 2), DType::F32, &device)?;
/// let data = Dataset::new(x, Tensor::zeros(4, DType::U32, &device)?)?;
/// assert!(Confidence.loss(&network, &data)?.dims().is_empty());
/// # Ok::<(), isopath::Error>(())
/// ```
pub trait Loss: Send + Sync {
    /// The loss of a network on a batch: a scalar tensor, differentiable in weights and inputs.
    ///
    /// # Errors
    /// Shapes that do not fit, labels out of range, or an empty batch.
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor>;

    /// The loss with its terms, for a history of training; by default the loss alone.
    ///
    /// # Errors
    /// As [`Loss::loss`].
    fn terms(&self, network: &dyn Network, batch: &Dataset) -> Result<LossTerms> {
        let loss = self.loss(network, batch)?;
        Ok(LossTerms {
            loss,
            logits: None,
            cross_entropy: None,
            isometric: None,
        })
    }

    /// The name of the loss with its parameters; by default the name of its type.
    ///
    /// A checkpoint records it, so that a run continues only with the same loss.
    fn describe(&self) -> String {
        std::any::type_name::<Self>().to_string()
    }
}

/// The value of a loss and of its terms, on one batch.
///
/// ```text
/// L = α·L_CE + β·L_ISO
/// ```
///
/// The terms come without their weights. A gradient flows through [`LossTerms::loss`] alone: the
/// rest is detached.
///
/// - **Shapes**: `logits` (N, C); all others are scalars ().
/// - **Range**: that of the loss; L_CE ≥ 0 in nats, L_ISO ≥ 0.
/// - **Source**: *isometry*, section 2.1, the weighted loss.
#[derive(Clone, Debug)]
pub struct LossTerms {
    /// The value of the loss; the one field that a gradient flows through.
    pub loss: Tensor,
    /// The network's logits (N, C), if the loss computes them.
    pub logits: Option<Tensor>,
    /// The cross-entropy L_CE against the labels as they are, if the loss computes it.
    pub cross_entropy: Option<Tensor>,
    /// The isometric term L_ISO, if the loss computes it.
    pub isometric: Option<Tensor>,
}

/// Writes the loss and those terms that it has: `L = 2.510, L_CE = 2.310, L_ISO = 0.200`.
impl fmt::Display for LossTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms = [("L_CE", &self.cross_entropy), ("L_ISO", &self.isometric)];
        let number = |tensor: &Tensor| {
            let value = tensor
                .to_dtype(DType::F64)
                .and_then(|value| value.to_scalar::<f64>());
            value.map_err(|_| fmt::Error)
        };
        write!(f, "L = {:.3}", number(&self.loss)?)?;
        for (name, term) in terms {
            if let Some(term) = term {
                write!(f, ", {name} = {:.3}", number(term)?)?;
            }
        }
        Ok(())
    }
}
