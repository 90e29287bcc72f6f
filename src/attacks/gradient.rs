//! The gradient of a loss with respect to the input.

use std::fmt;

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::ball::row_norms;
use crate::checks;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::{Network, evaluation};

/// ∇ₓ L(x, t), the gradient that an attacker follows.
///
/// # Shapes
/// The batch's inputs (N, …), labels (N,) of u32; the gradient has the shape of the inputs.
///
/// # Errors
/// A network in training mode; what [`Loss::loss`] refuses; a loss that is not a scalar; a gradient
/// that is missing (an operation without a backward pass lies between the loss and the input) or
/// not finite.
///
/// Paper: *isometry*, section 3.2.
pub fn gradient(network: &dyn Network, loss: &dyn Loss, batch: &Dataset) -> Result<Tensor> {
    gradient_of(evaluation(network)?.as_ref(), loss, batch)
}

/// [`gradient`] of a network in evaluation mode.
pub(super) fn gradient_of(
    network: &dyn Network,
    loss: &dyn Loss,
    batch: &Dataset,
) -> Result<Tensor> {
    let x = Var::from_tensor(&batch.inputs)?;
    let value = loss.loss(
        network,
        &batch.part(x.as_tensor().clone(), batch.labels.clone()),
    )?;
    if value.rank() != 0 {
        return Err(Error::shape(
            "gradient",
            "loss",
            "() (a scalar)",
            value.dims(),
        ));
    }
    let Some(gradient) = value.backward()?.remove(x.as_tensor()) else {
        let expected = "a loss that reaches the input by differentiable operations";
        return Err(Error::argument("gradient", expected, "missing"));
    };
    let gradient = gradient.detach().contiguous()?;
    // sign() would silently turn NaN and infinity into 0 and ±1.
    checks::finite("gradient", "numbers in every pixel", &gradient)?;
    Ok(gradient)
}

/// How many rows of a gradient (N, …) are exactly 0.
pub(super) fn zero_rows(gradient: &Tensor) -> Result<usize> {
    let largest = gradient
        .flatten_from(1)?
        .abs()?
        .max(1)?
        .to_dtype(DType::F64)?;
    Ok(largest
        .to_vec1::<f64>()?
        .iter()
        .filter(|largest| **largest == 0.)
        .count())
}

/// How far two losses agree on the direction in which to attack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GradientCosine {
    /// For each sample g_a · g_b / (‖g_a‖₂ ‖g_b‖₂) in [−1, 1]; `None` where a gradient is zero and
    /// has no direction.
    pub per_sample: Vec<Option<f64>>,
    /// The mean over the samples that have one; `None` when none has.
    pub mean: Option<f64>,
}

/// `0.123, the mean over 100 samples`; `–` where no sample has both directions.
impl fmt::Display for GradientCosine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.per_sample.iter().flatten().count();
        match self.mean {
            Some(mean) => write!(f, "{mean:.3}, the mean over {count} samples"),
            None => f.write_str("–"),
        }
    }
}

/// The cosine of the angle between the input gradients of two losses, sample by sample.
///
/// 1: both attackers take the same direction; 0: what one does says nothing about the other.
///
/// # Shapes
/// The batch's inputs (N, …), labels (N,) of u32.
///
/// # Errors
/// As [`gradient`].
///
/// Paper: *isometry*, section 3.2, whose sum of two gradients this takes apart.
pub fn gradient_cosine(
    network: &dyn Network,
    loss_a: &dyn Loss,
    loss_b: &dyn Loss,
    batch: &Dataset,
) -> Result<GradientCosine> {
    let network = evaluation(network)?;
    let rows = |loss| -> Result<Tensor> {
        let gradient = gradient_of(network.as_ref(), loss, batch)?
            .to_dtype(DType::F64)?
            .flatten_from(1)?;
        // Divided by its largest entry first, so that tiny gradients keep their direction.
        let largest = gradient.abs()?.max_keepdim(1)?;
        Ok(gradient.broadcast_div(&largest.maximum(f64::MIN_POSITIVE)?)?)
    };
    let (a, b) = (rows(loss_a)?, rows(loss_b)?);
    let dots = (&a * &b)?.sum(1)?.to_vec1::<f64>()?;
    let norms = (row_norms(&a)? * row_norms(&b)?)?
        .squeeze(1)?
        .to_vec1::<f64>()?;
    let per_sample: Vec<Option<f64>> = dots
        .iter()
        .zip(&norms)
        .map(|(dot, norm)| (*norm > 0.).then(|| (dot / norm).clamp(-1., 1.)))
        .collect();
    let defined: Vec<f64> = per_sample.iter().flatten().copied().collect();
    let mean = (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64);
    Ok(GradientCosine { per_sample, mean })
}
