//! The optimiser of bands: moves their pivots along the forces.

use candle_core::{Tensor, Var};
use rayon::prelude::*;

use super::band::rows;
use crate::error::Result;
use crate::optimizers::{Optimizer, State};

/// An optimiser at work on the pivots of some bands.
pub(super) struct Followers {
    optimizer: Optimizer,
    groups: Vec<Group>,
}

/// Bands that one state moves.
struct Group {
    /// (B, P, D)
    pivots: Var,
    state: State,
}

impl Followers {
    /// At rest on `pivots` (B, P, D).
    pub fn new(optimizer: Optimizer, pivots: &Tensor) -> Result<Self> {
        // FIRE's time step is each band's own; the others move each number alone.
        let together = match optimizer {
            Optimizer::Fire(_) => 1,
            Optimizer::Adam(_) | Optimizer::Sgd(_) => pivots.dim(0)?.max(1),
        };
        let groups = (0..pivots.dim(0)?)
            .step_by(together)
            .map(|first| Group::new(optimizer, &pivots.narrow(0, first, together)?))
            .collect::<Result<_>>()?;
        Ok(Self { optimizer, groups })
    }

    /// Without bands.
    pub fn none(optimizer: Optimizer) -> Self {
        Self {
            optimizer,
            groups: Vec::new(),
        }
    }

    /// The pivots after one step along the forces F, valid until the next step; from other places than
    /// those that the last step led to, if `pivots` says so.
    pub fn step(&mut self, pivots: Option<&Tensor>, forces: &Tensor) -> Result<Tensor> {
        let mut first = 0;
        let mut own = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let count = group.pivots.dim(0)?;
            let pivots = pivots
                .map(|pivots| pivots.narrow(0, first, count))
                .transpose()?;
            own.push((pivots, forces.narrow(0, first, count)?));
            first += count;
        }
        let optimizer = self.optimizer;
        let moved: Vec<Result<Tensor>> = self
            .groups
            .par_iter_mut()
            .zip(own)
            .map(|(group, (pivots, forces))| group.step(optimizer, pivots.as_ref(), &forces))
            .collect();
        let moved: Vec<Tensor> = moved.into_iter().collect::<Result<_>>()?;
        match &moved[..] {
            [moved] => Ok(moved.clone()),
            moved => Ok(Tensor::cat(moved, 0)?),
        }
    }

    /// Goes on with some of the bands.
    pub fn keep(&mut self, kept: &[usize]) -> Result<()> {
        let bands = self.groups.iter().map(|group| group.pivots.dim(0));
        let bands: usize = bands.sum::<candle_core::Result<_>>()?;
        if kept.is_empty() {
            self.groups.clear();
        } else if self.groups.len() < bands {
            for group in &mut self.groups {
                *group = group.of(self.optimizer, kept)?;
            }
        } else {
            let mut at = 0..;
            self.groups
                .retain(|_| at.next().is_some_and(|at| kept.contains(&at)));
        }
        Ok(())
    }
}

const NAME: &str = "pivots";

impl Group {
    fn new(optimizer: Optimizer, pivots: &Tensor) -> Result<Self> {
        let pivots = Var::from_tensor(&pivots.contiguous()?)?;
        let vars = [(NAME.to_string(), pivots.clone())].into();
        let state = State::new(optimizer, vars)?;
        Ok(Self { pivots, state })
    }

    fn step(
        &mut self,
        optimizer: Optimizer,
        pivots: Option<&Tensor>,
        forces: &Tensor,
    ) -> Result<Tensor> {
        if let Some(pivots) = pivots {
            self.pivots.set(pivots)?;
        }
        // A force points downhill, a gradient uphill. Adam's way turns round with its gradient, so
        // that nothing needs to be written.
        let (factor, gradient) = match optimizer {
            Optimizer::Adam(_) => (-1., forces.clone()),
            Optimizer::Sgd(_) | Optimizer::Fire(_) => (1., forces.neg()?),
        };
        self.state.follow(factor, |_, _| Some(gradient.clone()))?;
        Ok(self.pivots.as_detached_tensor())
    }

    /// The same of some of its bands.
    fn of(&self, optimizer: Optimizer, kept: &[usize]) -> Result<Self> {
        let mut group = Self::new(optimizer, &rows(self.pivots.as_tensor(), kept)?)?;
        let before = self.state.memory();
        for (name, memory) in group.state.memory() {
            if let Some(before) = before.get(&name) {
                memory.set(&rows(before.as_tensor(), kept)?)?;
            }
        }
        group.state.steps = self.state.steps;
        Ok(group)
    }
}
