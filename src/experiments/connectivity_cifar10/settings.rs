//! The settings of the experiment.

use super::space::Space;
use crate::checks::Bounds;
use crate::experiments::cifar10;
use crate::experiments::connectivity::ConnectParams;
use crate::paths::{NebParams, Optimizer, Spacing};
use crate::progress::Progress;
use crate::scale::Scale;

/// The settings of the experiment. The paper gives only the number of pairs, 25; all other values
/// are ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The scale whose values these are, for the record.
    pub scale: Scale,
    /// The number of pairs in each space, at least 1; the first 25 are compared with table 1.
    pub pairs: usize,
    /// The number of pairs with a misclassified image, and of pairs that are
    /// [attacked](super::attack_pairs), in each space, at least 1.
    pub other_pairs: usize,
    /// The largest change ε of a pixel by the attack on the pairs.
    pub eps: f64,
    /// The seed by which pairs are chosen.
    pub seed: u64,
    /// The spaces that the paths run through.
    pub spaces: Vec<Space>,
    /// The height and width of the network's inputs in pixels; smaller images are
    /// [enlarged](crate::models::enlarge).
    pub side: usize,
    /// The number P of pivots of a band.
    pub pivots: usize,
    /// The number of samples of the dense check on each of the P + 1 segments, of line and path
    /// alike.
    pub samples_per_segment: usize,
    /// The constant k of the springs.
    pub spring_constant: f64,
    /// The step sizes η of Adam in pixels, in the first stage's and in the pooled features.
    pub step_sizes: [f64; 3],
    /// The largest number of iterations of a band.
    pub max_iterations: usize,
    /// The number of bands that are relaxed together ([`NebParams::batch_size`]); it bounds the
    /// memory.
    pub band_batch_size: usize,
    /// The number of points that go through the network together ([`ConnectParams::batch_size`]).
    pub batch_size: usize,
    /// The number of paths in each space whose points are kept for figures.
    pub kept_paths: usize,
    /// Whether progress bars are shown.
    pub progress: Progress,
}

impl Settings {
    /// The settings at a scale.
    ///
    /// `quick`: 25 pairs. `default`: 200 pairs. `paper`: 1,000 pairs, and twice as many samples.
    pub fn of(scale: Scale) -> Self {
        Self {
            scale,
            pairs: scale.pick(25, 200, 1_000),
            other_pairs: scale.pick(5, 50, 200),
            eps: 8. / 255.,
            seed: 0,
            spaces: Space::ALL.to_vec(),
            side: cifar10::Settings::of(scale).side,
            pivots: 8,
            samples_per_segment: scale.pick(5, 5, 10),
            spring_constant: 1.,
            step_sizes: [0.01, 0.02, 0.02],
            max_iterations: scale.pick(30, 100, 200),
            band_batch_size: scale.pick(10, 20, 8),
            batch_size: 16,
            kept_paths: 25,
            progress: Progress::default(),
        }
    }

    /// The parameters of the connections in a space; only pixels are bounded.
    pub fn params(&self, space: Space) -> ConnectParams {
        let [input, first_stage, last] = self.step_sizes;
        let (step_size, bounds) = match space {
            Space::Input => (input, Some(Bounds::default())),
            Space::FirstStage => (first_stage, None),
            Space::Last => (last, None),
        };
        ConnectParams {
            neb: NebParams {
                pivots: self.pivots,
                spacing: Spacing::Springs {
                    constant: self.spring_constant,
                },
                optimizer: Optimizer::adam(step_size),
                max_iterations: self.max_iterations,
                samples_per_segment: self.samples_per_segment,
                bounds,
                batch_size: self.band_batch_size,
                ..NebParams::default()
            },
            seed: self.seed,
            side: Some(self.side),
            batch_size: self.batch_size,
            kept_paths: self.kept_paths,
            progress: match &self.progress {
                Progress::Shown => space.title().into(),
                Progress::Named(name) => format!("{name}, {}", space.title()).as_str().into(),
                Progress::Within(_) | Progress::Hidden => self.progress.clone(),
            },
        }
    }
}
