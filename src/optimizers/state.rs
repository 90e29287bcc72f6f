//! The state of an optimiser on some tensors.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::{AdamParams, FireParams, Optimizer, SgdParams};
use crate::error::Result;

/// An optimiser on some tensors, with its memory of earlier steps.
///
/// The tensors have names, and each [`step`](State::step) changes them in place. The memory can be
/// [read, saved and set again](State::memory), so that a run can continue later, which candle-nn's
/// optimisers do not allow.
///
/// ```
/// use isopath::candle::{Device, Var};
/// use isopath::optimizers::{SgdParams, State};
///
/// // The minimum of (x − 3)², by hand.
/// let x = Var::new(0f64, &Device::Cpu)?;
/// let mut state = State::new(SgdParams::plain(0.1), [("x".to_string(), x.clone())].into())?;
/// for _ in 0..100 {
///     let loss = (x.as_tensor() - 3.)?.sqr()?;
///     state.step(&loss.backward()?)?;
/// }
/// assert!((x.to_scalar::<f64>()? - 3.).abs() < 1e-8);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct State {
    /// The number of steps done so far.
    pub steps: u64,
    vars: BTreeMap<String, Var>,
    method: Method,
}

/// The parameters, and what the method remembers of each tensor by its name.
#[derive(Clone, Debug)]
enum Method {
    Adam {
        params: AdamParams,
        first_moment: BTreeMap<String, Var>,
        second_moment: BTreeMap<String, Var>,
    },
    Sgd {
        params: SgdParams,
        velocity: BTreeMap<String, Var>,
    },
    Fire {
        params: FireParams,
        velocity: BTreeMap<String, Var>,
        scalars: Var,
    },
}

impl State {
    /// `optimizer` before its first step on `vars`, tensors of any shapes and of floating-point
    /// types, by name: a network's are [`Parameters::named`](crate::models::Parameters::named).
    ///
    /// # Errors
    /// A parameter out of its range, or the device is out of memory.
    pub fn new(optimizer: impl Into<Optimizer>, vars: BTreeMap<String, Var>) -> Result<Self> {
        let optimizer = optimizer.into();
        optimizer.validate()?;
        let zeros = || -> Result<BTreeMap<String, Var>> {
            let zero = |var: &Var| Var::zeros(var.shape(), var.dtype(), var.device());
            vars.iter()
                .map(|(name, var)| Ok((name.clone(), zero(var)?)))
                .collect()
        };
        let method = match optimizer {
            Optimizer::Adam(params) => Method::Adam {
                params,
                first_moment: zeros()?,
                second_moment: zeros()?,
            },
            Optimizer::Sgd(params) => Method::Sgd {
                params,
                velocity: zeros()?,
            },
            Optimizer::Fire(params) => Method::Fire {
                params,
                velocity: zeros()?,
                scalars: params.begin()?,
            },
        };
        Ok(Self {
            steps: 0,
            vars,
            method,
        })
    }

    /// Moves every tensor that has a gradient in `gradients`, one step.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.step_by(1., gradients)
    }

    /// [`State::step`] at `factor` times the learning rate; FIRE, which has none, goes `factor` times
    /// the way.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn step_by(&mut self, factor: f64, gradients: &GradStore) -> Result<()> {
        self.follow(factor, |_, var| gradients.get(var).cloned())
    }

    /// One step along the gradients that `gradient` gives for the tensors by name, if it gives one.
    pub(crate) fn follow(
        &mut self,
        factor: f64,
        gradient: impl Fn(&str, &Var) -> Option<Tensor>,
    ) -> Result<()> {
        self.steps += 1;
        let moved: Vec<(&String, &Var, Tensor)> = self
            .vars
            .iter()
            .filter_map(|(name, var)| Some((name, var, gradient(name, var)?)))
            .collect();
        match &self.method {
            Method::Adam {
                params,
                first_moment,
                second_moment,
            } => params.step(self.steps, factor, &moved, first_moment, second_moment),
            Method::Sgd { params, velocity } => params.step(factor, &moved, velocity),
            Method::Fire {
                params,
                velocity,
                scalars,
            } => params.step(factor, &moved, velocity, scalars),
        }
    }

    /// What the optimiser remembers, by its name in a checkpoint: `adam.first_moment.` or
    /// `adam.second_moment.`, `sgd.velocity.`, or `fire.velocity.` before the name of a tensor, and
    /// `fire.scalars` (Δt, α, steps downhill). Setting these and [`State::steps`] takes a run up.
    ///
    /// Moments and velocities have the shape and type of their tensor.
    pub fn memory(&self) -> BTreeMap<String, Var> {
        let named = |prefix: &'static str, vars: &BTreeMap<String, Var>| {
            let vars: Vec<(String, Var)> = vars
                .iter()
                .map(|(name, var)| (format!("{prefix}.{name}"), var.clone()))
                .collect();
            vars
        };
        match &self.method {
            Method::Adam {
                first_moment,
                second_moment,
                ..
            } => [
                named("adam.first_moment", first_moment),
                named("adam.second_moment", second_moment),
            ]
            .concat(),
            Method::Sgd { velocity, .. } => named("sgd.velocity", velocity),
            Method::Fire {
                velocity, scalars, ..
            } => {
                let mut all = named("fire.velocity", velocity);
                all.push(("fire.scalars".to_string(), scalars.clone()));
                all
            }
        }
        .into_iter()
        .collect()
    }
}
