//! A residual network for CIFAR-10, trained here: the network of the *connectivity* experiment at sizes that a laptop
//! can train, and at the paper's.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};

use crate::datasets::{Augmentation, Images};
use crate::error::Result;
use crate::losses::LabelSmoothing;
use crate::metrics;
use crate::models::{Parameters, ResNet, ResNetParams};
use crate::rng::Rng;
use crate::training::{History, Optimizer, Progress, Schedule, SgdParams, TrainParams, train};

/// What decides a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The depth of the network: 18, 34, 50, 101 or 152.
    pub depth: usize,
    /// The channels of its stem, at least 1; torchvision's networks have 64.
    pub width: usize,
    /// How often every image is seen, at least 1.
    pub epochs: usize,
    /// Images a step, at least 1.
    pub batch_size: usize,
    /// The highest learning rate of the cycle.
    pub learning_rate: f64,
    /// The factor of the weights that is added to their gradient.
    pub weight_decay: f64,
    /// The share of each label that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// Decides the initial weights, the order of the images, their crops and mirror images.
    pub seed: u64,
}

impl Default for Settings {
    /// The network that the repository carries.
    fn default() -> Self {
        Self {
            depth: 50,
            width: 16,
            epochs: 30,
            batch_size: 128,
            learning_rate: 0.2,
            weight_decay: 5e-4,
            label_smoothing: 0.1,
            seed: 0,
        }
    }
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// In training mode, on `parameters`.
    pub network: ResNet,
    /// Its weights and running statistics.
    pub parameters: Parameters,
    /// One record an epoch; accuracies are those on moved and mirrored training images.
    pub history: History,
    /// The share of the test images that [`ResNet::freeze`] gives their class, in [0, 1].
    pub test_accuracy: f64,
}

/// A network of `settings` with fresh weights.
///
/// # Errors
/// A setting out of its range.
pub fn build(settings: &Settings, device: &Device) -> Result<(ResNet, Parameters)> {
    let parameters = Parameters::new();
    let builder = parameters.builder(&Rng::new(settings.seed), DType::F32, device);
    let network = ResNet::new(ResNetParams::cifar10(settings.depth, settings.width)?, builder)?;
    Ok((network, parameters))
}

/// Trains a residual network on CIFAR-10: stochastic gradient descent with Nesterov's momentum 0.9, one cycle of the
/// learning rate, random crops and mirror images, softened labels.
///
/// With `checkpoint` the run is written to that file after every epoch, and one that was interrupted goes on from there
/// to the same result. `progress` hears of it as in [`train`].
///
/// # Errors
/// A setting out of its range, a checkpoint of another run, and what [`train`] refuses.
pub fn run(
    images: &Images,
    settings: &Settings,
    device: &Device,
    checkpoint: Option<&Path>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    let (network, parameters) = build(settings, device)?;
    let sgd = SgdParams {
        learning_rate: settings.learning_rate,
        weight_decay: settings.weight_decay,
        ..SgdParams::default()
    };
    let params = TrainParams {
        epochs: settings.epochs,
        batch_size: settings.batch_size,
        optimizer: Optimizer::Sgd(sgd),
        schedule: Schedule::ONE_CYCLE,
        augmentation: Augmentation { crop_padding: 4, flip: true },
        seed: settings.seed,
        checkpoint: checkpoint.map(PathBuf::from),
    };
    let loss = LabelSmoothing { smoothing: settings.label_smoothing };
    let images = images.to_device(device)?;
    let history = train(&network, &parameters, &loss, &images.train_images, &images.train_labels, &params, progress)?;
    let test_accuracy = metrics::accuracy(&network.freeze()?, &images.test_images, &images.test_labels, 200)?;
    Ok(Trained { network, parameters, history, test_accuracy })
}
