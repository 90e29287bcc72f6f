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

/// The gradient of a loss with respect to the inputs, which an attacker follows.
///
/// ```text
/// g = ∇ₓ L(f; x, t)
/// ```
///
/// L is the loss of the whole batch, at the network f in [evaluation mode](Network::frozen): a mean
/// over N samples gives each of them an N-th of its own gradient. The weights get no gradient.
///
/// - **Shapes**: inputs x (N, …), labels t (N,) of u32; the gradient is (N, …).
/// - **Range**: finite numbers, loss per pixel unit.
/// - **Source**: *isometry*, section 3.2, first displayed equation.
///
/// # Errors
/// A network without an evaluation mode; what [`Loss::loss`] refuses; a loss that is not a scalar;
/// a gradient that is missing (an operation without a backward pass lies between the loss and the
/// input) or not finite.
pub fn gradient(network: &dyn Network, loss: &dyn Loss, batch: &Dataset) -> Result<Tensor> {
    gradient_of(evaluation(network)?.as_ref(), loss, batch)
}

/// The [`gradient`] of a network in evaluation mode.
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

/// The number of rows of a gradient (N, …) that are exactly 0.
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

/// How far two losses agree on the direction in which to attack: what [`gradient_cosine`] gives.
///
/// ```text
/// cos_i = g_a,i · g_b,i / (‖g_a,i‖₂ ‖g_b,i‖₂)
/// ```
///
/// g_a,i and g_b,i are the gradients of the two losses in input i.
///
/// - **Shapes**: one entry for each sample, and a number.
/// - **Range**: \[−1, 1\].
/// - **Source**: ours; it takes the sum of two gradients in *isometry*, section 3.2, apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GradientCosine {
    /// The cosine at each sample; `None` where a gradient is zero and has no direction.
    pub per_sample: Vec<Option<f64>>,
    /// The mean over the samples that have a cosine; `None` when none has.
    pub mean: Option<f64>,
}

/// Writes `0.123, the mean over 100 samples`, or `–` where no sample has both directions.
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
/// ```text
/// cos_i = g_a,i · g_b,i / (‖g_a,i‖₂ ‖g_b,i‖₂),  g = ∇ₓ L(f; x, t)
/// ```
///
/// 1: both attackers take the same direction; 0: the directions are at right angles.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; one cosine for each sample.
/// - **Range**: \[−1, 1\]; none where a gradient is 0.
/// - **Source**: ours; it takes the sum of two gradients in *isometry*, section 3.2, apart.
///
/// # Errors
/// As [`gradient`].
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let network = Model::new(0, |vb| Mlp::new(&[4, 8, 2], Activation::Tanh, vb))?;
/// let images = Tensor::new(&[[0.1f32, 0.9, 0.5, 0.3], [0.7, 0.2, 0.8, 0.4]], &device)?;
/// let data = Dataset::new(images, Tensor::new(&[0u32, 1], &device)?)?;
/// // Of two classes: both losses follow the difference of the same two logits.
/// let cosine = attacks::gradient_cosine(&network, &CrossEntropy, &LogitDifference, &data)?;
/// assert!(cosine.per_sample.iter().flatten().all(|cosine| *cosine > 0.999));
/// # Ok::<(), isopath::Error>(())
/// ```
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
