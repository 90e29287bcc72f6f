//! A unit of a residual network.

use candle_core::{Result, Tensor};

use crate::ops::convolution::Conv2dParams;

/// One unit of a residual network: a convolution, a normalisation, a sum and a ReLU.
///
/// ```text
/// y_k = ReLU(norm(conv2d(y_input, weight)) + y_residual)
/// ```
///
/// y_0 is the argument of [`conv_units`](super::conv_units), y_k the result of the k-th unit, k =
/// 1, 2, …; `input` and `residual` are numbers of results below k. Sum and ReLU may be left out.
///
/// - **Shapes**: y_input (N, C, H, W), `weight` (O, C / groups, kernel height, kernel width); y_k
///   and y_residual (N, O, H', W'), sizes as in [`conv2d`](crate::ops::conv2d()).
/// - **Range**: any number; ≥ 0 after a ReLU.
/// - **Source**: He et al. 2016 (arXiv 1512.03385), section 3.2.
#[derive(Clone, Debug)]
pub struct ConvUnit {
    /// The index of the earlier result that is convolved; 0 is the argument of all units.
    pub input: usize,
    /// The index of the earlier result that is added after the normalisation, if any.
    pub residual: Option<usize>,
    /// The weight of the convolution, (O, C / groups, kernel height, kernel width).
    pub weight: Tensor,
    /// The stride, padding, dilation and groups of the convolution.
    pub conv: Conv2dParams,
    /// The normalisation or the bias after the convolution.
    pub norm: UnitNorm,
    /// Whether a ReLU ends the unit.
    pub relu: bool,
}

/// The normalisation after a unit's convolution, or the bias in its place.
///
/// ```text
/// Batch: (y − μ_c) / √(σ²_c + eps) · gamma_c + beta_c
/// Bias:  y + bias_c
/// ```
///
/// - **Shapes**: y (N, O, H', W'); gamma, beta and bias (O,).
/// - **Range**: any number.
/// - **Source**: Ioffe & Szegedy 2015 (arXiv 1502.03167), algorithm 1.
#[derive(Clone, Debug)]
pub enum UnitNorm {
    /// Batch normalisation with the statistics of the batch, as in training:
    /// [`batch_norm`](crate::ops::batch_norm()).
    Batch {
        /// The factor of each channel, (O,).
        gamma: Tensor,
        /// The number added to each channel, (O,).
        beta: Tensor,
    },
    /// A number added to each channel, (O,): for a normalisation in evaluation mode that is folded
    /// into the convolution.
    Bias(Tensor),
}

/// The result of [`conv_units`](super::conv_units), with the statistics of its normalisations.
///
/// ```text
/// output = y_K,  statistics_k = (μ_c, M/(M − 1) · σ²_c) of unit k,  M = N·H'·W'
/// ```
///
/// - **Shapes**: `output` (N, O, H', W'); `statistics` has K entries, one for each unit, of (O,)
///   each.
/// - **Range**: any number; variances are ≥ 0.
/// - **Source**: as [`BatchNorm`](crate::ops::BatchNorm).
#[derive(Clone, Debug)]
pub struct ConvUnits {
    /// The last unit's result (N, O, H', W'); differentiable.
    pub output: Tensor,
    /// The mean and the unbiased variance of each unit's channels, (O,) each, without a gradient;
    /// none for a unit without [`UnitNorm::Batch`].
    pub statistics: Vec<Option<(Tensor, Tensor)>>,
}

impl ConvUnit {
    /// The same unit where so many others come before those that it counts.
    pub(crate) fn behind(&self, others: usize) -> Self {
        Self {
            input: self.input + others,
            residual: self.residual.map(|number| number + others),
            ..self.clone()
        }
    }

    /// The tensors that may need a gradient.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(self.norm.parameters())
    }

    /// The unit with contiguous tensors.
    pub(super) fn in_memory(&self) -> Result<Self> {
        let norm = match &self.norm {
            UnitNorm::Batch { gamma, beta } => UnitNorm::Batch {
                gamma: gamma.contiguous()?,
                beta: beta.contiguous()?,
            },
            UnitNorm::Bias(bias) => UnitNorm::Bias(bias.contiguous()?),
        };
        Ok(Self {
            weight: self.weight.contiguous()?,
            norm,
            ..self.clone()
        })
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
