//! A network that owns its weights.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::device;
use crate::error::{Error, Result};
use crate::models::{Along, History, Layer, Network, Parameters, Weights};
use crate::rng::Rng;

/// A network with its weights: what is trained, attacked, measured, saved and loaded.
///
/// The weights are drawn from a seed, and [training](crate::training::train) changes them in place;
/// a clone is the same model with the same weights. It can be used wherever a [`Network`] is asked
/// for, and its own network's methods can be called on it.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let sizes = [784, 100, 100, 100, 100, 10];
/// let network = Model::new(0, move |vb| Mlp::new(&sizes, Activation::Tanh, vb))?;
/// assert_eq!(network.parameters().count(), 109_810);
/// assert_eq!(network.sizes(), sizes);
/// # Ok::<(), isopath::Error>(())
/// ```
pub struct Model<N> {
    network: Arc<N>,
    parameters: Parameters,
    origin: Arc<Origin<N>>,
}

/// How the network is built, and on what.
struct Origin<N> {
    build: Box<dyn Fn(VarBuilder<'static>) -> Result<N> + Send + Sync>,
    dtype: DType,
    device: Device,
}

impl<N> Clone for Model<N> {
    fn clone(&self) -> Self {
        Self {
            network: self.network.clone(),
            parameters: self.parameters.clone(),
            origin: self.origin.clone(),
        }
    }
}

impl<N> Model<N> {
    /// Builds a network by `build`, its weights drawn from `seed`, in f32 on the [best
    /// device](device::best).
    ///
    /// `build` gets candle's builder, from which every layer takes its weights by name. It is
    /// called again for the network's [evaluation mode](Network::frozen).
    ///
    /// # Errors
    /// An error of `build`.
    pub fn new<E: Into<Error>>(
        seed: u64,
        build: impl Fn(VarBuilder<'static>) -> Result<N, E> + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::on(seed, DType::F32, &device::best(), build)
    }

    /// Builds a network as [`Model::new`] does, with another type of numbers or on another device.
    ///
    /// # Errors
    ///
    /// An error of `build`.
    pub fn on<E: Into<Error>>(
        seed: u64,
        dtype: DType,
        device: &Device,
        build: impl Fn(VarBuilder<'static>) -> Result<N, E> + Send + Sync + 'static,
    ) -> Result<Self> {
        let parameters = Parameters::new();
        let build = move |vb| build(vb).map_err(Into::into);
        let network = build(parameters.builder(&Rng::new(seed), dtype, device))?;
        let origin = Origin {
            build: Box::new(build),
            dtype,
            device: device.clone(),
        };
        Ok(Self {
            network: Arc::new(network),
            parameters,
            origin: Arc::new(origin),
        })
    }

    /// Puts a network around this one, with the same weights: a [normalisation](super::Normalised),
    /// an [enlargement](super::Enlarged) of images, or one of one's own.
    ///
    /// Training either changes both.
    ///
    /// ```
    /// use isopath::prelude::*;
    ///
    /// let network = Model::new(0, |vb| Mlp::new(&[784, 32, 10], Activation::Relu, vb))?;
    /// let on_pixels = network.wrap(|mlp| Normalised::new(mlp, &[0.1307], &[0.3081]))?;
    /// assert_eq!(on_pixels.parameters().count(), network.parameters().count());
    /// # Ok::<(), isopath::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error of the function that built the network.
    pub fn wrap<M>(&self, around: impl Fn(N) -> M + Send + Sync + 'static) -> Result<Model<M>>
    where
        N: 'static,
    {
        let (origin, parameters) = (self.origin.clone(), self.parameters.clone());
        let (dtype, device) = (self.origin.dtype, self.origin.device.clone());
        let build = move |vb| Ok(around((origin.build)(vb)?));
        // All weights are known: none is drawn.
        let network = build(parameters.builder(&Rng::new(0), dtype, &device))?;
        let origin = Origin {
            build: Box::new(build),
            dtype,
            device,
        };
        Ok(Model {
            network: Arc::new(network),
            parameters,
            origin: Arc::new(origin),
        })
    }

    /// The weights by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The report of every epoch that the last training finished, also if it was stopped or failed;
    /// empty before the first.
    pub fn history(&self) -> History {
        self.parameters.history()
    }

    /// The network with copies of the weights as plain tensors: no gradient flows to them, and
    /// later training does not change them.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn freeze(&self) -> Result<N> {
        let copies = self.parameters.copies()?;
        let Origin {
            build,
            dtype,
            device,
        } = self.origin.as_ref();
        build(VarBuilder::from_tensors(copies, *dtype, device))
    }

    /// The network on copies of its weights, which it may move, and these: for a rehearsal.
    ///
    /// # Errors
    /// The device is out of memory.
    pub(crate) fn copied(&self) -> Result<(N, Parameters)> {
        let parameters = self.parameters.copied()?;
        let Origin {
            build,
            dtype,
            device,
        } = self.origin.as_ref();
        // All weights are known: none is drawn.
        let network = build(parameters.builder(&Rng::new(0), *dtype, device))?;
        Ok((network, parameters))
    }

    /// Writes the weights to a safetensors file under their plain names, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.parameters.save(path)
    }

    /// Loads the model's weights from a file: safetensors, or PyTorch's `.pt` and `.pth`. Floats of
    /// another width are rounded to the width of the weights.
    ///
    /// # Errors
    /// As [`Model::with_weights`], or a file that cannot be read.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Self> {
        self.with_weights(&Weights::read(path)?)
    }

    /// Replaces the model's weights by `weights`.
    ///
    /// # Errors
    /// A weight is missing, of another shape or not finite, or there is one that the network does
    /// not have; the message names the nearest. Then no weight has changed.
    pub fn with_weights(self, weights: &Weights) -> Result<Self> {
        self.parameters.set_weights(weights)?;
        Ok(self)
    }
}

/// The network's own methods.
impl<N> Deref for Model<N> {
    type Target = N;

    fn deref(&self) -> &N {
        &self.network
    }
}

impl<N: Network + 'static> Network for Model<N> {
    fn stages(&self) -> usize {
        self.network.stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        self.network.stage(index, x)
    }

    fn forward_between(&self, stages: Range<usize>, x: &Tensor) -> Result<Tensor> {
        self.network.forward_between(stages, x)
    }

    fn along(&self, index: usize, points: &Tensor) -> Result<Box<dyn Along>> {
        self.network.along(index, points)
    }

    fn is_training(&self) -> bool {
        self.network.is_training()
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        self.freeze()?.frozen()
    }

    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        self.network.weight(index)
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        self.network.layers(index)
    }
}

impl<N: fmt::Debug> fmt::Debug for Model<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} with {} weights",
            self.network,
            self.parameters.count()
        )
    }
}
