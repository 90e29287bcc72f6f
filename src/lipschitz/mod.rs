//! How much a network stretches: Lipschitz constants, measured and bounded.
//!
//! A map F is K-Lipschitz if d(F(x), F(y)) ≤ K·d(x, y) for all x and y (*isometry* paper,
//! definition 3); an isometry has K = 1. Nobody knows the least such K of a network, but it lies
//! between what is seen and what the weights allow:
//!
//! | | what it says |
//! |---|---|
//! | [`ratio`] | the largest d(F(x), F(y)) / d(x, y) among given points: a lower bound |
//! | [`ratios_by_margin`] | the same of neighbours, near the decision boundary and far from it |
//! | [`jacobian_norms`] | ‖∂F/∂x‖₂ at given points: lower bounds, too, each exact in its place |
//! | [`layer_norms`] | their product is an upper bound, in all of space |
//! | [`margin_constant`] | an upper bound for the margins of a class, proved: rounding included |
//! | [`isometric_gradient`], [`cross_entropy_gradient`] | what a small K does to the gradient that an attacker follows: both sides of the inequalities of section 3.2 |

mod gradient;
mod jacobian;
mod layers;
mod margin;
mod power;
mod ratio;

pub use gradient::{
    CrossEntropyGradient, GradientBound, IsometricGradient, cross_entropy_gradient,
    isometric_gradient,
};
pub use jacobian::{jacobian, jacobian_norms};
pub use layers::{layer_norms, margin_constant, spectral_norm, spectral_norm_bound};
pub(crate) use margin::neighbor_ratios;
pub use margin::{MarginGroup, by_margin, ratios_by_margin};
pub use ratio::{Pairs, Ratio, ratio};

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::models::{Network, Representation};

/// F(x) (N, E): the representation of a batch of inputs, by a network in evaluation mode.
fn represent(network: &dyn Network, representation: Representation, x: &Tensor) -> Result<Tensor> {
    rows(representation.of(network, x)?)
}

/// A batch as a matrix, a row each.
fn rows(t: Tensor) -> Result<Tensor> {
    Ok(if t.rank() > 2 { t.flatten_from(1)? } else { t })
}

/// The rows of a batch (N, …) as f64 on the host.
///
/// # Errors
/// Fewer than `least` rows, no columns, or a number that is not finite.
fn host_rows(name: &'static str, x: &Tensor, least: usize) -> Result<Vec<Vec<f64>>> {
    if x.rank() < 2 || x.dims()[0] < least || x.elem_count() == 0 {
        return Err(Error::shape(
            "lipschitz",
            name,
            format!("(N, …), N at least {least}"),
            x.dims(),
        ));
    }
    let rows = rows(x.detach())?
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?
        .to_vec2::<f64>()?;
    match rows.iter().flatten().find(|number| !number.is_finite()) {
        Some(number) => Err(Error::argument(name, "finite numbers", number)),
        None => Ok(rows),
    }
}
