//! Networks whose graphs are compared with the trained one's.

use std::fmt;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::datasets::Dataset;
use crate::device;
use crate::error::Result;
use crate::experiments::cifar10;
use crate::experiments::connectivity_regions::graphs::{Vertices, answered, right_ones};
use crate::models::pretrained::checkpoint;
use crate::models::{Model, ResNet};

/// A network whose graphs are compared with the trained one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// The network itself.
    Trained,
    /// One of another seed.
    SecondSeed,
    /// The same network after two epochs.
    TwoEpochs,
    /// The network before its training.
    Untrained,
    /// One that learnt permuted labels by heart.
    PermutedLabels,
}

impl Control {
    /// Every network.
    pub const EVERY: [Self; 5] = [
        Self::Trained,
        Self::SecondSeed,
        Self::TwoEpochs,
        Self::Untrained,
        Self::PermutedLabels,
    ];
}

/// Writes the network: `second seed`.
impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trained => "trained",
            Self::SecondSeed => "second seed",
            Self::TwoEpochs => "two epochs",
            Self::Untrained => "untrained",
            Self::PermutedLabels => "permuted labels",
        })
    }
}

impl Control {
    /// Loads the network from the repository, with the images that it is asked of: `few`, but the first
    /// training images for the one with permuted labels.
    ///
    /// # Errors
    /// A file is missing or broken.
    pub fn load(
        self,
        training: &cifar10::Settings,
        few: Dataset,
        train: &Dataset,
    ) -> Result<(Model<ResNet>, Dataset)> {
        let of = |settings: &cifar10::Settings| cifar10::load_pretrained(settings);
        Ok(match self {
            Self::Trained => (of(training)?, few),
            Self::SecondSeed => {
                let second = cifar10::Settings {
                    seed: 1,
                    ..training.clone()
                };
                (of(&second)?, few)
            }
            Self::TwoEpochs => {
                let weights = checkpoint(&format!("{}_epochs2", training.name()));
                (cifar10::load(training, &weights)?, few)
            }
            Self::Untrained => (cifar10::build(training, &device::best())?, few),
            Self::PermutedLabels => {
                let by_heart = cifar10::Settings {
                    permuted: Some(PERMUTED),
                    ..training.clone()
                };
                let learnt = cifar10::permuted_labels(train, PERMUTED, by_heart.seed)?;
                (of(&by_heart)?, learnt.first(few.len().min(PERMUTED))?)
            }
        })
    }

    /// The vertices of its graphs: the images that it gets right; of the untrained network, which gets
    /// none right but by chance, all of them.
    ///
    /// # Errors
    /// Not an answer for each image.
    pub fn vertices(self, images: &Dataset, answers: &Tensor) -> Result<Vertices> {
        match self {
            Self::Untrained => answered(images, answers),
            _ => right_ones(images, answers),
        }
    }
}

/// The number of images whose permuted labels a network has learnt by heart.
pub(super) const PERMUTED: usize = 2_000;
