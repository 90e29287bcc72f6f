//! The numbers of the experiment, for other programs.

use serde::Serialize;

use super::gradient::{GradientNorms, gradient_norms};
use super::settings::{Gradient, Settings};
use super::shape::LayerShape;
use super::stacks::{Stacks, Trained};
use crate::error::Result;
use crate::experiments::Curve;
use crate::scale::Scale;

/// Points of a curve in the results.
const CURVE: usize = 100;

/// By this name the results know it.
fn key(gradient: Gradient) -> &'static str {
    match gradient {
        Gradient::Stopped => "cut",
        Gradient::Through => "through",
    }
}

/// The numbers of section 3.4 of the *isometry* paper: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// The scale of the run: `quick`, `default` or `paper`.
    pub scale: String,
    /// The number of points of the torus.
    pub points: usize,
    /// The number of regions at each resolution, coarse to fine.
    pub regions: Vec<usize>,
    /// The number of steps, each on all points.
    pub epochs: usize,
    /// The weight β of the isometric loss.
    pub beta: f64,
    /// The learning rate of Adam.
    pub learning_rate: f64,
    /// The norms that show which layers each loss reaches, in fresh stacks of the first seed.
    pub gradient_norms: GradientNorms,
    /// The stacks' numbers.
    pub runs: Vec<StackResults>,
    /// The wall time of all training in seconds, the sum over stacks, which are trained side by
    /// side.
    pub seconds: f64,
}

/// The numbers of one stack.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StackResults {
    /// Whether the gradient was stopped between layers: `cut` if so, else `through`.
    pub gradient: String,
    /// The seed of the torus's noise and of the initial weights.
    pub seed: u64,
    /// The shape of the torus in each layer, coarse to fine.
    pub levels: Vec<LayerShape>,
    /// The terms of every layer's loss during training, coarse to fine.
    pub curves: Vec<Curve>,
    /// The wall time of its training in seconds.
    pub seconds: f64,
}

impl Results {
    /// Collects the numbers of what [`train_stacks`](super::train_stacks) found.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(scale: Scale, settings: &Settings, stacks: &Stacks) -> Result<Self> {
        let seed = settings.seeds.first().copied().unwrap_or(0);
        let run = |trained: &Trained| StackResults {
            gradient: key(trained.gradient).into(),
            seed: trained.seed,
            levels: trained.levels.clone(),
            curves: trained
                .histories
                .iter()
                .map(|history| Curve::of(history, CURVE))
                .collect(),
            seconds: trained.seconds,
        };
        Ok(Self {
            scale: scale.to_string(),
            points: settings.torus.toroidal * settings.torus.poloidal,
            regions: settings.torus.regions.clone(),
            epochs: settings.epochs,
            beta: settings.beta,
            learning_rate: settings.learning_rate,
            gradient_norms: gradient_norms(settings, seed)?,
            runs: stacks.runs.iter().map(|one| run(&one.result)).collect(),
            seconds: stacks.runs.iter().map(|one| one.result.seconds).sum(),
        })
    }
}
