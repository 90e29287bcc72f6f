//! Decoders: networks from a representation back to pixels.

use std::fmt;
use std::sync::Arc;

use candle_core::{D, Tensor, Var};
use candle_nn::{Init, VarBuilder};

use crate::error::{Error, Result};
use crate::models::running::{EPS, Running};
use crate::models::{Network, Shared as _};
use crate::ops::{
    ConvTranspose2dParams, batch_norm, batch_norm_eval, conv_transpose2d, leaky_relu,
};

/// The representation that a [`Decoder`] decodes, and how wide the decoder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecoderParams {
    /// A decoder of the output of the first residual stage, (N, `channels`, s, s), to pixels (N, 3,
    /// s · 2^`doublings`, s · 2^`doublings`): the *connectivity* paper's table 2.
    ///
    /// The table is two groups of a 5×5 and two 3×3 transposed convolutions, then six 3×3 ones,
    /// each with ReLU and batch normalisation but for the last of a group. As printed it neither
    /// reaches the size of the image nor ends in three channels. So: the 5×5 convolutions of the
    /// first `doublings` groups have stride 2, the others keep the size, and a last 3×3 convolution
    /// and a sigmoid, those of table 3, give the pixels.
    FirstStage {
        /// The number of channels of the representation: 256 for ResNet-50.
        channels: usize,
        /// The number of channels between: 256 in the paper.
        filters: usize,
        /// How often the size doubles, at most 2: 2 from 56×56 to 224×224, 0 where the network
        /// keeps the size.
        doublings: usize,
    },
    /// A decoder of the pooled features, (N, `features`), to pixels (N, 3, 32, 32): the
    /// *connectivity* paper's table 3.
    ///
    /// The features as (features/16, 4, 4), then four groups of three 3×3 transposed convolutions
    /// with LeakyReLU of slope 0.3 and batch normalisation, the first group with 2·`filters`
    /// channels, nearest-neighbour doubling between the groups, a 3×3 convolution to three channels
    /// and a sigmoid.
    Features {
        /// The number of features, a multiple of 16: 2048 for ResNet-50.
        features: usize,
        /// The number of channels of the last three groups: 256 in the paper.
        filters: usize,
    },
}

impl DecoderParams {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// No channels, more than two doublings, features that are no multiple of 16.
    pub fn validate(&self) -> Result<()> {
        let positive = |name, value: usize| match value {
            1..=65_536 => Ok(()),
            _ => Err(Error::argument(name, "from 1 to 65536", value)),
        };
        match *self {
            Self::FirstStage {
                channels,
                filters,
                doublings,
            } => {
                positive("channels", channels)?;
                positive("filters", filters)?;
                if doublings > 2 {
                    return Err(Error::argument("doublings", "at most 2", doublings));
                }
            }
            Self::Features { features, filters } => {
                positive("features", features)?;
                positive("filters", filters)?;
                if !features.is_multiple_of(16) {
                    return Err(Error::argument("features", "a multiple of 16", features));
                }
            }
        }
        Ok(())
    }
}

/// A decoder: a network from a representation back to pixels.
///
/// ```text
/// x̂ = σ(layers(z)),  σ(a) = 1 / (1 + exp(−a))
/// ```
///
/// The layers are those of [`DecoderParams`]. As built it is in training mode, as
/// [`ResNet`](crate::models::ResNet) is; [`Decoder::freeze`] gives evaluation mode. As a
/// [`Network`] it has one stage, whose "logits" are the image.
///
/// - **Shapes**: z (N, …) as [`DecoderParams`] says; the result (N, 3, H, W).
/// - **Range**: pixels in \[0, 1\].
/// - **Source**: *connectivity*, section 3 and tables 2 and 3.
#[derive(Clone)]
pub struct Decoder {
    params: DecoderParams,
    layers: Vec<Layer>,
}

#[derive(Clone)]
enum Layer {
    /// Features as 4×4 images.
    Reshape,
    /// Every pixel becomes four.
    Double {
        ones: Tensor,
    },
    Convolution {
        weight: Tensor,
        bias: Tensor,
        params: ConvTranspose2dParams,
    },
    LeakyRelu {
        slope: f64,
    },
    BatchNorm {
        gamma: Tensor,
        beta: Tensor,
        running: Running,
        frozen: bool,
    },
    Sigmoid,
}

impl Decoder {
    /// Builds a decoder in training mode, its weights from `vb`: `layers.0.weight`,
    /// `layers.0.bias`, `layers.2.running_mean`, …, numbered as they follow one another.
    ///
    /// A builder that draws takes transposed convolutions from U(−b, b), b = √(6/((inputs +
    /// outputs) · kernel area)), with biases of 0: the default of Keras (Glorot & Bengio 2010),
    /// which the paper used.
    ///
    /// # Errors
    /// A parameter out of its range, or a weight of `vb` of another shape.
    pub fn new(params: DecoderParams, vb: VarBuilder) -> Result<Self> {
        params.validate()?;
        let mut builder = Builder {
            vb: vb.pp("layers"),
            layers: Vec::new(),
            channels: 0,
        };
        match params {
            DecoderParams::FirstStage {
                channels,
                filters,
                doublings,
            } => {
                builder.channels = channels;
                for group in 0..2 {
                    builder.convolution(filters, 5, if group < doublings { 2 } else { 1 })?;
                    builder.activation(0.)?;
                    builder.convolution(filters, 3, 1)?;
                    builder.activation(0.)?;
                    builder.convolution(filters, 3, 1)?;
                }
                for _ in 0..6 {
                    builder.convolution(filters, 3, 1)?;
                    builder.activation(0.)?;
                }
            }
            DecoderParams::Features { features, filters } => {
                builder.channels = features / 16;
                builder.layers.push(Layer::Reshape);
                for group in 0..4 {
                    for _ in 0..3 {
                        builder.convolution(
                            if group == 0 { 2 * filters } else { filters },
                            3,
                            1,
                        )?;
                        builder.activation(0.3)?;
                    }
                    if group < 3 {
                        builder.double()?;
                    }
                }
            }
        }
        builder.convolution(3, 3, 1)?;
        builder.layers.push(Layer::Sigmoid);
        Ok(Self {
            params,
            layers: builder.layers,
        })
    }

    /// The parameters that the decoder was built with.
    pub fn params(&self) -> &DecoderParams {
        &self.params
    }

    /// The decoder in evaluation mode, with plain tensors: running statistics, no gradient to the
    /// weights, and later training changes nothing.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn freeze(&self) -> Result<Self> {
        let copy = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.detach().copy()?) };
        let layers = self.layers.iter().map(|layer| {
            Ok(match layer {
                Layer::Convolution {
                    weight,
                    bias,
                    params,
                } => Layer::Convolution {
                    weight: copy(weight)?,
                    bias: copy(bias)?,
                    params: *params,
                },
                Layer::BatchNorm {
                    gamma,
                    beta,
                    running: Running { mean, variance },
                    ..
                } => Layer::BatchNorm {
                    gamma: copy(gamma)?,
                    beta: copy(beta)?,
                    running: Running {
                        mean: Var::from_tensor(&copy(mean)?)?,
                        variance: Var::from_tensor(&copy(variance)?)?,
                    },
                    frozen: true,
                },
                other => other.clone(),
            })
        });
        Ok(Self {
            params: self.params.clone(),
            layers: layers.collect::<Result<_>>()?,
        })
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let (fits, expected) = match self.params {
            DecoderParams::FirstStage { channels, .. } => (
                x.rank() == 4 && x.dims()[1] == channels,
                format!("(N, {channels}, height, width)"),
            ),
            DecoderParams::Features { features, .. } => (
                x.rank() == 2 && x.dims()[1] == features,
                format!("(N, {features})"),
            ),
        };
        if fits {
            Ok(())
        } else {
            Err(Error::shape(
                "decoder",
                "representation",
                expected,
                x.dims(),
            ))
        }
    }
}

impl Network for Decoder {
    fn stages(&self) -> usize {
        1
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        match self.is_training() {
            true => Ok(Arc::new(self.freeze()?)),
            false => Ok(self.shared()),
        }
    }

    fn is_training(&self) -> bool {
        self.layers
            .iter()
            .any(|layer| matches!(layer, Layer::BatchNorm { frozen: false, .. }))
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        if index > 0 {
            return Err(Error::argument(
                "stage",
                "below 1, the number of stages",
                index,
            ));
        }
        self.check(x)?;
        self.layers
            .iter()
            .try_fold(x.clone(), |x, layer| layer.forward(&x))
    }
}

impl Layer {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Reshape => Ok(x.reshape((x.dim(0)?, x.dim(D::Minus1)? / 16, 4, 4))?),
            Self::Double { ones } => {
                let params = ConvTranspose2dParams {
                    stride: 2,
                    groups: ones.dim(0)?,
                    ..Default::default()
                };
                conv_transpose2d(x, ones, None, &params)
            }
            Self::Convolution {
                weight,
                bias,
                params,
            } => conv_transpose2d(x, weight, Some(bias), params),
            Self::LeakyRelu { slope } => leaky_relu(x, *slope),
            Self::BatchNorm {
                gamma,
                beta,
                running,
                frozen: true,
            } => {
                let (mean, variance) = (
                    running.mean.as_detached_tensor(),
                    running.variance.as_detached_tensor(),
                );
                batch_norm_eval(x, gamma, beta, [&mean, &variance], EPS)
            }
            Self::BatchNorm {
                gamma,
                beta,
                running,
                frozen: false,
            } => {
                let normal = batch_norm(x, gamma, beta, EPS)?;
                running.update(&normal.mean, &normal.variance)?;
                Ok(normal.output)
            }
            Self::Sigmoid => Ok(candle_nn::ops::sigmoid(x)?),
        }
    }
}

struct Builder<'a> {
    vb: VarBuilder<'a>,
    layers: Vec<Layer>,
    channels: usize,
}

impl Builder<'_> {
    fn next(&self) -> VarBuilder<'_> {
        self.vb.pp(self.layers.len())
    }

    /// A square kernel that keeps the size, or doubles it with stride 2.
    fn convolution(&mut self, outputs: usize, kernel: usize, stride: usize) -> Result<()> {
        let bound = (6. / ((self.channels + outputs) * kernel * kernel) as f64).sqrt();
        let init = Init::Uniform {
            lo: -bound,
            up: bound,
        };
        let weight =
            self.next()
                .get_with_hints((self.channels, outputs, kernel, kernel), "weight", init)?;
        let bias = self
            .next()
            .get_with_hints(outputs, "bias", Init::Const(0.))?;
        let params = ConvTranspose2dParams {
            stride,
            padding: kernel / 2,
            output_padding: stride - 1,
            ..Default::default()
        };
        self.layers.push(Layer::Convolution {
            weight,
            bias,
            params,
        });
        self.channels = outputs;
        Ok(())
    }

    /// A rectifier, then a normalisation.
    fn activation(&mut self, slope: f64) -> Result<()> {
        self.layers.push(Layer::LeakyRelu { slope });
        let vector = |name, value| {
            self.next()
                .get_with_hints(self.channels, name, Init::Const(value))
        };
        let (gamma, beta) = (vector("weight", 1.)?, vector("bias", 0.)?);
        let running = Running::new(self.channels, &self.next())?;
        self.layers.push(Layer::BatchNorm {
            gamma,
            beta,
            running,
            frozen: false,
        });
        Ok(())
    }

    fn double(&mut self) -> Result<()> {
        let ones = Tensor::ones((self.channels, 1, 2, 2), self.vb.dtype(), self.vb.device())?;
        self.layers.push(Layer::Double { ones });
        Ok(())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoder({:?})", self.params)
    }
}
