//! The fast inertial relaxation engine.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::checks::positive;
use crate::error::Result;

/// The parameters of FIRE, a mass that slides downhill; the defaults are ASE's.
///
/// ```text
/// F = −g, P = F · v over all numbers of all tensors
/// P > 0:  v ← (1 − α) v + α ‖v‖ F / ‖F‖;  after more than 5 such steps Δt ← min(1.1 Δt, Δt_max), α ← 0.99 α
/// else:   v ← 0, Δt ← Δt / 2, α ← 0.1;  the first step changes neither
/// v ← v + Δt F,  z ← z + Δt v, shortened to ‖Δt v‖ = max_step if it is longer
/// ```
///
/// - **Shapes**: any.
/// - **Range**: Δt, max_step > 0.
/// - **Source**: Bitzek, Koskinen, Gähler, Moseler & Gumbsch 2006.
///
/// Right for smooth energies; the noise of small batches stops it all the time.
///
/// In ASE's order of operations (3.29, `ase.optimize.FIRE`): the time step changes before
/// the velocity follows the force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FireParams {
    /// The first time step Δt > 0; the largest, Δt_max, is ten times as long. 0.1 by default.
    pub time_step: f64,
    /// The largest length of one step, Euclidean over all numbers, > 0; 0.2 by default.
    pub max_step: f64,
}

impl Default for FireParams {
    fn default() -> Self {
        Self {
            time_step: 0.1,
            max_step: 0.2,
        }
    }
}

/// α_start.
const MIXING: f64 = 0.1;
/// Steps downhill after which it goes faster.
const PATIENCE: f64 = 5.;

impl FireParams {
    /// Checks the range of every parameter.
    ///
    /// # Errors
    /// The time step or the longest step not positive and finite.
    pub fn validate(&self) -> Result<()> {
        positive("time_step", self.time_step)?;
        positive("max_step", self.max_step)
    }

    /// Δt, α and the steps since the mass last went uphill, −1 before the first step: a tensor, so
    /// that a checkpoint keeps it as it keeps the velocities.
    pub(super) fn begin(&self) -> Result<Var> {
        Ok(Var::new(&[self.time_step, MIXING, -1.], &Device::Cpu)?)
    }

    /// One step, its way times `factor`: moves z, and the velocities and [the rest](Self::begin)
    /// with it.
    pub(super) fn step(
        &self,
        factor: f64,
        moved: &[(&String, &Var, Tensor)],
        velocity: &BTreeMap<String, Var>,
        scalars: &Var,
    ) -> Result<()> {
        let moved: Vec<(&Var, &Var, &Tensor)> = moved
            .iter()
            .filter_map(|(name, z, gradient)| Some((*z, velocity.get(*name)?, gradient)))
            .collect();
        let now = scalars.as_detached_tensor().to_vec1::<f64>()?;
        let (mut time_step, mut mixing, mut downhill) = (now[0], now[1], now[2]);
        let (mut keep, mut add) = (0., 0.);
        if downhill < 0. {
            downhill = 0.;
        } else if -sum(moved.iter().map(|(_, v, g)| v.as_detached_tensor() * *g))? > 0. {
            let speed = norm(moved.iter().map(|(_, v, _)| v.as_tensor()))?;
            keep = 1. - mixing;
            add = mixing * speed / norm(moved.iter().map(|(.., g)| *g))?;
            if downhill > PATIENCE {
                time_step = (time_step * 1.1).min(10. * self.time_step);
                mixing *= 0.99;
            }
            downhill += 1.;
        } else {
            (time_step, mixing, downhill) = (time_step * 0.5, MIXING, 0.);
        }
        for (_, v, gradient) in &moved {
            let next = ((v.as_detached_tensor() * keep)? - (*gradient * (add + time_step))?)?;
            v.set(&next)?;
        }
        let way = time_step * norm(moved.iter().map(|(_, v, _)| v.as_tensor()))?;
        let share = if way > self.max_step {
            self.max_step / way
        } else {
            1.
        };
        for (z, v, _) in &moved {
            let way = (v.as_detached_tensor() * (time_step * share * factor))?;
            z.set(&(z.as_detached_tensor() + way)?)?;
        }
        let next = Tensor::new(&[time_step, mixing, downhill], &Device::Cpu)?;
        Ok(scalars.set(&next)?)
    }
}

/// ‖·‖₂ of all numbers of all tensors.
fn norm<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<f64> {
    Ok(sum(tensors.map(|tensor| tensor.detach().sqr()))?.sqrt())
}

/// The sum of all numbers of all tensors.
fn sum(tensors: impl Iterator<Item = candle_core::Result<Tensor>>) -> Result<f64> {
    let mut total = 0.;
    for tensor in tensors {
        total += tensor?
            .sum_all()?
            .to_dtype(DType::F64)?
            .to_scalar::<f64>()?;
    }
    Ok(total)
}
