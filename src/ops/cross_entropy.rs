//! Cross-entropy: the softmax of each row against its label.
//!
//! In plain candle operations it takes a dozen passes over the logits, and as many for the
//! gradient. Here the gradient, softmax minus one-hot label, is computed together with the value.

use std::sync::OnceLock;

use candle_core::{D, DType, Device, Result, Shape, Tensor};

use super::custom::{Argument, Arguments, Kernel};
use super::dtype::{is_fused, widened};
use super::operation::Operation;
use super::simd::{self, Float, vectorised};
use crate::checks;
use crate::error::Error;

/// The cross-entropy of logits against labels, the mean over the batch; differentiable.
///
/// ```text
/// L = −(1/N) Σ_i Σ_c q_ic log softmax(z_i)_c,  q_ic = (1 − ε)·[c = t_i] + ε/C
/// ```
///
/// z_i are the logits of input i, t_i its label, C the number of classes, and ε, `smoothing`, the
/// share of a label that is spread over all classes; ε = 0 is the plain cross-entropy. On the CPU
/// in f32 or f64 one pass, elsewhere [`cross_entropy_composite`].
///
/// - **Shapes**: `logits` (N, C), `labels` (N,) of u32, each below C; the result is a scalar () of
///   the logits' dtype.
/// - **Range**: ≥ 0, in nats.
/// - **Source**: *isometry*, section 2, first displayed equation, first term, as PyTorch's
///   `cross_entropy(label_smoothing=ε)`; ε is that of Szegedy et al. 2016 (arXiv 1512.00567),
///   section 7.
///
/// # Errors
/// Shapes that do not fit, logits that are not floating-point numbers, labels that are not u32 or
/// out of range, an empty batch, or `smoothing` outside \[0, 1).
///
/// # Examples
/// ```
/// use isopath::{ops, prelude::*};
///
/// let device = device::best();
/// let logits = Tensor::zeros((2, 10), DType::F32, &device)?;
/// let loss = ops::cross_entropy(&logits, &Tensor::new(&[3u32, 7], &device)?, 0.)?;
/// // Equal logits leave ten equal probabilities.
/// assert!((loss.to_scalar::<f32>()? - 10f32.ln()).abs() < 1e-6);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> crate::Result<Tensor> {
    if !is_fused(logits) {
        return cross_entropy_composite(logits, labels, smoothing);
    }
    let host = check(logits, labels)?;
    check_smoothing(smoothing)?;
    fused(logits, host, smoothing, true)
}

/// The function [`cross_entropy()`] in plain candle operations, for every device.
///
/// # Errors
/// As [`cross_entropy()`].
pub fn cross_entropy_composite(
    logits: &Tensor,
    labels: &Tensor,
    smoothing: f64,
) -> crate::Result<Tensor> {
    check(logits, labels)?;
    check_smoothing(smoothing)?;
    let mean = rows_composite(logits, labels, smoothing)?.mean_all()?;
    Ok(mean.to_dtype(logits.dtype())?)
}

/// The cross-entropy of each row of logits against its label; differentiable in the logits.
///
/// ```text
/// L_i = −log softmax(z_i)_{t_i}
/// ```
///
/// Their mean is [`cross_entropy()`] without smoothing. On the CPU in f32 or f64 one pass,
/// elsewhere [`cross_entropies_composite`].
///
/// - **Shapes**: `logits` (N, C), `labels` (N,) of u32, each below C; the result is (N,).
/// - **Range**: ≥ 0, in nats.
/// - **Source**: the definition, as PyTorch's `cross_entropy(reduction="none")`.
///
/// # Errors
/// Shapes that do not fit, logits that are not floating-point numbers, labels that are not u32 or
/// out of range, or an empty batch.
pub fn cross_entropies(logits: &Tensor, labels: &Tensor) -> crate::Result<Tensor> {
    if !is_fused(logits) {
        return cross_entropies_composite(logits, labels);
    }
    let host = check(logits, labels)?;
    fused(logits, host, 0., false)
}

/// The function [`cross_entropies`] in plain candle operations, for every device.
///
/// # Errors
/// As [`cross_entropies`].
pub fn cross_entropies_composite(logits: &Tensor, labels: &Tensor) -> crate::Result<Tensor> {
    check(logits, labels)?;
    Ok(rows_composite(logits, labels, 0.)?.to_dtype(logits.dtype())?)
}

/// The labels on the host.
fn check(logits: &Tensor, labels: &Tensor) -> crate::Result<Vec<u32>> {
    let (n, classes) = match *logits.dims() {
        [n, classes] if n > 0 && classes > 0 => (n, classes),
        _ => {
            return Err(Error::shape(
                "cross_entropy",
                "logits",
                "(N, classes), neither 0",
                logits.dims(),
            ));
        }
    };
    checks::labels("loss", labels, n, Some(classes))
}

fn check_smoothing(smoothing: f64) -> crate::Result<()> {
    if (0. ..1.).contains(&smoothing) {
        return Ok(());
    }
    Err(Error::argument(
        "smoothing",
        "a number in [0, 1)",
        smoothing,
    ))
}

/// The cross-entropy of each row, not rounded to the dtype of `logits` yet.
fn rows_composite(logits: &Tensor, labels: &Tensor, smoothing: f64) -> crate::Result<Tensor> {
    let logits = widened("logits", logits)?;
    // The shift keeps exp() in range; its gradient cancels, hence the detach.
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let own = shifted.gather(&labels.unsqueeze(1)?.contiguous()?, 1)?;
    let softened = if smoothing > 0. {
        ((own * (1. - smoothing))? + (shifted.mean_keepdim(D::Minus1)? * smoothing)?)?
    } else {
        own
    };
    Ok((log_sum - softened)?.squeeze(1)?)
}

fn fused(logits: &Tensor, labels: Vec<u32>, smoothing: f64, mean: bool) -> crate::Result<Tensor> {
    let op = Fused {
        labels,
        smoothing,
        mean,
        needed: logits.track_op(),
        gradient: OnceLock::new(),
    };
    Ok([logits].apply(op)?)
}

struct Fused {
    labels: Vec<u32>,
    smoothing: f64,
    mean: bool,
    /// Whether the logits take part in a gradient.
    needed: bool,
    /// The gradient of each row's own cross-entropy, or of their mean.
    gradient: OnceLock<Tensor>,
}

impl Kernel<1> for Fused {
    fn operation(&self) -> Operation {
        if self.mean {
            Operation::CrossEntropy
        } else {
            Operation::CrossEntropies
        }
    }

    fn forward<T: Float>(&self, [logits]: [Argument<'_, T>; 1]) -> Result<(Vec<T>, Shape)> {
        let values = self.run(logits.numbers, logits.layout.shape().dims2()?)?;
        let shape = if self.mean {
            Shape::from(())
        } else {
            Shape::from(self.labels.len())
        };
        Ok((values, shape))
    }

    fn backward(&self, _: [&Tensor; 1], _: &Tensor, by: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let scaled = |gradient: &Tensor| {
            if self.mean {
                // As a number: candle multiplies by a broadcast tensor one element at a time.
                gradient * by.to_dtype(DType::F64)?.to_scalar::<f64>()?
            } else {
                gradient.broadcast_mul(&by.unsqueeze(1)?)
            }
        };
        Ok([self.gradient.get().map(scaled).transpose()?])
    }
}

impl Fused {
    fn run<T: Float>(&self, logits: &[T], (n, classes): (usize, usize)) -> Result<Vec<T>> {
        let keep = T::from_f64(1. - self.smoothing);
        let spread = T::from_f64(self.smoothing / classes as f64);
        let factor = if self.mean {
            T::from_f64(1. / n as f64)
        } else {
            T::one()
        };
        let mut powers = logits.to_vec();
        let mut values = Vec::with_capacity(n);
        let arch = simd::arch()?;
        vectorised!(arch, {
            for (row, &label) in powers.chunks_exact_mut(classes).zip(&self.labels) {
                let largest = row
                    .iter()
                    .fold(row[0], |largest, &x| if x > largest { x } else { largest });
                let mut all = T::zero();
                for x in row.iter_mut() {
                    *x -= largest;
                    all += *x;
                }
                let own = row[label as usize];
                values.push(if self.smoothing > 0. {
                    keep * own + spread * all
                } else {
                    own
                });
            }
            powers.iter_mut().for_each(|x| *x = x.exp_to_one());
            for ((row, value), &label) in powers
                .chunks_exact_mut(classes)
                .zip(&mut values)
                .zip(&self.labels)
            {
                let sum = row.iter().fold(T::zero(), |sum, &x| sum + x);
                *value = sum.log() - *value;
                let scale = factor / sum;
                row.iter_mut()
                    .for_each(|x| *x = *x * scale - factor * spread);
                row[label as usize] -= factor * keep;
            }
        });
        if self.needed {
            // A second forward pass would give the same gradient.
            let _ = self
                .gradient
                .set(Tensor::from_vec(powers, (n, classes), &Device::Cpu)?);
        }
        if self.mean {
            let sum = values.iter().map(|value| value.to_f64()).sum::<f64>();
            values = vec![T::from_f64(sum / n as f64)];
        }
        Ok(values)
    }
}
