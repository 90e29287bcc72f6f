//! The input gradients that an attacker follows, in closed form, and their bounds by a Lipschitz
//! constant.

use std::any::Any;

use candle_core::{DType, Device, Tensor, Var};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::power::spectral_norms;
use super::{host_rows, jacobian, represent};
use crate::datasets::Dataset;
use crate::distances::Euclidean;
use crate::distances::slices::{euclidean, norm};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::losses::{IsometricLoss, Loss as _, cross_entropy};
use crate::models::{Network, Representation, evaluation};
use crate::progress::Bar;

/// The length of a gradient and its bound: both sides of an inequality of the *isometry* paper.
///
/// ```text
/// gradient ≤ bound
/// ```
///
/// - **Shapes**: two numbers.
/// - **Range**: both ≥ 0, loss per unit of the input; the inequality holds up to rounding.
/// - **Source**: *isometry*, section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientBound {
    /// The length ‖∇ₓ L‖₂ of the gradient.
    pub gradient: f64,
    /// The number that the length cannot exceed.
    pub bound: f64,
}

/// The gradient of β·L_ISO in closed form, with its bounds: what [`isometric_gradient`] gives.
///
/// ```text
/// together = Σ_k points_k
/// ```
///
/// - **Shapes**: `points` (N, D), `together` (D,), the lists (N,); D is the number of an input's
///   numbers.
/// - **Range**: gradients are any numbers, per unit of the input; bounds and norms are ≥ 0.
/// - **Source**: *isometry*, equation (6) and appendix A.1; `points` is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct IsometricGradient {
    /// The gradient ∂(β·L_ISO)/∂x_k of each point alone, a row each: (N, D).
    pub points: Array2<f64>,
    /// The length of each point's gradient, and its bound.
    pub point_bounds: Vec<GradientBound>,
    /// The paper's ∇ₓ: the derivative as all points move together, Σ_k ∂(β·L_ISO)/∂x_k: (D,).
    pub together: Array1<f64>,
    /// The length of [`IsometricGradient::together`], and its bound: inequality (6).
    pub together_bound: GradientBound,
    /// The norm ‖∂Φ/∂x‖₂ at each point; the largest is the K of the bounds.
    pub jacobian_norms: Vec<f64>,
}

/// The length of the cross-entropy's gradient at each sample, with its bound.
///
/// ```text
/// ‖∇ₓ L_CE‖₂ ≤ ‖∇_Φ L_CE‖₂ · ‖∂Φ/∂x‖₂
/// ```
///
/// [`cross_entropy_gradient`] gives it.
///
/// - **Shapes**: one entry for each sample.
/// - **Range**: ≥ 0; gradients in nats per unit of the input.
/// - **Source**: *isometry*, section 3.2, the inequality before (6).
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropyGradient {
    /// The length of each sample's gradient, and its bound.
    pub bounds: Vec<GradientBound>,
    /// The norm ‖∂Φ/∂x‖₂ at each sample.
    pub jacobian_norms: Vec<f64>,
}

/// The gradient of the isometric loss in the inputs, in closed form, and its Lipschitz bounds.
///
/// ```text
/// H_ij = d(x_i, x_j) − d(Φ_i, Φ_j)
/// X_ij = (x_i − x_j) / d(x_i, x_j),  J_ij = (Φ_i − Φ_j) / d(Φ_i, Φ_j)
///
/// each point alone, which is what an attack moves:
/// ∂(β·L_ISO)/∂x_k = (4β/N²) Σ_j G_kj H_kj (X_kj − ∇Φ_kᵀ J_kj)
/// ‖ · ‖₂          ≤ (4β/N²) Σ_j G_kj |H_kj| (1 + K)
///
/// all points together, as in equation (6):
/// Σ_k ∂(β·L_ISO)/∂x_k = (4β/N²) Σ_{i>j} G_ij H_ij (∇Φ_j − ∇Φ_i)ᵀ J_ij
/// ‖ · ‖₂              ≤ (8β/N²) Σ_{i>j} G_ij |H_ij| K
/// ```
///
/// K is the largest ‖∇Φ‖₂ at these points, the least for which the argument holds. β, Φ and the
/// [partition](crate::losses::Partition) G are those of `loss`; its α is not used. Equal points or
/// representations have no direction: X or J is 0 there, as in the gradient of the loss itself.
///
/// The paper's ∇ₓ lets all points move together, which is why its distances of inputs cancel; under
/// an attack each point moves alone, hence the first form. In A.1 each distance is differentiated
/// in its first argument only, so (6) is half of the derivative, and half of our bound. And |H|,
/// not H, bounds a length.
///
/// - **Shapes**: inputs (N, …) with N ≥ 2, each flattened to D numbers; labels (N,) of u32; the
///   gradients are (N, D) and (D,).
/// - **Range**: any numbers, per unit of the input; the bounds are ≥ 0.
/// - **Source**: *isometry*, equation (6) and appendix A.1; the first form is ours.
///
/// # Errors
/// Fewer than two points; numbers that are not finite; labels that are not (N,) of u32; α or β
/// negative or not finite; a distance other than the Euclidean, or one that the loss scales or
/// normalises; or an error of [`jacobian`] or [`jacobian_norms`](super::jacobian_norms).
///
/// # Examples
/// ```
/// use isopath::prelude::*;
///
/// let device = device::best();
/// let network = Model::new(0, |vb| Mlp::new(&[2, 8, 2], Activation::Tanh, vb))?;
/// let x = Tensor::new(&[[0f32, 0.], [1., 0.], [0., 2.]], &device)?;
/// let data = Dataset::new(x, Tensor::new(&[0u32, 0, 1], &device)?)?;
/// let found = lipschitz::isometric_gradient(&network, &IsometricLoss::new(1.), &data)?;
/// assert!(found.point_bounds[0].gradient > 0.);
/// assert!(found.point_bounds.iter().all(|both| both.gradient <= both.bound + 1e-6));
/// // The third point is alone in its class.
/// assert_eq!(found.point_bounds[2].gradient, 0.);
/// # Ok::<(), isopath::Error>(())
/// ```
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
    if !loss.is_plain() {
        let expected = "the distances as they are: scale 1, neither normalised nor squared";
        return Err(Error::argument("loss", expected, loss.describe()));
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
            let (dx, dphi) = (
                euclidean(&inputs[i], &inputs[j]),
                euclidean(&phi[i], &phi[j]),
            );
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

/// Adds h·(a − b)/d to `sum`; nothing where a = b.
fn add_direction(sum: &mut [f64], h: f64, a: &[f64], b: &[f64], d: f64) {
    if d > 0. {
        sum.iter_mut()
            .zip(a.iter().zip(b))
            .for_each(|(sum, (a, b))| *sum += h * (a - b) / d);
    }
}

/// The length of the cross-entropy's gradient at each sample, and its Lipschitz bound.
///
/// ```text
/// ‖∇ₓ L_CE‖₂ ≤ ‖∇_Φ L_CE‖₂ · ‖∂Φ/∂x‖₂
/// ```
///
/// L_CE is each sample's own cross-entropy, not divided by N. The representation Φ limits only the
/// second factor: the layers above it may make the first one as large as they like.
///
/// - **Shapes**: inputs (N, …), labels (N,) of u32; one entry for each sample.
/// - **Range**: ≥ 0, in nats per unit of the input.
/// - **Source**: *isometry*, section 3.2, the inequality before (6), there with α and with K for
///   ‖∂Φ/∂x‖₂.
///
/// # Errors
/// No points, numbers that are not finite, labels that are not (N,) of u32 or out of range, or an
/// error of [`jacobian`] or [`jacobian_norms`](super::jacobian_norms).
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
