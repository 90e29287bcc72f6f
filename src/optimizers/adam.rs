//! Adam.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::checks::{decay, not_negative};
use crate::error::Result;
use crate::ops;

/// The parameters of Adam; the defaults are PyTorch's and those of Kingma & Ba 2015.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g          m̂ = m / (1 − β₁ᵗ)
/// v ← β₂ v + (1 − β₂) g²         v̂ = v / (1 − β₂ᵗ)
/// θ ← θ − η m̂ / (√v̂ + ε)         of step t = 1, 2, …; all elementwise, m = v = 0 at first
/// ```
///
/// - **Shapes**: any.
/// - **Range**: η, ε ≥ 0; β in [0, 1).
/// - **Source**: Kingma & Ba 2015, algorithm 1.
///
/// No weight decay. As PyTorch's `torch.optim.Adam` does it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamParams {
    /// η ≥ 0, the step size; 1e-3 by default.
    pub learning_rate: f64,
    /// β₁ in [0, 1), the decay of the mean of the gradients; 0.9 by default.
    pub beta1: f64,
    /// β₂ in [0, 1), the decay of the mean of their squares; 0.999 by default.
    pub beta2: f64,
    /// ε ≥ 0, added to the denominator; 1e-8 by default.
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
        not_negative("learning_rate", self.learning_rate)?;
        not_negative("eps", self.eps)?;
        decay("beta1", self.beta1)?;
        decay("beta2", self.beta2)
    }

    /// Step t at `factor` times the learning rate: moves θ, and m and v with it.
    pub(super) fn step(
        &self,
        t: u64,
        factor: f64,
        moved: &[(&String, &Var, Tensor)],
        first_moment: &BTreeMap<String, Var>,
        second_moment: &BTreeMap<String, Var>,
    ) -> Result<()> {
        let power = |beta: f64| beta.powf(t as f64);
        let step = ops::AdamStep {
            step_size: self.learning_rate * factor / (1. - power(self.beta1)),
            correction: (1. - power(self.beta2)).sqrt(),
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
        };
        for (name, theta, gradient) in moved {
            if let (Some(m), Some(v)) = (first_moment.get(*name), second_moment.get(*name)) {
                ops::adam(theta, m, v, gradient, step)?;
            }
        }
        Ok(())
    }
}
