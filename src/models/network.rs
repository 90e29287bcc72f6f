//! What a network is: a sequence of stages, and the representations between them.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use super::along::{self, Along};
use super::layer::Layer;
use crate::error::{Error, Result, first_line};
use crate::ops::{Place, points_between};

/// A classifier as a sequence of stages, which can be read and resumed at every representation.
///
/// ```text
/// f = f_L ∘ … ∘ f_1,    z_0 = x,    z_l = f_l(z_{l−1}),    z_L = the logits
/// ```
///
/// Representation l of an input x is what l stages make of it. `f_{l:L}` of the *connectivity*
/// paper, the network from representation l on, is [`Network::forward_from`]`(l)`.
/// [`Network::stage`] counts from 0: `stage(l)` is f_{l+1}, which takes representation l.
///
/// - **Shapes**: x (N, …) as the network takes it; representations (N, …); logits (N, classes).
/// - **Range**: logits are unbounded; their softmax is the probability of each class.
/// - **Source**: *connectivity*, section 3, for f_{l:L}; *isometry*, definition 1, for the layers.
///
/// # Examples
///
/// A network of one's own needs the two methods without a default; [`Model`](super::Model) gives it
/// its weights:
///
/// ```
/// use isopath::prelude::*;
///
/// #[derive(Clone, Debug)]
/// struct Net { hidden: nn::Linear, output: nn::Linear }
///
/// impl Net {
///     fn new(vb: VarBuilder) -> candle::Result<Self> {
///         let hidden = nn::linear(784, 32, vb.pp("hidden"))?;
///         Ok(Self { hidden, output: nn::linear(32, 10, vb.pp("output"))? })
///     }
/// }
///
/// impl Network for Net {
///     fn stages(&self) -> usize {
///         2
///     }
///
///     fn stage(&self, index: usize, x: &Tensor) -> isopath::Result<Tensor> {
///         match index {
///             0 => Ok(self.hidden.forward(x)?.relu()?),
///             _ => Ok(self.output.forward(x)?),
///         }
///     }
/// }
///
/// let network = Model::new(0, Net::new)?;
/// assert_eq!(network.parameters().count(), 784 * 32 + 32 + 32 * 10 + 10);
/// # Ok::<(), isopath::Error>(())
/// ```
pub trait Network: Shared + Send + Sync {
    /// The number of stages, L.
    fn stages(&self) -> usize;

    /// Runs one stage, f_{index+1}, on a batch of representations `index`, and gives
    /// representations `index` + 1.
    ///
    /// # Errors
    ///
    /// `index` is not below [`Network::stages`], or the shape does not fit.
    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor>;

    /// Whether the network is in training mode.
    ///
    /// Its answer to a point then depends on the other points of the batch, and every forward pass
    /// moves its running statistics. Networks without normalisation are never in training mode.
    fn is_training(&self) -> bool {
        false
    }

    /// The network in evaluation mode, with plain tensors for weights, so that gradients flow to
    /// the inputs alone.
    ///
    /// Procedures that only ask a network call this first. By default it is the network itself;
    /// [`Model`](super::Model) gives the network with copies of its weights. A network that has a
    /// training mode of its own gives the other mode here.
    ///
    /// # Errors
    ///
    /// The device is out of memory.
    ///
    /// # Examples
    ///
    /// A normalisation of candle needs to know the mode, and so does its dropout (which draws from
    /// candle's own generator: on a CPU its numbers are others in every run):
    ///
    /// ```
    /// use isopath::prelude::*;
    ///
    /// #[derive(Clone, Debug)]
    /// struct Net { hidden: nn::Linear, norm: nn::BatchNorm, output: nn::Linear, training: bool }
    ///
    /// impl Net {
    ///     fn new(vb: VarBuilder) -> candle::Result<Self> {
    ///         let (hidden, norm) = (nn::linear(3, 32, vb.pp("hidden"))?, nn::batch_norm(32, 1e-5, vb.pp("norm"))?);
    ///         Ok(Self { hidden, norm, output: nn::linear(32, 2, vb.pp("output"))?, training: true })
    ///     }
    /// }
    ///
    /// impl Network for Net {
    ///     fn stages(&self) -> usize {
    ///         2
    ///     }
    ///
    ///     fn stage(&self, index: usize, x: &Tensor) -> isopath::Result<Tensor> {
    ///         match index {
    ///             0 => Ok(self.norm.forward_t(&self.hidden.forward(x)?, self.training)?.relu()?),
    ///             _ => Ok(self.output.forward(x)?),
    ///         }
    ///     }
    ///
    ///     fn is_training(&self) -> bool {
    ///         self.training
    ///     }
    ///
    ///     fn frozen(&self) -> isopath::Result<Arc<dyn Network>> {
    ///         Ok(Arc::new(Self { training: false, ..self.clone() }))
    ///     }
    /// }
    ///
    /// let network = Model::new(0, Net::new)?;
    /// assert!(network.is_training() && !network.frozen()?.is_training());
    /// # Ok::<(), isopath::Error>(())
    /// ```
    fn frozen(&self) -> Result<Arc<dyn Network>> {
        Ok(self.shared())
    }

    /// The weight matrix of a stage that is a linear map and then, for each number alone, a function
    /// of slope at most 1; `None` for any other, and by default.
    ///
    /// ```text
    /// f_{index+1}(z) = φ(W z + b),  |φ'| ≤ 1
    /// ```
    ///
    /// [`layer_norms`](crate::lipschitz::layer_norms) bounds the network's Lipschitz constant by it.
    ///
    /// - **Shapes**: W (outputs, inputs).
    /// - **Range**: finite numbers; φ is tanh, ReLU or nothing.
    /// - **Source**: *isometry*, definition 1.
    ///
    /// # Errors
    ///
    /// W cannot be computed.
    fn weight(&self, _index: usize) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// The layers of a stage that consists of linear and piecewise linear ones and tanh; `None` for
    /// any other, and by default, which means that they are not known.
    ///
    /// ```text
    /// y_0 = z_index,  y_k = layer_k(y_input),  z_{index+1} = y_K
    /// ```
    ///
    /// [`exact`](crate::paths::exact()) finds the linear pieces of a network along a segment by
    /// them, and [`certify`](crate::paths::certify()) bounds its logits there. They say how the
    /// network answers in evaluation mode.
    ///
    /// - **Shapes**: as each [`Layer`] says.
    /// - **Range**: K ≥ 0 layers; none for a stage that gives its argument.
    /// - **Source**: ours.
    ///
    /// # Errors
    ///
    /// They cannot be computed.
    ///
    /// # Examples
    ///
    /// ```
    /// use isopath::models::Layer;
    /// use isopath::prelude::*;
    ///
    /// #[derive(Clone, Debug)]
    /// struct Net { hidden: nn::Linear, output: nn::Linear }
    ///
    /// impl Network for Net {
    ///     fn stages(&self) -> usize {
    ///         2
    ///     }
    ///
    ///     fn stage(&self, index: usize, x: &Tensor) -> isopath::Result<Tensor> {
    ///         match index {
    ///             0 => Ok(self.hidden.forward(x)?.relu()?),
    ///             _ => Ok(self.output.forward(x)?),
    ///         }
    ///     }
    ///
    ///     fn layers(&self, index: usize) -> isopath::Result<Option<Vec<Layer>>> {
    ///         let affine = |layer: &nn::Linear| Layer::Affine {
    ///             input: 0,
    ///             weight: layer.weight().clone(),
    ///             bias: layer.bias().cloned(),
    ///         };
    ///         Ok(Some(match index {
    ///             0 => vec![affine(&self.hidden), Layer::Relu { input: 1 }],
    ///             _ => vec![affine(&self.output)],
    ///         }))
    ///     }
    /// }
    ///
    /// let network = Model::new(0, |vb| -> isopath::Result<Net> {
    ///     let hidden = nn::linear(2, 32, vb.pp("hidden"))?;
    ///     Ok(Net { hidden, output: nn::linear(32, 3, vb.pp("output"))? })
    /// })?;
    /// let segment = paths::PiecewiseLinear::new(&network, Representation::Input)?;
    /// let start = Tensor::new(&[[-1f32, 0.5]], &Device::Cpu)?;
    /// let end = Tensor::new(&[[1f32, 0.]], &Device::Cpu)?;
    /// let pieces = paths::exact_pieces(&segment, &start, &end, &paths::ExactParams::default())?;
    /// println!("{} breakpoints", pieces.t.len());
    /// # assert!(pieces.t.len() >= 3);
    /// # Ok::<(), isopath::Error>(())
    /// ```
    fn layers(&self, _index: usize) -> Result<Option<Vec<Layer>>> {
        Ok(None)
    }

    /// The logits of a batch of representations: the rest of the network, f_{l:L} for l = `index`.
    ///
    /// - **Shapes**: `x` (N, …) as representation `index`; the result (N, classes).
    /// - **Range**: unbounded.
    /// - **Source**: *connectivity*, section 3.
    ///
    /// # Errors
    ///
    /// `index` exceeds [`Network::stages`], or the shape does not fit.
    fn forward_from(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        if index > self.stages() {
            let expected = format!("at most {}, the number of stages", self.stages());
            return Err(Error::argument("representation", expected, index));
        }
        self.forward_between(index..self.stages(), x)
    }

    /// The representations of a batch of inputs after the first `index` stages.
    ///
    /// ```text
    /// z_l = f_l ∘ … ∘ f_1 (x),  l = index
    /// ```
    ///
    /// No stage after them is run: 0 gives the inputs themselves, [`Network::stages`] the logits.
    ///
    /// - **Shapes**: `x` (N, …) as the network takes it; the result (N, …).
    /// - **Range**: as the stage's output.
    /// - **Source**: *connectivity*, section 3.
    ///
    /// # Errors
    ///
    /// `index` exceeds [`Network::stages`], or the shape does not fit.
    fn forward_to(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        self.forward_between(0..index, x)
    }

    /// The network from representation `index` on, at points of straight segments between the given ones.
    ///
    /// ```text
    /// ((i, j), t) ↦ f_{l:L}((1 − t) z_i + t z_j),  l = index
    /// ```
    ///
    /// By default each point is made, and asked by [`Network::forward_from`]. What is affine in the point
    /// lies between its values at i and j: a network that begins with such a layer can keep its values,
    /// and go on from there. The numbers must be the same up to rounding, and the network is one in
    /// evaluation mode.
    ///
    /// - **Shapes**: `points` (N, …) as representation `index`.
    /// - **Range**: finite numbers.
    /// - **Source**: *connectivity*, section 3.
    ///
    /// # Errors
    ///
    /// `index` exceeds [`Network::stages`], or the shape does not fit; it may be the answer that says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use isopath::prelude::*;
    ///
    /// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 2], Activation::Relu, vb))?;
    /// let points = Tensor::new(&[[0f32, 1.], [1., 0.]], &device::best())?;
    /// let middle = network.along(0, &points)?.logits(&[([0, 1], 0.5)])?;
    /// assert_eq!(middle.dims(), [1, 2]);
    /// # Ok::<(), isopath::Error>(())
    /// ```
    fn along(&self, index: usize, points: &Tensor) -> Result<Box<dyn Along>> {
        point_by_point(self, index, points)
    }

    /// Some stages, one after another: from representation `stages.start` to representation
    /// `stages.end`.
    ///
    /// By default [`Network::stage`] for each. A network that has one operation for several stages
    /// gives it here; the numbers must be the same.
    ///
    /// - **Shapes**: `x` (N, …) as representation `stages.start`; the result (N, …).
    /// - **Range**: as the last stage's output.
    /// - **Source**: the definition.
    ///
    /// # Errors
    ///
    /// As [`Network::stage`].
    fn forward_between(&self, stages: Range<usize>, x: &Tensor) -> Result<Tensor> {
        stages
            .into_iter()
            .try_fold(x.clone(), |x, index| named(self, index, &x))
    }

    /// The logits of a batch of inputs: the whole network.
    ///
    /// - **Shapes**: `x` (N, …) as the network takes it; the result (N, classes).
    /// - **Range**: unbounded.
    /// - **Source**: the definition.
    ///
    /// # Errors
    ///
    /// The shape does not fit.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_from(0, x)
    }

    /// All L + 1 representations of a batch of inputs, in order: the inputs first, the logits last.
    ///
    /// ```text
    /// z_0 = x,  z_l = f_l(z_{l−1}),  l = 1, …, L
    /// ```
    ///
    /// - **Shapes**: `x` (N, …) as the network takes it; the result L + 1 tensors (N, …).
    /// - **Range**: as each stage's output.
    /// - **Source**: the definition.
    ///
    /// # Errors
    ///
    /// The shape does not fit.
    fn representations(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let mut all = vec![x.clone()];
        for index in 0..self.stages() {
            all.push(named(self, index, &all[index])?);
        }
        Ok(all)
    }
}

/// Runs a stage; an error of candle, which knows no stages, then says in which it happened.
pub(super) fn named<N: Network + ?Sized>(network: &N, index: usize, x: &Tensor) -> Result<Tensor> {
    network.stage(index, x).map_err(|error| match error {
        Error::Candle(reason) => {
            let (shape, dtype, reason) = (x.dims(), x.dtype(), first_line(&reason));
            let place = format!("stage {index}, of {dtype:?} numbers of shape {shape:?}");
            candle_core::Error::Msg(format!("{place}: {reason}")).into()
        }
        other => other,
    })
}

/// Every point is made, and the network asked.
struct PointByPoint {
    network: Arc<dyn Network>,
    index: usize,
    /// The points (N, …).
    points: Tensor,
}

/// [`Network::along`] of any network.
pub(super) fn point_by_point<N: Network + ?Sized>(
    network: &N,
    index: usize,
    points: &Tensor,
) -> Result<Box<dyn Along>> {
    Ok(Box::new(PointByPoint {
        network: network.shared(),
        index,
        points: points.detach(),
    }))
}

impl Along for PointByPoint {
    fn logits(&self, places: &[Place]) -> Result<Tensor> {
        let mut shape = self.points.dims().to_vec();
        along::check(places, shape.first().copied().unwrap_or(0))?;
        shape[0] = places.len();
        let points = points_between(&self.points.flatten_from(1)?, places)?.reshape(shape)?;
        self.network.forward_from(self.index, &points)
    }
}

/// A network that a result or an energy can keep: every network that is [`Clone`].
pub trait Shared {
    /// A copy of the network behind a shared pointer.
    fn shared(&self) -> Arc<dyn Network>;
}

impl<N: Network + Clone + 'static> Shared for N {
    fn shared(&self) -> Arc<dyn Network> {
        Arc::new(self.clone())
    }
}

impl Network for Arc<dyn Network> {
    fn stages(&self) -> usize {
        (**self).stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        (**self).stage(index, x)
    }

    fn forward_between(&self, stages: Range<usize>, x: &Tensor) -> Result<Tensor> {
        (**self).forward_between(stages, x)
    }

    fn along(&self, index: usize, points: &Tensor) -> Result<Box<dyn Along>> {
        (**self).along(index, points)
    }

    fn is_training(&self) -> bool {
        (**self).is_training()
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        (**self).frozen()
    }

    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        (**self).weight(index)
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        (**self).layers(index)
    }
}

/// A network's evaluation mode.
///
/// # Errors
/// A network in training mode that has no other ([`Network::frozen`] is not written).
pub(crate) fn evaluation(network: &dyn Network) -> Result<Arc<dyn Network>> {
    let frozen = network.frozen()?;
    match frozen.is_training() {
        true => Err(Error::argument(
            "network",
            "one in evaluation mode; give it a `frozen` that leaves training mode",
            "in training mode",
        )),
        false => Ok(frozen),
    }
}
