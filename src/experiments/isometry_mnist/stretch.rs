//! How much the networks stretch, beside how robust they are: the paper's explanation in numbers.

use candle_core::Tensor;
use serde::Serialize;

use super::{Settings, Trained};
use crate::error::{Error, Result};
use crate::experiments::median;
use crate::lipschitz::{
    Pairs, Ratio, Sides, cross_entropy_gradient, isometric_gradient, layer_norms, ratio,
};
use crate::losses::Lil;
use crate::models::Network as _;
use crate::training::in_parallel;

/// Estimates of the Lipschitz constant of one network's Φ, and what follows for the gradients
/// (*isometry*, section 3.2).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// The weight of the isometric loss.
    pub beta: f64,
    /// Of its initial weights.
    pub seed: u64,
    /// d(Φ(x), Φ(y)) / d(x, y) of images within a class.
    pub within: Ratio,
    /// The same of images of different classes.
    pub between: Ratio,
    /// ‖∂Φ/∂x‖₂ at each of the first images.
    pub jacobian_norms: Vec<f64>,
    /// Their median.
    pub jacobian_median: f64,
    /// The largest of them.
    pub jacobian_largest: f64,
    /// ‖W‖₂ of the layers up to Φ.
    pub layer_norms: Vec<f64>,
    /// Their product, an upper bound.
    pub layer_product: f64,
    /// Both sides of inequality (6) for β = 1, one batch.
    pub isometric_gradient: Sides,
    /// The medians of both sides for the cross-entropy, over the images of `jacobian_norms`.
    pub cross_entropy_gradient: Sides,
}

/// Measures every network, `[beta][seed]`, side by side: ratios on all of `x` (N, 784) with
/// `labels` (N,) of u32, derivatives at its first `jacobians`, inequality (6) on its first
/// [`Settings::batch_size`].
///
/// # Errors
/// No image or `jacobians` 0; images of one class only; or what [`ratio`] and
/// [`isometric_gradient`] refuse.
pub fn stretch(
    networks: &[Vec<Trained>],
    settings: &Settings,
    x: &Tensor,
    labels: &Tensor,
    jacobians: usize,
) -> Result<Vec<Vec<Stretch>>> {
    if jacobians == 0 {
        return Err(Error::argument("jacobians", "at least 1", jacobians));
    }
    let measured = in_parallel(&networks.iter().flatten().collect::<Vec<_>>(), |trained| {
        one(trained, settings, x, labels, jacobians)
    })?;
    let mut measured = measured.into_iter();
    Ok(networks
        .iter()
        .map(|runs| measured.by_ref().take(runs.len()).collect())
        .collect())
}

/// One number of every network, `[beta][seed]`, for
/// [`BarSeries::over_runs`](crate::figures::BarSeries::over_runs).
pub fn values(found: &[Vec<Stretch>], value: impl Fn(&Stretch) -> f64) -> Vec<Vec<f64>> {
    found
        .iter()
        .map(|runs| runs.iter().map(&value).collect())
        .collect()
}

fn one(
    trained: &Trained,
    settings: &Settings,
    x: &Tensor,
    labels: &Tensor,
    jacobians: usize,
) -> Result<Stretch> {
    let (network, representation) = (&trained.network, settings.representation);
    let stage = representation.stage(network.stages())?;
    let phi = network.forward_to(stage + 1, x)?;
    let names = labels.to_vec1::<u32>()?;
    let first = |count: usize| -> Result<(Tensor, Tensor)> {
        let count = count.min(names.len());
        Ok((x.narrow(0, 0, count)?, labels.narrow(0, 0, count)?))
    };
    let layer_norms = layer_norms(network, representation)?;
    let (batch, batch_labels) = first(settings.batch_size)?;
    let loss = Lil {
        beta: 1.,
        ..settings.loss(1.)
    };
    let isometric = isometric_gradient(network, &loss, &batch, &batch_labels)?;
    let (few, few_labels) = first(jacobians)?;
    let cross_entropy = cross_entropy_gradient(network, representation, &few, &few_labels)?;
    let side = |side: fn(&Sides) -> f64| {
        median(cross_entropy.sides.iter().map(side).collect()).unwrap_or(f64::NAN)
    };
    Ok(Stretch {
        beta: trained.beta,
        seed: trained.seed,
        within: ratio(x, &phi, Pairs::Within(&names))?,
        between: ratio(x, &phi, Pairs::Between(&names))?,
        jacobian_median: median(cross_entropy.jacobian_norms.clone()).unwrap_or(f64::NAN),
        jacobian_largest: cross_entropy
            .jacobian_norms
            .iter()
            .copied()
            .fold(0., f64::max),
        layer_product: layer_norms.iter().product(),
        layer_norms,
        isometric_gradient: isometric.together_sides,
        cross_entropy_gradient: Sides {
            gradient: side(|s| s.gradient),
            bound: side(|s| s.bound),
        },
        jacobian_norms: cross_entropy.jacobian_norms,
    })
}
