//! Fully connected networks whose weights are rescaled in every forward pass.

use candle_core::Tensor;

use super::mlp::Mlp;
use crate::error::Result;
use crate::models::{Layer, Network};

/// What becomes of a layer's weight.
pub(super) trait Rescaling: Clone + Send + Sync + 'static {
    /// The weight that the layer has, differentiable in the one that is trained.
    fn rescale(&self, weight: &Tensor) -> Result<Tensor>;
}

/// An [`Mlp`] with rescaled weights, through whose rescaling gradients flow; once for all where it
/// is frozen.
#[derive(Clone)]
pub(super) struct Rescaled<R> {
    mlp: Mlp,
    rescaling: R,
    /// The rescaled weights, where no gradient will ask for their making.
    fixed: Option<Vec<Tensor>>,
}

impl<R: Rescaling> Rescaled<R> {
    pub fn new(mlp: Mlp, rescaling: R) -> Result<Self> {
        let weights = mlp.weights();
        let fixed = match weights.iter().any(|weight| weight.track_op()) {
            true => None,
            false => Some(
                weights
                    .into_iter()
                    .map(|weight| rescaling.rescale(weight))
                    .collect::<Result<_>>()?,
            ),
        };
        Ok(Self {
            mlp,
            rescaling,
            fixed,
        })
    }

    /// The network with the weights that are trained.
    pub fn mlp(&self) -> &Mlp {
        &self.mlp
    }
}

impl<R: Rescaling> Network for Rescaled<R> {
    fn stages(&self) -> usize {
        self.mlp.stages()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        self.mlp.stage_with(index, x, self.weight(index)?)
    }

    /// The rescaled weight of a layer; none where there is no such layer.
    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        if let Some(fixed) = &self.fixed {
            return Ok(fixed.get(index).cloned());
        }
        let weight = self.mlp.weights().get(index).copied();
        weight
            .map(|weight| self.rescaling.rescale(weight))
            .transpose()
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        Ok(self.mlp.layers_with(index, self.weight(index)?))
    }
}
