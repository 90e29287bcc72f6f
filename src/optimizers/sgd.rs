//! Stochastic gradient descent with momentum.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::checks::{decay, not_negative};
use crate::error::Result;

/// The parameters of gradient descent with momentum; the defaults are usual ones for residual
/// networks. [`SgdParams::plain`] is gradient descent without all of it.
///
/// ```text
/// d = g + λ θ          v ← μ v + d, v = 0 at first
/// θ ← θ − η (d + μ v)  with Nesterov's momentum,   θ ← θ − η v  without
/// ```
///
/// - **Shapes**: any.
/// - **Range**: η, λ ≥ 0; μ in [0, 1).
/// - **Source**: Nesterov 1983; Sutskever et al. 2013 for the form with v.
///
/// As PyTorch's `torch.optim.SGD` does it with dampening 0; candle-nn's own SGD has no momentum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdParams {
    /// η ≥ 0, the step size; 0.1 by default.
    pub learning_rate: f64,
    /// μ, the share of the last step that is taken again, in [0, 1); 0.9 by default.
    pub momentum: f64,
    /// Whether to use Nesterov's momentum, with the gradient at the point that the momentum leads
    /// to (Nesterov 1983); true by default.
    pub nesterov: bool,
    /// λ ≥ 0, the weight decay: λ times a weight is added to its gradient; 5e-4 by default. Weights
    /// with one axis (biases, factors of normalisations) have no decay (He et al. 2019, section
    /// 3.1).
    pub weight_decay: f64,
}

impl Default for SgdParams {
    fn default() -> Self {
        Self {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
        }
    }
}

impl SgdParams {
    /// Plain gradient descent, θ ← θ − η g: no momentum and no weight decay. `SgdParams { momentum,
    /// ..SgdParams::plain(η) }` is PyTorch's momentum.
    pub fn plain(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            momentum: 0.,
            nesterov: false,
            weight_decay: 0.,
        }
    }

    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// The learning rate or the weight decay negative or not finite, the momentum outside [0, 1).
    pub fn validate(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        not_negative("weight_decay", self.weight_decay)?;
        decay("momentum", self.momentum)
    }

    /// One step at `factor` times the learning rate: moves θ, and v with it.
    pub(super) fn step(
        &self,
        factor: f64,
        moved: &[(&String, &Var, Tensor)],
        velocity: &BTreeMap<String, Var>,
    ) -> Result<()> {
        for (name, theta, gradient) in moved {
            let Some(velocity) = velocity.get(*name) else {
                continue;
            };
            let (now, mut d) = (theta.as_detached_tensor(), gradient.detach());
            if self.weight_decay > 0. && theta.rank() > 1 {
                d = (d + (&now * self.weight_decay)?)?;
            }
            let v = ((velocity.as_detached_tensor() * self.momentum)? + &d)?;
            let direction = match self.nesterov {
                true => (d + (&v * self.momentum)?)?,
                false => v.clone(),
            };
            velocity.set(&v)?;
            theta.set(&(now - (direction * (self.learning_rate * factor))?)?)?;
        }
        Ok(())
    }
}
