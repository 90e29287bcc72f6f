//! The places inside a network whose output can be meant.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::network::{Network, evaluation};
use crate::error::{Error, Result};

/// The place inside a network whose output is meant: the input, a stage's output, or the logits.
///
/// ```text
/// z_0 = x,    z_l = f_l(z_{l−1}),    z_L = the logits
/// ```
///
/// - **Shapes**: a representation of N inputs is (N, …).
/// - **Range**: l from 0 to L, the number of stages; l = L − 1, the last hidden layer, by default.
/// - **Source**: *isometry*, section 2: Φ is the last hidden layer; *connectivity*, section 3, for
///   z^l.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Representation {
    /// Representation 0, the input itself.
    Input,
    /// Representation l, the output of l stages.
    Stage(usize),
    /// Representation L − 1, which the last stage reads the answer from.
    #[default]
    LastHidden,
    /// Representation L, the logits.
    Logits,
}

impl Representation {
    /// The number l of the representation, the number of stages before it, in a network of `stages`
    /// stages.
    ///
    /// # Errors
    ///
    /// The network has no such representation.
    pub fn index(self, stages: usize) -> Result<usize> {
        let index = match self {
            Self::Input => Some(0),
            Self::Stage(index) => Some(index).filter(|&index| index <= stages),
            Self::LastHidden => stages.checked_sub(1),
            Self::Logits => Some(stages),
        };
        let expected = || format!("a representation of a network of {stages} stages");
        index.ok_or_else(|| Error::argument("representation", expected(), format!("{self:?}")))
    }

    /// Computes these representations for a batch of inputs.
    ///
    /// ```text
    /// z_l = f_l ∘ … ∘ f_1 (x)
    /// ```
    ///
    /// A network in training mode answers in its [evaluation mode](Network::frozen): no input then
    /// depends on the others, and no running statistics move.
    ///
    /// - **Shapes**: `x` (N, …) as the network takes it; the result (N, …).
    /// - **Range**: as the stage's output.
    /// - **Source**: *connectivity*, section 3, for z^l; *isometry*, section 2, for Φ.
    ///
    /// # Errors
    ///
    /// The network has no such representation or no evaluation mode, or the shape does not fit.
    pub fn of(self, network: &dyn Network, x: &Tensor) -> Result<Tensor> {
        let index = self.index(network.stages())?;
        match network.is_training() {
            true => evaluation(network)?.forward_to(index, x),
            false => network.forward_to(index, x),
        }
    }
}
