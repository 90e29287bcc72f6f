//! The *isometry* paper's torus: stacked locally isometric layers, section 3.4 and figure 4.
//!
//! One stack for each seed, with the gradient cut between its layers and, for comparison, with the
//! gradient let through ([`train_stacks`]), and what each layer does to the regions of its
//! resolution ([`LevelShape`]).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Tensor};
use serde::Serialize;

use crate::datasets::{Torus, TorusParams, torus};
use crate::device;
use crate::error::{Error, Result};
use crate::experiments::Curve;
use crate::losses::{Lil, Terms};
use crate::metrics::{
    accuracy, correlation, distances_within, members, most_prominent_loop, stress,
};
use crate::models::{
    Gradient, Head, LayerOutput, LocallyIsometric, LocallyIsometricParams, Parameters,
};
use crate::progress::Bar;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::training::{
    AdamParams, History, Progress, StackParams, in_parallel, stack_terms, train_stack,
};

/// Points of a curve in the results.
const CURVE: usize = 100;

/// What the paper fixes, and how much of it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// 1,600 points, noise 0.001 (section 3.4); its regions are the resolutions. A run's own seed
    /// takes the place of its.
    pub torus: TorusParams,
    /// The sizes of each layer's hidden layers: four of 20 (section 2.2).
    pub hidden: Vec<usize>,
    /// Shared (section 3.4).
    pub head: Head,
    /// The weight of the isometric loss: 100 (section 3.4).
    pub beta: f64,
    /// One torus and one stack with the gradient cut a seed; the paper shows one.
    pub seeds: Vec<u64>,
    /// The seeds that are also trained with the gradient let through.
    pub through_seeds: Vec<u64>,
    /// 10,000, each one step on all points (section 2.2).
    pub epochs: usize,
    /// Of Adam; the paper gives none, 1e-3 is the usual one.
    pub learning_rate: f64,
}

impl Settings {
    /// `quick`: 384 points, one seed, 1,000 epochs at a learning rate of 3e-3. `default`: the
    /// paper's 1,600 points and 10,000 epochs, three seeds, one of them also with the gradient let
    /// through. `paper`: ten seeds, both ways.
    pub fn of(scale: Scale) -> Self {
        let (toroidal, poloidal) = scale.pick((24, 16), (40, 40), (40, 40));
        Self {
            torus: TorusParams {
                toroidal,
                poloidal,
                ..TorusParams::default()
            },
            hidden: vec![20; 4],
            head: Head::Shared,
            beta: 100.,
            seeds: (0..scale.pick(1, 3, 10)).collect(),
            through_seeds: (0..scale.pick(1, 1, 10)).collect(),
            epochs: scale.pick(1_000, 10_000, 10_000),
            learning_rate: scale.pick(3e-3, 1e-3, 1e-3),
        }
    }

    /// The torus of a seed, on the best device.
    ///
    /// # Errors
    /// As [`torus`].
    pub fn data(&self, seed: u64) -> Result<Torus> {
        let set = torus(&TorusParams {
            seed,
            ..self.torus.clone()
        })?;
        let device = device::best();
        let labels = set
            .labels
            .iter()
            .map(|labels| Ok(labels.to_device(&device)?))
            .collect::<Result<_>>()?;
        Ok(Torus {
            points: set.points.to_device(&device)?,
            labels,
            circles: set.circles.to_device(&device)?,
        })
    }

    /// The shape of a stack: a layer for each resolution.
    pub fn shape(&self, gradient: Gradient) -> LocallyIsometricParams {
        LocallyIsometricParams {
            inputs: 3,
            hidden: self.hidden.clone(),
            classes: self.torus.regions.clone(),
            head: self.head,
            gradient,
        }
    }

    /// The training loss of every layer, L_CE + β·L_ISO with the partition by region.
    pub fn loss(&self) -> Lil {
        Lil {
            beta: self.beta,
            ..Lil::default()
        }
    }

    /// How each stack is trained.
    pub fn training(&self) -> StackParams {
        let adam = AdamParams {
            learning_rate: self.learning_rate,
            ..AdamParams::default()
        };
        StackParams {
            epochs: self.epochs,
            adam,
        }
    }
}

/// What a layer of a stack does at its resolution. Distances are those between two points of one
/// region, all regions together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LevelShape {
    /// The number of regions.
    pub regions: usize,
    /// On the points it was trained on, in [0, 1].
    pub accuracy: f64,
    /// [`stress`] of the distances between the points themselves: 0 if all are kept.
    pub stress: f64,
    /// [`correlation`] of the distances between the points and between their representations.
    pub distance_correlation: f64,
    /// [`stress`] of the distances between what the layer got, Φ of the layer before, which its
    /// loss asks it to keep.
    pub stress_of_layer: f64,
    /// The share of the circles around the tube whose [loop is kept](crate::metrics::Loop::kept).
    pub loop_kept: f64,
}

/// A trained stack.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Cut or let through between its layers.
    pub gradient: Gradient,
    /// Of the torus's noise and of the initial weights.
    pub seed: u64,
    /// What it was trained on.
    pub torus: Torus,
    /// Frozen.
    pub stack: LocallyIsometric,
    /// Its weights by name, to be saved.
    pub parameters: Parameters,
    /// What training reported, layer by layer.
    pub histories: Vec<History>,
    /// Layer by layer, coarse to fine.
    pub levels: Vec<LevelShape>,
    /// Wall time of its training; stacks are trained side by side.
    pub seconds: f64,
}

/// What every layer does to the torus, coarse to fine.
///
/// # Errors
/// Shapes that do not fit, or circles of fewer than three points.
pub fn level_shapes(stack: &LocallyIsometric, torus: &Torus) -> Result<Vec<LevelShape>> {
    let circles = members(&torus.points, &torus.circles)?;
    let outputs = stack.outputs(&torus.points)?;
    let shape = |(index, (output, labels)): (usize, (&LayerOutput, &Tensor))| {
        let within = |points: &Tensor| distances_within(points, labels);
        let (given, got, found) = (
            within(&torus.points)?,
            within(&output.input)?,
            within(&output.representation)?,
        );
        let kept = |circle: &Tensor| -> Result<bool> {
            Ok(most_prominent_loop(&output.representation.index_select(circle, 0)?)?.kept())
        };
        let kept = circles.iter().map(kept).collect::<Result<Vec<bool>>>()?;
        let (given_all, found_all) = (given.concat(), found.concat());
        Ok(LevelShape {
            regions: given.len(),
            accuracy: accuracy(
                &stack.level(index)?,
                &torus.points,
                labels,
                torus.points.dim(0)?,
            )?,
            stress: stress(&given_all, &found_all)?,
            distance_correlation: correlation(&given_all, &found_all)?,
            stress_of_layer: stress(&got.concat(), &found_all)?,
            loop_kept: kept.iter().filter(|kept| **kept).count() as f64 / kept.len() as f64,
        })
    };
    outputs
        .iter()
        .zip(&torus.labels)
        .enumerate()
        .map(shape)
        .collect()
}

/// A fresh stack of a seed: its weights by name and itself.
fn fresh(
    settings: &Settings,
    gradient: Gradient,
    seed: u64,
    torus: &Torus,
) -> Result<(LocallyIsometric, Parameters)> {
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(seed), DType::F32, torus.points.device());
    Ok((
        LocallyIsometric::new(&settings.shape(gradient), builder)?,
        parameters,
    ))
}

/// Which layers each loss reaches: the norm of ∇L_k in the weights of layer l at `[k][l]`, before
/// training.
///
/// # Errors
/// A setting out of its range.
pub fn gradient_norms(settings: &Settings, gradient: Gradient, seed: u64) -> Result<Vec<Vec<f64>>> {
    let torus = settings.data(seed)?;
    let (stack, parameters) = fresh(settings, gradient, seed, &torus)?;
    let terms = stack_terms(&stack, &settings.loss(), &torus.points, &torus.labels)?;
    let norms = |terms: &Terms| -> Result<Vec<f64>> {
        let gradients = terms.loss.backward()?;
        let mut squares = vec![0.; stack.len()];
        for (layer, square) in squares.iter_mut().enumerate() {
            let prefix = format!("lil.{layer}.");
            for (_, var) in parameters
                .named()
                .iter()
                .filter(|(name, _)| name.starts_with(&prefix))
            {
                if let Some(gradient) = gradients.get(var) {
                    *square += gradient
                        .sqr()?
                        .sum_all()?
                        .to_dtype(DType::F64)?
                        .to_scalar::<f64>()?;
                }
            }
        }
        Ok(squares.into_iter().map(f64::sqrt).collect())
    };
    terms.iter().map(norms).collect()
}

/// Trains one stack; `progress` as in [`train_stack`].
///
/// # Errors
/// A setting out of its range.
pub fn train_one(
    settings: &Settings,
    gradient: Gradient,
    seed: u64,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    let begin = Instant::now();
    let torus = settings.data(seed)?;
    let (stack, parameters) = fresh(settings, gradient, seed, &torus)?;
    let (loss, params) = (settings.loss(), settings.training());
    let histories = train_stack(
        &stack,
        &parameters,
        &loss,
        &torus.points,
        &torus.labels,
        &params,
        progress,
    )?;
    let stack = stack.freeze()?;
    let seconds = begin.elapsed().as_secs_f64();
    let levels = level_shapes(&stack, &torus)?;
    Ok(Trained {
        gradient,
        seed,
        torus,
        stack,
        parameters,
        histories,
        levels,
        seconds,
    })
}

/// Trains a stack with the gradient cut for each of [`Settings::seeds`], then one with the gradient
/// let through for each of [`Settings::through_seeds`], side by side; `bar` counts them.
///
/// # Errors
/// No seed, or an error of [`train_one`].
pub fn train_stacks(settings: &Settings, bar: &Bar) -> Result<Vec<Trained>> {
    if settings.seeds.is_empty() {
        return Err(Error::argument("seeds", "at least one", "empty"));
    }
    let with = |seeds: &[u64], gradient| {
        seeds
            .iter()
            .map(|seed| (gradient, *seed))
            .collect::<Vec<_>>()
    };
    let pairs = [
        with(&settings.seeds, Gradient::Cut),
        with(&settings.through_seeds, Gradient::Through),
    ]
    .concat();
    bar.begin(pairs.len(), "stacks");
    in_parallel(&pairs, |(gradient, seed)| {
        let mut part = bar.part();
        let trained = train_one(settings, *gradient, *seed, &mut |progress| {
            part.set(progress.share())
        })?;
        let accuracies: Vec<String> = trained
            .levels
            .iter()
            .map(|level| format!("{:.4}", level.accuracy))
            .collect();
        part.finish(format!(
            "gradient {gradient}, seed {seed}: accuracies {}",
            accuracies.join(", ")
        ));
        Ok(trained)
    })
}

/// The stack of a seed.
///
/// # Errors
/// There is none.
pub fn pick(stacks: &[Trained], gradient: Gradient, seed: u64) -> Result<Trained> {
    let found = stacks
        .iter()
        .find(|trained| trained.gradient == gradient && trained.seed == seed);
    let got = || format!("gradient {gradient}, seed {seed}");
    found
        .cloned()
        .ok_or_else(|| Error::argument("stack", "a gradient and a seed that were trained", got()))
}

/// One number of layer `level` (from 0) of every stack with that gradient, in the order of the
/// seeds.
pub fn level_values(
    stacks: &[Trained],
    gradient: Gradient,
    level: usize,
    value: impl Fn(&LevelShape) -> f64,
) -> Vec<f64> {
    let of_gradient = stacks.iter().filter(|trained| trained.gradient == gradient);
    of_gradient
        .filter_map(|trained| trained.levels.get(level))
        .map(value)
        .collect()
}

/// Writes each stack's weights to `folder` as `cut_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_stacks(stacks: &[Trained], folder: &Path) -> Result<()> {
    stacks.iter().try_for_each(|trained| {
        let name = format!("{}_seed_{}.safetensors", trained.gradient, trained.seed);
        trained.parameters.save(folder.join(name))
    })
}

/// Section 3.4 in numbers: the notebook's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// Of the torus.
    pub points: usize,
    /// The number of regions at each resolution, coarse to fine.
    pub regions: Vec<usize>,
    /// Steps on all points.
    pub epochs: usize,
    /// The weight of the isometric loss.
    pub beta: f64,
    /// Of Adam.
    pub learning_rate: f64,
    /// By the gradient between layers, [`gradient_norms`] of the first seed.
    pub gradient_norms: BTreeMap<String, Vec<Vec<f64>>>,
    /// Each stack.
    pub runs: Vec<Run>,
    /// Wall time of all training, the sum over stacks, which are trained side by side.
    pub seconds: f64,
}

/// One stack in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// `cut` or `through`.
    pub gradient: String,
    /// Of the torus's noise and of the initial weights.
    pub seed: u64,
    /// Coarse to fine.
    pub levels: Vec<LevelShape>,
    /// Both terms of every layer's loss during training, coarse to fine.
    pub curves: Vec<Curve>,
    /// Wall time of its training.
    pub seconds: f64,
}

impl Results {
    /// Collects what [`train_stacks`] found.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(scale: Scale, settings: &Settings, stacks: &[Trained]) -> Result<Self> {
        let seed = settings.seeds.first().copied().unwrap_or(0);
        let norms = |gradient: Gradient| {
            Ok((
                gradient.to_string(),
                gradient_norms(settings, gradient, seed)?,
            ))
        };
        let gradient_norms = [Gradient::Cut, Gradient::Through]
            .into_iter()
            .map(norms)
            .collect::<Result<_>>()?;
        let run = |trained: &Trained| Run {
            gradient: trained.gradient.to_string(),
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
            gradient_norms,
            runs: stacks.iter().map(run).collect(),
            seconds: stacks.iter().map(|trained| trained.seconds).sum(),
        })
    }
}
