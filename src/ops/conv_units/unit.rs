//! A unit of a residual network.

use candle_core::Tensor;

use crate::ops::convolution::Conv2dParams;

/// One unit: y_k = ReLU(norm(conv2d(y_input, weight)) + y_residual).
///
/// y_0 is the argument of [`conv_units`](super::conv_units), y_k the result of the k-th unit, the first being 1.
#[derive(Clone, Debug)]
pub struct ConvUnit {
    /// The number of the result that is convolved, below the unit's own.
    pub input: usize,
    /// The number of the result that is added after the normalisation, below the unit's own, if
    /// any.
    pub residual: Option<usize>,
    /// (O, C / groups, kernel height, kernel width).
    pub weight: Tensor,
    /// Where the kernel is laid.
    pub conv: Conv2dParams,
    /// What follows the convolution.
    pub norm: UnitNorm,
    /// Whether what is below 0 then becomes 0.
    pub relu: bool,
}

/// What follows the convolution of a unit.
#[derive(Clone, Debug)]
pub enum UnitNorm {
    /// [`batch_norm`](crate::ops::batch_norm()) with the statistics of the batch, as in training.
    Batch {
        /// (O,), the factors.
        gamma: Tensor,
        /// (O,), what is added.
        beta: Tensor,
    },
    /// One number a channel is added, (O,): a normalisation in evaluation mode folded into the
    /// convolution.
    Bias(Tensor),
}

/// What [`conv_units`](super::conv_units) gives.
#[derive(Clone, Debug)]
pub struct ConvUnits {
    /// The last unit's result (N, O, H', W'); differentiable.
    pub output: Tensor,
    /// For each unit with [`UnitNorm::Batch`]: mean and unbiased variance of its channels, (O,)
    /// each, no gradient.
    pub statistics: Vec<Option<(Tensor, Tensor)>>,
}

impl ConvUnit {
    /// The tensors that may need a gradient.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(self.norm.parameters())
    }
}

impl UnitNorm {
    pub(super) fn bias(&self) -> Option<&Tensor> {
        match self {
            Self::Bias(bias) => Some(bias),
            Self::Batch { .. } => None,
        }
    }

    /// The tensors that may need a gradient.
    fn parameters(&self) -> Vec<&Tensor> {
        match self {
            Self::Bias(bias) => vec![bias],
            Self::Batch { gamma, beta } => vec![gamma, beta],
        }
    }
}
