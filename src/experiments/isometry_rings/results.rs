//! The numbers of the experiment, for other programs.

use serde::Serialize;

use super::networks::{Networks, Trained};
use super::settings::Settings;
use super::shape::RingShape;
use crate::experiments::Curve;
use crate::scale::Scale;

/// Points of a curve in the results.
const CURVE: usize = 100;

/// The numbers of section 3.1 of the *isometry* paper: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// The scale of the run: `quick`, `default` or `paper`.
    pub scale: String,
    /// The number of points of both rings together.
    pub points: usize,
    /// The number of steps, each on all points.
    pub epochs: usize,
    /// The weight β of the isometric loss.
    pub beta: f64,
    /// The learning rate of Adam.
    pub learning_rate: f64,
    /// The seeds of the networks.
    pub seeds: Vec<u64>,
    /// The networks' numbers, by mapping and seed.
    pub runs: Vec<NetworkResults>,
    /// The wall time of all training in seconds, the sum over networks, which are trained side by
    /// side.
    pub seconds: f64,
}

/// The numbers of one network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkResults {
    /// The kind of mapping: `none`, `local` or `global`.
    pub mapping: String,
    /// The seed of the rings and of the initial weights.
    pub seed: u64,
    /// The accuracy on the points it was trained on, in [0, 1].
    pub accuracy: f64,
    /// The stress of each ring, ≥ 0.
    pub stress: Vec<f64>,
    /// The correlation of distances in each ring, in [−1, 1]; null where a ring has become a point.
    pub distance_correlation: Vec<f64>,
    /// Whether the loop of each ring is kept.
    pub loop_kept: Vec<bool>,
    /// The prominence of each ring's loop, in [0, 1).
    pub loop_prominence: Vec<f64>,
    /// The distances in each ring, ascending, a twentieth of all pairs apart.
    #[serde(rename = "given_distances")]
    pub distances_before: Vec<Vec<f64>>,
    /// The distances of each ring's representations, ascending, a twentieth of all pairs apart.
    #[serde(rename = "found_distances")]
    pub distances_after: Vec<Vec<f64>>,
    /// The terms of the loss during training.
    pub curve: Curve,
    /// The wall time of its training in seconds.
    pub seconds: f64,
}

impl Results {
    /// Collects the numbers of what [`train_networks`](super::train_networks) found.
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
