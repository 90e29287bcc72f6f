//! The experiment as tasks: networks, and on each of them attacks and measures.

mod found;
mod further;
mod outputs;
mod part;

use std::sync::OnceLock;

use serde_json::{Value, json};

use self::found::{first, found};
use self::outputs::{alone, curves_output, output_of, strength_output, trained};
use self::part::{ATTACK_MB, Cost, IsometryPart, PHOTOS_MB, TRAIN_MB, VERSION_MB};
use super::elsewhere::Elsewhere;
use super::gradients::angle;
use super::networks::train_resumably;
use super::results::{Evidence, Results};
use super::robustness::{fgsm_curves, pgd_curves};
use super::settings::Settings;
use super::strength::strength_from;
use super::stretch::one;
use super::versions::{authors_versions, compare_version};
use crate::datasets::{self, Dataset, Set, Split};
use crate::error::{Error, Result};
use crate::experiments::sweep::cases;
use crate::experiments::tasks::{
    Collected, Experiment, Finished, FromPlan, Given, Need, Output, Part, loaded,
};
use crate::io::exact::Exact;
use crate::progress::Progress;
use crate::scale::Scale;

pub use self::found::Found;
pub use self::further::Further;
pub(crate) use self::outputs::{output_of as trained_output, trained as restored};

/// The experiment of the notebook `isometry_mnist` as tasks.
#[derive(Debug)]
pub struct IsometryMnist {
    scale: Scale,
    /// The settings of table 1 and figure 3.
    pub settings: Settings,
    /// The settings of what the notebook shows beyond them.
    pub further: Further,
    /// Whether the images are others than MNIST's.
    is_made_up: bool,
    data: OnceLock<Split>,
    test: OnceLock<Dataset>,
    photos: OnceLock<Split>,
}

/// Finds the collected results of a plan with these settings; [`FromPlan::or`] computes what was not
/// found.
///
/// # Errors
/// Collected results that are not whole.
pub fn collected(scale: Scale, settings: &Settings) -> Result<FromPlan<Found>> {
    let experiment = IsometryMnist::new(scale, settings.clone());
    FromPlan::of(Collected::find(&experiment)?, |finished| {
        experiment.found(finished)
    })
}

impl IsometryMnist {
    /// Makes the experiment with some settings, on MNIST.
    pub fn new(scale: Scale, settings: Settings) -> Self {
        let settings = Settings {
            progress: Progress::Hidden,
            ..settings
        };
        Self {
            scale,
            further: Further::of(scale, &settings),
            settings,
            is_made_up: false,
            data: OnceLock::new(),
            test: OnceLock::new(),
            photos: OnceLock::new(),
        }
    }

    /// The same experiment on other images, also in the place of CIFAR-10's.
    pub fn with_data(self, data: Split) -> Self {
        Self {
            test: data.test.clone().into(),
            photos: data.clone().into(),
            data: data.into(),
            is_made_up: true,
            ..self
        }
    }

    /// All that the tasks have found.
    ///
    /// # Errors
    /// An output is not there, or is none of this experiment.
    pub fn found(&self, finished: &Finished<'_>) -> Result<Found> {
        found(&self.settings, &self.further, finished)
    }

    fn data(&self) -> Result<&Split> {
        loaded(&self.data, || datasets::load(Set::Mnist, &datasets::root()))
    }

    fn photos(&self) -> Result<&Split> {
        loaded(&self.photos, || {
            datasets::load(Set::Cifar10, &datasets::root())
        })
    }

    fn test(&self) -> Result<&Dataset> {
        loaded(&self.test, || {
            datasets::load_test(Set::Mnist, &datasets::root())
        })
    }
}

/// What a part reads.
enum Images {
    Digits,
    TestDigits,
    Photos,
}

fn images_of(part: &IsometryPart) -> Images {
    match part {
        IsometryPart::TrainElsewhere { .. }
        | IsometryPart::FgsmElsewhere { .. }
        | IsometryPart::PgdElsewhere { .. } => Images::Photos,
        IsometryPart::Train { .. }
        | IsometryPart::TrainLogits { .. }
        | IsometryPart::Version { .. } => Images::Digits,
        _ => Images::TestDigits,
    }
}

impl Experiment for IsometryMnist {
    fn name(&self) -> &'static str {
        "isometry_mnist"
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn settings(&self) -> String {
        format!("{:?} {:?}", self.settings, self.further)
    }

    fn needs(&self) -> Result<Vec<Need>> {
        match self.is_made_up {
            true => Ok(Vec::new()),
            false => Ok([Set::Mnist, Set::Cifar10]
                .into_iter()
                .flat_map(Need::set)
                .collect()),
        }
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let (settings, further) = (&self.settings, &self.further);
        let all = cases(&settings.betas, &settings.seeds)?;
        let on_logits = cases(&further.logits.betas, &further.logits.seeds)?;
        let cost = Cost(settings);
        let mut parts = Vec::new();
        for (beta, seed) in &all {
            let part = IsometryPart::Train {
                beta: Exact(*beta),
                seed: *seed,
            };
            parts.push(Part {
                seed: *seed,
                ..Part::new(&part, cost.train(*beta), TRAIN_MB)?
            });
        }
        for (beta, seed) in &on_logits {
            let part = IsometryPart::TrainLogits {
                beta: Exact(*beta),
                seed: *seed,
            };
            parts.push(Part {
                seed: *seed,
                ..Part::new(&part, cost.train(*beta), TRAIN_MB)?
            });
        }
        let on_photos = cases(&further.elsewhere.betas, &further.elsewhere.seeds)?;
        let photos = Cost(&further.elsewhere);
        for (beta, seed) in &on_photos {
            let part = IsometryPart::TrainElsewhere {
                beta: Exact(*beta),
                seed: *seed,
            };
            parts.push(Part {
                seed: *seed,
                ..Part::new(&part, photos.train_convolutions(), PHOTOS_MB)?
            });
        }
        for number in 0..authors_versions(&further.versions).len() {
            let part = IsometryPart::Version { number };
            parts.push(Part::new(
                &part,
                Cost::version(&further.versions),
                VERSION_MB,
            )?);
        }
        let (first, source) = first(settings)?;
        let place = |case: (f64, u64)| all.iter().position(|other| *other == case).unwrap_or(0);
        let mut add = |part: IsometryPart, needs: &[usize], seconds: f64| -> Result<()> {
            parts.push(Part {
                stage: 1,
                needs: needs.to_vec(),
                ..Part::new(&part, seconds, ATTACK_MB)?
            });
            Ok(())
        };
        // The longest first.
        for (beta, seed) in all.iter().copied() {
            let (needs, beta) = ([place((beta, seed))], Exact(beta));
            add(
                IsometryPart::Pgd { beta, seed },
                &needs,
                Cost::pgd(settings, beta.0),
            )?;
        }
        for beta in settings.betas.iter().copied() {
            let needs = [place((beta, first)), place(source)];
            let seconds = Cost::strength(further.strength_images, beta);
            add(
                IsometryPart::Strength { beta: Exact(beta) },
                &needs,
                seconds,
            )?;
        }
        for (beta, seed) in all.iter().copied() {
            let (needs, beta) = ([place((beta, seed))], Exact(beta));
            add(
                IsometryPart::Fgsm { beta, seed },
                &needs,
                Cost::fgsm(settings, beta.0),
            )?;
            let seconds = 2. + 0.02 * further.jacobians as f64;
            add(IsometryPart::Stretch { beta, seed }, &needs, seconds)?;
        }
        for beta in settings.betas.iter().copied() {
            let (needs, beta) = ([place((beta, first))], Exact(beta));
            add(IsometryPart::Angle { beta }, &needs, 1.)?;
            let seconds = Cost::fgsm(&further.unclipped, beta.0);
            add(IsometryPart::UnclippedFgsm { beta }, &needs, seconds)?;
            let seconds = Cost::pgd(&further.unclipped, beta.0);
            add(IsometryPart::UnclippedPgd { beta }, &needs, seconds)?;
        }
        for (at, (beta, seed)) in on_logits.iter().copied().enumerate() {
            let (needs, beta) = ([all.len() + at], Exact(beta));
            let seconds = Cost::fgsm(&further.logits, beta.0);
            add(IsometryPart::LogitsFgsm { beta, seed }, &needs, seconds)?;
        }
        let before = all.len() + on_logits.len();
        for (at, (beta, seed)) in on_photos.iter().copied().enumerate() {
            let beta = Exact(beta);
            let Settings {
                test_images,
                pgd_images,
                steps,
                ..
            } = further.elsewhere;
            let sizes = further.elsewhere.step_sizes.len();
            let attacks = [
                (
                    IsometryPart::FgsmElsewhere { beta, seed },
                    test_images,
                    sizes,
                ),
                (IsometryPart::PgdElsewhere { beta, seed }, pgd_images, steps),
            ];
            for (part, images, steps) in attacks {
                let seconds = photos.attack_convolutions(images, steps, beta.0);
                parts.push(Part {
                    stage: 1,
                    needs: vec![before + at],
                    ..Part::new(&part, seconds, PHOTOS_MB)?
                });
            }
        }
        Ok(parts)
    }

    fn prepare(&self, settings: &Value) -> Result<()> {
        match images_of(&Output::of(settings)?.read()?) {
            Images::Digits => self.data().map(drop),
            Images::TestDigits => self.test().map(drop),
            Images::Photos => self.photos().map(drop),
        }
    }

    fn run(&self, part: &Value, given: &Given<'_>) -> Result<Output> {
        let Self {
            settings, further, ..
        } = self;
        let (first, source) = first(settings)?;
        let restored = |at: usize, settings: &Settings, beta: Exact, seed: u64| {
            trained(&given.output(at)?, settings, beta.0, seed)
        };
        let network = |beta: Exact, seed: u64| restored(0, settings, beta, seed);
        match Output::of(part)?.read()? {
            IsometryPart::Train { beta, seed } => {
                let checkpoint = given.checkpoint();
                let trained = train_resumably(self.data()?, settings, beta.0, seed, checkpoint)?;
                output_of(&trained)
            }
            IsometryPart::TrainLogits { beta, seed } => {
                let (data, checkpoint) = (self.data()?, given.checkpoint());
                let trained = train_resumably(data, &further.logits, beta.0, seed, checkpoint)?;
                output_of(&trained)
            }
            IsometryPart::Fgsm { beta, seed } => {
                let networks = alone(network(beta, seed)?);
                curves_output(&fgsm_curves(&networks, self.test()?, settings)?)
            }
            IsometryPart::Pgd { beta, seed } => {
                let networks = alone(network(beta, seed)?);
                curves_output(&pgd_curves(&networks, self.test()?, settings)?)
            }
            IsometryPart::Stretch { beta, seed } => {
                let data = self.test()?.first(further.images)?;
                Output::of(&one(
                    &network(beta, seed)?,
                    &data,
                    settings,
                    further.jacobians,
                )?)
            }
            IsometryPart::Angle { beta } => {
                let data = self.test()?.first(further.images)?;
                Output::of(&angle(&network(beta, first)?, &data, settings)?)
            }
            IsometryPart::Strength { beta } => {
                let data = self.test()?.first(further.strength_images)?;
                let source = restored(1, settings, Exact(source.0), source.1)?;
                let own = alone(network(beta, first)?);
                let eps = further.strength_eps;
                strength_output(&strength_from(&own, &source, &data, settings, eps)?)
            }
            IsometryPart::UnclippedFgsm { beta } => {
                let networks = alone(network(beta, first)?);
                curves_output(&fgsm_curves(&networks, self.test()?, &further.unclipped)?)
            }
            IsometryPart::UnclippedPgd { beta } => {
                let networks = alone(network(beta, first)?);
                curves_output(&pgd_curves(&networks, self.test()?, &further.unclipped)?)
            }
            IsometryPart::LogitsFgsm { beta, seed } => {
                let networks = alone(restored(0, &further.logits, beta, seed)?);
                curves_output(&fgsm_curves(&networks, self.test()?, &further.logits)?)
            }
            IsometryPart::TrainElsewhere { beta, seed } => {
                let (data, checkpoint) = (self.photos()?, given.checkpoint());
                let trained = train_resumably(data, &further.elsewhere, beta.0, seed, checkpoint)?;
                output_of(&trained)
            }
            IsometryPart::FgsmElsewhere { beta, seed } => {
                let networks = alone(restored(0, &further.elsewhere, beta, seed)?);
                let test = &self.photos()?.test;
                curves_output(&fgsm_curves(&networks, test, &further.elsewhere)?)
            }
            IsometryPart::PgdElsewhere { beta, seed } => {
                let networks = alone(restored(0, &further.elsewhere, beta, seed)?);
                let test = &self.photos()?.test;
                curves_output(&pgd_curves(&networks, test, &further.elsewhere_pgd())?)
            }
            IsometryPart::Version { number } => {
                let versions = authors_versions(&further.versions);
                let version = versions
                    .into_iter()
                    .nth(number)
                    .ok_or_else(|| Error::argument("version", "one of the authors'", number))?;
                Output::of(&compare_version(
                    self.data()?,
                    version,
                    further.versions_alpha,
                )?)
            }
        }
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let found = self.found(finished)?;
        let Found {
            networks,
            robustness,
            lipschitz,
            ..
        } = &found;
        let results = Results::new(self.scale, &self.settings, networks, robustness, lipschitz);
        let (set, photos) = ("CIFAR-10", &found.photos);
        let settings = &self.further.elsewhere;
        let elsewhere = Elsewhere::new(set, settings, photos, found.on_photos.clone());
        let evidence = Evidence {
            angles: found.angles,
            strength: found.strength,
            unclipped: [found.unclipped.fgsm, found.unclipped.pgd],
            logits: found.logits,
            versions: found.versions,
            elsewhere: Some(elsewhere),
        };
        Ok(vec![
            (self.name().into(), json!(results)),
            (format!("{}_evidence", self.name()), json!(evidence)),
        ])
    }
}
