//! The settings of the experiment.

use std::fmt;

use candle_core::Tensor;

use crate::datasets::{Dataset, Split};
use crate::error::Result;
use crate::experiments::connectivity_cifar10::{self, Space};
use crate::experiments::isometry_mnist;
use crate::losses::Partition;
use crate::paths::{NebParams, RegionsParams};
use crate::progress::{Bar, Progress};
use crate::scale::Scale;

/// The settings of the experiment on CIFAR-10; all values are ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The scale whose values these are, for the record.
    pub scale: Scale,
    /// The number of test images that are looked at, the first ones of the test set, at least 1.
    pub test_images: usize,
    /// The number of training images that are looked at beside them, the first ones.
    pub training_images: usize,
    /// The number of equal parts into which the samples divide a segment, at least 2.
    pub samples: usize,
    /// How many times as many samples the edges are checked with, at least 1.
    pub denser: usize,
    /// The number of nearest neighbours of each image to which segments are tested first.
    pub neighbors: usize,
    /// The number of tests after which an image is given up.
    pub max_tests_per_point: usize,
    /// The number of random pairs of each class.
    pub random_pairs: usize,
    /// The number of random pairs of each two classes.
    pub crossing_pairs: usize,
    /// The number of images of each kind in a control with other images.
    pub control_images: usize,
    /// The number of images in a control with other networks, the first ones.
    pub network_images: usize,
    /// The number of weakest edges that are looked at exactly.
    pub weakest_edges: usize,
    /// The share of such an edge that is looked at to either side of its smallest sample, above 0.
    pub reach: f64,
    /// The largest change of a pixel that misleads the network: 8/255.
    pub eps: f64,
    /// The standard deviation of the Gaussian that blurs images, in pixels.
    pub blur: f64,
    /// The seed of random pairs and noise.
    pub seed: u64,
    /// The spaces that segments run through.
    pub spaces: Vec<Space>,
    /// Whether progress bars are shown.
    pub progress: Progress,
}

impl Settings {
    /// The settings at a scale.
    ///
    /// `quick`: the first 200 test images. `default`: all 10,000, with 6 parts of a segment. `paper`:
    /// 50,000 training images as well, with 16.
    pub fn of(scale: Scale) -> Self {
        Self {
            scale,
            test_images: scale.pick(200, 10_000, 10_000),
            training_images: scale.pick(0, 0, 50_000),
            samples: scale.pick(4, 6, 16),
            denser: 4,
            neighbors: 10,
            max_tests_per_point: scale.pick(10, 60, 200),
            random_pairs: scale.pick(5, 200, 2_000),
            crossing_pairs: scale.pick(2, 20, 200),
            control_images: scale.pick(10, 200, 1_000),
            network_images: scale.pick(100, 1_000, 10_000),
            weakest_edges: scale.pick(1, 4, 50),
            reach: scale.pick(0.0005, 1. / 64., 1.),
            eps: 8. / 255.,
            blur: 2.,
            seed: 0,
            spaces: Space::ALL.to_vec(),
            progress: Progress::default(),
        }
    }

    /// The images that are looked at: those of the test set first, so that their rows are those of
    /// the test set, then those of the training set.
    ///
    /// # Errors
    /// No test image.
    pub fn images(&self, data: &Split) -> Result<Dataset> {
        let test = data.test.first(self.test_images)?;
        if self.training_images == 0 {
            return Ok(test);
        }
        let more = data.train.first(self.training_images)?;
        Ok(test.part(
            Tensor::cat(&[&test.inputs, &more.inputs], 0)?,
            Tensor::cat(&[&test.labels, &more.labels], 0)?,
        ))
    }

    /// The parameters of a band where no segment joins: those of
    /// [`connectivity_cifar10`](connectivity_cifar10::Settings), with steps a tenth as long.
    pub fn band(&self, space: Space) -> NebParams {
        let usual = connectivity_cifar10::Settings::of(self.scale);
        let small = connectivity_cifar10::Settings {
            step_sizes: usual.step_sizes.map(|step| step / 10.),
            ..usual
        };
        small.params(space).neb
    }

    /// The parameters of one graph.
    pub(super) fn params(&self, progress: Progress) -> RegionsParams {
        params(
            self.samples,
            self.neighbors,
            self.max_tests_per_point,
            progress,
        )
    }

    /// The progress bar of several graphs, called `what`.
    pub(super) fn bar(&self, what: &str) -> Bar {
        bar(&self.progress, what)
    }
}

/// How a network was trained to keep distances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regime {
    /// The pairs whose distances are kept.
    pub partition: Partition,
    /// The weight β of the isometric loss.
    pub beta: f64,
}

/// Writes the regime: `plain`, `local, β = 0.1`.
impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition {
            Partition::None => f.write_str("plain"),
            partition => write!(f, "{partition}, β = {}", self.beta),
        }
    }
}

/// The settings of the experiment on MNIST: networks that keep distances, layer by layer.
#[derive(Clone, Debug, PartialEq)]
pub struct IsometricSettings {
    /// The networks' sizes and training, those of the *isometry* paper.
    pub training: isometry_mnist::Settings,
    /// The partitions and weights β of the isometric loss.
    pub regimes: Vec<Regime>,
    /// The number of test images that are looked at, the first ones.
    pub test_images: usize,
    /// The number of equal parts into which the samples divide a segment, at least 2.
    pub samples: usize,
    /// The number of random pairs of each class in each layer.
    pub random_pairs: usize,
    /// The number of random pairs of each class whose segments are proved.
    pub proved_pairs: usize,
    /// The number of those that a Lipschitz constant is asked for, too.
    pub lipschitz_pairs: usize,
    /// The numbers of training images by which the cost of a graph is shown to grow, ascending.
    pub growth_sizes: Vec<usize>,
    /// The number of training images of the 1-Lipschitz network, the first ones.
    pub lipschitz_images: usize,
    /// The number of nearest neighbours of each image to which segments are tested first.
    pub neighbors: usize,
    /// The number of tests after which an image is given up.
    pub max_tests_per_point: usize,
    /// The seed of the random pairs.
    pub seed: u64,
}

impl IsometricSettings {
    /// The settings at a scale: no isometric loss, the local one and the global one with two weights
    /// each. `quick`: one seed, one epoch. `default`: three seeds. `paper`: ten.
    pub fn of(scale: Scale) -> Self {
        let regime = |partition, beta| Regime { partition, beta };
        let regimes = [
            regime(Partition::None, 0.),
            regime(Partition::Local, 0.1),
            regime(Partition::Local, 10.),
            regime(Partition::Global, 0.1),
            regime(Partition::Global, 10.),
        ];
        Self {
            training: isometry_mnist::Settings::of(scale),
            regimes: match scale {
                Scale::Quick => vec![regimes[0], regimes[1]],
                _ => regimes.to_vec(),
            },
            test_images: scale.pick(100, 2_000, 10_000),
            samples: scale.pick(8, 16, 32),
            random_pairs: scale.pick(10, 200, 2_000),
            proved_pairs: scale.pick(10, 1_000, usize::MAX),
            lipschitz_pairs: scale.pick(1, 20, 100),
            growth_sizes: match scale {
                Scale::Quick => vec![100, 300],
                _ => vec![1_000, 5_000, 20_000, 60_000],
            },
            lipschitz_images: scale.pick(5_000, 60_000, 60_000),
            neighbors: 10,
            max_tests_per_point: scale.pick(10, 60, 200),
            seed: 0,
        }
    }

    pub(super) fn params(&self, progress: Progress) -> RegionsParams {
        params(
            self.samples,
            self.neighbors,
            self.max_tests_per_point,
            progress,
        )
    }

    /// The progress bar of several graphs, called `what`.
    pub(super) fn bar(&self, what: &str) -> Bar {
        bar(&self.training.progress, what)
    }
}

fn params(
    samples: usize,
    neighbors: usize,
    max_tests_per_point: usize,
    progress: Progress,
) -> RegionsParams {
    RegionsParams {
        samples,
        neighbors,
        max_tests_per_point,
        progress,
        ..RegionsParams::default()
    }
}

fn bar(progress: &Progress, what: &str) -> Bar {
    let progress = match progress {
        Progress::Shown | Progress::Named(_) => what.into(),
        Progress::Within(_) | Progress::Hidden => progress.clone(),
    };
    progress.slow_bar(what)
}
