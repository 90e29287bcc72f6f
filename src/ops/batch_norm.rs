//! Batch normalisation of images: Ioffe & Szegedy 2015, as PyTorch's `BatchNorm2d`.

use candle_core::{DType, Tensor};

use super::{batch_norm_fused, is_fused};
use crate::error::{Error, Result};

/// What [`batch_norm`] gives.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// The normalised images, (N, C, H, W); differentiable.
    pub output: Tensor,
    /// The mean of every channel, (C,); no gradient.
    pub mean: Tensor,
    /// The variance of every channel with N·H·W − 1 in the denominator, (C,); no gradient.
    pub variance: Tensor,
}

impl BatchNorm {
    /// The running statistics after this batch: (1 − momentum) · before + momentum · batch, for
    /// mean and variance.
    ///
    /// `mean` and `variance`: (C,), before this batch (PyTorch starts with 0 and 1); `momentum` in
    /// [0, 1], PyTorch's is 0.1.
    ///
    /// # Errors
    /// `momentum` outside [0, 1]; shapes or dtypes that do not fit.
    pub fn running(
        &self,
        mean: &Tensor,
        variance: &Tensor,
        momentum: f64,
    ) -> Result<(Tensor, Tensor)> {
        running_statistics([mean, variance], [&self.mean, &self.variance], momentum)
    }
}

/// (1 − momentum) · `before` + momentum · `batch`, both a mean and a variance, (C,) each; no
/// gradient.
///
/// # Errors
/// `momentum` outside [0, 1]; shapes or dtypes that do not fit.
pub fn running_statistics(
    before: [&Tensor; 2],
    batch: [&Tensor; 2],
    momentum: f64,
) -> Result<(Tensor, Tensor)> {
    if !(0. ..=1.).contains(&momentum) {
        return Err(Error::argument("momentum", "a number in [0, 1]", momentum));
    }
    let blend = |name, before: &Tensor, batch: &Tensor| -> Result<Tensor> {
        channel(name, before, &[1, batch.elem_count()], batch.dtype())?;
        Ok(((before.detach() * (1. - momentum))? + (batch * momentum)?)?)
    };
    Ok((
        blend("mean", before[0], batch[0])?,
        blend("variance", before[1], batch[1])?,
    ))
}

/// Training mode: y = (x − μ_c) / √(σ²_c + eps) · gamma_c + beta_c, with μ_c and σ²_c the mean and
/// the (biased) variance of channel c in this batch.
///
/// `x`: (N, C, H, W); `gamma`, `beta`: (C,), the same dtype; `eps` > 0, PyTorch's is 1e-5. The
/// output is differentiable in all three, also through μ and σ². The statistics come along for
/// [`BatchNorm::running`].
///
/// On a CPU in f32 or f64 the fused operation: sums are in f64, and two passes over the data give
/// the output, two more the gradients; the same numbers whatever the number of threads. Elsewhere
/// [`batch_norm_composite`].
///
/// # Errors
/// Shapes or dtypes that do not fit; `eps` not positive; fewer than two numbers a channel, N·H·W <
/// 2. (PyTorch refuses one number, but not none.)
pub fn batch_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<BatchNorm> {
    check_batch(x, gamma, beta, eps)?;
    if !is_fused(x) {
        return batch_norm_composite(x, gamma, beta, eps);
    }
    batch_norm_fused::train(x, gamma, beta, eps)
}

/// [`batch_norm`] in plain candle operations, for every device.
///
/// # Errors
/// As [`batch_norm`].
pub fn batch_norm_composite(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
) -> Result<BatchNorm> {
    let count = check_batch(x, gamma, beta, eps)? as f64;
    let mean = x.mean_keepdim((0, 2, 3))?;
    let centred = x.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim((0, 2, 3))?;
    let normal = centred.broadcast_div(&(&variance + eps)?.sqrt()?)?;
    let output = normal
        .broadcast_mul(&by_channel(gamma)?)?
        .broadcast_add(&by_channel(beta)?)?;
    let mean = mean.detach().flatten_all()?;
    let variance = (variance.detach().flatten_all()? * (count / (count - 1.)))?;
    Ok(BatchNorm {
        output,
        mean,
        variance,
    })
}

/// Evaluation mode: y = (x − mean_c) / √(variance_c + eps) · gamma_c + beta_c with given
/// statistics.
///
/// Shapes as in [`batch_norm`], `mean` and `variance` (C,); N may be 0. Differentiable in `x`,
/// `gamma` and `beta`. Where a convolution comes before, [`fold_batch_norm`] costs nothing at all.
///
/// # Errors
/// Shapes or dtypes that do not fit; `eps` not positive.
pub fn batch_norm_eval(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    check_eval(x, gamma, beta, mean, variance, eps)?;
    if !is_fused(x) {
        return batch_norm_eval_composite(x, gamma, beta, mean, variance, eps);
    }
    batch_norm_fused::eval(x, gamma, beta, mean, variance, eps)
}

/// [`batch_norm_eval`] in plain candle operations, for every device.
///
/// # Errors
/// As [`batch_norm_eval`].
pub fn batch_norm_eval_composite(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    check_eval(x, gamma, beta, mean, variance, eps)?;
    let scale = gamma.div(&(variance.detach() + eps)?.sqrt()?)?;
    let centred = x.broadcast_sub(&by_channel(&mean.detach())?)?;
    Ok(centred
        .broadcast_mul(&by_channel(&scale)?)?
        .broadcast_add(&by_channel(beta)?)?)
}

/// The weight and bias of the one convolution that does what a convolution and [`batch_norm_eval`]
/// after it do: weight_o · s_o and (bias_o − mean_o) · s_o + beta_o, with s_o = gamma_o /
/// √(variance_o + eps).
///
/// `conv_weight`: (O, I, kernel rows, kernel columns), I being the inputs of a group; `conv_bias`:
/// (O,), none is 0; the others (O,). The result has the shapes of weight and bias, and is
/// differentiable in all arguments.
///
/// # Errors
/// Shapes that do not fit; `eps` not positive.
pub fn fold_batch_norm(
    conv_weight: &Tensor,
    conv_bias: Option<&Tensor>,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    const NAME: &str = "fold_batch_norm";
    check_eps(eps)?;
    let &[outputs, _, _, _] = conv_weight.dims() else {
        return Err(Error::shape(
            NAME,
            "conv_weight",
            "(O, I, kernel rows, kernel columns)",
            conv_weight.dims(),
        ));
    };
    let vectors = [
        ("gamma", gamma),
        ("beta", beta),
        ("mean", mean),
        ("variance", variance),
    ];
    for (name, vector) in vectors
        .into_iter()
        .chain(conv_bias.map(|bias| ("conv_bias", bias)))
    {
        if vector.dims() != [outputs] {
            return Err(Error::shape(
                NAME,
                name,
                format!("({outputs},), a number for each output"),
                vector.dims(),
            ));
        }
    }
    let scale = gamma.div(&(variance + eps)?.sqrt()?)?;
    let weight = conv_weight.broadcast_mul(&scale.reshape((outputs, 1, 1, 1))?)?;
    let shift = match conv_bias {
        Some(bias) => (bias - mean)?,
        None => mean.neg()?,
    };
    Ok((weight, (shift * scale)?.add(beta)?))
}

/// (C,) as (1, C, 1, 1).
fn by_channel(vector: &Tensor) -> Result<Tensor> {
    Ok(vector.reshape((1, vector.elem_count(), 1, 1))?)
}

/// N·H·W.
fn check_batch(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<usize> {
    check(x, gamma, beta, eps)?;
    check_count(x.dims())
}

/// N·H·W of the shape (N, C, H, W), two at least.
pub(super) fn check_count(x: &[usize]) -> Result<usize> {
    let count = x[0] * x[2] * x[3];
    if count < 2 {
        return Err(Error::shape(
            "batch_norm",
            "x",
            "(N, C, H, W) with N·H·W at least 2 in training",
            x,
        ));
    }
    Ok(count)
}

fn check_eval(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> Result<()> {
    check(x, gamma, beta, eps)?;
    channel("mean", mean, x.dims(), x.dtype())?;
    channel("variance", variance, x.dims(), x.dtype())
}

fn check(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<()> {
    check_eps(eps)?;
    if x.rank() != 4 {
        return Err(Error::shape("batch_norm", "x", "(N, C, H, W)", x.dims()));
    }
    channel("gamma", gamma, x.dims(), x.dtype())?;
    channel("beta", beta, x.dims(), x.dtype())
}

pub(super) fn check_eps(eps: f64) -> Result<()> {
    if eps > 0. && eps.is_finite() {
        return Ok(());
    }
    Err(Error::argument("eps", "a finite number > 0", eps))
}

/// A number for each channel of images of shape `x`, in their dtype.
pub(super) fn channel(
    name: &'static str,
    vector: &Tensor,
    x: &[usize],
    dtype: DType,
) -> Result<()> {
    if vector.dims() != [x[1]] {
        let expected = format!("({},), a number for each channel", x[1]);
        return Err(Error::shape("batch_norm", name, expected, vector.dims()));
    }
    if vector.dtype() != dtype {
        return Err(Error::argument(
            name,
            format!("{dtype:?}, as x"),
            format!("{:?}", vector.dtype()),
        ));
    }
    Ok(())
}
