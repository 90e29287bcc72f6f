//! A network for each kind of mapping and each seed.

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Tensor};

use super::settings::Settings;
use super::shape::{RingShape, representation, ring_shapes};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::sweep::{Sweep, cases};
use crate::losses::Partition;
use crate::metrics::accuracy;
use crate::models::{Activation, Mlp, Model};
use crate::training::{History, Status, train_observed};

/// A network trained on rings, with what it does to each ring.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The kind of mapping: none, local or global isometry.
    pub mapping: Partition,
    /// The seed of the rings and of the initial weights.
    pub seed: u64,
    /// The rings that it was trained on.
    pub rings: Dataset,
    /// The network with its weights.
    pub network: Model<Mlp>,
    /// The history of its training.
    pub history: History,
    /// The accuracy on the points it was trained on, in [0, 1].
    pub accuracy: f64,
    /// The shape of each ring in the last hidden layer.
    pub shape: Vec<RingShape>,
    /// The wall time of its training in seconds; networks are trained side by side.
    pub seconds: f64,
}

impl Trained {
    /// The representation Φ of every point: (N, 20).
    ///
    /// # Errors
    /// Never, of a network that was trained.
    pub fn representation(&self) -> Result<Tensor> {
        representation(&self.network, &self.rings.inputs)
    }
}

/// The trained networks for every kind of mapping and seed.
pub type Networks = Sweep<Partition, Trained>;

/// Trains one network on the rings of a seed; `observer` is called as a
/// [`TrainParams::observer`](crate::training::TrainParams::observer) is.
///
/// # Errors
/// A setting out of its range.
pub fn train_network(
    settings: &Settings,
    mapping: Partition,
    seed: u64,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    if settings.beta <= 0. {
        let expected = "above 0 (0 is the mapping Partition::None)";
        return Err(Error::argument("beta", expected, settings.beta));
    }
    let begin = Instant::now();
    let rings = settings.data(seed)?;
    let network = untrained(settings, seed, &rings)?;
    let history = train_observed(
        &network,
        &rings,
        &settings.loss(mapping),
        &settings.training(),
        observer,
    )?;
    let seconds = begin.elapsed().as_secs_f64();
    let accuracy = accuracy(&network, &rings)?;
    let shape = ring_shapes(&network, &rings)?;
    Ok(Trained {
        mapping,
        seed,
        rings,
        network,
        history,
        accuracy,
        shape,
        seconds,
    })
}

/// The network of a seed before its training.
pub(super) fn untrained(settings: &Settings, seed: u64, rings: &Dataset) -> Result<Model<Mlp>> {
    let sizes = settings.sizes.clone();
    let build = move |vb| Mlp::new(&sizes, Activation::Tanh, vb);
    Model::on(seed, DType::F32, rings.inputs.device(), build)
}

/// Trains a network for every kind of mapping and seed, side by side.
///
/// # Errors
/// No mapping, no seed, or an error of [`train_network`].
pub fn train_networks(settings: &Settings) -> Result<Networks> {
    let cases = cases(&settings.mappings, &settings.seeds)?;
    let words = |mapping: &Partition, trained: &Trained| {
        format!("isometry {mapping}: accuracy {:.4}", trained.accuracy)
    };
    Sweep::train(
        &cases,
        &settings.progress,
        words,
        |mapping, seed, observer| train_network(settings, *mapping, seed, observer),
    )
}

/// Writes each network's weights to `folder` as `local_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_networks(networks: &Networks, folder: impl AsRef<Path>) -> Result<()> {
    let name = |mapping: &Partition, seed| format!("{mapping}_seed_{seed}");
    networks.save(folder.as_ref(), |trained| &trained.network, name)
}

impl Networks {
    /// One number of every ring, for all networks of a mapping, seed by seed.
    pub fn ring_values(&self, mapping: &Partition, value: impl Fn(&RingShape) -> f64) -> Vec<f64> {
        let networks = self.at(mapping).into_iter();
        let shapes = networks.flat_map(|trained| &trained.shape);
        shapes.map(value).collect()
    }
}
