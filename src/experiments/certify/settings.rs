//! What is certified, and where the records go.

use std::path::PathBuf;

use super::record::Asked;
use crate::experiments::connectivity_cifar10::{self, Space};
use crate::paths::RegionsParams;
use crate::progress::Progress;
use crate::scale::Scale;

/// The paths whose verdicts are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    /// The pairs of the *connectivity* experiment: its lines, and its bands where a line does not do.
    Pairs,
    /// The edges of the spanning forest of the class of that name
    /// ([`regions`](crate::paths::regions())), the shortest first: segments between the images of the
    /// class that the network gets right.
    Tree(String),
}

/// The settings of [`certify`](super::certify()).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The paths.
    pub paths: Paths,
    /// The number of paths in each space, at least 1; all edges of a tree where it has fewer. Default
    /// 25, the *connectivity* paper's pairs.
    pub count: usize,
    /// The spaces, at least one. The paths of all spaces take turns in this order. Default: the first
    /// stage and the pixels. (In the last one every line is inside: its regions are convex.)
    pub spaces: Vec<Space>,
    /// How pairs are chosen and connected. Default: the settings of `default` scale.
    pub connect: connectivity_cifar10::Settings,
    /// How the edges of a tree are found.
    pub regions: RegionsParams,
    /// The folder of the records, one file a path.
    pub folder: PathBuf,
    /// The SHA-256 digest of the file of the network's weights.
    pub weights_sha256: String,
    /// The command that the records name.
    pub command: String,
    /// Whether a progress bar is shown.
    pub progress: Progress,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            paths: Paths::Pairs,
            count: 25,
            spaces: vec![Space::FirstStage, Space::Input],
            connect: connectivity_cifar10::Settings::of(Scale::Default),
            regions: RegionsParams::default(),
            folder: "target/certify".into(),
            weights_sha256: String::new(),
            command: String::new(),
            progress: Progress::default(),
        }
    }
}

impl Settings {
    /// What decides the paths in a space.
    pub(super) fn asked(&self, space: Space) -> Asked {
        match self.paths {
            Paths::Pairs => {
                let [input, first_stage, last] = self.connect.step_sizes;
                Asked::Pairs {
                    seed: self.connect.seed,
                    pivots: self.connect.pivots,
                    samples_per_segment: self.connect.samples_per_segment,
                    spring_constant: self.connect.spring_constant,
                    step_size: match space {
                        Space::Input => input,
                        Space::FirstStage => first_stage,
                        Space::Last => last,
                    },
                    max_iterations: self.connect.max_iterations,
                }
            }
            Paths::Tree(_) => Asked::Tree {
                samples: self.regions.samples,
                neighbors: self.regions.neighbors,
                max_tests_per_point: self.regions.max_tests_per_point,
            },
        }
    }
}
