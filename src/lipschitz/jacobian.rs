//! The Jacobian of a representation at given points.

use candle_core::{Tensor, Var};
use rayon::prelude::*;

use super::power::spectral_norms;
use super::{host_rows, represent};
use crate::checks;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::models::{Network, Representation, evaluation};

/// Points whose derivatives are held in memory together, by [`jacobian_norms`].
const BATCH: usize = 50;

/// The Jacobian of a representation at each of several points.
///
/// ```text
/// J_n = ∂F(x_n)/∂x_n
/// ```
///
/// F is the representation, by the network in [evaluation mode](Network::frozen). One backward pass
/// for each of F's E numbers serves all points at once: exact for every network whose operations
/// have a gradient. (candle differentiates once only, and a difference quotient would leave a
/// product J·v three digits in f32.)
///
/// - **Shapes**: `x` (N, …), each point flattened to D numbers, F(x) to E; the result is (N, E, D).
/// - **Range**: finite numbers, F per unit of the input.
/// - **Source**: *isometry*, section 3.2, ∇F; the definition.
///
/// # Errors
/// A network without an evaluation mode; no points; inputs or derivatives that are not finite;
/// inputs that the network does not take; a representation that it does not have, or that no
/// gradient flows through.
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[2, 3], Activation::Tanh, vb))?;
/// let x = Tensor::zeros((5, 2), DType::F32, &device::best())?;
/// let jacobian = lipschitz::jacobian(&network, Representation::Logits, &x)?;
/// assert_eq!(jacobian.dims(), [5, 3, 2]);
/// // One linear layer: its weight, at every point.
/// assert_eq!(jacobian.get(4)?.to_vec2::<f32>()?, network.weights()[0].to_vec2::<f32>()?);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn jacobian(
    network: &dyn Network,
    representation: Representation,
    x: &Tensor,
) -> Result<Tensor> {
    host_rows("x", x, 1)?;
    jacobian_of(evaluation(network)?.as_ref(), representation, x)
}

/// The [`jacobian`] of a network in evaluation mode, at rows that have been checked.
fn jacobian_of(
    network: &dyn Network,
    representation: Representation,
    x: &Tensor,
) -> Result<Tensor> {
    let n = x.dim(0)?;
    let x = Var::from_tensor(&x.detach())?;
    let phi = represent(network, representation, &x)?;
    if phi.rank() != 2 || phi.dim(0)? != n {
        return Err(Error::shape(
            "jacobian",
            "F(x)",
            format!("({n}, E)"),
            phi.dims(),
        ));
    }
    let row = |output: usize| -> Result<Tensor> {
        interrupt::check()?;
        let gradient = phi
            .narrow(1, output, 1)?
            .sum_all()?
            .backward()?
            .remove(x.as_tensor());
        let expected = "one that reaches the input by differentiable operations";
        let gradient =
            gradient.ok_or_else(|| Error::argument("representation", expected, "cut off"))?;
        Ok(gradient.detach().reshape((n, ()))?)
    };
    let jacobian = Tensor::stack(&(0..phi.dim(1)?).map(row).collect::<Result<Vec<_>>>()?, 1)?;
    checks::finite("jacobian", "numbers", &jacobian)?;
    Ok(jacobian)
}

/// The spectral norm of a representation's Jacobian at each of several points.
///
/// ```text
/// ‖J_n‖₂ = max_v ‖J_n v‖₂ / ‖v‖₂,  J_n = ∂F(x_n)/∂x_n
/// ```
///
/// That is how much F stretches at x_n, in the direction in which it stretches most: the largest
/// singular value, by power iteration on J·Jᵀ or Jᵀ·J, J from [`jacobian`]. The largest over many
/// points is a lower bound of F's Lipschitz constant. In f32 it has about six digits. The points
/// are taken in parts, side by side, which changes no number.
///
/// - **Shapes**: `x` (N, …); N numbers come back.
/// - **Range**: ≥ 0, F per unit of the input; 1 for an isometry.
/// - **Source**: *isometry*, section 3.2, ‖∇F‖ ≤ K.
///
/// # Errors
/// As [`jacobian`], or a power iteration that does not settle.
pub fn jacobian_norms(
    network: &dyn Network,
    representation: Representation,
    x: &Tensor,
) -> Result<Vec<f64>> {
    host_rows("x", x, 1)?;
    let n = x.dim(0)?;
    let network = evaluation(network)?;
    let part = |first: usize| -> Result<Vec<f64>> {
        let x = x.narrow(0, first, BATCH.min(n - first))?;
        spectral_norms(&jacobian_of(network.as_ref(), representation, &x)?)
    };
    let starts: Vec<usize> = (0..n).step_by(BATCH).collect();
    let parts = starts
        .into_par_iter()
        .map(part)
        .collect::<Vec<Result<Vec<f64>>>>();
    Ok(parts.into_iter().collect::<Result<Vec<_>>>()?.concat())
}
