//! A sweep of networks as tasks: one for each network.

use std::fmt::{Debug, Display};
use std::path::Path;

use serde_json::{Value, json};

use super::archive::{Collected, FromPlan};
use super::experiment::{Experiment, Finished, Given, Need, Part};
use super::output::Output;
use crate::error::{Error, Result};
use crate::experiments::sweep::{Run, Sweep};
use crate::models::Parameters;
use crate::scale::Scale;

/// An experiment that trains a network for every value of a parameter and every seed, and measures
/// nothing that takes long.
pub trait NetworkSweep: Debug + Sync {
    /// What the networks differ in beside the seed; what it [writes](Display) tells one from another.
    type Parameter: Clone + Debug + Display + PartialEq + Sync;
    /// A network with what is known of it.
    type Trained: Clone;

    /// The name on the command line, and of the results' file.
    fn name(&self) -> &'static str;

    /// The scale that its settings are of.
    fn scale(&self) -> Scale;

    /// All that decides the numbers, in words.
    fn settings(&self) -> String;

    /// The parameter and the seed of every network.
    ///
    /// # Errors
    /// Settings out of their range.
    fn cases(&self) -> Result<Vec<(Self::Parameter, u64)>>;

    /// The time that a network takes on one core, an estimate in seconds, and the memory in megabytes.
    fn cost(&self) -> (f64, u64);

    /// Trains a network.
    ///
    /// # Errors
    /// What the experiment refuses.
    fn train(&self, parameter: &Self::Parameter, seed: u64) -> Result<Self::Trained>;

    /// What of a network a task keeps: with [`with_weights`] its weights.
    ///
    /// # Errors
    /// The memory is full.
    fn output(&self, trained: &Self::Trained) -> Result<Output>;

    /// The network of an output.
    ///
    /// # Errors
    /// The output is of another experiment.
    fn restored(
        &self,
        parameter: &Self::Parameter,
        seed: u64,
        output: &Output,
    ) -> Result<Self::Trained>;

    /// The results of all networks.
    ///
    /// # Errors
    /// A number cannot be computed.
    fn results(&self, networks: &Sweep<Self::Parameter, Self::Trained>) -> Result<Value>;
}

/// A sweep of networks as an [`Experiment`].
#[derive(Clone, Debug)]
pub struct NetworkTasks<S>(pub S);

impl<S: NetworkSweep> NetworkTasks<S> {
    /// The networks that the tasks have trained.
    ///
    /// # Errors
    /// An output is not there, or is none of this experiment.
    pub fn networks(&self, finished: &Finished<'_>) -> Result<Sweep<S::Parameter, S::Trained>> {
        let cases = self.0.cases()?;
        let one = |(parameter, seed): (S::Parameter, u64)| {
            let output = finished.output(&settings_of(&parameter, seed))?;
            Ok(Run {
                result: self.0.restored(&parameter, seed, &output)?,
                parameter,
                seed,
            })
        };
        Ok(Sweep {
            runs: cases.into_iter().map(one).collect::<Result<_>>()?,
        })
    }

    /// Finds the collected networks of a plan with these settings; [`FromPlan::or`] trains what was not
    /// found.
    ///
    /// # Errors
    /// Collected results that are not whole.
    pub fn collected(&self) -> Result<FromPlan<Sweep<S::Parameter, S::Trained>>> {
        FromPlan::of(Collected::find(self)?, |finished| self.networks(finished))
    }
}

fn settings_of(parameter: &impl Display, seed: u64) -> Value {
    json!({ "network": parameter.to_string(), "seed": seed })
}

impl<S: NetworkSweep> Experiment for NetworkTasks<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn scale(&self) -> Scale {
        self.0.scale()
    }

    fn settings(&self) -> String {
        self.0.settings()
    }

    fn needs(&self) -> Result<Vec<Need>> {
        Ok(Vec::new())
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let (seconds, memory_mb) = self.0.cost();
        let part = |(parameter, seed): &(S::Parameter, u64)| {
            let part = Part::new(&settings_of(parameter, *seed), seconds, memory_mb)?;
            Ok(Part {
                seed: *seed,
                ..part
            })
        };
        self.0.cases()?.iter().map(part).collect()
    }

    fn run(&self, settings: &Value, _given: &Given<'_>) -> Result<Output> {
        let cases = self.0.cases()?;
        let own = cases
            .iter()
            .find(|(parameter, seed)| settings_of(parameter, *seed) == *settings);
        let (parameter, seed) = own.ok_or_else(|| {
            Error::argument("settings", "those of a network of the sweep", settings)
        })?;
        self.0.output(&self.0.train(parameter, *seed)?)
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let value = self.0.results(&self.networks(finished)?)?;
        Ok(vec![(self.name().into(), value)])
    }
}

/// Stands before the names of weights.
const WEIGHTS: &str = "network.";

/// Adds weights to an output.
///
/// # Errors
/// The memory is full.
pub fn with_weights(mut output: Output, weights: &Parameters) -> Result<Output> {
    for (name, tensor) in weights.copies()? {
        output = output.with(format!("{WEIGHTS}{name}"), tensor);
    }
    Ok(output)
}

/// Takes over the weights that [`with_weights`] has added.
///
/// # Errors
/// They are those of another network.
pub fn set_weights(weights: &Parameters, output: &Output) -> Result<()> {
    let own = output.tensors.iter().filter_map(|(name, tensor)| {
        Some((name.strip_prefix(WEIGHTS)?.to_owned(), tensor.clone()))
    });
    weights.set(own.collect(), Path::new("a task's result"))
}
