//! The experiment as tasks: networks, and on each of them attacks.

mod cost;
mod found;
mod outputs;
mod part;

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};

use self::cost::Cost;
use self::outputs::{measured_output, network, network_output, others_output};
use self::part::AuditPart;
use super::audit::{autoattack, others};
use super::method::Method;
use super::near_and_far::{NearAndFarParams, SMALL, of_method, of_small};
use super::networks::{Trained, train_resumably};
use super::params::AuditParams;
use super::pretrained::{carried_in, carried_name, load_pretrained_from};
use super::results::Results;
use super::settings::Settings;
use crate::attacks::Norm;
use crate::datasets::{self, Dataset, Set, Split};
use crate::error::{Error, Result};
use crate::experiments::sweep::cases;
use crate::experiments::tasks::{
    Collected, Experiment, Finished, FromPlan, Given, Need, Output, Part, listed, loaded,
};
use crate::progress::Progress;
use crate::scale::Scale;

pub use self::found::Found;

/// The experiment of the notebook `isometry_audit` as tasks.
#[derive(Debug)]
pub struct IsometryAudit {
    scale: Scale,
    settings: Settings,
    params: AuditParams,
    near: NearAndFarParams,
    /// The folder of the networks that are loaded; none where they are trained.
    carried: Option<PathBuf>,
    is_made_up: bool,
    data: OnceLock<Split>,
    images: OnceLock<Dataset>,
}

/// Finds the collected results of a plan with these settings; [`FromPlan::or`] computes what was not
/// found.
///
/// # Errors
/// Collected results that are not whole.
pub fn collected(
    scale: Scale,
    settings: &Settings,
    params: &AuditParams,
    near: &NearAndFarParams,
) -> Result<FromPlan<Found>> {
    let experiment = IsometryAudit::new(scale, settings.clone(), params.clone(), near.clone());
    FromPlan::of(Collected::find(&experiment)?, |finished| {
        experiment.found(finished)
    })
}

impl IsometryAudit {
    /// Makes the experiment with some settings, on MNIST. At the scale `default` it loads the
    /// repository's networks.
    pub fn new(
        scale: Scale,
        settings: Settings,
        params: AuditParams,
        near: NearAndFarParams,
    ) -> Self {
        Self {
            scale,
            settings: Settings {
                runs: None,
                progress: Progress::Hidden,
                ..settings
            },
            params: AuditParams {
                progress: Progress::Hidden,
                ..params
            },
            near,
            carried: (scale == Scale::Default).then(carried_in),
            is_made_up: false,
            data: OnceLock::new(),
            images: OnceLock::new(),
        }
    }

    /// The same experiment on other images, attacked in the shape that they have; with the networks
    /// that [`save_pretrained`](super::save_pretrained) wrote to a folder, or none.
    pub fn with_data(self, data: Split, carried: Option<PathBuf>) -> Self {
        Self {
            images: data.test.clone().into(),
            data: data.into(),
            carried,
            is_made_up: true,
            ..self
        }
    }

    fn data(&self) -> Result<&Split> {
        loaded(&self.data, || datasets::load(Set::Mnist, &datasets::root()))
    }

    /// The test images as they are attacked.
    fn images(&self) -> Result<&Dataset> {
        loaded(&self.images, || {
            datasets::load_test(Set::Mnist, &datasets::root())?.reshaped(&[1, 28, 28])
        })
    }

    fn cases(&self) -> Result<Vec<(Method, u64)>> {
        let methods = self.settings.methods.iter().map(|(method, _)| *method);
        cases(&methods.collect::<Vec<_>>(), &self.settings.seeds)
    }

    fn method(&self, name: &str) -> Result<Method> {
        let mut all = self.settings.methods.iter().map(|(method, _)| *method);
        let own = all.find(|method| method.file_name() == name);
        own.ok_or_else(|| Error::argument("method", "one of the settings", name))
    }

    /// The parts with their stages, the longest of each first.
    fn listing(&self) -> Result<Vec<(usize, AuditPart)>> {
        let all = self.cases()?;
        let names = all
            .iter()
            .rev()
            .map(|(method, seed)| (method.file_name(), *seed));
        let mut parts = Vec::new();
        let stage = match self.carried {
            Some(_) => 0,
            None => {
                let train = |(method, seed)| (0, AuditPart::Train { method, seed });
                parts.extend(names.clone().map(train));
                1
            }
        };
        for norm in [Norm::LInf, Norm::L2] {
            let attack = |(method, seed)| AuditPart::Autoattack { method, seed, norm };
            parts.extend(names.clone().map(|of| (stage, attack(of))));
        }
        let others = |(method, seed)| (stage, AuditPart::Others { method, seed });
        parts.extend(names.map(others));
        parts.extend(self.near_parts().map(|part| (stage, part)));
        Ok(parts)
    }

    /// The parts of [`NearAndFar`](super::NearAndFar), in its order.
    fn near_parts(&self) -> impl Iterator<Item = AuditPart> {
        let seed = self.settings.seeds.first().copied().unwrap_or(0);
        let names = self.near.methods.iter().map(Method::file_name);
        let on_images = names.map(move |method| AuditPart::NearAndFar { method, seed });
        on_images.chain((0..SMALL.len()).map(|number| AuditPart::Small { number }))
    }

    /// The network that a part attacks.
    fn network(&self, name: &str, seed: u64, given: &Given<'_>) -> Result<Trained> {
        let method = self.method(name)?;
        let Some(folder) = &self.carried else {
            return network(&given.output(0)?, &self.settings, method, seed);
        };
        let own = Settings {
            methods: vec![(method, self.settings.epochs(&method)?)],
            seeds: vec![seed],
            ..self.settings.clone()
        };
        let networks = load_pretrained_from(folder, self.data()?, &own)?;
        Ok(networks.get(&method, seed)?.clone())
    }
}

impl Experiment for IsometryAudit {
    fn name(&self) -> &'static str {
        "isometry_audit"
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn settings(&self) -> String {
        let Self {
            settings,
            params,
            near,
            ..
        } = self;
        let networks = match self.carried {
            Some(_) => "loaded",
            None => "trained",
        };
        format!("{settings:?} {params:?} {near:?} networks {networks}")
    }

    fn needs(&self) -> Result<Vec<Need>> {
        if self.is_made_up {
            return Ok(Vec::new());
        }
        let mut needs: Vec<Need> = Need::set(Set::Mnist).collect();
        if self.carried.is_some() {
            let methods = self.settings.methods.iter();
            let carried = methods.map(|(method, _)| Need::checkpoint(&carried_name(method)));
            needs.extend(carried.collect::<Result<Vec<_>>>()?);
        }
        Ok(needs)
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let cost = Cost {
            settings: &self.settings,
            params: &self.params,
            near: &self.near,
        };
        let listing = self.listing()?;
        let mut parts = listed(&listing, |part| {
            (part.network().into_iter().collect(), part.seed(), 0., 0)
        })?;
        for (part, (_, own)) in parts.iter_mut().zip(&listing) {
            (part.seconds, part.memory_mb) = cost.of(own, |name| self.method(name))?;
        }
        Ok(parts)
    }

    fn prepare(&self, part: &Value) -> Result<()> {
        let part: AuditPart = Output::of(part)?.read()?;
        match part {
            AuditPart::Small { .. } => Ok(()),
            AuditPart::Train { .. } => self.data().map(drop),
            _ if self.carried.is_some() => {
                self.data()?;
                self.images().map(drop)
            }
            _ => self.images().map(drop),
        }
    }

    fn run(&self, part: &Value, given: &Given<'_>) -> Result<Output> {
        let params = &self.params;
        match Output::of(part)?.read()? {
            AuditPart::Train { method, seed } => {
                let (method, checkpoint) = (self.method(&method)?, given.checkpoint());
                let (data, settings) = (self.data()?, &self.settings);
                network_output(&train_resumably(data, settings, &method, seed, checkpoint)?)
            }
            AuditPart::Autoattack { method, seed, norm } => {
                let trained = self.network(&method, seed, given)?;
                Output::of(&autoattack(&trained, self.images()?, params, norm)?)
            }
            AuditPart::Others { method, seed } => {
                let trained = self.network(&method, seed, given)?;
                others_output(others(&trained, self.images()?, params)?)
            }
            AuditPart::NearAndFar { method, seed } => {
                let Trained {
                    method, network, ..
                } = self.network(&method, seed, given)?;
                measured_output(&of_method(&method, &network, self.images()?, &self.near)?)
            }
            AuditPart::Small { number } => measured_output(&of_small(number, &self.near)?),
        }
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let found = self.found(finished)?;
        let results = Results::new(self.scale, &self.params, &found.audits);
        Ok(vec![
            (self.name().into(), json!(results)),
            (
                format!("{}_near_and_far", self.name()),
                json!(found.near_and_far),
            ),
        ])
    }
}
