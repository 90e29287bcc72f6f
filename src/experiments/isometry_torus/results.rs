//! The experiment in numbers, for other programs.

use serde::Serialize;

use super::gradient::{GradientNorms, gradient_norms};
use super::settings::{Gradient, Settings};
use super::shape::LevelShape;
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

/// Section 3.4 in numbers: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// The points of the torus.
    pub points: usize,
    /// The number of regions at each resolution, coarse to fine.
    pub regions: Vec<usize>,
    /// Steps on all points.
    pub epochs: usize,
    /// The weight of the isometric loss.
    pub beta: f64,
    /// Adam's.
    pub learning_rate: f64,
    /// Which layers each loss reaches, in fresh stacks of the first seed.
    pub gradient_norms: GradientNorms,
    /// Each stack.
    pub runs: Vec<StackResults>,
    /// Wall time of all training, the sum over stacks, which are trained side by side.
    pub seconds: f64,
}

/// One stack in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StackResults {
    /// `cut` or `through`.
    pub gradient: String,
    /// Decided the torus's noise and the initial weights.
    pub seed: u64,
    /// What each layer does, coarse to fine.
    pub levels: Vec<LevelShape>,
    /// Both terms of every layer's loss during training, coarse to fine.
    pub curves: Vec<Curve>,
    /// Wall time of its training.
    pub seconds: f64,
}

impl Results {
    /// Collects what [`train_stacks`](super::train_stacks) found.
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
