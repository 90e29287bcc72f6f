//! What a network is trained on, and what an attacker follows.

use candle_core::Tensor;

use crate::error::Result;
use crate::models::Network;

/// A scalar function of a network and a labelled batch.
pub trait Loss: Send + Sync {
    /// The loss, a scalar tensor.
    ///
    /// `x`: a batch of inputs, rows first; `labels`: (N,) of `u32`, each below the number of classes.
    ///
    /// # Errors
    /// Shapes that do not fit, labels out of range, or an empty batch.
    fn loss(&self, network: &dyn Network, x: &Tensor, labels: &Tensor) -> Result<Tensor>;
}
