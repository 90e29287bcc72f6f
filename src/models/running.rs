//! The running statistics of a batch normalisation.

use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder};

use crate::error::Result;
use crate::ops::running_statistics;

/// PyTorch's default: what is added to a variance.
pub(super) const EPS: f64 = 1e-5;
/// PyTorch's default: the share of a batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// The running mean and variance of each channel, (C,).
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub mean: Var,
    pub variance: Var,
}

impl Running {
    /// `running_mean` and `running_var` of `vb`: 0 and 1 where they are drawn.
    ///
    /// # Errors
    /// One of `vb` of another shape.
    pub fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        let vector = |name, value| vb.get_with_hints(channels, name, Init::Const(value));
        // The builder's own variables, if it gives such: what is moved here is saved with the
        // weights.
        let mean = Var::from_tensor(&vector("running_mean", 0.)?)?;
        Ok(Self {
            mean,
            variance: Var::from_tensor(&vector("running_var", 1.)?)?,
        })
    }

    /// Moves both towards those of a batch.
    pub fn update(&self, mean: &Tensor, variance: &Tensor) -> Result<()> {
        let moved = running_statistics([&self.mean, &self.variance], [mean, variance], MOMENTUM)?;
        self.mean.set(&moved.0)?;
        Ok(self.variance.set(&moved.1)?)
    }
}
