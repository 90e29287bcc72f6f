//! The *isometry* paper's linked rings: section 3.1, figures 1A, 2A and 2B.
//!
//! One network for each of the three kinds of mapping and each seed ([`train_networks`]), and what
//! each does to the distances and the loop of either ring ([`RingShape`]).

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Tensor};
use serde::Serialize;

use crate::datasets::{Rings, RingsParams, entangled_rings};
use crate::device;
use crate::error::{Error, Result};
use crate::experiments::Curve;
use crate::experiments::sweep::{Sweep, cases};
use crate::losses::{IsometricLoss, Partition};
use crate::metrics::{accuracy, correlation, members, most_prominent_loop, pair_distances, stress};
use crate::models::{Activation, Mlp, Model, Network, Representation};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::statistics::quantiles;
use crate::training::{AdamParams, History, Status, TrainParams, train_heard};

/// Points of a curve in the results.
const CURVE: usize = 100;

/// What the paper fixes, and how much of it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The rings, of which the paper gives no number; a run's own seed takes the place of theirs.
    pub rings: RingsParams,
    /// The layers' sizes, the input's first: 3, four hidden layers of 20, 2 (section 2.2).
    pub sizes: Vec<usize>,
    /// The kinds of mapping: none, local and global isometry (section 2.1, figure 1A).
    pub mappings: Vec<Partition>,
    /// β > 0 of local and global isometry; the paper gives none, 1 here.
    pub beta: f64,
    /// One set of rings and one network a seed; the paper shows one.
    pub seeds: Vec<u64>,
    /// 10,000, each one step on all points (section 2.2).
    pub epochs: usize,
    /// Adam's; the paper gives none, 1e-3 is the usual one.
    pub learning_rate: f64,
    /// Whether a moving line shows how far the sweep has come.
    pub progress: Progress,
}

impl Settings {
    /// `quick`: 300 points, one seed, 1,000 epochs. `default`: 1,000 points, three seeds, the
    /// paper's 10,000 epochs. `paper`: ten seeds.
    pub fn of(scale: Scale) -> Self {
        Self {
            rings: RingsParams {
                points: scale.pick(300, 1_000, 1_000),
                ..RingsParams::default()
            },
            sizes: vec![3, 20, 20, 20, 20, 2],
            mappings: vec![Partition::None, Partition::Local, Partition::Global],
            beta: 1.,
            seeds: (0..scale.pick(1, 3, 10)).collect(),
            epochs: scale.pick(1_000, 10_000, 10_000),
            learning_rate: 1e-3,
            progress: Progress::default(),
        }
    }

    /// The rings of a seed, on the best device.
    ///
    /// # Errors
    /// As [`entangled_rings`].
    pub fn data(&self, seed: u64) -> Result<Rings> {
        let rings = entangled_rings(&RingsParams { seed, ..self.rings })?;
        let device = device::best();
        Ok(Rings {
            points: rings.points.to_device(&device)?,
            labels: rings.labels.to_device(&device)?,
            ..rings
        })
    }

    /// The training loss of a kind of mapping. None is β = 0, as section 2.1 has it: the isometric
    /// term inside the rings is then reported, but not followed.
    pub fn loss(&self, mapping: Partition) -> IsometricLoss {
        match mapping {
            Partition::None => IsometricLoss::new(0.),
            partition => IsometricLoss {
                partition,
                ..IsometricLoss::new(self.beta)
            },
        }
    }

    /// How each network is trained.
    pub fn training(&self) -> TrainParams {
        TrainParams {
            epochs: self.epochs,
            batch_size: self.rings.points,
            optimizer: AdamParams {
                learning_rate: self.learning_rate,
                ..AdamParams::default()
            }
            .into(),
            ..TrainParams::default()
        }
    }
}

/// What became of one ring in the last hidden layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingShape {
    /// [`stress`] of its distances: 0 if all are kept.
    pub stress: f64,
    /// [`correlation`] of its distances before and after.
    pub distance_correlation: f64,
    /// [`Loop::prominence`](crate::metrics::Loop::prominence) after.
    pub loop_prominence: f64,
    /// [`Loop::kept`](crate::metrics::Loop::kept) after.
    pub loop_kept: bool,
    /// The distances between its points, ascending: the least, 5 %, 10 %, …, the largest.
    pub given_quantiles: Vec<f64>,
    /// The distances between their representations, in the same way.
    pub found_quantiles: Vec<f64>,
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The kind of mapping.
    pub mapping: Partition,
    /// Decided the rings and the initial weights.
    pub seed: u64,
    /// What it was trained on.
    pub rings: Rings,
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
        representation(&self.network, &self.rings.points)
    }
}

/// The networks by kind of mapping and seed.
pub type Networks = Sweep<Partition, Trained>;

/// Φ, the output of the last hidden layer of `network`, of points `x` (N, 3).
///
/// # Errors
/// Shapes that do not fit.
pub fn representation(network: &dyn Network, x: &Tensor) -> Result<Tensor> {
    Ok(Representation::LastHidden.of(network, x)?.detach())
}

/// What `network` does to either ring.
///
/// # Errors
/// Shapes that do not fit, or a ring of fewer than three points.
pub fn ring_shapes(network: &dyn Network, rings: &Rings) -> Result<Vec<RingShape>> {
    let phi = representation(network, &rings.points)?;
    let shape = |index: &Tensor| {
        let (x, phi) = (
            rings.points.index_select(index, 0)?,
            phi.index_select(index, 0)?,
        );
        let (before, after) = (pair_distances(&x)?, pair_distances(&phi)?);
        let found = most_prominent_loop(&phi)?;
        Ok(RingShape {
            stress: stress(&before, &after)?,
            distance_correlation: correlation(&before, &after)?,
            loop_prominence: found.prominence(),
            loop_kept: found.kept(),
            given_quantiles: quantiles(&before, 20),
            found_quantiles: quantiles(&after, 20),
        })
    };
    members(&rings.points, &rings.labels)?
        .iter()
        .map(shape)
        .collect()
}

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
    let data = rings.dataset()?;
    let sizes = settings.sizes.clone();
    let build = move |vb| Mlp::new(&sizes, Activation::Tanh, vb);
    let network = Model::on(seed, DType::F32, data.inputs.device(), build)?;
    let history = train_heard(
        &network,
        &data,
        &settings.loss(mapping),
        &settings.training(),
        hear,
    )?;
    let seconds = begin.elapsed().as_secs_f64();
    let accuracy = accuracy(&network, &data)?;
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
    let words = |trained: &Trained| format!("accuracy {:.4}", trained.accuracy);
    Sweep::train(&cases, &settings.progress, words, |mapping, seed, hear| {
        train_network(settings, *mapping, seed, hear)
    })
}

/// One number of every ring of every network, networks first.
pub fn ring_values(networks: &[&Trained], value: impl Fn(&RingShape) -> f64) -> Vec<f64> {
    networks
        .iter()
        .flat_map(|trained| &trained.shape)
        .map(value)
        .collect()
}

/// Writes each network's weights to `folder` as `local_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_networks(networks: &Networks, folder: &Path) -> Result<()> {
    let name = |mapping: &Partition, seed| format!("{mapping}_seed_{seed}");
    networks.save(folder, |trained| &trained.network, name)
}

/// Section 3.1 in numbers: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// Of both rings together.
    pub points: usize,
    /// Steps on all points.
    pub epochs: usize,
    /// The weight of the isometric loss.
    pub beta: f64,
    /// Of Adam.
    pub learning_rate: f64,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Each network, by mapping and seed.
    pub runs: Vec<Run>,
    /// Wall time of all training, the sum over networks, which are trained side by side.
    pub seconds: f64,
}

/// One network in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// `none`, `local` or `global`.
    pub mapping: String,
    /// Of the rings and of the initial weights.
    pub seed: u64,
    /// In [0, 1].
    pub accuracy: f64,
    /// Of either ring, ≥ 0.
    pub stress: Vec<f64>,
    /// Of either ring, in [−1, 1]; null where a ring has become a point.
    pub distance_correlation: Vec<f64>,
    /// Of either ring.
    pub loop_kept: Vec<bool>,
    /// Of either ring, in [0, 1).
    pub loop_prominence: Vec<f64>,
    /// Of either ring: its distances, ascending, a twentieth of all pairs apart.
    pub given_distances: Vec<Vec<f64>>,
    /// Of either ring: its representations' distances, in the same way.
    pub found_distances: Vec<Vec<f64>>,
    /// Both terms of the loss during training.
    pub curve: Curve,
    /// Wall time of its training.
    pub seconds: f64,
}

impl Results {
    /// Collects what [`train_networks`] found.
    pub fn new(scale: Scale, settings: &Settings, networks: &Networks) -> Self {
        fn by_ring<T>(trained: &Trained, value: impl Fn(&RingShape) -> T) -> Vec<T> {
            trained.shape.iter().map(value).collect()
        }
        let run = |trained: &Trained| Run {
            mapping: trained.mapping.to_string(),
            seed: trained.seed,
            accuracy: trained.accuracy,
            stress: by_ring(trained, |ring| ring.stress),
            distance_correlation: by_ring(trained, |ring| ring.distance_correlation),
            loop_kept: by_ring(trained, |ring| ring.loop_kept),
            loop_prominence: by_ring(trained, |ring| ring.loop_prominence),
            given_distances: by_ring(trained, |ring| ring.given_quantiles.clone()),
            found_distances: by_ring(trained, |ring| ring.found_quantiles.clone()),
            curve: Curve::of(&trained.history, CURVE),
            seconds: trained.seconds,
        };
        Self {
            scale: scale.to_string(),
            points: settings.rings.points,
            epochs: settings.epochs,
            beta: settings.beta,
            learning_rate: settings.learning_rate,
            seeds: settings.seeds.clone(),
            runs: networks.runs.iter().map(|one| run(&one.result)).collect(),
            seconds: networks.runs.iter().map(|one| one.result.seconds).sum(),
        }
    }
}
