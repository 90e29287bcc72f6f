//! Residual networks.

mod layers;
mod params;

pub use params::{Block, ResNetParams, Stem};

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_nn::{Init, VarBuilder};

use self::layers::{Chain, Layers};
use crate::error::{Error, Result};
use crate::io::digest::{numbers, of_numbers};
use crate::models::along::{self, AffineLogits};
use crate::models::network::{named, point_by_point};
use crate::models::{Along, Layer, Network, Representation, Shared as _};
use crate::ops::{Begun, Place, global_avg_pool2d, linear, max_pool2d};

/// A residual network, ResNet-18 to ResNet-152, whose weights have torchvision's names and shapes.
///
/// ```text
/// block: h ← max(h + F(h), 0),  F two or three convolutions with batch normalisation
/// ```
///
/// A projection of h takes the place of h where the shape changes; the stride of a bottleneck lies
/// in its 3×3 convolution, as in torchvision. Stages, with the output's shape of ResNet-50 on
/// 224×224 pixels:
///
/// | stage | what | output |
/// |---|---|---|
/// | 0 | normalisation of the pixels, stem | (N, 64, 56, 56) |
/// | 1 | `layer1`; its output is the *connectivity* paper's "first hidden layer" | (N, 256, 56, 56) |
/// | 2, 3, 4 | `layer2`, `layer3`, `layer4` | (N, 512, 28, 28), (N, 1024, 14, 14), (N, 2048, 7, 7) |
/// | 5 | mean over the pixels; its output is the paper's "last layer" | (N, 2048) |
/// | 6 | `fc`, the logits | (N, classes) |
///
/// As built, the network is in training mode: it normalises with the statistics of the batch, and
/// every forward pass moves the running ones (momentum 0.1), which are weights by name and never
/// change otherwise. [`ResNet::freeze`] gives the network in evaluation mode.
///
/// - **Shapes**: images (N, 3, H, W); logits (N, classes).
/// - **Range**: pixels in \[0, 1\]; the network itself subtracts [`ResNetParams::mean`] and divides
///   by [`ResNetParams::std`], so that paths, attacks and bounds are in pixels. Logits are
///   unbounded.
/// - **Source**: He et al. 2016; *connectivity*, section 4, takes ResNet-50.
#[derive(Clone)]
pub struct ResNet {
    params: ResNetParams,
    stem: Chain,
    layers: [Chain; 4],
    fc: (Tensor, Tensor),
}

impl ResNet {
    /// The output of the first residual stage: the *connectivity* paper's "first hidden layer".
    pub const FIRST_RESIDUAL_STAGE: Representation = Representation::Stage(2);
    /// The features pooled over the pixels: the *connectivity* paper's "last layer".
    pub const POOLED: Representation = Representation::Stage(6);

    /// Builds a network in training mode, its weights from `vb`: `conv1.weight`, `bn1.weight`,
    /// `bn1.running_mean`, `layer1.0.conv1.weight`, …, `layer1.0.downsample.0.weight`, …,
    /// `fc.bias`.
    ///
    /// A builder that draws takes convolutions from N(0, 2/(outputs · kernel area)) and the last
    /// layer from U(−1/√n, 1/√n), n its inputs, as torchvision does.
    ///
    /// # Errors
    /// A parameter out of its range, or a weight of `vb` of another shape.
    pub fn new(params: ResNetParams, vb: VarBuilder) -> Result<Self> {
        params.validate()?;
        let mut builder = Layers::new(params.clone(), vb.clone());
        let stem = builder.stem()?;
        let layers = [
            builder.layer(0)?,
            builder.layer(1)?,
            builder.layer(2)?,
            builder.layer(3)?,
        ];
        let features = params.features();
        let bound = 1. / (features as f64).sqrt();
        let init = Init::Uniform {
            lo: -bound,
            up: bound,
        };
        let fc = vb.pp("fc");
        let weight = fc.get_with_hints((params.classes, features), "weight", init)?;
        let fc = (weight, fc.get_with_hints(params.classes, "bias", init)?);
        Ok(Self {
            params,
            stem,
            layers,
            fc,
        })
    }

    /// The parameters that the network was built with.
    pub fn params(&self) -> &ResNetParams {
        &self.params
    }

    /// The network in evaluation mode: the running statistics folded into the convolutions, and
    /// plain tensors for weights, so that gradients flow to the inputs alone and later training
    /// changes nothing.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn freeze(&self) -> Result<Self> {
        let [a, b, c, d] = &self.layers;
        let copy = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.detach().copy()?) };
        Ok(Self {
            params: self.params.clone(),
            stem: self.stem.fold()?,
            layers: [a.fold()?, b.fold()?, c.fold()?, d.fold()?],
            fc: (copy(&self.fc.0)?, copy(&self.fc.1)?),
        })
    }

    /// Whether the network is in evaluation mode.
    pub fn is_frozen(&self) -> bool {
        self.stem.is_folded()
    }

    /// The SHA-256 digest of the weights of a frozen network, in hexadecimal digits.
    ///
    /// # Errors
    /// A network in training mode.
    pub fn digest(&self) -> Result<String> {
        if !self.is_frozen() {
            let expected = "one in evaluation mode, as freeze() gives it";
            return Err(Error::argument("network", expected, "in training mode"));
        }
        let chains = std::iter::once(&self.stem).chain(&self.layers);
        let tensors = chains
            .flat_map(Chain::tensors)
            .chain([&self.fc.0, &self.fc.1]);
        Ok(of_numbers(
            tensors.map(numbers).collect::<Result<Vec<_>>>()?.concat(),
        ))
    }

    /// The stages from `index` on that are nothing but convolutions, as far as there is no other
    /// between them.
    fn chains_from(&self, index: usize) -> impl Iterator<Item = &Chain> {
        let stem = (index == 0 && self.params.stem == Stem::Cifar).then_some(&self.stem);
        let layers = match index {
            0 if stem.is_none() => &[],
            0 => &self.layers[..],
            _ => self.layers.get(index - 1..).unwrap_or_default(),
        };
        stem.into_iter().chain(layers)
    }

    /// The convolutions at the beginning of these stages as one operation, and the stage after them.
    fn convolutions(&self, stages: Range<usize>) -> Option<(Chain, usize)> {
        let mut chains = self.chains_from(stages.start).take(stages.len());
        let first = (chains.next()?.clone(), stages.start + 1);
        Some(chains.fold(first, |(all, end), next| (all.then(next), end + 1)))
    }

    /// The number type of the weights.
    pub fn dtype(&self) -> DType {
        self.fc.0.dtype()
    }
}

impl Network for ResNet {
    fn stages(&self) -> usize {
        7
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        match self.is_frozen() {
            true => Ok(self.shared()),
            false => Ok(Arc::new(self.freeze()?)),
        }
    }

    fn is_training(&self) -> bool {
        !self.is_frozen()
    }

    /// The convolutions of neighbouring stages are one operation.
    fn forward_between(&self, stages: Range<usize>, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        let mut index = stages.start;
        while index < stages.end {
            (x, index) = match self.convolutions(index..stages.end) {
                Some((all, end)) if end > index + 1 => (all.forward(&x)?, end),
                _ => (named(self, index, &x)?, index + 1),
            };
        }
        Ok(x)
    }

    /// The affine maps before the first ReLU are known at the points.
    fn along(&self, index: usize, points: &Tensor) -> Result<Box<dyn Along>> {
        if matches!(index, 5 | 6) {
            // Nothing but affine maps.
            let logits = self.forward_from(index, &points.detach())?;
            return Ok(Box::new(AffineLogits(logits)));
        }
        if let Some((convolutions, next)) = self.convolutions(index..self.stages())
            && let Some(begun) = convolutions.begun(&points.detach())?
        {
            return Ok(Box::new(AfterConvolutions {
                begun,
                network: self.clone(),
                next,
            }));
        }
        point_by_point(self, index, points)
    }

    /// Those of the evaluation mode; in training mode a point's answer depends on the others.
    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        if !self.is_frozen() {
            return Ok(None);
        }
        Ok(match index {
            0 => self.stem.layers().map(|mut layers| {
                if self.params.stem == Stem::Imagenet {
                    layers.push(Layer::MaxPool {
                        input: layers.len(),
                        kernel: 3,
                        stride: 2,
                        padding: 1,
                    });
                }
                layers
            }),
            1..=4 => self.layers[index - 1].layers(),
            5 => Some(vec![Layer::GlobalAveragePool { input: 0 }]),
            6 => Some(vec![Layer::Affine {
                input: 0,
                weight: self.fc.0.clone(),
                bias: Some(self.fc.1.clone()),
            }]),
            _ => None,
        })
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        match index {
            0 => {
                let y = self.stem.forward(x)?;
                match self.params.stem {
                    Stem::Imagenet => max_pool2d(&y, 3, 2, 1),
                    Stem::Cifar => Ok(y),
                }
            }
            1..=4 => self.layers[index - 1].forward(x),
            5 => global_avg_pool2d(x),
            6 => {
                let features = self.params.features();
                if x.rank() != 2 || x.dims()[1] != features {
                    return Err(Error::shape(
                        "resnet",
                        "features",
                        format!("(N, {features})"),
                        x.dims(),
                    ));
                }
                linear(x, &self.fc.0, &self.fc.1)
            }
            _ => Err(Error::argument(
                "stage",
                format!("below {}, the number of stages", self.stages()),
                index,
            )),
        }
    }
}

/// The convolutions at points between, then the other stages.
struct AfterConvolutions {
    begun: Begun,
    network: ResNet,
    /// The stage after the convolutions.
    next: usize,
}

impl Along for AfterConvolutions {
    fn logits(&self, places: &[Place]) -> Result<Tensor> {
        along::check(places, self.begun.count())?;
        let convolved = self.begun.between(places)?;
        self.network.forward_from(self.next, &convolved)
    }
}

impl fmt::Debug for ResNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.is_frozen() {
            "evaluation"
        } else {
            "training"
        };
        write!(f, "ResNet({:?}, {mode} mode)", self.params)
    }
}
