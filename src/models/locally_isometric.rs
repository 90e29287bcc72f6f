//! Stacked locally isometric layers (LILs): one for each resolution of the labels, coarse to fine.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::checks::at_least_one;
use crate::error::{Error, Result};
use crate::models::{Activation, Mlp, Network};

/// The classification layer that reads the classes from the representation of each layer of a
/// stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Head {
    /// One classification layer for all layers, with as many units as the finest labels have
    /// classes; coarser labels use only the first units. Each layer has its own linear projection
    /// into it.
    #[default]
    Shared,
    /// A classification layer for each layer, with as many units as its labels have classes.
    Separate,
}

/// The shape of a [`LocallyIsometric`] stack; the defaults are the *isometry* paper's for toy sets
/// (section 2.2), with no resolution yet.
#[derive(Clone, Debug, PartialEq)]
pub struct LocallyIsometricParams {
    /// The dimension D of the points; 3 by default.
    pub inputs: usize,
    /// The sizes of each layer's hidden layers: four of 20 by default.
    pub hidden: Vec<usize>,
    /// The number of classes for each layer, coarse to fine.
    pub classes: Vec<usize>,
    /// How the layers read their classes; from a shared layer by default.
    pub head: Head,
    /// Whether the gradient stops between layers, so that a layer gets the representation of the one
    /// before as data; it does by default. Otherwise a layer's loss also trains the layers before
    /// it, which the *isometry* paper allows for (section 3.4).
    pub stop_gradient: bool,
}

impl Default for LocallyIsometricParams {
    fn default() -> Self {
        Self {
            inputs: 3,
            hidden: vec![20; 4],
            classes: Vec::new(),
            head: Head::default(),
            stop_gradient: true,
        }
    }
}

impl LocallyIsometricParams {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// No input, no hidden layer, an empty one, no classes, or a layer with fewer than two or fewer
    /// than the one before.
    pub fn validate(&self) -> Result<()> {
        at_least_one("inputs", self.inputs)?;
        if self.hidden.is_empty() || self.hidden.contains(&0) {
            return Err(Error::argument(
                "hidden",
                "at least one size, each at least 1",
                format!("{:?}", self.hidden),
            ));
        }
        if self.classes.first().is_none_or(|&classes| classes < 2) || !self.classes.is_sorted() {
            let expected =
                "at least one number of classes, each at least 2 and not below the one before";
            return Err(Error::argument(
                "classes",
                expected,
                format!("{:?}", self.classes),
            ));
        }
        Ok(())
    }
}

/// The output of one layer of a stack, with the input that it had.
#[derive(Clone, Debug)]
pub struct LayerOutput {
    /// The layer's input: the points, or Φ of the layer before, cut off from it or not; the layer's
    /// loss compares distances with these.
    pub input: Tensor,
    /// The layer's representation Φ, (N, hidden): the output of its last hidden layer.
    pub representation: Tensor,
    /// The layer's logits, (N, units).
    pub logits: Tensor,
}

/// A stack of locally isometric layers (LILs), each working on the representation of the one
/// before.
///
/// ```text
/// Φ_1 = F_1(x),    Φ_k = F_k(Φ_{k−1}),    logits_k = W_k Φ_k + b_k
/// ```
///
/// F_k are the hidden layers of layer k, four of 20 units with tanh by default: with its projection
/// each layer is the network `[D, 20, 20, 20, 20, C]`. Layer k has labels, a partition and input
/// distances of its own: it keeps those between its inputs, which are Φ_{k−1}. With
/// [`LocallyIsometricParams::stop_gradient`] it takes them as data, so that no layer's loss trains
/// another layer. A stack of one layer is a single LIL.
///
/// - **Shapes**: x (N, D); Φ_k (N, hidden); logits_k (N, units), see [`Head`].
/// - **Range**: Φ_k in [−1, 1]; logits unbounded.
/// - **Source**: *isometry*, sections 2.2 and 3.4, figure 4A.
///
/// # Examples
///
/// ```
/// use isopath::models::{LocallyIsometric, LocallyIsometricParams};
/// use isopath::prelude::*;
///
/// let params = LocallyIsometricParams { classes: vec![2, 4], ..Default::default() };
/// let stack = Model::new(0, move |vb| LocallyIsometric::new(&params, vb))?;
/// let outputs = stack.outputs(&Tensor::zeros((5, 3), DType::F32, &device::best())?)?;
/// assert_eq!(outputs[1].representation.dims(), [5, 20]);
/// assert_eq!(outputs[0].logits.dims(), [5, 4]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocallyIsometric {
    layers: Vec<Mlp>,
    stop_gradient: bool,
}

impl LocallyIsometric {
    /// Builds a stack whose weights come from `vb` as `lil.0.layers.0.weight`, …; `lil.0` is the
    /// coarsest layer.
    ///
    /// # Errors
    ///
    /// A parameter out of its range, or a weight of `vb` of another shape.
    pub fn new(params: &LocallyIsometricParams, vb: VarBuilder) -> Result<Self> {
        params.validate()?;
        let LocallyIsometricParams {
            inputs,
            hidden,
            classes,
            head,
            stop_gradient,
        } = params;
        let finest = classes.last().copied().unwrap_or(0);
        let width = hidden.last().copied().unwrap_or(0);
        let layers = classes.iter().enumerate().map(|(index, &own)| {
            let first = if index == 0 { *inputs } else { width };
            let units = match head {
                Head::Shared => finest,
                Head::Separate => own,
            };
            let sizes: Vec<usize> = [&[first], hidden.as_slice(), &[units]].concat();
            Mlp::new(&sizes, Activation::Tanh, vb.pp(format!("lil.{index}")))
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            stop_gradient: *stop_gradient,
        })
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether the stack has no layer, which never happens.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The output of every layer on a batch of points, coarse to fine.
    ///
    /// ```text
    /// Φ_k = F_k(Φ_{k−1}),    logits_k = W_k Φ_k + b_k,    Φ_0 = x
    /// ```
    ///
    /// - **Shapes**: `x` (N, D); for each layer Φ (N, hidden) and logits (N, units), see [`Head`].
    /// - **Range**: Φ in [−1, 1]; logits unbounded.
    /// - **Source**: *isometry*, section 3.4.
    ///
    /// # Errors
    ///
    /// The shape does not fit.
    pub fn outputs(&self, x: &Tensor) -> Result<Vec<LayerOutput>> {
        let mut outputs: Vec<LayerOutput> = Vec::with_capacity(self.layers.len());
        for index in 0..self.layers.len() {
            outputs.push(self.output(index, x, outputs.last())?);
        }
        Ok(outputs)
    }

    /// What layer `index` gives on points `x`, of what the layer `before` gave.
    pub(crate) fn output(
        &self,
        index: usize,
        x: &Tensor,
        before: Option<&LayerOutput>,
    ) -> Result<LayerOutput> {
        let layer = self.layers.get(index);
        let layer = layer.ok_or_else(|| Error::argument("layer", self.below(), index))?;
        let input = match (before, self.stop_gradient) {
            (None, _) => x.clone(),
            (Some(before), true) => before.representation.detach(),
            (Some(before), false) => before.representation.clone(),
        };
        let last = layer.stages() - 1;
        let representation = layer.forward_to(last, &input)?;
        let logits = layer.stage(last, &representation)?;
        Ok(LayerOutput {
            input,
            representation,
            logits,
        })
    }

    /// The range of a layer's index, for messages.
    fn below(&self) -> String {
        format!("below {}, the number of layers", self.len())
    }

    /// Whether the gradient stops between the layers of the stack.
    pub fn stops_gradient(&self) -> bool {
        self.stop_gradient
    }

    /// The classifier that ends with layer `index`: a network with the hidden layers up to there
    /// and the projection of that layer as its stages.
    ///
    /// Gradients flow through all of it, since stopping them belongs to training.
    ///
    /// # Errors
    ///
    /// There is no such layer.
    pub fn classifier(&self, index: usize) -> Result<LayerClassifier> {
        let layers = self.layers.get(..=index);
        let layers = layers.ok_or_else(|| Error::argument("layer", self.below(), index))?;
        Ok(LayerClassifier {
            layers: layers.to_vec(),
        })
    }
}

/// The classifier of one layer of a stack, with the layers before it; made by
/// [`LocallyIsometric::classifier`].
///
/// ```text
/// f_k(x) = W_k F_k(… F_1(x)) + b_k
/// ```
///
/// - **Shapes**: x (N, D); logits (N, units), see [`Head`].
/// - **Range**: logits unbounded.
/// - **Source**: *isometry*, section 3.4.
#[derive(Clone, Debug)]
pub struct LayerClassifier {
    layers: Vec<Mlp>,
}

impl Network for LayerClassifier {
    fn stages(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| layer.stages() - 1)
            .sum::<usize>()
            + 1
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        let mut within = index;
        for (number, layer) in self.layers.iter().enumerate() {
            let last = number + 1 == self.layers.len();
            let stages = layer.stages() - usize::from(!last);
            if within < stages {
                return layer.stage(within, x);
            }
            within -= stages;
        }
        Err(Error::argument(
            "stage",
            format!("below {}, the number of stages", self.stages()),
            index,
        ))
    }
}
