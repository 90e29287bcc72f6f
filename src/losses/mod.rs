//! What a network is trained on, and what an attacker follows.

mod cross_entropy;
mod label_smoothing;
mod lil;
mod reconstruction;

pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use label_smoothing::LabelSmoothing;
pub use lil::{Lil, Partition, Representation};
pub use reconstruction::Reconstruction;

use candle_core::Tensor;

pub use crate::ops::cross_entropies;
pub(crate) use crate::ops::labels_of;

use crate::error::Result;
use crate::models::Network;

/// A scalar function of a network and a labelled batch.
pub trait Loss: Send + Sync {
    /// The loss, a scalar tensor.
    ///
    /// `x`: a batch of inputs, rows first; `labels`: (N,) of `u32`, each below the number of
    /// classes.
    ///
    /// # Errors
    /// Shapes that do not fit, labels out of range, or an empty batch.
    fn loss(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Tensor>;

    /// The loss with its parts, for a history of training.
    ///
    /// # Errors
    /// As [`Loss::loss`].
    fn terms(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Terms> {
        let loss = self.loss(network, x, labels)?;
        Ok(Terms {
            loss,
            logits: None,
            cross_entropy: None,
            isometric: None,
        })
    }

    /// The loss and its parameters in words. A checkpoint holds them, so that a run goes on with
    /// the loss it began with.
    fn describe(&self) -> String {
        std::any::type_name::<Self>().to_string()
    }
}

/// A loss and what it is made of; scalars but for the logits. Only `loss` can be followed: the rest
/// is detached.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The loss itself.
    pub loss: Tensor,
    /// The network's answers (N, classes), if the loss looks at them.
    pub logits: Option<Tensor>,
    /// L_CE, if it is a part.
    pub cross_entropy: Option<Tensor>,
    /// L_ISO, if it is a part.
    pub isometric: Option<Tensor>,
}
