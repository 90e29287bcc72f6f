//! The experiment as tasks: groups of pairs in each space, and what they need.

mod found;
mod outputs;
mod part;

use std::sync::OnceLock;

use serde_json::{Value, json};

use self::found::{found, pairs_of};
use self::outputs::{attacked, connected, with_weights};
use self::part::{ConnectivityPart, Pairing};
use super::attacked::attack_pairs;
use super::results::{Evidence, Results};
use super::settings::Settings;
use super::space::Space;
use crate::datasets::{self, Dataset, Set};
use crate::error::Result;
use crate::experiments::cifar10;
use crate::experiments::connectivity::{ConnectParams, connect_pairs};
use crate::experiments::decoders::{self, Decoders, SpaceDecoder};
use crate::experiments::tasks::{
    Collected, Experiment, Finished, FromPlan, Given, Need, Output, Part, listed, loaded,
};
use crate::metrics::{accuracy_of, predictions};
use crate::models::{Model, ResNet};
use crate::progress::Progress;
use crate::scale::Scale;

pub use self::found::Found;

/// The experiment of the notebook `connectivity_cifar10` as tasks.
#[derive(Debug)]
pub struct ConnectivityCifar10 {
    /// The settings of table 1.
    pub settings: Settings,
    /// The settings of both networks' training; at `paper` scale they are trained, else the
    /// repository holds their weights.
    pub training: [cifar10::Settings; 2],
    /// The spaces that are decoded.
    pub decoded: Vec<Space>,
    /// Whether images and networks are others than those of the settings.
    is_made_up: bool,
    test: OnceLock<Dataset>,
    networks: [OnceLock<Model<ResNet>>; 2],
}

/// Finds the collected results of a plan with these settings; [`FromPlan::or`] computes what was not
/// found.
///
/// # Errors
/// Collected results that are not whole, or no test images.
pub fn collected(settings: &Settings) -> Result<FromPlan<Found>> {
    let experiment = ConnectivityCifar10::new(settings.clone());
    FromPlan::of(Collected::find(&experiment)?, |finished| {
        experiment.found(finished)
    })
}

impl ConnectivityCifar10 {
    /// Makes the experiment with some settings, on CIFAR-10 and the networks of their scale.
    pub fn new(settings: Settings) -> Self {
        let training = cifar10::Settings::of(settings.scale);
        let training = |seed| cifar10::Settings {
            seed,
            progress: Progress::Hidden,
            ..training.clone()
        };
        Self {
            training: [0, 1].map(training),
            settings: Settings {
                progress: Progress::Hidden,
                ..settings
            },
            decoded: vec![Space::FirstStage, Space::Last],
            is_made_up: false,
            test: OnceLock::new(),
            networks: [OnceLock::new(), OnceLock::new()],
        }
    }

    /// The same experiment on other images, as large as the networks take them, without decoders.
    pub fn with(self, test: Dataset, networks: [Model<ResNet>; 2]) -> Self {
        Self {
            test: test.into(),
            networks: networks.map(OnceLock::from),
            decoded: Vec::new(),
            is_made_up: true,
            ..self
        }
    }

    /// All that the tasks have found.
    ///
    /// # Errors
    /// An output is not there, or is none of this experiment.
    pub fn found(&self, finished: &Finished<'_>) -> Result<Found> {
        let mut all = found(&self.settings, &self.decoded, self.test()?, finished)?;
        if self.trains() {
            let from = |part: ConnectivityPart| finished.output(&part);
            let (first, second) = (self.network(0, &from)?, self.network(1, &from)?);
            all.decoders = Some(Decoders {
                first_stage: self.decoder(&first, Space::FirstStage, &from)?,
                last: self.decoder(&first, Space::Last, &from)?,
            });
            all.networks = Some([first, second]);
        }
        Ok(all)
    }

    /// Whether networks and decoders are trained by tasks.
    fn trains(&self) -> bool {
        self.settings.scale == Scale::Paper && !self.is_made_up
    }

    fn test(&self) -> Result<&Dataset> {
        let load = || datasets::load_test(Set::Cifar10, &datasets::root());
        loaded(&self.test, load)
    }

    /// A network: the repository's, or the one that a task has trained.
    fn network(&self, number: u64, from: &found::Outputs<'_>) -> Result<Model<ResNet>> {
        let at = usize::from(number > 0);
        if self.trains() {
            let output = from(ConnectivityPart::Network { network: number })?;
            return cifar10::with_weights(&self.training[at], output.tensors);
        }
        let load = || cifar10::load_pretrained(&self.training[at]);
        loaded(&self.networks[at], load).cloned()
    }

    fn decoder(
        &self,
        network: &Model<ResNet>,
        space: Space,
        from: &found::Outputs<'_>,
    ) -> Result<SpaceDecoder> {
        let settings = decoders::Settings::of(self.settings.scale, space)?;
        match self.trains() {
            false => SpaceDecoder::pretrained(network, &settings),
            true => {
                let output = from(ConnectivityPart::Decoder { space })?;
                SpaceDecoder::with_weights(network, &settings, output.tensors)
            }
        }
    }

    /// All parts, stage by stage.
    fn all(&self) -> Vec<(usize, ConnectivityPart)> {
        let (settings, trains) = (&self.settings, self.trains());
        let mut parts = vec![
            ConnectivityPart::Answers { network: 0 },
            ConnectivityPart::Answers { network: 1 },
        ];
        if trains {
            parts.extend([0, 1].map(|network| ConnectivityPart::Network { network }));
            let decoders = self.decoded.iter();
            parts.extend(decoders.map(|space| ConnectivityPart::Decoder { space: *space }));
        }
        for set in Pairing::EVERY {
            for space in set.settings(settings).spaces {
                parts.extend(set.parts(settings, space));
            }
        }
        parts.push(ConnectivityPart::Attack);
        let decoded = self.decoded.iter();
        parts.extend(decoded.map(|space| ConnectivityPart::Reconstruction { space: *space }));
        let mut staged: Vec<(usize, ConnectivityPart)> = parts
            .into_iter()
            .map(|part| (part.stage(settings, trains), part))
            .collect();
        staged.sort_by_key(|(stage, _)| *stage);
        staged
    }

    /// The connections of the pairs of a group, as those of one machine.
    fn connect(
        &self,
        (set, space, group): (Pairing, Space, usize),
        from: &found::Outputs<'_>,
    ) -> Result<Output> {
        let settings = set.settings(&self.settings);
        let pairs = pairs_of(set, &self.settings, self.test()?, from)?;
        let size = settings.band_batch_size.max(1);
        let Some(own) = pairs.pairs.chunks(size).nth(group) else {
            // Fewer pairs than there could be.
            return connected(&[]);
        };
        let network = self.network(set.network(), from)?;
        let params = settings.params(space);
        let params = ConnectParams {
            kept_paths: params.kept_paths.saturating_sub(group * size),
            ..params
        };
        let own = pairs.with(own.iter().copied());
        let found = connect_pairs(&network, &own, space.representation(), &params)?;
        connected(&found.connections)
    }
}

impl Experiment for ConnectivityCifar10 {
    fn name(&self) -> &'static str {
        "connectivity_cifar10"
    }

    fn scale(&self) -> Scale {
        self.settings.scale
    }

    fn settings(&self) -> String {
        let Self {
            settings,
            training,
            decoded,
            ..
        } = self;
        format!("{settings:?} {training:?} {decoded:?}")
    }

    fn needs(&self) -> Result<Vec<Need>> {
        if self.is_made_up {
            return Ok(Vec::new());
        }
        let mut needs: Vec<Need> = Need::set(Set::Cifar10).collect();
        if !self.trains() {
            for training in &self.training {
                needs.push(Need::checkpoint(&training.name())?);
            }
            for space in &self.decoded {
                let settings = decoders::Settings::of(self.settings.scale, *space)?;
                needs.push(Need::checkpoint(&settings.name())?);
            }
        }
        Ok(needs)
    }

    fn parts(&self) -> Result<Vec<Part>> {
        listed(&self.all(), |part| {
            let needs = part.needs(&self.settings, self.trains());
            let (seconds, memory_mb) = part.cost(&self.settings);
            let seed = match part {
                ConnectivityPart::Network { network } => network,
                _ => self.settings.seed,
            };
            (needs, seed, seconds, memory_mb)
        })
    }

    fn prepare(&self, part: &Value) -> Result<()> {
        self.test()?;
        let number = match Output::of(part)?.read()? {
            ConnectivityPart::Answers { network } => network,
            ConnectivityPart::Connect { set, .. } => set.network(),
            _ => 0,
        };
        match self.trains() {
            true => Ok(()),
            false => self.network(number, &|_| Ok(Output::default())).map(drop),
        }
    }

    fn run(&self, part: &Value, given: &Given<'_>) -> Result<Output> {
        let part: ConnectivityPart = Output::of(part)?.read()?;
        let needs = part.needs(&self.settings, self.trains());
        let from = |wanted: ConnectivityPart| {
            let at = needs.iter().position(|need| *need == wanted);
            given.output(at.unwrap_or(usize::MAX))
        };
        match part {
            ConnectivityPart::Network { network } => {
                let data = datasets::load(Set::Cifar10, &datasets::root())?;
                let settings = cifar10::Settings {
                    checkpoint: Some(given.checkpoint().to_path_buf()),
                    ..self.training[usize::from(network > 0)].clone()
                };
                let trained = cifar10::run(&data, &settings)?;
                with_weights(Output::of(&trained.history)?, trained.network.parameters())
            }
            ConnectivityPart::Decoder { space } => {
                let data = datasets::load(Set::Cifar10, &datasets::root())?;
                let settings = decoders::Settings {
                    checkpoint: Some(given.checkpoint().to_path_buf()),
                    progress: Progress::Hidden,
                    ..decoders::Settings::of(self.settings.scale, space)?
                };
                let trained = decoders::run(&self.network(0, &from)?, &data, &settings)?;
                let weights = trained.decoder.decoder.parameters();
                with_weights(Output::of(&trained.history)?, weights)
            }
            ConnectivityPart::Answers { network } => {
                let training = &self.training[usize::from(network > 0)];
                let test = self.test()?;
                let network = self.network(network, &from)?;
                let answers = match self.is_made_up {
                    true => predictions(&network, &test.inputs)?,
                    false => predictions(&cifar10::on_images(&network, training)?, &test.inputs)?,
                };
                Ok(Output::of(&accuracy_of(&answers, test)?)?.with("answers", answers))
            }
            ConnectivityPart::Attack => {
                let pairs = pairs_of(Pairing::All, &self.settings, self.test()?, &from)?;
                let pairs = pairs.first(self.settings.other_pairs);
                let network = self.network(0, &from)?;
                attacked(&attack_pairs(&network, &pairs, &self.settings)?)
            }
            ConnectivityPart::Reconstruction { space } => {
                let decoder = self.decoder(&self.network(0, &from)?, space, &from)?;
                let count = self.settings.scale.pick(200, 2_000, 10_000);
                Output::of(&decoder.test_error(&self.test()?.first(count)?)?)
            }
            ConnectivityPart::Connect { set, space, group } => {
                self.connect((set, space, group), &from)
            }
        }
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let found = self.found(finished)?;
        let [accuracy, _] = found.test_accuracy;
        let results = Results::new(&found.verdicts, &self.training[0], accuracy, &self.settings)?;
        let [first, second] = &found.shared;
        let evidence = Evidence {
            all: found.verdicts.summary(),
            small_steps: found.small_steps.summary(),
            misclassified: found.misclassified.summary(),
            misled: found.misled.summary(),
            attacked: found.attack.attacked,
            agreement: first.agreement(second)?,
            reconstruction: found.reconstruction,
        };
        Ok(vec![
            (self.name().into(), json!(results)),
            (format!("{}_evidence", self.name()), json!(evidence)),
        ])
    }
}
