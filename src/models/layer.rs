//! The layers that a stage of a network consists of.

use candle_core::Tensor;

use crate::ops::Conv2dParams;

/// A layer of a stage that is a linear or a piecewise linear function, or tanh, for
/// [`Network::layers`](super::Network::layers).
///
/// ```text
/// y_k = layer_k(y_input),  k = 1, 2, …
/// ```
///
/// y_0 is the argument of the stage, y_k the result of its k-th layer. `input` and `other` are
/// numbers of results below k; the last result is the stage's.
///
/// - **Shapes**: y_k (N, …), as each variant says.
/// - **Range**: any number.
/// - **Source**: the definitions; the numbers of results as in [`ConvUnit`](crate::ops::ConvUnit).
///
/// # Examples
///
/// A block y = max(x + W x + b, 0):
///
/// ```
/// use isopath::models::Layer;
/// use isopath::prelude::*;
///
/// let weight = Tensor::new(&[[1f32, -1.], [0.5, 2.]], &Device::Cpu)?;
/// let block = [
///     Layer::Affine { input: 0, weight, bias: None },
///     Layer::Sum { input: 1, other: 0 },
///     Layer::Relu { input: 2 },
/// ];
/// assert_eq!(block[1].inputs(), [1, 0]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Layer {
    /// y = x·Wᵀ + b, of x (N, I).
    Affine {
        /// The number of the result that is read.
        input: usize,
        /// W, (O, I).
        weight: Tensor,
        /// b, (O,); none for 0.
        bias: Option<Tensor>,
    },
    /// A [convolution](crate::ops::conv2d()), of x (N, C, H, W).
    Convolution {
        /// The number of the result that is read.
        input: usize,
        /// The weight, (O, C / groups, kernel height, kernel width). A normalisation in evaluation
        /// mode belongs into it: [`fold_batch_norm`](crate::ops::fold_batch_norm()).
        weight: Tensor,
        /// The bias, (O,); none for 0.
        bias: Option<Tensor>,
        /// The stride, padding, dilation and groups.
        conv: Conv2dParams,
    },
    /// y = (x − mean) / std, of x (N, C, …), channel by channel.
    Normalise {
        /// The number of the result that is read.
        input: usize,
        /// The mean: one number for each channel, or one for all.
        mean: Vec<f64>,
        /// The deviation, > 0: as many numbers.
        std: Vec<f64>,
    },
    /// y = max(x, 0), of any shape.
    Relu {
        /// The number of the result that is read.
        input: usize,
    },
    /// y = tanh(x), of any shape; the one layer here that is not piecewise linear.
    Tanh {
        /// The number of the result that is read.
        input: usize,
    },
    /// The sum of two results of one shape.
    Sum {
        /// The number of the first result.
        input: usize,
        /// The number of the second result.
        other: usize,
    },
    /// The mean of every window of x (N, C, H, W), as PyTorch's `avg_pool2d` without padding.
    AveragePool {
        /// The number of the result that is read.
        input: usize,
        /// The rows and columns of a window.
        kernel: usize,
        /// The step from one window to the next.
        stride: usize,
    },
    /// The [mean of each channel](crate::ops::global_avg_pool2d()) of x (N, C, H, W), (N, C).
    GlobalAveragePool {
        /// The number of the result that is read.
        input: usize,
    },
    /// The [largest number](crate::ops::max_pool2d()) of every window of x (N, C, H, W).
    MaxPool {
        /// The number of the result that is read.
        input: usize,
        /// The rows and columns of a window.
        kernel: usize,
        /// The step from one window to the next.
        stride: usize,
        /// The rows and columns of −∞ on each side of the image.
        padding: usize,
    },
    /// The images x (N, C, H, W), [enlarged](super::enlarge).
    Enlarge {
        /// The number of the result that is read.
        input: usize,
        /// The height and width of the result.
        side: usize,
    },
    /// x (N, …) as (N, numbers of a point), row by row.
    Flatten {
        /// The number of the result that is read.
        input: usize,
    },
}

impl Layer {
    /// The numbers of the results that the layer reads.
    pub fn inputs(&self) -> Vec<usize> {
        match *self {
            Self::Affine { input, .. }
            | Self::Convolution { input, .. }
            | Self::Normalise { input, .. }
            | Self::Relu { input }
            | Self::Tanh { input }
            | Self::AveragePool { input, .. }
            | Self::GlobalAveragePool { input }
            | Self::MaxPool { input, .. }
            | Self::Enlarge { input, .. }
            | Self::Flatten { input } => vec![input],
            Self::Sum { input, other } => vec![input, other],
        }
    }

    /// The weight of a convolution or an affine map.
    pub fn weight(&self) -> Option<&Tensor> {
        match self {
            Self::Affine { weight, .. } | Self::Convolution { weight, .. } => Some(weight),
            _ => None,
        }
    }

    /// Whether the layer is a linear or a piecewise linear function.
    pub fn is_piecewise_linear(&self) -> bool {
        !matches!(self, Self::Tanh { .. })
    }

    /// The layers of a stage that first runs `self`, which reads result 0, and then `rest` on what
    /// it gives: for a network around another.
    ///
    /// ```
    /// use isopath::models::Layer;
    ///
    /// let layers = Layer::Flatten { input: 0 }.before(vec![Layer::Relu { input: 0 }]);
    /// assert_eq!(layers[1].inputs(), [1]);
    /// ```
    pub fn before(self, rest: Vec<Self>) -> Vec<Self> {
        let later = rest.into_iter().map(|mut layer| {
            layer.shift();
            layer
        });
        std::iter::once(self).chain(later).collect()
    }

    /// Counts one more result before its own.
    fn shift(&mut self) {
        match self {
            Self::Affine { input, .. }
            | Self::Convolution { input, .. }
            | Self::Normalise { input, .. }
            | Self::Relu { input }
            | Self::Tanh { input }
            | Self::AveragePool { input, .. }
            | Self::GlobalAveragePool { input }
            | Self::MaxPool { input, .. }
            | Self::Enlarge { input, .. }
            | Self::Flatten { input } => *input += 1,
            Self::Sum { input, other } => {
                *input += 1;
                *other += 1;
            }
        }
    }
}
