//! The Adam optimiser, with a state that can be saved.

use std::collections::BTreeMap;

use candle_core::Var;
use candle_core::backprop::GradStore;

use crate::error::{Error, Result};
use crate::models::Parameters;
use crate::ops;

/// The parameters of Adam; the defaults are PyTorch's and those of Kingma & Ba 2015.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamParams {
    /// The step size; 1e-3 by default.
    pub learning_rate: f64,
    /// β₁, the decay of the mean of the gradients; 0.9 by default.
    pub beta1: f64,
    /// β₂, the decay of the mean of their squares; 0.999 by default.
    pub beta2: f64,
    /// ε, added to the denominator; 1e-8 by default.
    pub eps: f64,
}

impl Default for AdamParams {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        }
    }
}

impl AdamParams {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// The learning rate or ε negative or not finite, β₁ or β₂ outside [0, 1).
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("learning_rate", self.learning_rate), ("eps", self.eps)] {
            if !(value.is_finite() && value >= 0.) {
                return Err(Error::argument(name, "a finite number ≥ 0", value));
            }
        }
        for (name, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0. ..1.).contains(&value) {
                return Err(Error::argument(name, "a number in [0, 1)", value));
            }
        }
        Ok(())
    }
}

/// Adam (Kingma & Ba 2015), without weight decay, as PyTorch's `torch.optim.Adam` does it:
///
/// m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − lr · m̂ / (√v̂ + ε), m̂ = m/(1 − β₁ᵗ), v̂
/// = v/(1 − β₂ᵗ).
///
/// candle-nn's own AdamW keeps its moments private, so that a run of it cannot be taken up again;
/// here they are public.
#[derive(Clone, Debug)]
pub struct Adam {
    /// The parameters, checked when the optimiser was made.
    pub params: AdamParams,
    /// t, the steps done so far.
    pub step: u64,
    /// By a weight's name: m, the running mean of its gradient.
    pub first_moment: BTreeMap<String, Var>,
    /// By a weight's name: v, the running mean of its gradient's square.
    pub second_moment: BTreeMap<String, Var>,
    weights: BTreeMap<String, Var>,
}

impl Adam {
    /// An optimiser of `parameters`, its moments 0.
    ///
    /// # Errors
    /// A parameter out of its range.
    pub fn new(parameters: &Parameters, params: AdamParams) -> Result<Self> {
        params.validate()?;
        let weights = parameters.named();
        let zeros = || -> Result<BTreeMap<String, Var>> {
            let zero = |var: &Var| Var::zeros(var.shape(), var.dtype(), var.device());
            weights
                .iter()
                .map(|(name, var)| Ok((name.clone(), zero(var)?)))
                .collect()
        };
        Ok(Self {
            params,
            step: 0,
            first_moment: zeros()?,
            second_moment: zeros()?,
            weights,
        })
    }

    /// Moves every weight that has a gradient.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.step += 1;
        let AdamParams {
            learning_rate,
            beta1,
            beta2,
            eps,
        } = self.params;
        let power = |beta: f64| beta.powf(self.step as f64);
        let (step_size, correction) = (
            learning_rate / (1. - power(beta1)),
            (1. - power(beta2)).sqrt(),
        );
        let step = ops::AdamStep {
            step_size,
            correction,
            beta1,
            beta2,
            eps,
        };
        let moments = self.first_moment.values().zip(self.second_moment.values());
        for (weight, (m, v)) in self.weights.values().zip(moments) {
            if let Some(gradient) = gradients.get(weight) {
                ops::adam(weight, m, v, gradient, step)?;
            }
        }
        Ok(())
    }
}
