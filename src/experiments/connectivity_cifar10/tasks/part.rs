//! The kinds of parts, and what each needs.

use serde::{Deserialize, Serialize};

use crate::experiments::connectivity_cifar10::settings::Settings;
use crate::experiments::connectivity_cifar10::space::Space;
use crate::scale::Scale;

/// A part of the experiment. Networks are counted from 0 as the notebook has them; their seeds are the
/// same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub(super) enum ConnectivityPart {
    /// The training of a network, where the repository has none.
    Network { network: u64 },
    /// The training of a decoder, where the repository has none.
    Decoder { space: Space },
    /// A network's answers to all test images.
    Answers { network: u64 },
    /// The attack on pairs.
    Attack,
    /// The error of a decoder.
    Reconstruction { space: Space },
    /// The connections of the pairs of a group, which go through the network together.
    Connect {
        set: Pairing,
        space: Space,
        group: usize,
    },
}

/// Which pairs are connected, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pairing {
    /// Those of table 1.
    All,
    /// Those of table 1 that no line connects in the pixels, with steps a tenth as long.
    SmallSteps,
    Misclassified,
    Misled,
    /// Those that both networks get right, in the first.
    SharedFirst,
    /// The same in the second.
    SharedSecond,
}

impl Pairing {
    pub const EVERY: [Self; 6] = [
        Self::All,
        Self::SmallSteps,
        Self::Misclassified,
        Self::Misled,
        Self::SharedFirst,
        Self::SharedSecond,
    ];

    /// The network.
    pub fn network(self) -> u64 {
        u64::from(self == Self::SharedSecond)
    }

    /// The settings of its connections.
    pub fn settings(self, settings: &Settings) -> Settings {
        let settings = settings.clone();
        match self {
            Self::All | Self::Misclassified | Self::Misled => settings,
            Self::SmallSteps => Settings {
                step_sizes: settings.step_sizes.map(|step| step / 10.),
                spaces: vec![Space::Input],
                ..settings
            },
            Self::SharedFirst | Self::SharedSecond => Settings {
                spaces: vec![Space::Input, Space::FirstStage],
                ..settings
            },
        }
    }

    /// The largest number of groups in a space.
    pub fn groups(self, settings: &Settings) -> usize {
        let pairs = match self {
            Self::Misclassified | Self::Misled => settings.other_pairs,
            _ => settings.pairs,
        };
        pairs.div_ceil(settings.band_batch_size.max(1))
    }

    /// The parts of all groups in a space.
    pub fn parts(
        self,
        settings: &Settings,
        space: Space,
    ) -> impl Iterator<Item = ConnectivityPart> + use<> {
        let set = self;
        (0..self.groups(settings)).map(move |group| ConnectivityPart::Connect { set, space, group })
    }
}

impl ConnectivityPart {
    /// What it needs; networks and decoders only where they are `trained` here.
    pub fn needs(self, settings: &Settings, trained: bool) -> Vec<Self> {
        let network = |network| trained.then_some(Self::Network { network });
        let answers = |network| Self::Answers { network };
        let mut needs = Vec::new();
        match self {
            Self::Network { .. } => {}
            Self::Decoder { .. } => needs.extend(network(0)),
            Self::Answers { network: own } => needs.extend(network(own)),
            Self::Attack => {
                needs.extend(network(0));
                needs.push(answers(0));
            }
            Self::Reconstruction { space } => {
                needs.extend(network(0));
                needs.extend(trained.then_some(Self::Decoder { space }));
            }
            Self::Connect { set, .. } => {
                needs.extend(network(set.network()));
                match set {
                    Pairing::All | Pairing::Misclassified => needs.push(answers(0)),
                    Pairing::SmallSteps => {
                        needs.push(answers(0));
                        needs.extend(Pairing::All.parts(settings, Space::Input));
                    }
                    Pairing::Misled => needs.push(Self::Attack),
                    Pairing::SharedFirst | Pairing::SharedSecond => {
                        needs.extend([answers(0), answers(1)]);
                    }
                }
            }
        }
        needs
    }

    /// The stage.
    pub fn stage(self, settings: &Settings, trained: bool) -> usize {
        let needs = self.needs(settings, trained);
        // All groups of a set are of one stage.
        let mut kinds = needs;
        kinds.dedup_by_key(|part| std::mem::discriminant(part));
        let stages = kinds
            .into_iter()
            .map(|part| part.stage(settings, trained) + 1);
        stages.max().unwrap_or(0)
    }

    /// The time on one core of 2.6 GHz with AVX-512 in seconds, and the memory in megabytes:
    /// estimates.
    pub fn cost(self, settings: &Settings) -> (f64, u64) {
        // A forward pass of 32×32 pixels through the narrow network, of 224×224 through the whole one.
        let (forward, memory) = match settings.scale {
            Scale::Quick => (0.002, 800),
            Scale::Default => (0.002, 1_300),
            Scale::Paper => (0.085, 6_000),
        };
        let images = 10_000.;
        let seconds = match self {
            Self::Network { .. } => 10. * 50_000. * 4. * forward,
            Self::Decoder { .. } => 10. * 50_000. * 2. * forward,
            Self::Answers { .. } => images * forward,
            Self::Attack => 2. * 20. * 3. * settings.other_pairs as f64 * forward,
            Self::Reconstruction { .. } => images / 5. * 1.5 * forward,
            Self::Connect { set, space, .. } => {
                let samples = (settings.pivots + 1) * settings.samples_per_segment + 1;
                // Most pairs have a line; the hardest band of a group decides its time.
                let (lines, iterations) = match (space, set) {
                    (Space::Last, _) => (0.02, 0.),
                    (_, Pairing::SmallSteps | Pairing::Misled) => (1., 8.),
                    (_, _) => (1., 3.),
                };
                let each = lines * samples as f64;
                let each = each + iterations * (samples + 2 * settings.pivots) as f64 * 0.5;
                1. + settings.band_batch_size as f64 * each * forward
            }
        };
        let memory = match self {
            Self::Network { .. } | Self::Decoder { .. } => 2 * memory + 1_000,
            _ => memory,
        };
        (seconds, memory)
    }
}
