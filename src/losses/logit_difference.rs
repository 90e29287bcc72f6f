//! Differences of logits as losses: their gradient does not vanish where a network is confident.

use candle_core::{D, Tensor};

use crate::checks;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::Network;
use crate::ops::widened;

/// The largest wrong logit minus the true one: a loss for attacks on confident networks.
///
/// ```text
/// L = (1/N) Σ_i (max_{j ≠ t_i} z_ij − z_{i,t_i})
/// ```
///
/// z_i are the logits of input i, t_i its label; a term is positive where the answer is wrong. An
/// attack that follows the cross-entropy stands still where a network is so sure that the gradient
/// is 0 in f32, from margins of about 87 on; the gradient of this loss is as large there as
/// anywhere.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32, at least 2 classes; the loss is a scalar ().
/// - **Range**: any number; minus the mean margin of the true label.
/// - **Source**: Carlini & Wagner 2017 (arXiv 1608.04644), the function f of their equation after
///   (7), without the floor.
///
/// # Errors
/// [`Loss::loss`] refuses fewer than 2 classes, labels that are not (N,) of u32 or out of range,
/// and an empty batch.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 3], Activation::Tanh, vb))?;
/// let x = Tensor::new(&[[1f32, 2.]], &device)?;
/// let answer = network.forward(&x)?.argmax(1)?;
/// // Negative where the label is the network's own answer.
/// let loss = LogitDifference.loss(&network, &Dataset::new(x, answer)?)?;
/// assert!(loss.to_scalar::<f32>()? < 0.);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogitDifference;

/// The difference of logits ratio (DLR), a [`LogitDifference`] that ignores the scale of the
/// logits.
///
/// ```text
/// L = (1/N) Σ_i (max_{j ≠ t_i} z_ij − z_{i,t_i}) / (z_{i,π1} − z_{i,π3} + 1e-12)
/// ```
///
/// z_{i,πk} is the k-th largest logit of input i. Up to the floor of 1e-12 nothing changes when all
/// logits are multiplied by one positive number, so a network cannot hide by scaling them. The
/// gradient flows through the denominator too.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32, at least 3 classes; the loss is a scalar ().
/// - **Range**: ≥ −1; a wrong answer adds a number ≥ 0.
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), equation 6; the floor of 1e-12 is
///   auto-attack's.
///
/// # Errors
/// [`Loss::loss`] refuses fewer than 3 classes, labels that are not (N,) of u32 or out of range,
/// and an empty batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RescaledLogitDifference;

/// The difference max_{j ≠ t} z_j − z_t of each row, (N,).
fn differences(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let (n, classes) = match *logits.dims() {
        [n, classes] if n > 0 && classes > 1 => (n, classes),
        _ => {
            let expected = "(N, classes), at least 2 classes";
            return Err(Error::shape(
                "logit difference",
                "logits",
                expected,
                logits.dims(),
            ));
        }
    };
    checks::labels("logit difference", labels, n, Some(classes))?;
    let own = Tensor::arange(0u32, classes as u32, logits.device())?;
    let own = own
        .broadcast_as((n, classes))?
        .eq(&labels.unsqueeze(1)?.broadcast_as((n, classes))?)?;
    let least = Tensor::full(f32::MIN, (n, classes), logits.device())?.to_dtype(logits.dtype())?;
    let others = own.where_cond(&least, logits)?.max(D::Minus1)?;
    let truth = logits
        .gather(&labels.unsqueeze(1)?.contiguous()?, 1)?
        .squeeze(1)?;
    Ok((others - truth)?)
}

impl Loss for LogitDifference {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        mean(&differences(
            &network.forward(&batch.inputs)?,
            &batch.labels,
        )?)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

impl Loss for RescaledLogitDifference {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        let logits = network.forward(&batch.inputs)?;
        let dtype = logits.dtype();
        // In f16 the floor would be 0.
        let logits = widened("logits", &logits)?;
        let difference = differences(&logits, &batch.labels)?;
        if logits.dim(1)? < 3 {
            let expected = "(N, classes), at least 3 classes";
            return Err(Error::shape(
                "logit difference",
                "logits",
                expected,
                logits.dims(),
            ));
        }
        let (_, order) = logits.detach().contiguous()?.sort_last_dim(false)?;
        let place = |k: usize| -> Result<Tensor> {
            Ok(logits
                .gather(&order.narrow(1, k, 1)?.contiguous()?, 1)?
                .squeeze(1)?)
        };
        // The floor is auto-attack's.
        let scale = ((place(0)? - place(2)?)? + 1e-12)?;
        Ok(mean(&(difference / scale)?)?.to_dtype(dtype)?)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// The mean, in f32 at least: over thousands it stalls in the half-precision types.
fn mean(values: &Tensor) -> Result<Tensor> {
    let mean = widened("logits", values)?.mean_all()?;
    Ok(mean.to_dtype(values.dtype())?)
}
