//! A stack for each seed, with the gradient stopped between its layers or let through.

use std::path::Path;
use std::time::Instant;

use super::settings::{Gradient, Settings};
use super::shape::{LayerShape, layer_shapes};
use crate::datasets::Torus;
use crate::error::Result;
use crate::experiments::sweep::{Sweep, cases};
use crate::models::{LocallyIsometric, Model};
use crate::training::{History, Status, train_stack_observed};

/// A trained stack of locally isometric layers, with what each layer does to the torus.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Whether the gradient was stopped between its layers.
    pub gradient: Gradient,
    /// The seed of the torus's noise and of the initial weights.
    pub seed: u64,
    /// The torus that it was trained on.
    pub torus: Torus,
    /// The stack with its weights.
    pub stack: Model<LocallyIsometric>,
    /// The histories of its training, layer by layer.
    pub histories: Vec<History>,
    /// The shape of the torus in each layer, coarse to fine.
    pub levels: Vec<LayerShape>,
    /// The wall time of its training in seconds; stacks are trained side by side.
    pub seconds: f64,
}

/// The trained stacks by gradient and seed.
pub type Stacks = Sweep<Gradient, Trained>;

/// Trains one stack on the torus of a seed; `observer` is called as a
/// [`StackParams::observer`](crate::training::StackParams::observer) is.
///
/// # Errors
/// A setting out of its range.
pub fn train_one(
    settings: &Settings,
    gradient: Gradient,
    seed: u64,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let begin = Instant::now();
    let torus = settings.data(seed)?;
    let stack = settings.stack(gradient, seed)?;
    let (levels, loss) = (torus.levels()?, settings.loss());
    let histories = train_stack_observed(&stack, &levels, &loss, &settings.training(), observer)?;
    let seconds = begin.elapsed().as_secs_f64();
    let levels = layer_shapes(&stack.freeze()?, &torus)?;
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
    let all = all_cases(settings)?;
    let words = |gradient: &Gradient, trained: &Trained| {
        let accuracies = trained
            .levels
            .iter()
            .map(|level| format!("{:.4}", level.accuracy));
        let accuracies = accuracies.collect::<Vec<_>>().join(", ");
        format!("gradient {gradient}: accuracies {accuracies}")
    };
    Sweep::train(
        &all,
        &settings.progress,
        words,
        |gradient, seed, observer| train_one(settings, *gradient, seed, observer),
    )
}

/// The gradient and the seed of every stack.
pub(super) fn all_cases(settings: &Settings) -> Result<Vec<(Gradient, u64)>> {
    let mut all = cases(&[Gradient::Stopped], &settings.seeds)?;
    let through = settings.through_seeds.iter();
    all.extend(through.map(|seed| (Gradient::Through, *seed)));
    Ok(all)
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
    /// One number of layer `level`, from 0, for every stack with that gradient, seed by seed;
    /// nothing where there is no such layer.
    pub fn level_values(
        &self,
        gradient: Gradient,
        level: usize,
        value: impl Fn(&LayerShape) -> f64,
    ) -> Vec<f64> {
        let stacks = self.at(&gradient).into_iter();
        let shapes = stacks.filter_map(|trained| trained.levels.get(level));
        shapes.map(value).collect()
    }
}
