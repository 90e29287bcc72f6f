//! The experiment in numbers, for other programs.

use serde::Serialize;

use super::networks::{Networks, Trained};
use super::settings::Settings;
use super::shape::RingShape;
use crate::experiments::Curve;
use crate::scale::Scale;

/// Points of a curve in the results.
const CURVE: usize = 100;

/// Section 3.1 in numbers: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// The points of both rings together.
    pub points: usize,
    /// Steps on all points.
    pub epochs: usize,
    /// The weight of the isometric loss.
    pub beta: f64,
    /// Adam's.
    pub learning_rate: f64,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Each network, by mapping and seed.
    pub runs: Vec<NetworkResults>,
    /// Wall time of all training, the sum over networks, which are trained side by side.
    pub seconds: f64,
}

/// One network in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkResults {
    /// `none`, `local` or `global`.
    pub mapping: String,
    /// Decided the rings and the initial weights.
    pub seed: u64,
    /// In [0, 1].
    pub accuracy: f64,
    /// The stress of each ring, ≥ 0.
    pub stress: Vec<f64>,
    /// The correlation of distances in each ring, in [−1, 1]; null where a ring has become a point.
    pub distance_correlation: Vec<f64>,
    /// Whether the loop of each ring is kept.
    pub loop_kept: Vec<bool>,
    /// The prominence of each ring's loop, in [0, 1).
    pub loop_prominence: Vec<f64>,
    /// Each ring's distances, ascending, a twentieth of all pairs apart.
    #[serde(rename = "given_distances")]
    pub distances_before: Vec<Vec<f64>>,
    /// The distances of each ring's representations, in the same way.
    #[serde(rename = "found_distances")]
    pub distances_after: Vec<Vec<f64>>,
    /// Both terms of the loss during training.
    pub curve: Curve,
    /// Wall time of its training.
    pub seconds: f64,
}

impl Results {
    /// Collects what [`train_networks`](super::train_networks) found.
    pub fn new(scale: Scale, settings: &Settings, networks: &Networks) -> Self {
        fn by_ring<T>(trained: &Trained, value: impl Fn(&RingShape) -> T) -> Vec<T> {
            trained.shape.iter().map(value).collect()
        }
        let run = |trained: &Trained| NetworkResults {
            mapping: trained.mapping.to_string(),
            seed: trained.seed,
            accuracy: trained.accuracy,
            stress: by_ring(trained, |ring| ring.stress),
            distance_correlation: by_ring(trained, |ring| ring.distance_correlation),
            loop_kept: by_ring(trained, |ring| ring.loop_kept),
            loop_prominence: by_ring(trained, |ring| ring.loop_prominence),
            distances_before: by_ring(trained, |ring| ring.distances_before.clone()),
            distances_after: by_ring(trained, |ring| ring.distances_after.clone()),
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
