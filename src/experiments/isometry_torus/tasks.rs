//! The experiment as tasks: one for each stack.

use serde_json::{Value, json};

use super::results::Results;
use super::settings::{Gradient, Settings};
use super::shape::layer_shapes;
use super::stacks::{Stacks, Trained, all_cases, train_one};
use crate::error::Result;
use crate::experiments::tasks::{
    FromPlan, NetworkSweep, NetworkTasks, Output, set_weights, with_weights,
};
use crate::progress::Progress;
use crate::scale::Scale;

/// The stacks of the notebook `isometry_torus`.
#[derive(Clone, Debug)]
pub struct TorusStacks {
    scale: Scale,
    settings: Settings,
}

/// The experiment of the notebook `isometry_torus` as tasks.
pub fn tasks(scale: Scale, settings: Settings) -> NetworkTasks<TorusStacks> {
    let settings = Settings {
        progress: Progress::Hidden,
        ..settings
    };
    NetworkTasks(TorusStacks { scale, settings })
}

/// Finds the collected stacks of a plan with these settings; [`FromPlan::or`] trains what was not
/// found.
///
/// # Errors
/// Collected results that are not whole.
pub fn collected(scale: Scale, settings: &Settings) -> Result<FromPlan<Stacks>> {
    tasks(scale, settings.clone()).collected()
}

impl NetworkSweep for TorusStacks {
    type Parameter = Gradient;
    type Trained = Trained;

    fn name(&self) -> &'static str {
        "isometry_torus"
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn settings(&self) -> String {
        format!("{:?}", self.settings)
    }

    fn cases(&self) -> Result<Vec<(Gradient, u64)>> {
        all_cases(&self.settings)
    }

    /// 5.4 ms for an epoch of 1,600 points; the isometric loss looks at every pair.
    fn cost(&self) -> (f64, u64) {
        let torus = &self.settings.torus;
        let points = (torus.toroidal * torus.poloidal) as f64 / 1_600.;
        (
            1. + 5.4e-3 * self.settings.epochs as f64 * points * points,
            300,
        )
    }

    fn train(&self, gradient: &Gradient, seed: u64) -> Result<Trained> {
        train_one(&self.settings, *gradient, seed, &mut |_| ())
    }

    fn output(&self, trained: &Trained) -> Result<Output> {
        let output = Output::of(&(&trained.histories, trained.seconds))?;
        with_weights(output, trained.stack.parameters())
    }

    fn restored(&self, gradient: &Gradient, seed: u64, output: &Output) -> Result<Trained> {
        let (histories, seconds) = output.read()?;
        let torus = self.settings.data(seed)?;
        let stack = self.settings.stack(*gradient, seed)?;
        set_weights(stack.parameters(), output)?;
        Ok(Trained {
            gradient: *gradient,
            seed,
            levels: layer_shapes(&stack.freeze()?, &torus)?,
            torus,
            stack,
            histories,
            seconds,
        })
    }

    fn results(&self, stacks: &Stacks) -> Result<Value> {
        Ok(json!(Results::new(self.scale, &self.settings, stacks)?))
    }
}
