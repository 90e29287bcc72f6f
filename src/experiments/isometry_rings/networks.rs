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
use crate::training::{History, Status, train_heard};

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The kind of mapping.
    pub mapping: Partition,
    /// Decided the rings and the initial weights.
    pub seed: u64,
    /// What it was trained on.
    pub rings: Dataset,
    /// The network.
    pub network: Model<Mlp>,
    /// What training reported.
    pub history: History,
    /// On the points it was trained on, in [0, 1].
    pub accuracy: f64,
    /// Ring by ring.
    pub shape: Vec<RingShape>,
    /// Wall time of its training; networks are trained side by side.
    pub seconds: f64,
}

impl Trained {
    /// Φ of every point: (N, 20).
    ///
    /// # Errors
    /// Never, of a network that was trained.
    pub fn representation(&self) -> Result<Tensor> {
        representation(&self.network, &self.rings.inputs)
    }
}

/// The networks by kind of mapping and seed.
pub type Networks = Sweep<Partition, Trained>;

/// Trains one network; `hear` hears of it as a [`TrainParams::observer`] does.
///
/// # Errors
/// A setting out of its range.
pub fn train_network(
    settings: &Settings,
    mapping: Partition,
    seed: u64,
    hear: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    if settings.beta <= 0. {
        let expected = "above 0 (0 is the mapping Partition::None)";
        return Err(Error::argument("beta", expected, settings.beta));
    }
    let begin = Instant::now();
    let rings = settings.data(seed)?;
    let sizes = settings.sizes.clone();
    let build = move |vb| Mlp::new(&sizes, Activation::Tanh, vb);
    let network = Model::on(seed, DType::F32, rings.inputs.device(), build)?;
    let history = train_heard(
        &network,
        &rings,
        &settings.loss(mapping),
        &settings.training(),
        hear,
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

/// Trains every network, side by side.
///
/// # Errors
/// No mapping, no seed, or an error of [`train_network`].
pub fn train_networks(settings: &Settings) -> Result<Networks> {
    let cases = cases(&settings.mappings, &settings.seeds)?;
    let words = |mapping: &Partition, trained: &Trained| {
        format!("isometry {mapping}: accuracy {:.4}", trained.accuracy)
    };
    Sweep::train(&cases, &settings.progress, words, |mapping, seed, hear| {
        train_network(settings, *mapping, seed, hear)
    })
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
    /// One number of every ring of a mapping's networks, seed by seed.
    pub fn ring_values(&self, mapping: &Partition, value: impl Fn(&RingShape) -> f64) -> Vec<f64> {
        let networks = self.at(mapping).into_iter();
        let shapes = networks.flat_map(|trained| &trained.shape);
        shapes.map(value).collect()
    }
}
