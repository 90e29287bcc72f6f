//! A residual network for CIFAR-10, trained here: the network of the *connectivity* experiment at
//! sizes that a laptop can train, and at the paper's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::checks::at_least_one;
use crate::datasets::{Augmentation, Dataset, Split};
use crate::device;
use crate::error::{Error, Result};
use crate::io::results;
use crate::losses::LabelSmoothing;
use crate::metrics;
use crate::models::{Enlarged, Model, ResNet, ResNetParams, Weights, pretrained};
use crate::progress::Progress;
use crate::rng::Rng;
use crate::scale::Scale;
use crate::training::{
    History, Observer, Optimizer, Schedule, SgdParams, Status, TrainParams, train_observed,
};

/// The height and width of the data set's images in pixels.
const SIDE: usize = 32;
/// The largest side that is taken.
const LARGEST: usize = 1024;

/// The settings of a training of the CIFAR-10 network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The depth of the network: 18, 34, 50, 101 or 152.
    pub depth: usize,
    /// The number of channels of the network's stem, at least 1; torchvision's networks have 64.
    pub width: usize,
    /// The height and width of the network's inputs in pixels, from 32 to 1024. At 32 the network
    /// has the stem for them; larger ones are enlarged images, and the network has torchvision's
    /// stem, with ImageNet's mean and deviation.
    pub side: usize,
    /// The weights to begin with.
    #[serde(rename = "initial")]
    pub initial_weights: InitialWeights,
    /// The training's parts, one after another; at least one.
    pub phases: Vec<Phase>,
    /// The number of images in a step, at least 1.
    pub batch_size: usize,
    /// The optimizer; each phase has its own learning rate.
    pub optimizer: OptimizerKind,
    /// The factor of the weights that is added to their gradient; 0 with Adam, which has none here.
    pub weight_decay: f64,
    /// The share of each label that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// The number of training images, the first ones, that are learnt with
    /// [permuted labels](permuted_labels), as they are: neither cropped nor mirrored (Zhang et al.
    /// 2017). None, the default: all images with their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permuted: Option<usize>,
    /// The seed of the initial weights, the order of the images, their crops and mirror images, and of
    /// the permutation of labels.
    pub seed: u64,
    /// A file that the run is written to after every epoch, and continues from if the file exists;
    /// later phases have files beside it, with `.2` after its name and so on.
    #[serde(skip)]
    pub checkpoint: Option<PathBuf>,
    /// Whether a progress bar shows how far the training has come.
    #[serde(skip)]
    pub progress: Progress,
}

/// A part of a training. The next phase begins with its weights and a new optimiser: a warm restart
/// (Loshchilov & Hutter 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// The number of passes over the images, at least 1.
    pub epochs: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The course of the learning rate.
    pub rate: Rate,
}

/// The course of the learning rate during a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rate {
    /// The learning rate rises and falls ([`Schedule::ONE_CYCLE`]).
    #[serde(rename = "cycle")]
    OneCycle,
    /// The learning rate is constant, and the phase ends with the mean of the weights over all
    /// steps ([`TrainParams::average`]).
    #[serde(rename = "mean")]
    AveragedWeights,
}

impl Phase {
    /// Makes a phase whose learning rate rises to `learning_rate` and falls.
    pub const fn one_cycle(epochs: usize, learning_rate: f64) -> Self {
        Self {
            epochs,
            learning_rate,
            rate: Rate::OneCycle,
        }
    }

    /// Makes a phase with a constant learning rate, whose weights are averaged over all steps.
    pub const fn averaged_weights(epochs: usize, learning_rate: f64) -> Self {
        Self {
            epochs,
            learning_rate,
            rate: Rate::AveragedWeights,
        }
    }
}

/// The kind of [`Optimizer`] that trains the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Stochastic gradient descent with Nesterov's momentum of 0.9.
    Sgd,
    /// Adam, without weight decay.
    Adam,
}

/// The weights that a training begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialWeights {
    /// Weights drawn from the seed.
    Random,
    /// The weights that torchvision trained on ImageNet, [downloaded from the
    /// hub](pretrained::imagenet); the last layer is drawn from the seed.
    Imagenet,
    /// The weights of a safetensors file with torchvision's names, for any number of classes; the
    /// last layer is drawn from the seed.
    File(PathBuf),
}

impl Default for Settings {
    /// The network whose checkpoint the repository holds.
    fn default() -> Self {
        Self {
            depth: 50,
            width: 16,
            side: SIDE,
            initial_weights: InitialWeights::Random,
            phases: vec![
                Phase::one_cycle(30, 0.2),
                Phase::one_cycle(20, 0.1),
                Phase::averaged_weights(6, 0.05),
                Phase::one_cycle(5, 0.02),
            ],
            batch_size: 128,
            optimizer: OptimizerKind::Sgd,
            weight_decay: 5e-4,
            label_smoothing: 0.1,
            permuted: None,
            seed: 0,
            checkpoint: None,
            progress: Progress::default(),
        }
    }
}

impl Settings {
    /// The settings at a scale.
    ///
    /// `quick` and `default`: the network whose checkpoint the repository holds. `paper`: the whole
    /// ResNet-50 on 224×224 pixels, from ImageNet's weights, cross-entropy and Adam (*connectivity*
    /// paper, section 4); the paper says neither learning rate nor epochs nor batch size.
    pub fn of(scale: Scale) -> Self {
        match scale {
            Scale::Quick | Scale::Default => Self::default(),
            Scale::Paper => Self {
                width: 64,
                side: 224,
                initial_weights: InitialWeights::Imagenet,
                phases: vec![Phase::one_cycle(10, 1e-4)],
                batch_size: 64,
                optimizer: OptimizerKind::Adam,
                weight_decay: 0.,
                label_smoothing: 0.,
                ..Self::default()
            },
        }
    }

    /// The shape of the network.
    ///
    /// # Errors
    /// Another depth, or a side out of its range.
    pub fn network(&self) -> Result<ResNetParams> {
        match self.side {
            SIDE => ResNetParams::cifar10(self.depth, self.width),
            33..=LARGEST => Ok(ResNetParams {
                width: self.width,
                classes: 10,
                ..ResNetParams::of_depth(self.depth)?
            }),
            other => Err(Error::argument(
                "side",
                format!("from {SIDE} to {LARGEST}"),
                other,
            )),
        }
    }

    /// A name for files of this training, as `cifar10_resnet50_width16_seed0`.
    pub fn name(&self) -> String {
        let Self {
            depth,
            width,
            side,
            seed,
            permuted,
            ..
        } = self;
        let permuted = permuted.map_or(String::new(), |images| format!("_permuted{images}"));
        let side = if *side == SIDE {
            String::new()
        } else {
            format!("_side{side}")
        };
        format!("cifar10_resnet{depth}_width{width}{side}_seed{seed}{permuted}")
    }

    /// The same settings with a [checkpoint](Self::checkpoint) in a folder of `target/results`, so
    /// that an interrupted training continues when it is called again.
    pub fn resumable(self, folder: &str) -> Self {
        let folder = results::folder().join(folder);
        let checkpoint = Some(results::run_file(folder, &self.name()));
        Self { checkpoint, ..self }
    }

    /// The number of epochs of all phases together.
    pub fn epochs(&self) -> usize {
        self.phases.iter().map(|phase| phase.epochs).sum()
    }

    fn optimizer(&self, learning_rate: f64) -> Result<Optimizer> {
        let weight_decay = self.weight_decay;
        match self.optimizer {
            OptimizerKind::Sgd => Ok(SgdParams {
                learning_rate,
                weight_decay,
                ..SgdParams::default()
            }
            .into()),
            OptimizerKind::Adam if weight_decay != 0. => {
                Err(Error::argument("weight_decay", "0 with Adam", weight_decay))
            }
            OptimizerKind::Adam => Ok(Optimizer::adam(learning_rate)),
        }
    }
}

/// A trained network with its history and its test accuracy.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The network with its weights.
    pub network: Model<ResNet>,
    /// The history of all phases; accuracies are those on moved and mirrored training images.
    pub history: History,
    /// The share of the test images that the network gives their class, in [0, 1].
    pub test_accuracy: f64,
}

/// Builds the network of `settings` with the weights that its training begins with.
///
/// # Errors
/// A setting out of its range, or weights that cannot be downloaded or do not fit.
pub fn build(settings: &Settings, device: &Device) -> Result<Model<ResNet>> {
    let network = fresh(settings, device)?;
    let path = match &settings.initial_weights {
        InitialWeights::Random => return Ok(network),
        InitialWeights::Imagenet => pretrained::imagenet(settings.depth)?,
        InitialWeights::File(path) => path.clone(),
    };
    network
        .parameters()
        .set_weights_except(&Weights::read(path)?, "fc.")?;
    Ok(network)
}

/// Builds the network of `settings` with the weights of a file.
///
/// # Errors
/// A setting out of its range, a file that cannot be read, or weights that do not fit.
pub fn load(settings: &Settings, weights: &Path) -> Result<Model<ResNet>> {
    fresh(settings, &device::best())?.load(weights)
}

/// Builds the network of `settings` with the trained weights that the repository holds for it
/// ([`pretrained::checkpoint`]).
///
/// # Errors
/// The repository has none for these settings.
pub fn load_pretrained(settings: &Settings) -> Result<Model<ResNet>> {
    load(settings, &pretrained::checkpoint(&settings.name()))
}

/// Builds the network of `settings` with some weights.
///
/// # Errors
/// A setting out of its range, or weights that do not fit.
pub(crate) fn with_weights(
    settings: &Settings,
    weights: BTreeMap<String, Tensor>,
) -> Result<Model<ResNet>> {
    let network = fresh(settings, &device::best())?;
    let path = Path::new("the weights of a task");
    network.parameters().set(weights, path)?;
    Ok(network)
}

fn fresh(settings: &Settings, device: &Device) -> Result<Model<ResNet>> {
    let params = settings.network()?;
    Model::on(settings.seed, DType::F32, device, move |vb| {
        ResNet::new(params.clone(), vb)
    })
}

/// Puts the enlargement of the data set's images to [`Settings::side`] before a network.
///
/// # Errors
/// The device is out of memory.
pub fn on_images(network: &Model<ResNet>, settings: &Settings) -> Result<Model<Enlarged<ResNet>>> {
    let side = settings.side;
    network.wrap(move |network| Enlarged { network, side })
}

/// Trains a residual network on CIFAR-10, phase by phase: random crops and mirror images, softened
/// labels.
///
/// With [`Settings::checkpoint`] the run is written to a file after every epoch. An interrupted run
/// continues from there to the same result, and a finished one can get more phases.
///
/// # Errors
/// A setting out of its range, a checkpoint of another run, and what
/// [`train`](crate::training::train) refuses.
pub fn run(data: &Split, settings: &Settings) -> Result<Trained> {
    run_heard(data, settings, &mut *Observer::of(None, &settings.progress))
}

/// [`run`] with an observer; epochs and time left are those of all phases.
pub(crate) fn run_heard(
    data: &Split,
    settings: &Settings,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let phases = phases(settings)?;
    let permuted = settings
        .permuted
        .map(|images| permuted_labels(&data.train, images, settings.seed))
        .transpose()?;
    let train = permuted.as_ref().unwrap_or(&data.train);
    let network = build(settings, data.train.inputs.device())?;
    let enlarged = on_images(&network, settings)?;
    let loss = LabelSmoothing {
        smoothing: settings.label_smoothing,
    };
    let epochs = settings.epochs();
    let mut history = History::default();
    for params in &phases {
        let before = history.epochs.len();
        let mut whole = |part: &Status| {
            let later = (epochs - before - part.epochs) * train.len();
            let seconds_left = part.seconds_left + later as f64 / part.images_per_second;
            observer(&Status {
                epoch: before + part.epoch,
                epochs,
                seconds_left,
                ..part.clone()
            })
        };
        let part = train_observed(&enlarged, train, &loss, params, &mut whole)?;
        history.epochs.extend(part.epochs);
    }
    let test_accuracy = metrics::accuracy(&enlarged, &data.test)?;
    Ok(Trained {
        network,
        history,
        test_accuracy,
    })
}

/// The first `images` of a data set, with their labels permuted among them: what they show says
/// nothing about their labels, which a network can only learn by heart.
///
/// # Errors
/// No image, or more than there are.
pub fn permuted_labels(data: &Dataset, images: usize, seed: u64) -> Result<Dataset> {
    at_least_one("permuted", images)?;
    let first = data.range(0, images)?;
    let order = Rng::new(seed).stream("permuted labels").permutation(images);
    let labels = first.select(&order)?.labels;
    Ok(first.part(first.inputs.clone(), labels))
}

/// What [`train`] is told in each phase, all of it checked: a phase that cannot run is not found
/// out after hours.
fn phases(settings: &Settings) -> Result<Vec<TrainParams>> {
    if settings.phases.is_empty() {
        return Err(Error::argument("phases", "at least one phase", "none"));
    }
    let mut phases = Vec::with_capacity(settings.phases.len());
    for (index, phase) in settings.phases.iter().enumerate() {
        let (schedule, average) = match phase.rate {
            Rate::OneCycle => (Schedule::ONE_CYCLE, false),
            Rate::AveragedWeights => (Schedule::Constant, true),
        };
        let params = TrainParams {
            epochs: phase.epochs,
            batch_size: settings.batch_size,
            optimizer: settings.optimizer(phase.learning_rate)?,
            schedule,
            average,
            augmentation: match settings.permuted {
                Some(_) => Augmentation::default(),
                None => Augmentation {
                    crop_padding: 4,
                    flip: true,
                },
            },
            seed: seed_of(index, settings.seed)?,
            context: match settings.side {
                SIDE => String::new(),
                side => format!("images enlarged to {side} pixels"),
            },
            checkpoint: settings
                .checkpoint
                .as_deref()
                .map(|path| checkpoint_of(index, path)),
            ..TrainParams::default()
        };
        params.validate()?;
        phases.push(params);
    }
    for (phase, next) in phases.iter().zip(phases.iter().skip(1)) {
        if let (Some(path), Some(later)) = (&phase.checkpoint, &next.checkpoint)
            && !path.exists()
            && later.exists()
        {
            let expected = format!(
                "no file, since {} is absent (move it away to start again)",
                path.display()
            );
            return Err(Error::file(later, expected, "the run of a later phase"));
        }
    }
    Ok(phases)
}

/// The seed of a phase's order, crops and mirror images: the training's own for the first.
fn seed_of(phase: usize, seed: u64) -> Result<u64> {
    match phase {
        0 => Ok(seed),
        later => Ok(Rng::new(seed)
            .stream(format!("cycle {}", later + 1))
            .below(usize::MAX)? as u64),
    }
}

/// The file of a phase's run.
fn checkpoint_of(phase: usize, path: &Path) -> PathBuf {
    match phase {
        0 => path.to_path_buf(),
        later => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}", later + 1));
            name.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::Dataset;

    #[test]
    fn a_training_of_several_phases_reports_the_epochs_of_all() -> Result<()> {
        let images = |count: usize| -> Result<Dataset> {
            let inputs =
                Rng::new(1).uniform((count, 3, 32, 32), 0., 1., DType::F32, &Device::Cpu)?;
            let labels = candle_core::Tensor::arange(0u32, count as u32, &Device::Cpu)?;
            Dataset::new(inputs, labels)
        };
        let data = Split {
            train: images(8)?,
            test: images(4)?,
        };
        let settings = Settings {
            depth: 18,
            width: 1,
            phases: vec![Phase::one_cycle(1, 1e-3), Phase::averaged_weights(2, 1e-3)],
            batch_size: 4,
            ..Settings::default()
        };
        let mut seen = Vec::new();
        run_heard(&data, &settings, &mut |status| {
            if status.batch == status.batches {
                seen.push((status.epoch, status.epochs, status.seconds_left > 0.));
            }
        })?;
        assert_eq!(seen, [(1, 3, true), (2, 3, true), (3, 3, false)]);
        Ok(())
    }
}
