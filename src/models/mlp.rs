//! Fully connected networks.

use std::fmt;

use candle_core::{D, Tensor, Var};
use candle_nn::{Init, Linear, VarBuilder};

use super::orthogonal::orthogonal;
use crate::error::{Error, Result};
use crate::models::{Layer, Network};
use crate::ops::{linear, linear_tanh, relu};

/// The activation of a fully connected network: the function between two layers, for each number
/// alone.
///
/// ```text
/// φ(x) = tanh(x)   or   φ(x) = max(x, 0)
/// ```
///
/// - **Shapes**: any; the result has the input's.
/// - **Range**: tanh in [−1, 1], max(x, 0) ≥ 0.
/// - **Source**: tanh in *isometry*, section 2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// The hyperbolic tangent, tanh(x), as in the *isometry* paper.
    #[default]
    Tanh,
    /// The rectifier, max(x, 0). candle gives it the slope 1 at 0, where PyTorch takes 0.
    Relu,
}

impl Activation {
    /// As a layer that reads result `input`.
    pub(super) fn layer(self, input: usize) -> Layer {
        match self {
            Self::Tanh => Layer::Tanh { input },
            Self::Relu => Layer::Relu { input },
        }
    }
}

/// What the weights of a fully connected network are before training.
///
/// ```text
/// uniform:    U(−1/√n, 1/√n), n the layer's inputs
/// orthogonal: WᵀW = 1 between two hidden layers of one size, else as uniform
/// ```
///
/// Biases are uniform in either.
///
/// - **Shapes**: W (outputs, inputs).
/// - **Range**: uniform in (−1/√n, 1/√n); orthogonal weights in \[−1, 1\].
/// - **Source**: PyTorch's defaults of `nn.Linear`; `nn.init.orthogonal_` on the weights between
///   hidden layers, neither the first nor the last, as in the public code of the *isometry* paper's
///   authors from 2023-05-02 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initialisation {
    /// Uniform weights, PyTorch's default.
    #[default]
    Uniform,
    /// [Orthogonal](super::orthogonal()) weights between hidden layers.
    Orthogonal,
}

/// A fully connected network (multilayer perceptron).
///
/// ```text
/// h_0 = x,    h_l = φ(W_l h_{l−1} + b_l) for l < L,    f(x) = W_L h_{L−1} + b_L
/// ```
///
/// Each hidden layer with its activation φ is a stage, and so is the last, linear layer. The
/// *isometry* paper's networks have four hidden layers with tanh: `[784, 100, 100, 100, 100, 10]`
/// for MNIST.
///
/// - **Shapes**: x (N, sizes\[0\]), or (N, …) of as many numbers; logits (N, sizes\[L\]).
/// - **Range**: hidden layers in that of φ; logits unbounded.
/// - **Source**: *isometry*, section 2.2.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[3, 20, 20, 2], Activation::Tanh, vb))?;
/// let points = Tensor::zeros((5, 3), DType::F32, &device::best())?;
/// assert_eq!(network.forward(&points)?.dims(), [5, 2]);
/// assert_eq!(network.forward_to(2, &points)?.dims(), [5, 20]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct Mlp {
    layers: Vec<Linear>,
    sizes: Vec<usize>,
    activation: Activation,
}

impl Mlp {
    /// Builds a network of layers `sizes[0] → … → sizes[L]`.
    ///
    /// Its weights come from `vb` as `layers.0.weight` of shape (`sizes[1]`, `sizes[0]`),
    /// `layers.0.bias`, `layers.1.weight`, … A builder that draws takes weights and biases from
    /// U(−1/√n, 1/√n), n the layer's inputs: the default of PyTorch's `nn.Linear`.
    ///
    /// # Errors
    ///
    /// Fewer than two sizes, a size of 0, or a weight of `vb` of another shape.
    pub fn new(sizes: &[usize], activation: Activation, vb: VarBuilder) -> Result<Self> {
        Self::initialised(sizes, activation, Initialisation::Uniform, vb)
    }

    /// Builds a network as [`Mlp::new`] does, with other initial weights where the builder draws.
    ///
    /// # Errors
    ///
    /// As [`Mlp::new`].
    pub fn initialised(
        sizes: &[usize],
        activation: Activation,
        initialisation: Initialisation,
        vb: VarBuilder,
    ) -> Result<Self> {
        if sizes.len() < 2 || sizes.contains(&0) {
            return Err(Error::argument(
                "sizes",
                "at least two numbers, each at least 1",
                format!("{sizes:?}"),
            ));
        }
        let layers = sizes
            .windows(2)
            .enumerate()
            .map(|(index, pair)| {
                let vb = vb.pp(format!("layers.{index}"));
                let is_inside = index > 0 && index + 2 < sizes.len();
                match initialisation {
                    Initialisation::Orthogonal if is_inside => {
                        orthogonal_layer(pair[0], pair[1], vb)
                    }
                    _ => layer(pair[0], pair[1], vb),
                }
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            layers,
            sizes: sizes.to_vec(),
            activation,
        })
    }

    /// The sizes of the layers, the input's first.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The weight matrices of the layers, each (outputs, inputs), the first layer's first.
    pub fn weights(&self) -> Vec<&Tensor> {
        self.layers.iter().map(Linear::weight).collect()
    }

    /// The stage `index` with this weight.
    pub(super) fn stage_with(
        &self,
        index: usize,
        x: &Tensor,
        weight: Option<Tensor>,
    ) -> Result<Tensor> {
        let (Some(layer), Some(weight)) = (self.layers.get(index), weight) else {
            return Err(Error::argument(
                "stage",
                format!("below {}, the number of stages", self.layers.len()),
                index,
            ));
        };
        let inputs = self.sizes[index];
        let flat = if x.rank() > 2 { &x.flatten_from(1)? } else { x };
        if flat.rank() != 2 || flat.dim(D::Minus1)? != inputs {
            return Err(Error::shape("mlp", "x", format!("(N, {inputs})"), x.dims()));
        }
        let bias = layer
            .bias()
            .ok_or_else(|| Error::argument("bias", "one in every layer", "none"))?;
        match self.activation {
            _ if index + 1 == self.layers.len() => linear(flat, &weight, bias),
            Activation::Tanh => linear_tanh(flat, &weight, bias),
            Activation::Relu => Ok(relu(&linear(flat, &weight, bias)?)?),
        }
    }

    /// The layers of the stage `index` with this weight.
    pub(super) fn layers_with(&self, index: usize, weight: Option<Tensor>) -> Option<Vec<Layer>> {
        let affine = Layer::Affine {
            input: 1,
            weight: weight?,
            bias: self.layers.get(index)?.bias().cloned(),
        };
        let mut layers = vec![Layer::Flatten { input: 0 }, affine];
        if index + 1 < self.layers.len() {
            layers.push(self.activation.layer(2));
        }
        Some(layers)
    }
}

fn layer(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    let bound = 1. / (inputs as f64).sqrt();
    let init = Init::Uniform {
        lo: -bound,
        up: bound,
    };
    let weight = vb.get_with_hints((outputs, inputs), "weight", init)?;
    let bias = vb.get_with_hints(outputs, "bias", init)?;
    Ok(Linear::new(weight, Some(bias)))
}

/// A layer whose weight is orthogonal where the builder has just drawn it.
fn orthogonal_layer(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    let is_known = vb.contains_tensor("weight");
    let normal = Init::Randn {
        mean: 0.,
        stdev: 1.,
    };
    let weight = vb.get_with_hints((outputs, inputs), "weight", normal)?;
    if !is_known && weight.is_variable() {
        // The variable that the builder keeps.
        Var::from_tensor(&weight)?.set(&orthogonal(&weight)?)?;
    }
    layer(inputs, outputs, vb)
}

impl Network for Mlp {
    fn stages(&self) -> usize {
        self.layers.len()
    }

    /// Runs layer `index` on `x` (N, `sizes[index]`); more axes, such as (N, 1, 28, 28), are
    /// flattened to that.
    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        self.stage_with(index, x, self.weight(index)?)
    }

    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        Ok(self.layers.get(index).map(|layer| layer.weight().clone()))
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        Ok(self.layers_with(index, self.weight(index)?))
    }
}

impl fmt::Debug for Mlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mlp({:?}, {:?})", self.sizes, self.activation)
    }
}
