//! How much a network stretches: Lipschitz constants, measured and bounded.
//!
//! A map F is K-Lipschitz if d(F(x), F(y)) ≤ K·d(x, y) for all x and y (*isometry* paper,
//! definition 3); an isometry has K = 1. Nobody knows the least such K of a network, but it lies
//! between what is seen and what the weights allow:
//!
//! | | what it says |
//! |---|---|
//! | [`ratio`] | the largest d(F(x), F(y)) / d(x, y) among given points: a lower bound |
//! | [`jacobian_norms`] | ‖∂F/∂x‖₂ at given points: lower bounds, too, each exact in its place |
//! | [`layer_norms`] | their product is an upper bound, in all of space |
//! | [`isometric_gradient`], [`cross_entropy_gradient`] | what a small K does to the gradient that an attacker follows: both sides of the inequalities of section 3.2 |

mod gradient;
mod jacobian;
mod layers;
mod power;
mod ratio;

pub use gradient::{
    CrossEntropyGradient, GradientBound, IsometricGradient, cross_entropy_gradient,
    isometric_gradient,
};
pub use jacobian::{jacobian, jacobian_norms};
pub use layers::{layer_norms, spectral_norm};
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

/// Σ_k term(a_k, b_k), in eight sums that fill a vector; the order does not depend on the
/// processor.
fn sum(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.; 8];
    let (blocks_a, blocks_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = blocks_a
        .remainder()
        .iter()
        .zip(blocks_b.remainder())
        .map(|(a, b)| term(*a, *b))
        .sum::<f64>();
    for (a, b) in blocks_a.zip(blocks_b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(*a, *b);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// √Σ_k (a_k − b_k)².
fn distance(a: &[f64], b: &[f64]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b)).sqrt()
}

/// Σ_k a_k b_k.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum(a, b, |a, b| a * b)
}

/// √Σ_k a_k².
fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
