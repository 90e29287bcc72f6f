//! Batch normalisation folded into the convolution before it.

use candle_core::Tensor;

use super::checks::check_eps;
use crate::error::{Error, Result};
use crate::ops::dtype::widened;

/// The weight and bias of the one convolution that does what a convolution and [`batch_norm_eval`](super::batch_norm_eval)
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
    let mean = widened("mean", mean)?;
    let deviation = (widened("variance", variance)? + eps)?.sqrt()?;
    let scale = widened("gamma", gamma)?.div(&deviation)?;
    let weight = widened("conv_weight", conv_weight)?
        .broadcast_mul(&scale.reshape((outputs, 1, 1, 1))?)?
        .to_dtype(conv_weight.dtype())?;
    let shift = match conv_bias {
        Some(bias) => (widened("conv_bias", bias)? - mean)?,
        None => mean.neg()?,
    };
    let bias = (shift * scale)?.add(&widened("beta", beta)?)?;
    Ok((weight, bias.to_dtype(beta.dtype())?))
}
