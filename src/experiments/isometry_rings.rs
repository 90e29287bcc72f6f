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
use crate::losses::{Lil, Partition};
use crate::metrics::{accuracy, correlation, members, most_prominent_loop, pair_distances, stress};
use crate::models::{Activation, Mlp, Network as _, Parameters};
use crate::progress::Bar;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::training::{AdamParams, History, Progress, TrainParams, in_parallel, train};

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
    /// Of Adam; the paper gives none, 1e-3 is the usual one.
    pub learning_rate: f64,
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
    pub fn loss(&self, mapping: Partition) -> Lil {
        match mapping {
            Partition::None => Lil {
                beta: 0.,
                ..Lil::default()
            },
            partition => Lil {
                beta: self.beta,
                partition,
                ..Lil::default()
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

/// Values of a list in ascending order, a twentieth of it apart, from the first to the last.
fn quantiles(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    (0..=20)
        .filter_map(|step| values.get(last * step / 20).copied())
        .collect()
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The kind of mapping.
    pub mapping: Partition,
    /// Of the rings and of the initial weights.
    pub seed: u64,
    /// What it was trained on.
    pub rings: Rings,
    /// Frozen.
    pub network: Mlp,
    /// Its weights by name, to be saved.
    pub parameters: Parameters,
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

/// Φ, the output of the last hidden layer of `network`, of points `x` (N, 3).
///
/// # Errors
/// Shapes that do not fit.
pub fn representation(network: &Mlp, x: &Tensor) -> Result<Tensor> {
    network.forward_to(network.stages().saturating_sub(1), x)
}

/// What `network` does to either ring.
///
/// # Errors
/// Shapes that do not fit, or a ring of fewer than three points.
pub fn ring_shapes(network: &Mlp, rings: &Rings) -> Result<Vec<RingShape>> {
    let phi = representation(network, &rings.points)?;
    let shape = |index: &Tensor| {
        let (x, phi) = (
            rings.points.index_select(index, 0)?,
            phi.index_select(index, 0)?,
        );
        let (given, found) = (pair_distances(&x)?, pair_distances(&phi)?);
        let found_loop = most_prominent_loop(&phi)?;
        Ok(RingShape {
            stress: stress(&given, &found)?,
            distance_correlation: correlation(&given, &found)?,
            loop_prominence: found_loop.prominence(),
            loop_kept: found_loop.kept(),
            given_quantiles: quantiles(given),
            found_quantiles: quantiles(found),
        })
    };
    members(&rings.points, &rings.labels)?
        .iter()
        .map(shape)
        .collect()
}

/// Trains one network; `progress` as in [`train`].
///
/// # Errors
/// A setting out of its range.
pub fn train_network(
    settings: &Settings,
    mapping: Partition,
    seed: u64,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    if settings.beta <= 0. {
        return Err(Error::argument(
            "beta",
            "above 0 (0 is the mapping Partition::None)",
            settings.beta,
        ));
    }
    let begin = Instant::now();
    let rings = settings.data(seed)?;
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(seed), DType::F32, rings.points.device());
    let network = Mlp::new(&settings.sizes, Activation::Tanh, builder)?;
    let loss = settings.loss(mapping);
    let params = settings.training();
    let history = train(
        &network,
        &parameters,
        &loss,
        &rings.points,
        &rings.labels,
        &params,
        progress,
    )?;
    let network = network.freeze()?;
    let seconds = begin.elapsed().as_secs_f64();
    let accuracy = accuracy(
        &network,
        &rings.points,
        &rings.labels,
        settings.rings.points,
    )?;
    let shape = ring_shapes(&network, &rings)?;
    Ok(Trained {
        mapping,
        seed,
        rings,
        network,
        parameters,
        history,
        accuracy,
        shape,
        seconds,
    })
}

/// Trains every network, `[mapping][seed]`, side by side; `bar` counts them.
///
/// # Errors
/// No mapping, no seed, or an error of [`train_network`].
pub fn train_networks(settings: &Settings, bar: &Bar) -> Result<Vec<Vec<Trained>>> {
    let Settings {
        mappings, seeds, ..
    } = settings;
    if mappings.is_empty() || seeds.is_empty() {
        let got = format!("{} and {}", mappings.len(), seeds.len());
        return Err(Error::argument(
            "mappings and seeds",
            "at least one each",
            got,
        ));
    }
    let pairs: Vec<(Partition, u64)> = mappings
        .iter()
        .flat_map(|mapping| seeds.iter().map(|seed| (*mapping, *seed)))
        .collect();
    bar.begin(pairs.len(), "networks");
    let trained = in_parallel(&pairs, |(mapping, seed)| {
        let mut part = bar.part();
        let trained = train_network(settings, *mapping, *seed, &mut |progress| {
            part.set(progress.share())
        })?;
        part.finish(format!(
            "{mapping} isometry, seed {seed}: accuracy {:.4}",
            trained.accuracy
        ));
        Ok(trained)
    })?;
    Ok(trained
        .chunks(seeds.len())
        .map(<[Trained]>::to_vec)
        .collect())
}

/// The network of a kind of mapping and a seed.
///
/// # Errors
/// There is none.
pub fn pick(networks: &[Vec<Trained>], mapping: Partition, seed: u64) -> Result<Trained> {
    let found = networks
        .iter()
        .flatten()
        .find(|trained| trained.mapping == mapping && trained.seed == seed);
    let got = || format!("{mapping} isometry, seed {seed}");
    found
        .cloned()
        .ok_or_else(|| Error::argument("network", "a mapping and a seed that were trained", got()))
}

/// One number of every ring of every network, networks first.
pub fn ring_values(networks: &[Trained], value: impl Fn(&RingShape) -> f64) -> Vec<f64> {
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
pub fn save_networks(networks: &[Vec<Trained>], folder: &Path) -> Result<()> {
    networks.iter().flatten().try_for_each(|trained| {
        let name = format!("{}_seed_{}.safetensors", trained.mapping, trained.seed);
        trained.parameters.save(folder.join(name))
    })
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
    pub fn new(scale: Scale, settings: &Settings, networks: &[Vec<Trained>]) -> Self {
        let run = |trained: &Trained| Run {
            mapping: trained.mapping.to_string(),
            seed: trained.seed,
            accuracy: trained.accuracy,
            stress: trained.shape.iter().map(|ring| ring.stress).collect(),
            distance_correlation: trained
                .shape
                .iter()
                .map(|ring| ring.distance_correlation)
                .collect(),
            loop_kept: trained.shape.iter().map(|ring| ring.loop_kept).collect(),
            loop_prominence: trained
                .shape
                .iter()
                .map(|ring| ring.loop_prominence)
                .collect(),
            given_distances: trained
                .shape
                .iter()
                .map(|ring| ring.given_quantiles.clone())
                .collect(),
            found_distances: trained
                .shape
                .iter()
                .map(|ring| ring.found_quantiles.clone())
                .collect(),
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
            runs: networks.iter().flatten().map(run).collect(),
            seconds: networks
                .iter()
                .flatten()
                .map(|trained| trained.seconds)
                .sum(),
        }
    }
}
