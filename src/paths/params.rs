//! How a band is relaxed.

use serde::{Deserialize, Serialize};

use crate::checks::Bounds;
use crate::error::{Error, Result};

/// What keeps the pivots of a band apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Springs between neighbours, k > 0 in energy over squared length.
    Springs {
        /// k.
        constant: f64,
    },
    /// After each step the pivots are [redistributed](super::band::redistribute): springs of
    /// infinite k.
    Redistribution,
}

/// How the pivots follow their forces. Every band has its own state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// v ← μ v + F, z ← z + η v, as PyTorch's SGD; μ = 0 is plain gradient descent.
    Momentum {
        /// η > 0.
        step_size: f64,
        /// μ in [0, 1).
        momentum: f64,
    },
    /// Adam with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 (Kingma & Ba 2015). Scales each coordinate by
    /// itself: a coordinate moves by about η a step, however small its force.
    Adam {
        /// η > 0.
        step_size: f64,
    },
    /// The fast inertial relaxation engine (Bitzek et al. 2006) with its constants, in ASE's order
    /// of operations. Right for smooth surfaces.
    Fire {
        /// The first time step Δt > 0; the largest is ten times as long.
        step_size: f64,
        /// The longest way a whole band goes in one step, > 0.
        max_step: f64,
    },
}

/// When a band is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The dense check passes: every sample of the path, pivots and between pivots, has a positive
    /// margin.
    Connected,
    /// The largest ‖F_i‖₂ of its pivots is below this number > 0.
    Force(f64),
}

/// How [`neb`](super::neb()) relaxes bands.
///
/// The *connectivity* paper gives no hyper-parameter of its band beyond "N pivot points" and "a
/// very small number of iterations"; the defaults are ours, for images in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NebParams {
    /// P, the points between the ends, at least 1. Default 8.
    pub pivots: usize,
    /// Default springs of k = 1.
    pub spacing: Spacing,
    /// The highest pivot climbs to the saddle; needs springs. Default false: a band only has to get
    /// below a level, not to find the saddle.
    pub climbing: bool,
    /// Default Adam with η = 0.01.
    pub optimizer: Optimizer,
    /// Default [`Stop::Connected`].
    pub stop: Stop,
    /// At least 1. Default 200.
    pub max_iterations: usize,
    /// Samples of the dense check on each of the P + 1 segments, its first end among them; at least
    /// 1. Default 10.
    pub samples_per_segment: usize,
    /// Every coordinate stays inside; `None` leaves it free. The ends are not clipped: they must be
    /// inside. Default `None`, since only pixels have bounds.
    pub bounds: Option<Bounds>,
    /// Bands relaxed together, at least 1: bounds the memory. Default 32.
    pub bands_at_once: usize,
}

impl Default for NebParams {
    fn default() -> Self {
        Self {
            pivots: 8,
            spacing: Spacing::Springs { constant: 1. },
            climbing: false,
            optimizer: Optimizer::Adam { step_size: 0.01 },
            stop: Stop::Connected,
            max_iterations: 200,
            samples_per_segment: 10,
            bounds: None,
            bands_at_once: 32,
        }
    }
}

impl NebParams {
    /// Checks every field.
    ///
    /// # Errors
    /// A count of 0; k, a step size or the force to stop at not positive and finite; the momentum
    /// outside [0, 1); bounds that are not finite with min < max; climbing without springs.
    pub fn validate(&self) -> Result<()> {
        let counts = [
            ("pivots", self.pivots),
            ("max_iterations", self.max_iterations),
            ("samples_per_segment", self.samples_per_segment),
            ("bands_at_once", self.bands_at_once),
        ];
        for (name, count) in counts {
            at_least_one(name, count)?;
        }
        match self.spacing {
            Spacing::Springs { constant } => positive("spring constant", constant)?,
            Spacing::Redistribution if self.climbing => {
                return Err(Error::argument(
                    "climbing",
                    "false with redistribution, which moves every pivot",
                    true,
                ));
            }
            Spacing::Redistribution => {}
        }
        self.optimizer.validate()?;
        if let Stop::Force(force) = self.stop {
            positive("force", force)?;
        }
        self.bounds.map_or(Ok(()), |bounds| bounds.validate())
    }
}

impl Optimizer {
    /// Checks every field.
    ///
    /// # Errors
    /// A step size not positive and finite, or the momentum outside [0, 1).
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::Momentum {
                step_size,
                momentum,
            } => {
                positive("step_size", step_size)?;
                if !(0. ..1.).contains(&momentum) {
                    return Err(Error::argument("momentum", "a number in [0, 1)", momentum));
                }
                Ok(())
            }
            Self::Adam { step_size } => positive("step_size", step_size),
            Self::Fire {
                step_size,
                max_step,
            } => {
                positive("step_size", step_size)?;
                positive("max_step", max_step)
            }
        }
    }
}

pub(super) fn at_least_one(name: &'static str, count: usize) -> Result<()> {
    if count == 0 {
        Err(Error::argument(name, "at least 1", 0))
    } else {
        Ok(())
    }
}

fn positive(name: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0. {
        Ok(())
    } else {
        Err(Error::argument(name, "a finite number > 0", value))
    }
}
