//! Networks as sequences of stages: all representations, resumable from any of them.

pub mod decoder;
mod enlarged;
mod history;
pub mod locally_isometric;
pub mod mlp;
pub mod parameters;
pub mod pretrained;
pub mod resnet;
mod running;
pub(crate) mod store;

pub use decoder::{Decoder, DecoderParams};
pub use enlarged::{Enlarged, enlarge};
pub use history::{Epoch, History};
pub use locally_isometric::{
    Gradient, Head, LayerOutput, Level, LocallyIsometric, LocallyIsometricParams,
};
pub use mlp::{Activation, Mlp};
pub use parameters::Parameters;
pub(crate) use parameters::{Origin, fitting};
pub use resnet::{ResNet, ResNetParams};

use candle_core::Tensor;

use crate::error::{Error, Result};

/// # Errors
/// The network is in training mode.
pub(crate) fn check_evaluation(network: &dyn Network) -> Result<()> {
    match network.is_training() {
        true => Err(Error::argument(
            "network",
            "one in evaluation mode, as freeze() gives it",
            "in training mode",
        )),
        false => Ok(()),
    }
}

/// A classifier f = f_L ∘ … ∘ f_1, a sequence of stages.
///
/// Stage l maps the representation after stage l − 1 to the one after stage l; stage 0's input is a
/// batch of inputs, the last stage's output the logits. `f_{l:L}` of the *connectivity* paper is
/// [`Network::forward_from`]`(l)`.
pub trait Network: Send + Sync {
    /// L, the number of stages.
    fn stages(&self) -> usize;

    /// The output of stage `index` (from 0) on a batch of its inputs.
    ///
    /// # Errors
    /// `index` is not below [`Network::stages`], or the shape does not fit.
    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor>;

    /// Whether the network is in training mode: what it says to a point then depends on the others
    /// of the batch, and every forward pass moves its running statistics. Never so for networks
    /// that normalise nothing.
    fn is_training(&self) -> bool {
        false
    }

    /// The logits (N, classes) of a batch of representations that enter stage `index`.
    ///
    /// # Errors
    /// `index` exceeds [`Network::stages`], or the shape does not fit.
    fn forward_from(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        if index > self.stages() {
            return Err(Error::argument(
                "stage",
                format!("at most {}", self.stages()),
                index,
            ));
        }
        (index..self.stages()).try_fold(x.clone(), |x, index| self.stage(index, &x))
    }

    /// The representation that enters stage `index`, of a batch of inputs: those themselves for 0,
    /// the logits for [`Network::stages`]. Nothing after it is computed.
    ///
    /// # Errors
    /// `index` exceeds [`Network::stages`], or the shape does not fit.
    fn forward_to(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        (0..index).try_fold(x.clone(), |x, index| self.stage(index, &x))
    }

    /// The logits (N, classes) of a batch of inputs.
    ///
    /// # Errors
    /// The shape does not fit.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_from(0, x)
    }

    /// The output of every stage, the logits last.
    ///
    /// # Errors
    /// The shape does not fit.
    fn representations(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let mut outputs: Vec<Tensor> = Vec::with_capacity(self.stages());
        for index in 0..self.stages() {
            outputs.push(self.stage(index, outputs.last().unwrap_or(x))?);
        }
        Ok(outputs)
    }
}
