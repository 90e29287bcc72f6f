//! The gradients that an attacker follows, in closed form and bounded by a Lipschitz constant.

use std::any::Any;

use candle_core::{DType, Device, Tensor, Var};
use ndarray::{Array1, Array2};
use serde::Serialize;

use super::power::spectral_norms;
use super::{distance, host_rows, jacobian, norm, represent};
use crate::datasets::Dataset;
use crate::distances::Euclidean;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::{IsometricLoss, cross_entropy};
use crate::models::{Network, Representation, evaluation};
use crate::progress::Bar;

/// A gradient's length and what it cannot exceed: both sides of an inequality.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GradientBound {
    /// The length of the gradient.
    pub gradient: f64,
    /// What it cannot exceed.
    pub bound: f64,
}

/// The gradient of β·L_ISO in closed form, with its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct IsometricGradient {
    /// ∂(β·L_ISO)/∂x_k, a row each: (N, D).
    pub points: Array2<f64>,
    /// Both sides for each x_k.
    pub point_bounds: Vec<GradientBound>,
    /// The paper's ∇ₓ: the derivative as all points move together, Σ_k ∂(β·L_ISO)/∂x_k: (D,).
    pub together: Array1<f64>,
    /// Both sides of inequality (6).
    pub together_bound: GradientBound,
    /// ‖∂Φ/∂x‖₂ at each point; the largest is the K of the bounds.
    pub jacobian_norms: Vec<f64>,
}

/// How long the gradient of the cross-entropy is, with its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropyGradient {
    /// Both sides for each sample.
    pub bounds: Vec<GradientBound>,
    /// ‖∂Φ/∂x‖₂ at each sample.
    pub jacobian_norms: Vec<f64>,
}

/// ∇ₓ β·L_ISO written out, and what a K-Lipschitz Φ leaves of it.
///
/// With H_ij = d(x_i, x_j) − d(Φ_i, Φ_j), J_ij = (Φ_i − Φ_j) / d(Φ_i, Φ_j), and X_ij likewise for
/// the inputs:
///
/// - each point alone, which is what an attack moves: ∂(β·L_ISO)/∂x_k = (4β/N²) Σ_j G_kj H_kj (X_kj
///   − ∇Φ_kᵀ J_kj), no longer than (4β/N²) Σ_j G_kj |H_kj| (1 + K);
/// - all points together, as the paper's equation (6) has it: (4β/N²) Σ_{i>j} G_ij H_ij (∇Φ_j −
///   ∇Φ_i)ᵀ J_ij, no longer than (8β/N²) Σ_{i>j} G_ij |H_ij| K.
///
/// K is the largest ‖∇Φ‖₂ at these points, the least for which the argument holds. β, G and Φ are those
/// of `loss`; inputs (N, …), labels (N,) of u32. Equal points or
/// representations have no direction: X or J is 0 there, as in the gradient of the loss itself.
///
/// # Errors
/// Fewer than two points; numbers that are not finite; labels of another number; a distance other
/// than the Euclidean; or an error of [`jacobian`].
///
/// *isometry* paper, equation (6) and appendix A.1. Three deviations. The paper's ∇ₓ lets all
/// points move together, which is why its distances of inputs cancel; under an attack each point
/// moves alone, hence the first form. In A.1 each distance is differentiated in its first argument
/// only, so (6) is half of the derivative, and half of our bound. And |H|, not H, bounds a length.
pub fn isometric_gradient(
    network: &dyn Network,
    loss: &IsometricLoss,
    batch: &Dataset,
) -> Result<IsometricGradient> {
    let x = &batch.inputs;
    loss.validate()?;
    if !(loss.distance.as_ref() as &dyn Any).is::<Euclidean>() {
        return Err(Error::argument(
            "distance",
            "Euclidean",
            format!("{:?}", loss.distance),
        ));
    }
    let inputs = host_rows("x", x, 2)?;
    let n = inputs.len();
    let cells = loss.cells(&batch.labels, n)?;
    let phi = host_rows(
        "phi",
        &represent(
            evaluation(network)?.as_ref(),
            loss.representation,
            &x.detach(),
        )?,
        2,
    )?;
    let jacobian = jacobian(network, loss.representation, x)?;
    let jacobian_norms = spectral_norms(&jacobian)?;
    let (_, outputs, d) = jacobian.dims3()?;
    let slopes = jacobian
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?
        .flatten_all()?
        .to_vec1::<f64>()?;
    let k = jacobian_norms.iter().copied().fold(0., f64::max);
    let factor = 4. * loss.beta / (n * n) as f64;

    let mut points = Array2::zeros((n, d));
    let mut together = Array1::zeros(d);
    let mut point_bounds = Vec::with_capacity(n);
    let mut deviations = 0.;
    let bar = Bar::slow("gradients of the isometric loss").of(n, "points");
    for i in 0..n {
        interrupt::check()?;
        bar.add(1.);
        let (mut before, mut after, mut deviation) = (vec![0.; d], vec![0.; outputs], 0.);
        for j in (0..n).filter(|&j| j != i && cells[i] == cells[j]) {
            let (dx, dphi) = (distance(&inputs[i], &inputs[j]), distance(&phi[i], &phi[j]));
            let h = dx - dphi;
            deviation += h.abs();
            add_direction(&mut before, h, &inputs[i], &inputs[j], dx);
            add_direction(&mut after, h, &phi[i], &phi[j], dphi);
        }
        // ∇Φ_iᵀ Σ_j H_ij J_ij.
        let mut pulled = vec![0.; d];
        for (slope, weight) in slopes[i * outputs * d..(i + 1) * outputs * d]
            .chunks(d.max(1))
            .zip(&after)
        {
            pulled
                .iter_mut()
                .zip(slope)
                .for_each(|(pulled, slope)| *pulled += weight * slope);
        }
        for axis in 0..d {
            points[[i, axis]] = factor * (before[axis] - pulled[axis]);
            together[axis] -= factor * pulled[axis];
        }
        let gradient = norm(&points.row(i).to_vec());
        point_bounds.push(GradientBound {
            gradient,
            bound: factor * deviation * (1. + k),
        });
        deviations += deviation;
    }
    // Σ_i Σ_j counts every pair twice.
    let together_bound = GradientBound {
        gradient: norm(&together.to_vec()),
        bound: factor * deviations * k,
    };
    Ok(IsometricGradient {
        points,
        point_bounds,
        together,
        together_bound,
        jacobian_norms,
    })
}

/// sum += h·(a − b)/d; nothing where a = b.
fn add_direction(sum: &mut [f64], h: f64, a: &[f64], b: &[f64], d: f64) {
    if d > 0. {
        sum.iter_mut()
            .zip(a.iter().zip(b))
            .for_each(|(sum, (a, b))| *sum += h * (a - b) / d);
    }
}

/// ‖∇ₓ L_CE‖₂ of each sample, and ‖∇_Φ L_CE‖₂·‖∂Φ/∂x‖₂, which it cannot exceed.
///
/// Inputs (N, …), labels (N,) of u32. Of each sample's own cross-entropy, not divided by N; per
/// unit of the input. The representation limits only the second factor: the layers above it may
/// make the first one as large as they like.
///
/// # Errors
/// No points, numbers that are not finite, labels that do not fit, or an error of [`jacobian`].
///
/// *isometry* paper, section 3.2: the inequality before (6).
pub fn cross_entropy_gradient(
    network: &dyn Network,
    representation: Representation,
    batch: &Dataset,
) -> Result<CrossEntropyGradient> {
    let Dataset {
        inputs: x, labels, ..
    } = batch;
    host_rows("x", x, 1)?;
    let network = evaluation(network)?;
    let above = representation.index(network.stages())?;
    let lengths = |from: usize, input: &Tensor| -> Result<Vec<f64>> {
        let input = Var::from_tensor(&input.detach())?;
        let n = input.dim(0)? as f64;
        let loss = (cross_entropy(&network.forward_from(from, &input)?, labels)? * n)?;
        let gradient = loss.backward()?.remove(input.as_tensor());
        let gradient = gradient.map_or_else(|| input.zeros_like(), Ok)?;
        Ok(host_rows("gradient", &gradient, 1)?
            .iter()
            .map(|row| norm(row))
            .collect())
    };
    let phi = network.forward_to(above, x)?;
    let jacobian_norms = super::jacobian_norms(network.as_ref(), representation, x)?;
    let lengths = lengths(0, x)?.into_iter().zip(lengths(above, &phi)?);
    let bounds = lengths
        .zip(&jacobian_norms)
        .map(|((gradient, of_phi), k)| GradientBound {
            gradient,
            bound: of_phi * k,
        });
    Ok(CrossEntropyGradient {
        bounds: bounds.collect(),
        jacobian_norms,
    })
}
