//! Stochastic weight averaging: the mean of the weights over a training.

use std::collections::BTreeMap;

use candle_core::Var;

use crate::error::Result;
use crate::models::Parameters;

/// The mean of weights and running statistics over all steps (Polyak & Juditsky 1992; Izmailov et
/// al. 2018, algorithm 1 with a constant rate and c = 1). One of each epoch's end alone would keep
/// much of the steps' noise in a short run.
pub(super) struct Average {
    means: BTreeMap<String, Var>,
}

impl Average {
    /// An average over no step yet.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let empty = |(name, var): (String, Var)| {
            Ok((name, Var::from_tensor(&var.as_tensor().zeros_like()?)?))
        };
        Ok(Self {
            means: parameters
                .named()
                .into_iter()
                .map(empty)
                .collect::<Result<_>>()?,
        })
    }

    /// Takes in the weights after the `step`-th step, from 1: w̄ ← w̄ + (w − w̄) / step.
    pub fn add(&self, parameters: &Parameters, step: usize) -> Result<()> {
        for (name, var) in parameters.named() {
            let mean = &self.means[&name];
            let step = ((var.as_detached_tensor() - mean.as_detached_tensor())? / step as f64)?;
            mean.set(&(mean.as_detached_tensor() + step)?)?;
        }
        Ok(())
    }

    /// Makes the means the weights.
    pub fn apply(&self, parameters: &Parameters) -> Result<()> {
        for (name, var) in parameters.named() {
            var.set(&self.means[&name].as_detached_tensor())?;
        }
        Ok(())
    }

    /// What a checkpoint keeps, by name.
    pub fn means(&self) -> &BTreeMap<String, Var> {
        &self.means
    }
}
