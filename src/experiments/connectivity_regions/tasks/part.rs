//! The kinds of parts, and what each needs.

use serde::{Deserialize, Serialize};

use super::control::Control;
use crate::experiments::connectivity_cifar10::Space;
use crate::experiments::connectivity_regions::settings::{IsometricSettings, Settings};

/// A part of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub(super) enum RegionsPart {
    /// The network's answers to all images.
    Answers,
    /// The graph of a class; in the pixels with its check.
    Graph { space: Space, class: u32 },
    /// The segments between random images of each class.
    Random { space: Space },
    /// The segments between two classes.
    Crossings,
    /// The graph of another network in short.
    Control { control: Control },
    /// Other images beside the graphs in the pixels.
    Kind { kind: Kind },
    /// Bands where segments have left a class in pieces.
    Bands { space: Space },
    /// One of the weakest edges in the pixels, exactly.
    Weakest { number: usize },
    /// A network on MNIST.
    Regime { regime: usize, seed: u64 },
    /// The regions of its layers.
    Layers { regime: usize, seed: u64 },
    /// How the cost of a graph grows.
    Growth,
    /// The 1-Lipschitz network on MNIST.
    Lipschitz,
    /// Proofs for the network of a regime, or for the 1-Lipschitz one, which comes last.
    Proved { network: usize },
}

/// Images that are no vertices of the graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Misclassified,
    Misled,
    Blurred,
    UniformNoise,
}

impl Kind {
    pub const EVERY: [Self; 4] = [
        Self::Misclassified,
        Self::Misled,
        Self::Blurred,
        Self::UniformNoise,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Misclassified => "misclassified",
            Self::Misled => "misled",
            Self::Blurred => "blurred",
            Self::UniformNoise => "uniform noise",
        }
    }
}

/// What the parts follow from.
pub(super) struct Parts<'a> {
    pub settings: &'a Settings,
    pub isometric: &'a IsometricSettings,
    /// The number of classes.
    pub classes: u32,
}

impl Parts<'_> {
    /// The graphs of all classes in a space.
    pub fn graphs(&self, space: Space) -> impl Iterator<Item = RegionsPart> + use<> {
        (0..self.classes).map(move |class| RegionsPart::Graph { space, class })
    }

    /// The weakest edges.
    pub fn weakest(&self) -> impl Iterator<Item = RegionsPart> + use<> {
        (0..self.settings.weakest_edges).map(|number| RegionsPart::Weakest { number })
    }

    /// The regimes and seeds of the networks on MNIST.
    fn networks(&self) -> impl Iterator<Item = (usize, u64)> {
        let seeds = &self.isometric.training.seeds;
        (0..self.isometric.regimes.len()).flat_map(move |at| seeds.iter().map(move |s| (at, *s)))
    }

    /// The first seed of the networks on MNIST.
    fn first_seed(&self) -> u64 {
        self.isometric.training.seeds.first().copied().unwrap_or(0)
    }

    /// All parts, stage by stage.
    pub fn all(&self) -> Vec<(usize, RegionsPart)> {
        let mut first = vec![RegionsPart::Answers, RegionsPart::Lipschitz];
        first.extend(Control::EVERY.map(|control| RegionsPart::Control { control }));
        let regime = |(regime, seed)| RegionsPart::Regime { regime, seed };
        first.extend(self.networks().map(regime));
        let mut second = vec![RegionsPart::Crossings, RegionsPart::Growth];
        for space in Space::ALL {
            second.extend(self.graphs(space));
        }
        second.extend(RANDOM.map(|space| RegionsPart::Random { space }));
        let layers = |(regime, seed)| RegionsPart::Layers { regime, seed };
        second.extend(self.networks().map(layers));
        let networks = 0..=self.isometric.regimes.len();
        second.extend(networks.map(|network| RegionsPart::Proved { network }));
        let mut third: Vec<_> = self.weakest().collect();
        third.extend(Kind::EVERY.map(|kind| RegionsPart::Kind { kind }));
        third.extend(RANDOM.map(|space| RegionsPart::Bands { space }));
        let stages = [first, second, third].into_iter().enumerate();
        let staged = |(stage, parts): (usize, Vec<RegionsPart>)| {
            parts.into_iter().map(move |part| (stage, part))
        };
        stages.flat_map(staged).collect()
    }

    /// What a part needs.
    pub fn needs(&self, part: RegionsPart) -> Vec<RegionsPart> {
        match part {
            RegionsPart::Answers
            | RegionsPart::Control { .. }
            | RegionsPart::Regime { .. }
            | RegionsPart::Lipschitz => Vec::new(),
            RegionsPart::Graph { .. } | RegionsPart::Random { .. } | RegionsPart::Crossings => {
                vec![RegionsPart::Answers]
            }
            RegionsPart::Kind { .. } => {
                let answers = std::iter::once(RegionsPart::Answers);
                answers.chain(self.graphs(Space::Input)).collect()
            }
            RegionsPart::Weakest { .. } => self.graphs(Space::Input).collect(),
            RegionsPart::Bands { space } => self.graphs(space).collect(),
            RegionsPart::Layers { regime, seed } => vec![RegionsPart::Regime { regime, seed }],
            RegionsPart::Growth => vec![self.first_of(0)],
            RegionsPart::Proved { network } => vec![self.first_of(network)],
        }
    }

    /// The part that trains the first network of a regime, or the 1-Lipschitz one.
    pub fn first_of(&self, regime: usize) -> RegionsPart {
        match regime < self.isometric.regimes.len() {
            true => RegionsPart::Regime {
                regime,
                seed: self.first_seed(),
            },
            false => RegionsPart::Lipschitz,
        }
    }

    /// The time on one core of 2.6 GHz with AVX-512 in seconds, and the memory in megabytes:
    /// estimates.
    pub fn cost(&self, part: RegionsPart) -> (f64, u64) {
        let settings = self.settings;
        let images = (settings.test_images + settings.training_images) as f64;
        // An image through the narrow network.
        let forward = 0.002;
        let test = settings.samples as f64 * forward;
        // More distances than samples at 60,000 images.
        let graph = 1.5 * images / f64::from(self.classes.max(1)) * (test + 1e-7 * images);
        let epochs = self.isometric.training.epochs as f64;
        let mnist = self.isometric.test_images as f64;
        match part {
            RegionsPart::Answers => (1. + images * forward, 600),
            RegionsPart::Graph { space, .. } => match space {
                Space::Input => (1. + 5. * graph, 900),
                Space::FirstStage => (1. + 1.5 * graph, 2_000),
                Space::Last => (1. + images * forward, 600),
            },
            RegionsPart::Random { .. } => (1. + test * (settings.random_pairs as f64) * 10., 600),
            RegionsPart::Crossings => (1. + test * (settings.crossing_pairs as f64) * 45., 600),
            RegionsPart::Control { .. } => {
                let images = settings.network_images as f64;
                (
                    5. + 2. * images * test + settings.random_pairs as f64 * test * 10.,
                    900,
                )
            }
            RegionsPart::Kind { .. } => (5. + 20. * settings.control_images as f64 * test, 900),
            RegionsPart::Bands { .. } => (10., 900),
            // A whole line is 400 s.
            RegionsPart::Weakest { .. } => (5. + 400. * (2. * settings.reach).min(1.), 1_000),
            RegionsPart::Regime { .. } | RegionsPart::Lipschitz => (1. + 1.5 * epochs, 500),
            RegionsPart::Layers { .. } => (1. + 5. * 2e-3 * mnist, 400),
            RegionsPart::Growth => {
                let all: usize = self.isometric.growth_sizes.iter().sum();
                (1. + 6e-4 * all as f64, 1_500)
            }
            RegionsPart::Proved { .. } => {
                let pairs = self
                    .isometric
                    .proved_pairs
                    .min((mnist * mnist / 200.) as usize);
                (2. + 10. * 1e-3 * pairs as f64, 600)
            }
        }
    }

    /// The seed of what is drawn.
    pub fn seed(&self, part: RegionsPart) -> u64 {
        match part {
            RegionsPart::Regime { seed, .. } => seed,
            RegionsPart::Lipschitz => 0,
            RegionsPart::Layers { .. } | RegionsPart::Proved { .. } => self.isometric.seed,
            _ => self.settings.seed,
        }
    }
}

/// The spaces of random segments and of bands; in the last layer every segment holds.
pub(super) const RANDOM: [Space; 2] = [Space::Input, Space::FirstStage];
