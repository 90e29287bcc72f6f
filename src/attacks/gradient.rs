//! The gradient of a loss with respect to the input.

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::ball::row_norms;
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::{Network, check_evaluation};

/// ∇ₓ L(x, t), the gradient that an attacker follows.
///
/// # Shapes
/// `x` (N, …) is one batch, `labels` (N,) of `u32`; the gradient has the shape of `x`.
///
/// # Errors
/// A network in training mode; what [`Loss::loss`] refuses; a loss that is not a scalar; a gradient
/// that is missing (an operation without a backward pass lies between the loss and the input) or
/// not finite.
///
/// Paper: *isometry*, section 3.2.
pub fn gradient(
    network: &dyn Network,
    loss: &dyn Loss,
    x: &Tensor,
    labels: &Tensor,
) -> Result<Tensor> {
    check_evaluation(network)?;
    let x = Var::from_tensor(x)?;
    let value = loss.loss(network, x.as_tensor(), labels)?;
    if value.rank() != 0 {
        return Err(Error::shape(
            "gradient",
            "loss",
            "() (a scalar)",
            value.dims(),
        ));
    }
    let Some(gradient) = value.backward()?.remove(x.as_tensor()) else {
        return Err(Error::argument(
            "gradient",
            "a loss that reaches the input by differentiable operations",
            "missing",
        ));
    };
    let gradient = gradient.detach().contiguous()?;
    // One sum finds every NaN and infinity, which sign() would silently turn into 0 and ±1.
    let sum = gradient
        .sum_all()?
        .to_dtype(DType::F64)?
        .to_scalar::<f64>()?;
    if !sum.is_finite() {
        return Err(Error::argument(
            "gradient",
            "finite numbers in every pixel",
            format!("not finite (its sum is {sum})"),
        ));
    }
    Ok(gradient)
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

/// The cosine of the angle between the input gradients of two losses, sample by sample.
///
/// 1: both attackers take the same direction; 0: what one does says nothing about the other.
///
/// # Shapes
/// `x` (N, …) is one batch, `labels` (N,) of `u32`.
///
/// # Errors
/// As [`gradient`].
///
/// Paper: *isometry*, section 3.2, whose sum of two gradients this takes apart.
pub fn gradient_cosine(
    network: &dyn Network,
    loss_a: &dyn Loss,
    loss_b: &dyn Loss,
    x: &Tensor,
    labels: &Tensor,
) -> Result<GradientCosine> {
    let rows = |loss| -> Result<Tensor> {
        let gradient = gradient(network, loss, x, labels)?
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
