//! The experiment as tasks: graphs class by class, controls, and networks on MNIST.

mod control;
mod found;
mod outputs;
mod part;

use std::sync::OnceLock;

use candle_core::Tensor;
use serde_json::{Value, json};

use self::control::PERMUTED;
use self::found::found;
use self::outputs::{answers, graphs_of, layers_output, lipschitz_of, lipschitz_output, regime_of};
use self::part::{Kind, Parts, RegionsPart};
use super::compared::Compared;
use super::cost::cost;
use super::further::further;
use super::graphs::{Graphs, Vertices, graphs, right_ones, wrong_ones};
use super::isometric::{of_network, train_regime};
use super::kinds::{blurred, misled, noise};
use super::lipschitz::train_lipschitz;
use super::proved::Proved;
use super::random::{class_crossings, random_segments};
use super::results::{Evidence, Results};
use super::settings::{IsometricSettings, Settings};
use crate::datasets::{self, Dataset, Set, Split};
use crate::error::{Error, Result};
use crate::experiments::cifar10;
use crate::experiments::connectivity_cifar10::Space;
use crate::experiments::isometry_mnist::trained_output;
use crate::experiments::tasks::{
    Collected, Experiment, Finished, FromPlan, Given, Need, Output, Part, listed, loaded,
};
use crate::metrics::predictions;
use crate::models::{Model, ResNet};
use crate::paths::ExactParams;
use crate::progress::Progress;
use crate::scale::Scale;

pub use self::control::Control;
pub use self::found::Found;

/// The experiment of the notebook `connectivity_regions` as tasks.
#[derive(Debug)]
pub struct ConnectivityRegions {
    /// The settings of the graphs on CIFAR-10.
    pub settings: Settings,
    /// The settings of the networks on MNIST.
    pub isometric: IsometricSettings,
    /// The settings of the training of the network, whose weights the repository holds.
    pub training: cifar10::Settings,
    /// Other images and networks than those.
    made_up: Option<MadeUp>,
    cifar: OnceLock<Split>,
    mnist: OnceLock<Split>,
    network: OnceLock<Model<ResNet>>,
}

/// Images and networks in the place of CIFAR-10, MNIST and the repository's networks.
#[derive(Debug)]
pub struct MadeUp {
    /// In the place of CIFAR-10.
    pub cifar: Split,
    /// In the place of MNIST.
    pub mnist: Split,
    /// In the place of the network, and then of [`Control::EVERY`].
    pub networks: Vec<Model<ResNet>>,
}

/// Finds the collected results of a plan with these settings; [`FromPlan::or`] computes what was not
/// found.
///
/// # Errors
/// Collected results that are not whole, or no images.
pub fn collected(settings: &Settings) -> Result<FromPlan<Found>> {
    let experiment = ConnectivityRegions::new(settings.clone());
    FromPlan::of(Collected::find(&experiment)?, |finished| {
        experiment.found(finished)
    })
}

impl ConnectivityRegions {
    /// Makes the experiment with some settings, on CIFAR-10 and MNIST.
    pub fn new(settings: Settings) -> Self {
        let mut isometric = IsometricSettings::of(settings.scale);
        isometric.training.progress = Progress::Hidden;
        Self {
            isometric,
            training: cifar10::Settings::of(Scale::Default),
            settings: Settings {
                progress: Progress::Hidden,
                ..settings
            },
            made_up: None,
            cifar: OnceLock::new(),
            mnist: OnceLock::new(),
            network: OnceLock::new(),
        }
    }

    /// The same experiment with other settings on MNIST, on other images and networks.
    pub fn with(self, isometric: IsometricSettings, made_up: MadeUp) -> Self {
        Self {
            isometric,
            made_up: Some(made_up),
            ..self
        }
    }

    /// All that the tasks have found.
    ///
    /// # Errors
    /// An output is not there, or is none of this experiment.
    pub fn found(&self, finished: &Finished<'_>) -> Result<Found> {
        found(&self.listing(), &self.images()?, finished)
    }

    fn cifar(&self) -> Result<&Split> {
        match &self.made_up {
            Some(made_up) => Ok(&made_up.cifar),
            None => loaded(&self.cifar, || {
                datasets::load(Set::Cifar10, &datasets::root())
            }),
        }
    }

    fn mnist(&self) -> Result<&Split> {
        match &self.made_up {
            Some(made_up) => Ok(&made_up.mnist),
            None => loaded(&self.mnist, || {
                datasets::load(Set::Mnist, &datasets::root())
            }),
        }
    }

    fn network(&self) -> Result<&Model<ResNet>> {
        match &self.made_up {
            Some(made_up) => made_up.networks.first().ok_or_else(no_network),
            None => loaded(&self.network, || cifar10::load_pretrained(&self.training)),
        }
    }

    fn images(&self) -> Result<Dataset> {
        self.settings.images(self.cifar()?)
    }

    fn listing(&self) -> Parts<'_> {
        let classes = match &self.made_up {
            Some(made_up) => made_up.cifar.test.classes.len(),
            None => 10,
        };
        Parts {
            settings: &self.settings,
            isometric: &self.isometric,
            classes: classes as u32,
        }
    }

    /// A network for comparison, and its images.
    fn control(&self, control: Control) -> Result<(Model<ResNet>, Dataset)> {
        let few = self.images()?.first(self.settings.network_images)?;
        if let Some(made_up) = &self.made_up {
            let at = Control::EVERY.iter().position(|other| *other == control);
            let network = at.and_then(|at| made_up.networks.get(1 + at));
            return Ok((network.ok_or_else(no_network)?.clone(), few));
        }
        control.load(&self.training, few, &self.cifar()?.train)
    }

    /// The row of a network for comparison.
    fn compared(&self, control: Control) -> Result<Compared> {
        let (network, images) = self.control(control)?;
        let answers = predictions(&network, &images.inputs)?;
        let vertices = control.vertices(&images, &answers)?;
        let settings = &self.settings;
        let found = graphs(&network, &images, &vertices, Space::Input, settings)?;
        let random = random_segments(&network, &images, &vertices, Space::Input, settings)?;
        let mut compared = Compared::default();
        compared.push(control.to_string(), &found, &random);
        Ok(compared)
    }

    /// Images that are no vertices.
    fn others(&self, kind: Kind, answers: &Tensor) -> Result<Dataset> {
        let (images, settings) = (self.images()?, &self.settings);
        match kind {
            Kind::Misclassified => {
                let wrong = wrong_ones(&images, answers)?;
                images.select(&wrong.into_values().flatten().collect::<Vec<_>>())
            }
            Kind::Misled => {
                let right = right_ones(&images, answers)?;
                misled(self.network()?, &images, &right, settings)
            }
            Kind::Blurred => blurred(&images, settings),
            Kind::UniformNoise => noise(&images, settings),
        }
    }
}

fn no_network() -> Error {
    Error::argument("images and networks", "loaded ones", "none")
}

impl Experiment for ConnectivityRegions {
    fn name(&self) -> &'static str {
        "connectivity_regions"
    }

    fn scale(&self) -> Scale {
        self.settings.scale
    }

    fn settings(&self) -> String {
        let Self {
            settings,
            isometric,
            training,
            ..
        } = self;
        format!("{settings:?} {isometric:?} {training:?}")
    }

    fn needs(&self) -> Result<Vec<Need>> {
        if self.made_up.is_some() {
            return Ok(Vec::new());
        }
        let sets = [Set::Cifar10, Set::Mnist];
        let mut needs: Vec<Need> = sets.into_iter().flat_map(Need::set).collect();
        let name = self.training.name();
        let second = cifar10::Settings {
            seed: 1,
            ..self.training.clone()
        };
        let by_heart = cifar10::Settings {
            permuted: Some(PERMUTED),
            ..self.training.clone()
        };
        let early = format!("{name}_epochs2");
        for name in [name, second.name(), early, by_heart.name()] {
            needs.push(Need::checkpoint(&name)?);
        }
        Ok(needs)
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let parts = self.listing();
        listed(&parts.all(), |part| {
            let (seconds, memory_mb) = parts.cost(part);
            (parts.needs(part), parts.seed(part), seconds, memory_mb)
        })
    }

    fn run(&self, part: &Value, given: &Given<'_>) -> Result<Output> {
        let part: RegionsPart = Output::of(part)?.read()?;
        let needs = self.listing().needs(part);
        let from = |wanted: RegionsPart| {
            let at = needs.iter().position(|need| *need == wanted);
            given.output(at.unwrap_or(usize::MAX))
        };
        let (settings, isometric) = (&self.settings, &self.isometric);
        let graphs_in = |space| -> Result<Graphs> {
            let outputs = self.listing().graphs(space).map(&from);
            graphs_of(&self.images()?, space, outputs)
        };
        match part {
            RegionsPart::Answers => {
                let found = predictions(self.network()?, &self.images()?.inputs)?;
                Ok(Output::default().with("answers", found))
            }
            RegionsPart::Graph { space, class } => {
                let images = self.images()?;
                let right = right_ones(&images, &answers(&from, &images)?)?;
                let own: Vertices = right.into_iter().filter(|(of, _)| *of == class).collect();
                if own.values().all(Vec::is_empty) {
                    return Output::of(&Value::Null);
                }
                let mut found = graphs(self.network()?, &images, &own, space, settings)?;
                if space == Space::Input {
                    found.check(self.network()?, settings)?;
                }
                Output::of(&found.classes.first())
            }
            RegionsPart::Random { space } => {
                let images = self.images()?;
                let right = right_ones(&images, &answers(&from, &images)?)?;
                let found = random_segments(self.network()?, &images, &right, space, settings)?;
                Output::of(&found.classes)
            }
            RegionsPart::Crossings => {
                let images = self.images()?;
                let right = right_ones(&images, &answers(&from, &images)?)?;
                let network = self.network()?;
                Output::of(&class_crossings(
                    network,
                    &images,
                    &right,
                    Space::Input,
                    settings,
                )?)
            }
            RegionsPart::Control { control } => Output::of(&self.compared(control)?.rows),
            RegionsPart::Kind { kind } => {
                let images = self.images()?;
                let others = self.others(kind, &answers(&from, &images)?)?;
                let found = graphs_in(Space::Input)?;
                Output::of(&further(self.network()?, &found, &others, settings)?)
            }
            RegionsPart::Bands { space } => {
                let found = graphs_in(space)?;
                Output::of(&found.bands(self.network()?, &settings.band(space))?)
            }
            RegionsPart::Weakest { number } => {
                let params = ExactParams {
                    progress: Progress::Hidden,
                    ..ExactParams::default()
                };
                let found = graphs_in(Space::Input)?;
                let network = self.network()?;
                Output::of(&found.weak_edge(network, number, settings.reach, &params)?)
            }
            RegionsPart::Regime { regime, seed } => {
                let regime = isometric.regimes.get(regime).ok_or_else(no_network)?;
                let data = self.mnist()?;
                trained_output(&train_regime(data, isometric, *regime, seed, &mut |_| ())?)
            }
            RegionsPart::Layers { regime, seed } => {
                let own = RegionsPart::Regime { regime, seed };
                let trained = regime_of(&from(own)?, isometric, (regime, seed))?;
                let test = self.mnist()?.test.first(isometric.test_images)?;
                layers_output(&of_network(&trained, &test, isometric)?)
            }
            RegionsPart::Growth => {
                let own = self.listing().first_of(0);
                let seed = self.listing().seed(own);
                let trained = regime_of(&from(own)?, isometric, (0, seed))?;
                let sizes = &isometric.growth_sizes;
                let data = &self.mnist()?.train;
                Output::of(&cost(&trained.network, data, sizes, isometric)?)
            }
            RegionsPart::Lipschitz => {
                lipschitz_output(&train_lipschitz(&self.mnist()?.train, isometric)?)
            }
            RegionsPart::Proved { network } => {
                let own = self.listing().first_of(network);
                let (output, test) = (from(own)?, &self.mnist()?.test);
                let mut proved = Proved::default();
                match isometric.regimes.get(network) {
                    Some(regime) => {
                        let seed = self.listing().seed(own);
                        let trained = regime_of(&output, isometric, (network, seed))?;
                        proved.push(regime.to_string(), &trained.network, test, isometric)?;
                    }
                    None => {
                        let (network, _) = lipschitz_of(&output, isometric)?;
                        proved.push(LIPSCHITZ, &network, test, isometric)?;
                    }
                }
                Output::of(&proved)
            }
        }
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let found = self.found(finished)?;
        let right = right_ones(&self.images()?, &found.answers)?;
        let random = [&found.random[0], &found.random[1]];
        let evidence = Evidence::new(
            &random,
            &right,
            &found.crossings,
            &found.growth,
            &found.layers,
        );
        let file = self.training.name() + ".safetensors";
        let mut numbers = Results::new(&self.settings, file);
        for graphs in &found.graphs {
            numbers.push("trained", graphs);
        }
        numbers.bands = found.bands.to_vec();
        numbers.compared = found.compared;
        numbers.further = found.further;
        numbers.exact = found.weakest;
        numbers.proved = found.proved;
        Ok(vec![
            (self.name().into(), json!(numbers)),
            (format!("{}_evidence", self.name()), json!(evidence)),
        ])
    }
}

/// The name of the 1-Lipschitz network in tables.
const LIPSCHITZ: &str = "1-Lipschitz";
