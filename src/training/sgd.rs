//! Stochastic gradient descent with momentum, with a state that can be saved.

use std::collections::BTreeMap;

use candle_core::Var;
use candle_core::backprop::GradStore;

use crate::error::{Error, Result};
use crate::models::Parameters;

/// The parameters of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdParams {
    /// The step size, at least 0; 0.1 by default.
    pub learning_rate: f64,
    /// μ, the share of the last step that is taken again, in [0, 1); 0.9 by default.
    pub momentum: f64,
    /// Whether the gradient is that of where the momentum leads (Nesterov 1983); true by default.
    pub nesterov: bool,
    /// λ, the factor of the weights that is added to their gradient, at least 0; 5e-4 by default.
    /// Weights of one axis (biases, factors of normalisations) are left out (He et al. 2019,
    /// section 3.1).
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
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// The learning rate or the weight decay negative or not finite, the momentum outside [0, 1).
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("weight_decay", self.weight_decay),
        ] {
            if !(value.is_finite() && value >= 0.) {
                return Err(Error::argument(name, "a finite number ≥ 0", value));
            }
        }
        if !(0. ..1.).contains(&self.momentum) {
            return Err(Error::argument(
                "momentum",
                "a number in [0, 1)",
                self.momentum,
            ));
        }
        Ok(())
    }
}

/// Stochastic gradient descent with momentum, as PyTorch's `torch.optim.SGD` does it with dampening
/// 0:
///
/// d = g + λ θ, v ← μ v + d, θ ← θ − lr · (d + μ v) with Nesterov's momentum, θ − lr · v without.
///
/// candle-nn's own SGD has no momentum.
#[derive(Clone, Debug)]
pub struct Sgd {
    /// The parameters, checked when the optimiser was made.
    pub params: SgdParams,
    /// The steps done so far.
    pub step: u64,
    /// By a weight's name: v.
    pub velocity: BTreeMap<String, Var>,
    weights: BTreeMap<String, Var>,
}

impl Sgd {
    /// An optimiser of `parameters`, its velocities 0.
    ///
    /// # Errors
    /// A parameter out of its range.
    pub fn new(parameters: &Parameters, params: SgdParams) -> Result<Self> {
        params.validate()?;
        let weights = parameters.named();
        let velocity = weights
            .iter()
            .map(|(name, var)| {
                Ok((
                    name.clone(),
                    Var::zeros(var.shape(), var.dtype(), var.device())?,
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            params,
            step: 0,
            velocity,
            weights,
        })
    }

    /// Moves every weight that has a gradient.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.step += 1;
        let SgdParams {
            learning_rate,
            momentum,
            nesterov,
            weight_decay,
        } = self.params;
        for (weight, velocity) in self.weights.values().zip(self.velocity.values()) {
            let Some(gradient) = gradients.get(weight) else {
                continue;
            };
            let (theta, mut d) = (weight.as_detached_tensor(), gradient.detach());
            if weight_decay > 0. && weight.rank() > 1 {
                d = (d + (&theta * weight_decay)?)?;
            }
            let v = ((velocity.as_detached_tensor() * momentum)? + &d)?;
            let direction = if nesterov {
                (d + (&v * momentum)?)?
            } else {
                v.clone()
            };
            velocity.set(&v)?;
            weight.set(&(theta - (direction * learning_rate)?)?)?;
        }
        Ok(())
    }
}
