//! The experiment as tasks: one for each network.

use serde_json::{Value, json};

use super::networks::{Networks, Trained, train_network, untrained};
use super::results::Results;
use super::settings::Settings;
use super::shape::ring_shapes;
use crate::error::Result;
use crate::experiments::sweep::cases;
use crate::experiments::tasks::{
    FromPlan, NetworkSweep, NetworkTasks, Output, set_weights, with_weights,
};
use crate::losses::Partition;
use crate::metrics::accuracy;
use crate::progress::Progress;
use crate::scale::Scale;

/// The networks of the notebook `isometry_rings`.
#[derive(Clone, Debug)]
pub struct Rings {
    scale: Scale,
    settings: Settings,
}

/// The experiment of the notebook `isometry_rings` as tasks.
pub fn tasks(scale: Scale, settings: Settings) -> NetworkTasks<Rings> {
    let settings = Settings {
        progress: Progress::Hidden,
        ..settings
    };
    NetworkTasks(Rings { scale, settings })
}

/// Finds the collected networks of a plan with these settings; [`FromPlan::or`] trains what was not
/// found.
///
/// # Errors
/// Collected results that are not whole.
pub fn collected(scale: Scale, settings: &Settings) -> Result<FromPlan<Networks>> {
    tasks(scale, settings.clone()).collected()
}

impl NetworkSweep for Rings {
    type Parameter = Partition;
    type Trained = Trained;

    fn name(&self) -> &'static str {
        "isometry_rings"
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn settings(&self) -> String {
        format!("{:?}", self.settings)
    }

    fn cases(&self) -> Result<Vec<(Partition, u64)>> {
        cases(&self.settings.mappings, &self.settings.seeds)
    }

    /// A millisecond for an epoch of a thousand points.
    fn cost(&self) -> (f64, u64) {
        let points = self.settings.epochs as f64 * self.settings.rings.points as f64;
        (0.5 + 1.1e-6 * points, 200)
    }

    fn train(&self, mapping: &Partition, seed: u64) -> Result<Trained> {
        train_network(&self.settings, *mapping, seed, &mut |_| ())
    }

    fn output(&self, trained: &Trained) -> Result<Output> {
        let output = Output::of(&(&trained.history, trained.seconds))?;
        with_weights(output, trained.network.parameters())
    }

    fn restored(&self, mapping: &Partition, seed: u64, output: &Output) -> Result<Trained> {
        let (history, seconds) = output.read()?;
        let rings = self.settings.data(seed)?;
        let network = untrained(&self.settings, seed, &rings)?;
        set_weights(network.parameters(), output)?;
        Ok(Trained {
            mapping: *mapping,
            seed,
            accuracy: accuracy(&network, &rings)?,
            shape: ring_shapes(&network, &rings)?,
            rings,
            network,
            history,
            seconds,
        })
    }

    fn results(&self, networks: &Networks) -> Result<Value> {
        Ok(json!(Results::new(self.scale, &self.settings, networks)))
    }
}
