//! Convolutions, and a fully connected network on what they find.

use std::fmt;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::mlp::{Activation, Initialisation, Mlp};
use crate::error::{Error, Result};
use crate::models::{Layer, Network};
use crate::ops::{Conv2dParams, conv2d_relu, max_pool2d};

/// The height and width of a kernel.
const KERNEL: usize = 3;
/// The height and width of a pooled window, and the step to the next.
const WINDOW: usize = 2;

/// Convolutions of 3×3 pixels, each with ReLU and 2×2 max-pooling, and a fully connected network
/// ([`Mlp`]) on their flattened result.
///
/// ```text
/// h_0 = x,    h_l = pool(max(conv_l(h_{l−1}), 0)) for l ≤ C,    f(x) = mlp(h_C)
/// ```
///
/// The convolutions have padding 1 and stride 1, so each halves height and width, rounded down, by
/// its pooling. Each of them is a stage, and so is each layer of the [`Mlp`]. The *isometry* paper's
/// authors have two convolutions of 128 and 256 channels and four layers of 1,000 tanh for CIFAR-10:
/// channels `[3, 128, 256]`, sizes `[16_384, 1_000, 1_000, 1_000, 1_000, 10]`, since 256 channels of
/// 8×8 are 16,384 numbers. Without convolutions it is the [`Mlp`] of the same weights by name.
///
/// - **Shapes**: x (N, channels\[0\], H, W) with channels\[C\] · (H / 2^C) · (W / 2^C) = sizes\[0\], or
///   as [`Mlp`] without convolutions; logits (N, sizes\[L\]).
/// - **Range**: the convolutions' results ≥ 0, hidden layers in the activation's range; logits
///   unbounded.
/// - **Source**: the public code of the *isometry* paper's authors (KBeshkov/HIsometricNets,
///   2024-02-15).
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let (channels, sizes) = ([3, 4, 8], [8 * 8 * 8, 20, 20, 10]);
/// let build = move |vb| ConvMlp::new(&channels, &sizes, Activation::Tanh, vb);
/// let network = Model::new(0, build)?;
/// let images = Tensor::zeros((5, 3, 32, 32), DType::F32, &device::best())?;
/// assert_eq!(network.forward_to(1, &images)?.dims(), [5, 4, 16, 16]);
/// assert_eq!(network.forward(&images)?.dims(), [5, 10]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct ConvMlp {
    /// Weight and bias of each.
    convolutions: Vec<(Tensor, Tensor)>,
    channels: Vec<usize>,
    mlp: Mlp,
}

impl ConvMlp {
    /// Builds a network of convolutions `channels[0] → … → channels[C]`, none where `channels` is
    /// empty, and layers `sizes[0] → … → sizes[L]`.
    ///
    /// Its weights come from `vb` as `convolutions.0.weight` of shape (`channels[1]`, `channels[0]`,
    /// 3, 3), `convolutions.0.bias`, …, and those of the layers as [`Mlp::new`] takes them. A builder
    /// that draws takes weights and biases from U(−1/√n, 1/√n), n the numbers that an output is made
    /// of: the defaults of PyTorch's `nn.Conv2d` and `nn.Linear`.
    ///
    /// # Errors
    ///
    /// One number of channels alone, one of 0, sizes as [`Mlp::new`] refuses them, or a weight of
    /// `vb` of another shape.
    pub fn new(
        channels: &[usize],
        sizes: &[usize],
        activation: Activation,
        vb: VarBuilder,
    ) -> Result<Self> {
        Self::initialised(channels, sizes, activation, Initialisation::Uniform, vb)
    }

    /// Builds a network as [`ConvMlp::new`] does, with other initial weights of the layers where the
    /// builder draws.
    ///
    /// # Errors
    ///
    /// As [`ConvMlp::new`].
    pub fn initialised(
        channels: &[usize],
        sizes: &[usize],
        activation: Activation,
        initialisation: Initialisation,
        vb: VarBuilder,
    ) -> Result<Self> {
        if channels.len() == 1 || channels.contains(&0) {
            return Err(Error::argument(
                "channels",
                "none, or at least two numbers, each at least 1",
                format!("{channels:?}"),
            ));
        }
        let convolutions = channels.windows(2).enumerate().map(|(index, pair)| {
            convolution(pair[0], pair[1], &vb.pp(format!("convolutions.{index}")))
        });
        Ok(Self {
            convolutions: convolutions.collect::<Result<_>>()?,
            channels: channels.to_vec(),
            mlp: Mlp::initialised(sizes, activation, initialisation, vb)?,
        })
    }

    /// The channels of the convolutions, those of the images first; empty without convolutions.
    pub fn channels(&self) -> &[usize] {
        &self.channels
    }

    /// The sizes of the fully connected layers, the first one's input first.
    pub fn sizes(&self) -> &[usize] {
        self.mlp.sizes()
    }

    /// The number of a layer among those of the fully connected network.
    fn layer(&self, index: usize) -> Option<usize> {
        index.checked_sub(self.convolutions.len())
    }
}

fn convolution(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<(Tensor, Tensor)> {
    let bound = 1. / ((inputs * KERNEL * KERNEL) as f64).sqrt();
    let init = Init::Uniform {
        lo: -bound,
        up: bound,
    };
    let weight = vb.get_with_hints((outputs, inputs, KERNEL, KERNEL), "weight", init)?;
    Ok((weight, vb.get_with_hints(outputs, "bias", init)?))
}

/// The image keeps its height and width.
fn geometry() -> Conv2dParams {
    Conv2dParams {
        padding: KERNEL / 2,
        ..Conv2dParams::default()
    }
}

impl Network for ConvMlp {
    fn stages(&self) -> usize {
        self.convolutions.len() + self.mlp.stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        if let Some((weight, bias)) = self.convolutions.get(index) {
            let found = conv2d_relu(x, weight, Some(bias), &geometry())?;
            return max_pool2d(&found, WINDOW, WINDOW, 0);
        }
        let layer = self.layer(index).filter(|layer| *layer < self.mlp.stages());
        let expected = || format!("below {}, the number of stages", self.stages());
        let layer = layer.ok_or_else(|| Error::argument("stage", expected(), index))?;
        self.mlp.stage(layer, x)
    }

    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        match self.layer(index) {
            Some(layer) => self.mlp.weight(layer),
            None => Ok(None),
        }
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        let Some((weight, bias)) = self.convolutions.get(index) else {
            return match self.layer(index) {
                Some(layer) => self.mlp.layers(layer),
                None => Ok(None),
            };
        };
        Ok(Some(vec![
            Layer::Convolution {
                input: 0,
                weight: weight.clone(),
                bias: Some(bias.clone()),
                conv: geometry(),
            },
            Layer::Relu { input: 1 },
            Layer::MaxPool {
                input: 2,
                kernel: WINDOW,
                stride: WINDOW,
                padding: 0,
            },
        ]))
    }
}

impl fmt::Debug for ConvMlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.channels.is_empty() {
            true => self.mlp.fmt(f),
            false => write!(f, "Conv{:?} and {:?}", self.channels, self.mlp),
        }
    }
}
