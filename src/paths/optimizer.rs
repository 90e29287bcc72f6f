//! Steps along the forces.

use candle_core::{DType, Tensor, Var};

use super::params::Optimizer;
use crate::error::Result;
use crate::ops;

/// An optimiser and its state for the pivots of one band.
pub(super) enum Descent {
    Momentum {
        step_size: f64,
        momentum: f64,
        velocity: Tensor,
    },
    Adam {
        step_size: f64,
        step: i32,
        mean: Var,
        square: Var,
    },
    Fire(Fire),
}

/// FIRE's state, by the names of Bitzek et al. 2006.
pub(super) struct Fire {
    velocity: Tensor,
    /// Δt and the largest it may become.
    time_step: f64,
    longest: f64,
    /// α.
    mixing: f64,
    /// Steps since the way last went uphill; none before the first step.
    downhill: Option<u32>,
    max_step: f64,
}

/// α_start.
const MIXING: f64 = 0.1;

impl Descent {
    /// At rest; `pivots` of any shape.
    pub fn new(optimizer: Optimizer, pivots: &Tensor) -> Result<Self> {
        let zeros = pivots.zeros_like()?;
        Ok(match optimizer {
            Optimizer::Momentum {
                step_size,
                momentum,
            } => Self::Momentum {
                step_size,
                momentum,
                velocity: zeros,
            },
            Optimizer::Adam { step_size } => Self::Adam {
                step_size,
                step: 0,
                mean: Var::from_tensor(&zeros)?,
                square: Var::from_tensor(&zeros)?,
            },
            Optimizer::Fire {
                step_size,
                max_step,
            } => Self::Fire(Fire {
                velocity: zeros,
                time_step: step_size,
                longest: 10. * step_size,
                mixing: MIXING,
                downhill: None,
                max_step,
            }),
        })
    }

    /// The pivots after one step along the forces F.
    pub fn advance(&mut self, pivots: &Tensor, forces: &Tensor) -> Result<Tensor> {
        match self {
            Self::Momentum {
                step_size,
                momentum,
                velocity,
            } => {
                *velocity = ((&*velocity * *momentum)? + forces)?;
                Ok((pivots + (&*velocity * *step_size)?)?)
            }
            Self::Adam {
                step_size,
                step,
                mean,
                square,
            } => {
                *step += 1;
                let (beta1, beta2) = (0.9, 0.999);
                let step = ops::AdamStep {
                    // Negative, since F points downhill where Adam expects a gradient.
                    step_size: -*step_size / (1. - f64::powi(beta1, *step)),
                    correction: (1. - f64::powi(beta2, *step)).sqrt(),
                    beta1,
                    beta2,
                    eps: 1e-8,
                };
                let moved = Var::from_tensor(pivots)?;
                ops::adam(&moved, mean, square, forces, step)?;
                Ok(moved.as_detached_tensor())
            }
            Self::Fire(fire) => fire.advance(pivots, forces),
        }
    }
}

impl Fire {
    fn advance(&mut self, pivots: &Tensor, forces: &Tensor) -> Result<Tensor> {
        let (mut keep, mut add) = (0., 0.);
        if let Some(downhill) = self.downhill {
            if host(&(forces * &self.velocity)?)? > 0. {
                keep = 1. - self.mixing;
                add = self.mixing * norm(&self.velocity)? / norm(forces)?;
                if downhill > 5 {
                    self.time_step = (self.time_step * 1.1).min(self.longest);
                    self.mixing *= 0.99;
                }
                self.downhill = Some(downhill + 1);
            } else {
                (self.time_step, self.mixing, self.downhill) =
                    (self.time_step * 0.5, MIXING, Some(0));
            }
        } else {
            self.downhill = Some(0);
        }
        self.velocity = ((&self.velocity * keep)? + (forces * (add + self.time_step))?)?;
        let way = self.time_step * norm(&self.velocity)?;
        let share = if way > self.max_step {
            self.max_step / way
        } else {
            1.
        };
        Ok((pivots + (&self.velocity * (self.time_step * share))?)?)
    }
}

/// ‖·‖₂ of all numbers.
fn norm(tensor: &Tensor) -> Result<f64> {
    Ok(host(&tensor.sqr()?)?.sqrt())
}

/// The sum of all numbers.
fn host(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.sum_all()?.to_dtype(DType::F64)?.to_scalar()?)
}

/// Some of the rows along the first axis; no copy where all are kept.
pub(super) fn rows(tensor: &Tensor, kept: &[usize]) -> Result<Tensor> {
    if kept.len() == tensor.dim(0)? && kept.iter().enumerate().all(|(at, row)| at == *row) {
        return Ok(tensor.clone());
    }
    let index: Vec<u32> = kept.iter().map(|row| *row as u32).collect();
    Ok(tensor.index_select(&Tensor::new(index, tensor.device())?, 0)?)
}
