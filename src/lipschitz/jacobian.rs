//! The derivative of a representation at given points.

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

/// ∂F(x_n)/∂x_n (N, E, D) at each row of `x` (N, …), F the representation and D an input's numbers.
///
/// One backward pass for each of the E outputs, which serves all rows at once: exact for every
/// network whose operations have a gradient. (candle differentiates once only, and a difference
/// quotient would leave a product J·v three digits in f32.) Give a frozen network, or the gradients
/// of its weights are computed in vain.
///
/// # Errors
/// A network in training mode, in which rows depend on each other; no points, numbers that are not
/// finite, or an input or a representation that the network does not have.
pub fn jacobian(
    network: &dyn Network,
    representation: Representation,
    x: &Tensor,
) -> Result<Tensor> {
    host_rows("x", x, 1)?;
    jacobian_of(evaluation(network)?.as_ref(), representation, x)
}

/// [`jacobian`] of a network in evaluation mode, at rows that have been checked.
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

/// ‖∂F/∂x‖₂ ≥ 0 at each row of `x` (N, …): how much F stretches there, in the direction in which it
/// stretches most.
///
/// The largest singular value, by power iteration on J·Jᵀ or Jᵀ·J, J from [`jacobian`]; `x` is
/// taken in parts, side by side, which changes no number. In f32 to about six digits. The largest
/// over many points is a lower bound of F's Lipschitz constant.
///
/// # Errors
/// As [`jacobian`].
///
/// *isometry* paper, section 3.2: ‖∇F‖ ≤ K.
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
