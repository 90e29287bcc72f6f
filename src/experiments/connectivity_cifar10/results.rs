//! Table 1 and beyond, as files.

use std::collections::BTreeMap;

use serde::Serialize;

use super::settings::Settings;
use super::space::Space;
use super::verdicts::{Agreements, Verdicts};
use crate::error::Result;
use crate::experiments::cifar10;
use crate::experiments::connectivity::{Connection, Counts, Summary};
use crate::paths::Verdict;

/// The notebook's JSON: every verdict, so that other software can check it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// `quick`, `default` or `paper`.
    pub scale: String,
    /// The weights' file.
    pub checkpoint: String,
    /// What the network does to pixels in [0, 1] first.
    pub normalisation: Normalisation,
    /// The share of all test images that the network gives their class, in [0, 1].
    pub test_accuracy: f64,
    /// Samples of line and path on each segment.
    pub samples_per_segment: usize,
    /// Every pair in every space.
    pub pairs: Vec<PairResult>,
    /// Table 1, by space.
    pub counts: BTreeMap<Space, Counts>,
}

/// (pixel − mean) / std, of red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Normalisation {
    /// What is taken off.
    pub mean: [f64; 3],
    /// What the rest is divided by.
    pub std: [f64; 3],
}

/// A pair in a space.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairResult {
    /// The class that the path must not leave.
    pub class: u32,
    /// Both images, counted from 0 in the order of the test set.
    pub test_index: [usize; 2],
    /// Where the path runs.
    pub space: Space,
    /// Linear, nonlinear or none.
    pub verdict: Verdict,
    /// max E − max(E(start), E(end)) along the line, E the cross-entropy; null where an energy is
    /// not a number.
    pub barrier_line: f64,
    /// The same along the path.
    pub barrier_path: f64,
    /// The length of the path over that of the line.
    pub length_ratio: f64,
    /// Steps of the band.
    pub iterations: usize,
}

impl Results {
    /// The verdicts on the test images' pairs, with what decided them: the network's training and
    /// its accuracy on all test images, and the experiment's settings.
    ///
    /// # Errors
    /// The training's settings are of no network.
    pub fn new(
        verdicts: &Verdicts,
        training: &cifar10::Settings,
        test_accuracy: f64,
        settings: &Settings,
    ) -> Result<Self> {
        let network = training.network()?;
        let result = |space: Space, found: &Connection| PairResult {
            class: found.pair.class,
            test_index: found.pair.index,
            space,
            verdict: found.verdict,
            barrier_line: found.line.barrier(),
            barrier_path: found.path.barrier(),
            length_ratio: found.length_ratio(),
            iterations: found.iterations,
        };
        let mut pairs = Vec::new();
        for (space, found) in &verdicts.spaces {
            pairs.extend(found.connections.iter().map(|one| result(*space, one)));
        }
        let counts = verdicts.spaces.iter();
        Ok(Self {
            scale: settings.scale.to_string(),
            checkpoint: format!("{}.safetensors", training.name()),
            normalisation: Normalisation {
                mean: network.mean,
                std: network.std,
            },
            test_accuracy,
            samples_per_segment: settings.samples_per_segment,
            pairs,
            counts: counts
                .map(|(space, found)| (*space, found.counts()))
                .collect(),
        })
    }
}

/// What the notebook shows beyond table 1: its second JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// All pairs.
    pub all: Summaries,
    /// The pairs that no line connects, with smaller steps.
    pub small_steps: Summaries,
    /// Pairs of a misclassified image and a right one of the class that it is taken for.
    pub misclassified: Summaries,
    /// Pairs of images that an [attack](super::attack_pairs) has misled the network about.
    pub misled: Summaries,
    /// How many pairs were attacked for it.
    pub attacked: usize,
    /// Whether a second network, of another seed, connects the same pairs by a line.
    pub agreement: Agreements,
    /// The mean squared error of each decoded space on the test images, pixels in [0, 1].
    pub reconstruction: BTreeMap<Space, f64>,
}

/// The verdicts in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summaries {
    /// The numbers of each space.
    pub spaces: BTreeMap<Space, Summary>,
}

impl Verdicts {
    /// The verdicts in numbers, by space.
    pub fn summary(&self) -> Summaries {
        let spaces = self.spaces.iter();
        Summaries {
            spaces: spaces
                .map(|(space, found)| (*space, found.summary()))
                .collect(),
        }
    }
}
