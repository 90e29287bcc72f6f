//! One band's optimiser: moves the pivots along the forces.

use candle_core::{Tensor, Var};

use crate::error::Result;
use crate::optimizers::{Optimizer, State};

/// An optimiser at work on the pivots of one band.
pub(super) struct Follower {
    pivots: Var,
    state: State,
}

impl Follower {
    /// At rest; `pivots` of any shape.
    pub fn new(optimizer: Optimizer, pivots: &Tensor) -> Result<Self> {
        let pivots = Var::from_tensor(pivots)?;
        let vars = [("pivots".to_string(), pivots.clone())].into();
        let state = State::new(optimizer, vars)?;
        Ok(Self { pivots, state })
    }

    /// `pivots` after one step along the forces F, valid until the next step.
    pub fn step(&mut self, pivots: &Tensor, forces: &Tensor) -> Result<Tensor> {
        self.pivots.set(pivots)?;
        // A force points downhill, a gradient uphill.
        let gradient = forces.neg()?;
        self.state.follow(1., |_, _| Some(gradient.clone()))?;
        Ok(self.pivots.as_detached_tensor())
    }
}
