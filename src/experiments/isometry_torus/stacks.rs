//! A stack for each seed, with the gradient stopped between its layers or let through.

use std::path::Path;
use std::time::Instant;

use super::settings::{Gradient, Settings};
use super::shape::{LevelShape, level_shapes};
use crate::datasets::Torus;
use crate::error::Result;
use crate::experiments::sweep::{Sweep, cases};
use crate::models::{LocallyIsometric, Model};
use crate::training::{History, Status, train_stack_heard};

/// A trained stack.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Stopped or let through between its layers.
    pub gradient: Gradient,
    /// Decided the torus's noise and the initial weights.
    pub seed: u64,
    /// What it was trained on.
    pub torus: Torus,
    /// The stack.
    pub stack: Model<LocallyIsometric>,
    /// What training reported, layer by layer.
    pub histories: Vec<History>,
    /// Layer by layer, coarse to fine.
    pub levels: Vec<LevelShape>,
    /// Wall time of its training; stacks are trained side by side.
    pub seconds: f64,
}

/// The stacks by gradient and seed.
pub type Stacks = Sweep<Gradient, Trained>;

/// Trains one stack; `hear` hears of it as a [`StackParams::observer`] does.
///
/// # Errors
/// A setting out of its range.
pub fn train_one(
    settings: &Settings,
    gradient: Gradient,
    seed: u64,
    hear: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let begin = Instant::now();
    let torus = settings.data(seed)?;
    let stack = settings.stack(gradient, seed)?;
    let (levels, loss) = (torus.levels()?, settings.loss());
    let histories = train_stack_heard(&stack, &levels, &loss, &settings.training(), hear)?;
    let seconds = begin.elapsed().as_secs_f64();
    let levels = level_shapes(&stack.freeze()?, &torus)?;
    Ok(Trained {
        gradient,
        seed,
        torus,
        stack,
        histories,
        levels,
        seconds,
    })
}

/// Trains a stack with the gradient stopped for each of [`Settings::seeds`], then one with the
/// gradient let through for each of [`Settings::through_seeds`], side by side.
///
/// # Errors
/// No seed, or an error of [`train_one`].
pub fn train_stacks(settings: &Settings) -> Result<Stacks> {
    let mut all = cases(&[Gradient::Stopped], &settings.seeds)?;
    all.extend(
        settings
            .through_seeds
            .iter()
            .map(|seed| (Gradient::Through, *seed)),
    );
    let words = |gradient: &Gradient, trained: &Trained| {
        let accuracies = trained
            .levels
            .iter()
            .map(|level| format!("{:.4}", level.accuracy));
        let accuracies = accuracies.collect::<Vec<_>>().join(", ");
        format!("gradient {gradient}: accuracies {accuracies}")
    };
    Sweep::train(&all, &settings.progress, words, |gradient, seed, hear| {
        train_one(settings, *gradient, seed, hear)
    })
}

/// Writes each stack's weights to `folder` as `stopped_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_stacks(stacks: &Stacks, folder: impl AsRef<Path>) -> Result<()> {
    let name = |gradient: &Gradient, seed| format!("{gradient}_seed_{seed}");
    stacks.save(folder.as_ref(), |trained| &trained.stack, name)
}

impl Stacks {
    /// One number of layer `level`, from 0, of every stack with that gradient, seed by seed; nothing
    /// where there is no such layer.
    pub fn level_values(
        &self,
        gradient: Gradient,
        level: usize,
        value: impl Fn(&LevelShape) -> f64,
    ) -> Vec<f64> {
        let stacks = self.at(&gradient).into_iter();
        let shapes = stacks.filter_map(|trained| trained.levels.get(level));
        shapes.map(value).collect()
    }
}
