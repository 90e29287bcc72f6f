//! The verdicts of table 1 and the evidence beyond it, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::settings::Settings;
use super::space::Space;
use super::verdicts::{Agreements, Verdicts};
use crate::error::Result;
use crate::experiments::cifar10;
use crate::experiments::connectivity::{Connection, Counts, Summary};
use crate::paths::Verdict;

/// The verdict on every pair in every space: the notebook's JSON, which other software can check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// The scale of the run: `quick`, `default` or `paper`.
    pub scale: String,
    /// The file of the network's weights.
    pub checkpoint: String,
    /// The normalisation of pixels in [0, 1] inside the network.
    pub normalisation: Normalisation,
    /// The share of all test images that the network gives their class, in [0, 1].
    pub test_accuracy: f64,
    /// The number of samples of line and path on each segment.
    pub samples_per_segment: usize,
    /// The pairs, each in every space.
    pub pairs: Vec<PairResult>,
    /// The counts of verdicts by space: table 1.
    pub counts: BTreeMap<Space, Counts>,
}

/// The normalisation of red, green and blue: (pixel − mean) / std.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Normalisation {
    /// The mean that is subtracted.
    pub mean: [f64; 3],
    /// The standard deviation by which the rest is divided.
    pub std: [f64; 3],
}

/// The verdict on one pair in one space, with its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairResult {
    /// The class that the path must not leave.
    pub class: u32,
    /// The numbers of both images, from 0 in the order of the test set.
    pub test_index: [usize; 2],
    /// The space that the path runs through.
    pub space: Space,
    /// The verdict: linear, nonlinear or none.
    pub verdict: Verdict,
    /// The barrier along the line, max E − max(E(start), E(end)), E the cross-entropy; null where
    /// an energy is not a number.
    pub barrier_line: f64,
    /// The barrier along the path.
    pub barrier_path: f64,
    /// The length of the path over that of the line.
    pub length_ratio: f64,
    /// The number of steps of the band.
    pub iterations: usize,
}

impl Results {
    /// Collects the verdicts on the test images' pairs, with what decided them: the network's
    /// training and its accuracy on all test images, and the experiment's settings.
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

/// The numbers of what the notebook shows beyond table 1: its second JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The verdicts on all pairs.
    pub all: Summaries,
    /// The verdicts on the pairs that no line connects, with smaller steps.
    pub small_steps: Summaries,
    /// The verdicts on pairs of a misclassified image and a right one of the class that it is taken
    /// for.
    pub misclassified: Summaries,
    /// The verdicts on pairs of images that an [attack](super::attack_pairs) has misled the network
    /// about.
    pub misled: Summaries,
    /// The number of pairs that were attacked for it.
    pub attacked: usize,
    /// The comparison with a second network, of another seed: whether it connects the same pairs by
    /// a line.
    pub agreement: Agreements,
    /// The mean squared error of each decoded space on the test images, pixels in [0, 1].
    pub reconstruction: BTreeMap<Space, f64>,
}

/// The summaries of the verdicts, by space.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summaries {
    /// The summary of each space.
    pub spaces: BTreeMap<Space, Summary>,
}

impl Verdicts {
    /// Summarises the verdicts, space by space.
    pub fn summary(&self) -> Summaries {
        let spaces = self.spaces.iter();
        Summaries {
            spaces: spaces
                .map(|(space, found)| (*space, found.summary()))
                .collect(),
        }
    }
}
