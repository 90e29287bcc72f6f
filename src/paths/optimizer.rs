//! Steps along the forces.

use candle_core::{DType, Tensor, Var};

use super::band::{norms, numbers};
use super::params::Optimizer;
use crate::error::Result;
use crate::ops;

/// An optimiser and its state for B bands of pivots (B, P, D).
pub(super) struct Descent {
    optimizer: Optimizer,
    /// Steps done.
    step: i32,
    /// Momentum and FIRE: v.
    velocity: Tensor,
    /// Adam: the running means of the forces and of their squares.
    moments: Option<(Var, Var)>,
    /// FIRE's state of each band.
    fire: Vec<Fire>,
}

#[derive(Clone, Copy)]
struct Fire {
    time_step: f64,
    mixing: f64,
    /// Steps since the way last went uphill.
    downhill: u32,
}

/// FIRE's α and the first of every run downhill.
const MIXING: f64 = 0.1;

impl Descent {
    /// At rest; `pivots` (B, P, D).
    pub fn new(optimizer: Optimizer, pivots: &Tensor) -> Result<Self> {
        let zeros = pivots.zeros_like()?;
        let (moments, fire) = match optimizer {
            Optimizer::Momentum { .. } => (None, Vec::new()),
            Optimizer::Adam { .. } => (Some((Var::from_tensor(&zeros)?, Var::from_tensor(&zeros)?)), Vec::new()),
            Optimizer::Fire { step_size, .. } => {
                let start = Fire { time_step: step_size, mixing: MIXING, downhill: 0 };
                (None, vec![start; pivots.dim(0)?])
            }
        };
        Ok(Self { optimizer, step: 0, velocity: zeros, moments, fire })
    }

    /// Keeps these bands, in this order.
    pub fn keep(&mut self, bands: &[usize]) -> Result<()> {
        match &mut self.moments {
            Some((m, v)) => {
                for moment in [m, v] {
                    *moment = Var::from_tensor(&rows(&moment.as_detached_tensor(), bands)?)?;
                }
            }
            None => self.velocity = rows(&self.velocity, bands)?,
        }
        if !self.fire.is_empty() {
            self.fire = bands.iter().filter_map(|band| self.fire.get(*band).copied()).collect();
        }
        Ok(())
    }

    /// The pivots after one step along the forces F.
    pub fn advance(&mut self, pivots: &Tensor, forces: &Tensor) -> Result<Tensor> {
        self.step += 1;
        match self.optimizer {
            Optimizer::Momentum { step_size, momentum } => {
                self.velocity = ((&self.velocity * momentum)? + forces)?;
                Ok((pivots + (&self.velocity * step_size)?)?)
            }
            Optimizer::Adam { step_size } => self.adam(pivots, forces, step_size),
            Optimizer::Fire { step_size, max_step } => self.fire(pivots, forces, 10. * step_size, max_step),
        }
    }

    fn adam(&mut self, pivots: &Tensor, forces: &Tensor, step_size: f64) -> Result<Tensor> {
        let Some((m, v)) = &self.moments else { return Ok(pivots.clone()) };
        let (beta1, beta2) = (0.9, 0.999);
        let step = ops::AdamStep {
            // Negative, since F points downhill where Adam expects a gradient.
            step_size: -step_size / (1. - f64::powi(beta1, self.step)),
            correction: (1. - f64::powi(beta2, self.step)).sqrt(),
            beta1,
            beta2,
            eps: 1e-8,
        };
        let moved = Var::from_tensor(pivots)?;
        ops::adam(&moved, m, v, forces, step)?;
        Ok(moved.as_detached_tensor())
    }

    fn fire(&mut self, pivots: &Tensor, forces: &Tensor, longest: f64, max_step: f64) -> Result<Tensor> {
        let force_norms = band_norms(forces)?;
        let mut keep = vec![0.; self.fire.len()];
        let mut add = vec![0.; self.fire.len()];
        if self.step > 1 {
            let power = host((forces * &self.velocity)?.flatten_from(1)?.sum_keepdim(1)?)?;
            let speeds = band_norms(&self.velocity)?;
            for (band, fire) in self.fire.iter_mut().enumerate() {
                if power[band] > 0. {
                    keep[band] = 1. - fire.mixing;
                    add[band] = fire.mixing * speeds[band] / force_norms[band];
                    if fire.downhill > 5 {
                        fire.time_step = (fire.time_step * 1.1).min(longest);
                        fire.mixing *= 0.99;
                    }
                    fire.downhill += 1;
                } else {
                    *fire = Fire { time_step: fire.time_step * 0.5, mixing: MIXING, downhill: 0 };
                }
            }
        }
        let of_bands = |values: Vec<f64>| numbers(values, (self.fire.len(), 1, 1), forces);
        let add = add.iter().zip(&self.fire).map(|(add, fire)| add + fire.time_step).collect();
        self.velocity = (self.velocity.broadcast_mul(&of_bands(keep)?)? + forces.broadcast_mul(&of_bands(add)?)?)?;
        let way = band_norms(&self.velocity)?.into_iter().zip(&self.fire).map(|(speed, fire)| {
            let way = fire.time_step * speed;
            if way > max_step { fire.time_step * max_step / way } else { fire.time_step }
        });
        Ok((pivots + self.velocity.broadcast_mul(&of_bands(way.collect())?)?)?)
    }
}

/// Some of the rows along the first axis; no copy where all are kept.
pub(super) fn rows(tensor: &Tensor, kept: &[usize]) -> Result<Tensor> {
    if kept.len() == tensor.dim(0)? && kept.iter().enumerate().all(|(at, row)| at == *row) {
        return Ok(tensor.clone());
    }
    let index: Vec<u32> = kept.iter().map(|row| *row as u32).collect();
    Ok(tensor.index_select(&Tensor::new(index, tensor.device())?, 0)?)
}

/// ‖·‖₂ over all pivots of each band.
fn band_norms(tensor: &Tensor) -> Result<Vec<f64>> {
    host(norms(&tensor.flatten_from(1)?)?)
}

fn host(column: Tensor) -> Result<Vec<f64>> {
    Ok(column.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}
