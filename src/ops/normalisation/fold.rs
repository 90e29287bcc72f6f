//! Batch normalisation folded into the convolution before it.

use candle_core::Tensor;

use super::checks::check_eps;
use crate::error::{Error, Result};
use crate::ops::dtype::widened;

/// The weight and bias of one convolution that does the batch normalisation after it as well.
///
/// ```text
/// weight'_o = weight_o · s_o,  bias'_o = (bias_o − mean_o) · s_o + beta_o
/// s_o = gamma_o / √(variance_o + eps)
/// ```
///
/// The normalisation is the one after the convolution, in evaluation mode:
/// [`batch_norm_eval`](super::batch_norm_eval). Differentiable in all tensors.
///
/// - **Shapes**: `conv_weight` (O, C / groups, kernel height, kernel width), `conv_bias` (O,), 0 if
///   there is none, all others (O,); the results have the shapes of weight and bias.
/// - **Range**: any number. `eps` > 0.
/// - **Source**: the definition: both steps are linear in evaluation mode.
///
/// # Errors
/// Shapes that do not fit, numbers that are not floating-point, or `eps` not positive and finite.
pub fn fold_batch_norm(
    conv_weight: &Tensor,
    conv_bias: Option<&Tensor>,
    [gamma, beta]: [&Tensor; 2],
    [mean, variance]: [&Tensor; 2],
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
