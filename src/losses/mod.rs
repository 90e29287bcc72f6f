//! What a network is trained on, and what an attacker follows.
//!
//! | loss | for |
//! |---|---|
//! | [`CrossEntropy`], [`LabelSmoothing`] | training; the usual loss of an attacker |
//! | [`IsometricLoss`] | training that keeps distances, the *isometry* paper's L |
//! | [`LogitDifference`], [`RescaledLogitDifference`] | attacks where the cross-entropy has no gradient left |
//! | [`Reconstruction`] | training a decoder |

mod cross_entropy;
mod isometric;
mod label_smoothing;
mod logit_difference;
mod reconstruction;

pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use isometric::{IsometricLoss, Partition};
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
/// A loss of one's own needs the one method without a default:
///
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
/// ```
pub trait Loss: Send + Sync {
    /// The loss, a scalar tensor.
    ///
    /// The batch's labels are each below the number of classes.
    ///
    /// # Errors
    /// Shapes that do not fit, labels out of range, or an empty batch.
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor>;

    /// The loss with its terms, for a history of training.
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

    /// The loss and its parameters in words. A checkpoint holds them, so that a run goes on with the
    /// loss it began with.
    fn describe(&self) -> String {
        std::any::type_name::<Self>().to_string()
    }
}

/// A loss and what it is made of; scalars but for the logits. Only `loss` can be followed: the rest
/// is detached.
#[derive(Clone, Debug)]
pub struct LossTerms {
    /// The loss itself.
    pub loss: Tensor,
    /// The network's answers (N, classes), if the loss looks at them.
    pub logits: Option<Tensor>,
    /// L_CE, if it is a term.
    pub cross_entropy: Option<Tensor>,
    /// L_ISO, if it is a term.
    pub isometric: Option<Tensor>,
}

/// `L = 2.51, L_CE = 2.31, L_ISO = 0.2`.
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
