//! The lines to certify as tasks: each line or band is one.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::jobs::Job;
use super::procedure::search;
use super::record::ExactRecord;
use super::settings::Settings;
use crate::datasets::{self, Dataset, Set};
use crate::error::{Error, Result};
use crate::experiments::cifar10;
use crate::experiments::connectivity::choose_pairs;
use crate::experiments::connectivity_cifar10::Space;
use crate::experiments::tasks::{Experiment, Finished, Given, Need, Output, Part, loaded};
use crate::metrics::predictions;
use crate::models::{Enlarged, Network, evaluation};
use crate::progress::Progress;
use crate::scale::Scale;

/// Exact verdicts on the pairs of the *connectivity* experiment as tasks, for the network whose weights
/// the repository holds.
///
/// `quick`: 2 pairs in each space. `default`: the paper's 25. `paper`: 200.
#[derive(Debug)]
pub struct Certify {
    scale: Scale,
    settings: Settings,
    training: cifar10::Settings,
    /// Whether images and network are others.
    is_made_up: bool,
    test: OnceLock<Dataset>,
    network: OnceLock<Loaded>,
}

struct Loaded(Arc<dyn Network>);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a network")
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
enum CertifyPart {
    /// The network's answers to all test images.
    Answers,
    /// The line of a pair, or its band.
    Line { space: Space, number: usize },
}

impl Certify {
    /// Makes the experiment at a scale.
    ///
    /// # Errors
    /// The repository's weights cannot be read.
    pub fn new(scale: Scale) -> Result<Self> {
        let training = cifar10::Settings::default();
        let Need { sha256, .. } = Need::checkpoint(&training.name())?;
        Ok(Self {
            scale,
            settings: Settings {
                count: scale.pick(2, 25, 200),
                weights_sha256: sha256,
                command: format!("isopath tasks certify --scale {scale}"),
                progress: Progress::Hidden,
                ..Settings::default()
            },
            training,
            is_made_up: false,
            test: OnceLock::new(),
            network: OnceLock::new(),
        })
    }

    /// The same experiment with other settings, on other images and another network.
    ///
    /// # Errors
    /// The network cannot be frozen.
    pub fn with(self, settings: Settings, test: Dataset, network: &dyn Network) -> Result<Self> {
        Ok(Self {
            settings,
            is_made_up: true,
            test: test.into(),
            network: Loaded(evaluation(network)?).into(),
            ..self
        })
    }

    fn test(&self) -> Result<&Dataset> {
        let load = || datasets::load_test(Set::Cifar10, &datasets::root());
        loaded(&self.test, load)
    }

    fn network(&self) -> Result<&Arc<dyn Network>> {
        let load = || {
            Ok(Loaded(evaluation(&cifar10::load_pretrained(
                &self.training,
            )?)?))
        };
        Ok(&loaded(&self.network, load)?.0)
    }

    fn lines(&self) -> impl Iterator<Item = (usize, Space)> {
        let spaces = &self.settings.spaces;
        (0..self.settings.count).flat_map(|number| spaces.iter().map(move |space| (number, *space)))
    }
}

impl Experiment for Certify {
    fn name(&self) -> &'static str {
        "certify"
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn settings(&self) -> String {
        format!("{:?} {:?}", self.settings, self.training)
    }

    fn needs(&self) -> Result<Vec<Need>> {
        if self.is_made_up {
            return Ok(Vec::new());
        }
        let mut needs: Vec<Need> = Need::set(Set::Cifar10).collect();
        needs.push(Need::checkpoint(&self.training.name())?);
        Ok(needs)
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let mut parts = vec![Part::new(&CertifyPart::Answers, 20., 400)?];
        for (number, space) in self.lines() {
            // A band has nine legs.
            let seconds = match space {
                Space::Input => 600.,
                Space::FirstStage | Space::Last => 300.,
            };
            parts.push(Part {
                stage: 1,
                seed: self.settings.connect.seed,
                needs: vec![0],
                ..Part::new(&CertifyPart::Line { space, number }, seconds, 1_000)?
            });
        }
        Ok(parts)
    }

    fn prepare(&self, _part: &Value) -> Result<()> {
        self.test()?;
        self.network().map(drop)
    }

    fn run(&self, part: &Value, given: &Given<'_>) -> Result<Output> {
        let (test, settings) = (self.test()?, &self.settings);
        match Output::of(part)?.read()? {
            CertifyPart::Answers => {
                let classifier = Enlarged {
                    network: Arc::clone(self.network()?),
                    side: settings.connect.side,
                };
                let answers = predictions(&classifier, &test.inputs)?;
                Ok(Output::of(&Value::Null)?.with("answers", answers))
            }
            CertifyPart::Line { space, number } => {
                let first = given.output(0)?;
                let answers = first.tensor("answers")?.to_device(test.inputs.device())?;
                let seed = settings.connect.seed;
                let pairs = choose_pairs(test, &[&answers], settings.count, seed)?;
                let pair = pairs.pairs.get(number).copied().ok_or_else(|| {
                    let expected = format!("below {}, the number of pairs", pairs.len());
                    Error::argument("pair", expected, number)
                })?;
                let job = Job::of_pair(space, number, pair);
                let network = self.network()?.as_ref();
                Output::of(&search(network, test, settings, &job, &mut |_, _| ())?)
            }
        }
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let mut records = self
            .lines()
            .map(|(number, space)| {
                finished
                    .output(&CertifyPart::Line { space, number })?
                    .read()
            })
            .collect::<Result<Vec<ExactRecord>>>()?;
        // As the records of a folder are read.
        records.sort_by_key(|record| (record.space, record.number));
        Ok(vec![(self.name().into(), json!(records))])
    }
}
