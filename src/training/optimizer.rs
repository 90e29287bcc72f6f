//! The choice of an optimiser, and its learning rate over a run.

use std::collections::BTreeMap;

use candle_core::Var;
use candle_core::backprop::GradStore;

use crate::error::{Error, Result};
use crate::models::Parameters;
use crate::training::{Adam, AdamParams, Sgd, SgdParams};

/// How weights follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// [`Adam`].
    Adam(AdamParams),
    /// [`Sgd`].
    Sgd(SgdParams),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam(AdamParams::default())
    }
}

impl From<AdamParams> for Optimizer {
    fn from(params: AdamParams) -> Self {
        Self::Adam(params)
    }
}

impl From<SgdParams> for Optimizer {
    fn from(params: SgdParams) -> Self {
        Self::Sgd(params)
    }
}

impl Optimizer {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// As [`AdamParams::validate`] and [`SgdParams::validate`].
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Adam(params) => params.validate(),
            Self::Sgd(params) => params.validate(),
        }
    }
}

/// The learning rate over a run, as a factor of the optimiser's own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// 1 all the time.
    #[default]
    Constant,
    /// From `start` up to 1 at the share `warm_up` of the steps, then down to `end` at the last,
    /// both along half a cosine (Smith & Topin 2018; PyTorch's `OneCycleLR` with
    /// `cycle_momentum=False`).
    OneCycle {
        /// The share of the steps at which the factor is 1, in (0, 1); PyTorch's is 0.3.
        warm_up: f64,
        /// The first factor, in \[0, 1\]; PyTorch's is 1/25.
        start: f64,
        /// The last factor, in \[0, 1\]; PyTorch's is 1/25 · 1e-4.
        end: f64,
    },
}

impl Schedule {
    /// PyTorch's one cycle.
    pub const ONE_CYCLE: Self = Self::OneCycle {
        warm_up: 0.3,
        start: 1. / 25.,
        end: 1. / 25e4,
    };

    /// The factor of step `step`, from 0, of `steps`.
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let Self::OneCycle {
            warm_up,
            start,
            end,
        } = *self
        else {
            return 1.;
        };
        // As PyTorch counts: the highest rate is that of step warm_up · steps − 1.
        let top = (warm_up * steps as f64 - 1.).max(0.);
        let last = steps as f64 - 1.;
        let cosine = |from: f64, to: f64, share: f64| {
            to + (from - to) / 2. * (1. + (std::f64::consts::PI * share.clamp(0., 1.)).cos())
        };
        let step = step as f64;
        if step < top {
            cosine(start, 1., step / top)
        } else if last > top {
            cosine(1., end, (step - top) / (last - top))
        } else {
            1.
        }
    }

    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// `warm_up` outside (0, 1), `start` or `end` outside \[0, 1\].
    pub fn validate(&self) -> Result<()> {
        let Self::OneCycle {
            warm_up,
            start,
            end,
        } = *self
        else {
            return Ok(());
        };
        if !(warm_up > 0. && warm_up < 1.) {
            return Err(Error::argument("warm_up", "a number in (0, 1)", warm_up));
        }
        for (name, value) in [("start", start), ("end", end)] {
            if !(0. ..=1.).contains(&value) {
                return Err(Error::argument(name, "a number in [0, 1]", value));
            }
        }
        Ok(())
    }
}

/// An optimiser at work.
pub(super) enum State {
    Adam(Adam),
    Sgd(Sgd),
}

impl State {
    pub fn new(parameters: &Parameters, optimizer: Optimizer) -> Result<Self> {
        Ok(match optimizer {
            Optimizer::Adam(params) => Self::Adam(Adam::new(parameters, params)?),
            Optimizer::Sgd(params) => Self::Sgd(Sgd::new(parameters, params)?),
        })
    }

    /// One step at `factor` times the learning rate of `optimizer`.
    pub fn step(&mut self, optimizer: Optimizer, factor: f64, gradients: &GradStore) -> Result<()> {
        match (self, optimizer) {
            (Self::Adam(adam), Optimizer::Adam(AdamParams { learning_rate, .. })) => {
                adam.params.learning_rate = learning_rate * factor;
                adam.step(gradients)
            }
            (Self::Sgd(sgd), Optimizer::Sgd(SgdParams { learning_rate, .. })) => {
                sgd.params.learning_rate = learning_rate * factor;
                sgd.step(gradients)
            }
            (_, other) => Err(Error::argument(
                "optimizer",
                "the one the run began with",
                format!("{other:?}"),
            )),
        }
    }

    pub fn steps(&self) -> u64 {
        match self {
            Self::Adam(adam) => adam.step,
            Self::Sgd(sgd) => sgd.step,
        }
    }

    pub fn set_steps(&mut self, steps: u64) {
        match self {
            Self::Adam(adam) => adam.step = steps,
            Self::Sgd(sgd) => sgd.step = steps,
        }
    }

    /// What it remembers, by the prefix of its names in a file.
    pub fn memory(&self) -> Vec<(&'static str, &BTreeMap<String, Var>)> {
        match self {
            Self::Adam(adam) => {
                vec![
                    ("adam.first_moment.", &adam.first_moment),
                    ("adam.second_moment.", &adam.second_moment),
                ]
            }
            Self::Sgd(sgd) => vec![("sgd.velocity.", &sgd.velocity)],
        }
    }
}
