//! A made-up experiment, to try a cluster with.

use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::experiment::{Experiment, Finished, Given, Need, Part};
use super::output::Output;
use crate::error::Result;
use crate::interrupt;
use crate::rng::Rng;
use crate::scale::Scale;

/// The environment variable with the time in seconds that each draw of a [`Trial`] waits; it changes
/// no number.
const PAUSE: &str = "ISOPATH_TRIAL_SECONDS";
/// Draws whose mean is taken together.
const TOGETHER: usize = 100;

/// A made-up experiment that tries a cluster: draws of random numbers, each after a pause, and in a
/// second stage the means of a hundred of them.
///
/// `quick`: 20 draws of half a second. `default`: 1,000 draws of ten seconds. `paper`: 100,000 draws
/// without a pause.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The scale.
    pub scale: Scale,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
enum TrialPart {
    Draw { seed: u64 },
    Mean { from: usize },
}

impl Trial {
    fn draws(self) -> usize {
        self.scale.pick(20, 1_000, 100_000)
    }

    fn seconds(self) -> f64 {
        let given = std::env::var(PAUSE).ok().and_then(|text| text.parse().ok());
        let usual = self.scale.pick(0.5, 10., 0.);
        given
            .filter(|seconds| (0. ..1e6).contains(seconds))
            .unwrap_or(usual)
    }

    fn firsts(self) -> impl Iterator<Item = usize> {
        (0..self.draws()).step_by(TOGETHER)
    }
}

impl Experiment for Trial {
    fn name(&self) -> &'static str {
        "trial"
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn settings(&self) -> String {
        format!("{} draws of 1000 numbers", self.draws())
    }

    fn needs(&self) -> Result<Vec<Need>> {
        Ok(Vec::new())
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let mut parts = Vec::with_capacity(self.draws() + self.draws() / TOGETHER);
        for seed in 0..self.draws() as u64 {
            let part = Part::new(&TrialPart::Draw { seed }, self.seconds().max(0.001), 50)?;
            parts.push(Part { seed, ..part });
        }
        for from in self.firsts() {
            parts.push(Part {
                stage: 1,
                needs: (from..self.draws().min(from + TOGETHER)).collect(),
                ..Part::new(&TrialPart::Mean { from }, 0.01, 50)?
            });
        }
        Ok(parts)
    }

    fn run(&self, settings: &Value, given: &Given<'_>) -> Result<Output> {
        let part = Output::of(settings)?.read()?;
        match part {
            TrialPart::Draw { seed } => {
                let begin = Instant::now();
                while begin.elapsed().as_secs_f64() < self.seconds() {
                    interrupt::check()?;
                    std::thread::sleep(Duration::from_millis(10));
                }
                let draw = Rng::new(seed).uniform(1_000, 0., 1., DType::F64, &Device::Cpu)?;
                Output::of(&draw.mean_all()?.to_scalar::<f64>()?)
            }
            TrialPart::Mean { .. } => {
                let means = (0..given.len()).map(|at| given.output(at)?.read::<f64>());
                let sum = means.sum::<Result<f64>>()?;
                Output::of(&(sum / given.len() as f64))
            }
        }
    }

    fn results(&self, finished: &Finished<'_>) -> Result<Vec<(String, Value)>> {
        let means = self
            .firsts()
            .map(|from| finished.output(&TrialPart::Mean { from })?.read::<f64>())
            .collect::<Result<Vec<f64>>>()?;
        let value = json!({ "draws": self.draws(), "means": means });
        Ok(vec![(self.name().into(), value)])
    }
}
