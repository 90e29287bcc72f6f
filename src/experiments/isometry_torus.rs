//! The *isometry* paper's torus: stacked locally isometric layers, section 3.4 and figure 4.
//!
//! One stack for each seed, with the gradient cut between its layers and, for comparison, with the
//! gradient let through ([`train_stacks`]), and what each layer does to the regions of its
//! resolution ([`LevelShape`]).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Tensor};
use serde::Serialize;

use crate::datasets::{Dataset, Torus, TorusParams, torus};
use crate::device;
use crate::error::Result;
use crate::experiments::Curve;
use crate::experiments::sweep::{Sweep, cases};
use crate::losses::{IsometricLoss, LossTerms};
use crate::metrics::{
    accuracy, correlation, distances_within, members, most_prominent_loop, stress,
};
use crate::models::{Head, LayerOutput, LocallyIsometric, LocallyIsometricParams, Model};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::{AdamParams, History, StackParams, Status, stack_terms, train_stack_heard};

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
    /// Adam's; the paper gives none, 1e-3 is the usual one.
    pub learning_rate: f64,
    /// Whether a moving line shows how far the sweep has come.
    pub progress: Progress,
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
            progress: Progress::default(),
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
            stop_gradient: gradient == Gradient::Stopped,
        }
    }

    /// A stack of a seed before training.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn stack(&self, gradient: Gradient, seed: u64) -> Result<Model<LocallyIsometric>> {
        let params = self.shape(gradient);
        let build = move |vb| LocallyIsometric::new(&params, vb);
        Model::on(seed, DType::F32, &device::best(), build)
    }

    /// The training loss of every layer, L_CE + β·L_ISO with the partition by region.
    pub fn loss(&self) -> IsometricLoss {
        IsometricLoss::new(self.beta)
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
            ..StackParams::default()
        }
    }
}

/// Whether the gradient of a layer's loss reaches the layers before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// It stops between layers ([`LocallyIsometricParams::stop_gradient`]).
    Stopped,
    /// It passes through all of them.
    Through,
}

/// `cut` or `through`: by these names the results know them.
impl fmt::Display for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "cut",
            Self::Through => "through",
        })
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

/// What every layer does to the torus, coarse to fine.
///
/// # Errors
/// Shapes that do not fit, or circles of fewer than three points.
pub fn level_shapes(stack: &LocallyIsometric, torus: &Torus) -> Result<Vec<LevelShape>> {
    let circles = members(&torus.points, &torus.circles)?;
    let outputs = stack.outputs(&torus.points)?;
    let shape = |(index, (output, level)): (usize, (&LayerOutput, Dataset))| {
        let within = |points: &Tensor| distances_within(points, &level.labels);
        let before = within(&torus.points)?;
        let (input, after) = (
            within(&output.input)?,
            within(&output.representation)?.concat(),
        );
        let kept = |circle: &Tensor| -> Result<bool> {
            Ok(most_prominent_loop(&output.representation.index_select(circle, 0)?)?.kept())
        };
        let kept = circles.iter().map(kept).collect::<Result<Vec<bool>>>()?;
        let regions = before.len();
        let before = before.concat();
        Ok(LevelShape {
            regions,
            accuracy: accuracy(&stack.level(index)?, &level)?,
            stress: stress(&before, &after)?,
            distance_correlation: correlation(&before, &after)?,
            stress_of_layer: stress(&input.concat(), &after)?,
            loop_kept: kept.iter().filter(|kept| **kept).count() as f64 / kept.len() as f64,
        })
    };
    outputs
        .iter()
        .zip(torus.levels()?)
        .enumerate()
        .map(shape)
        .collect()
}

/// The stacks by gradient and seed.
pub type Stacks = Sweep<Gradient, Trained>;

/// Which layers each loss reaches: the norm of ∇L_k in the weights of layer l at `[k][l]`, before
/// training.
///
/// # Errors
/// A setting out of its range.
pub fn gradient_norms(settings: &Settings, gradient: Gradient, seed: u64) -> Result<Vec<Vec<f64>>> {
    let stack = settings.stack(gradient, seed)?;
    let terms = stack_terms(&stack, &settings.data(seed)?.levels()?, &settings.loss())?;
    let norms = |terms: &LossTerms| -> Result<Vec<f64>> {
        let gradients = terms.loss.backward()?;
        let mut squares = vec![0.; stack.len()];
        for (layer, square) in squares.iter_mut().enumerate() {
            let prefix = format!("lil.{layer}.");
            let weights = stack.parameters().named();
            for (_, var) in weights.iter().filter(|(name, _)| name.starts_with(&prefix)) {
                if let Some(gradient) = gradients.get(var) {
                    let sum = gradient.sqr()?.sum_all()?.to_dtype(DType::F64)?;
                    *square += sum.to_scalar::<f64>()?;
                }
            }
        }
        Ok(squares.into_iter().map(f64::sqrt).collect())
    };
    terms.iter().map(norms).collect()
}

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
    let words = |trained: &Trained| {
        let accuracies = trained
            .levels
            .iter()
            .map(|level| format!("{:.4}", level.accuracy));
        format!("accuracies {}", accuracies.collect::<Vec<_>>().join(", "))
    };
    Sweep::train(&all, &settings.progress, words, |gradient, seed, hear| {
        train_one(settings, *gradient, seed, hear)
    })
}

/// One number of layer `level` (from 0) of every stack with that gradient, in the order of the
/// seeds.
pub fn level_values(
    stacks: &Stacks,
    gradient: Gradient,
    level: usize,
    value: impl Fn(&LevelShape) -> f64,
) -> Vec<f64> {
    let stacks = stacks.at(&gradient);
    stacks
        .into_iter()
        .filter_map(|trained| trained.levels.get(level))
        .map(value)
        .collect()
}

/// Writes each stack's weights to `folder` as `cut_seed_0.safetensors`.
///
/// # Errors
/// The folder cannot be written.
pub fn save_stacks(stacks: &Stacks, folder: &Path) -> Result<()> {
    let name = |gradient: &Gradient, seed| format!("{gradient}_seed_{seed}");
    stacks.save(folder, |trained| &trained.stack, name)
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
    pub fn new(scale: Scale, settings: &Settings, stacks: &Stacks) -> Result<Self> {
        let seed = settings.seeds.first().copied().unwrap_or(0);
        let norms = |gradient: Gradient| {
            Ok((
                gradient.to_string(),
                gradient_norms(settings, gradient, seed)?,
            ))
        };
        let both = [Gradient::Stopped, Gradient::Through];
        let gradient_norms = both.into_iter().map(norms).collect::<Result<_>>()?;
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
            runs: stacks.runs.iter().map(|one| run(&one.result)).collect(),
            seconds: stacks.runs.iter().map(|one| one.result.seconds).sum(),
        })
    }
}
