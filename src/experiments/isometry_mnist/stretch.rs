//! The Lipschitz constants of the networks: the paper's explanation in numbers.

use serde::{Deserialize, Serialize};

use super::networks::{Networks, Trained};
use super::settings::Settings;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::sweep::{Run, Sweep};
use crate::lipschitz::{
    GradientBound, Pairs, Ratio, cross_entropy_gradient, isometric_gradient, layer_norms, ratio,
};
use crate::statistics::median;
use crate::training::in_parallel;

/// Estimates of the Lipschitz constant of one network's representation Φ, and of what follows for
/// the gradients (*isometry*, section 3.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// The weight β of the isometric loss.
    pub beta: f64,
    /// The seed of the network's initial weights.
    pub seed: u64,
    /// The ratios d(Φ(x), Φ(y)) / d(x, y) for images within a class.
    pub within: Ratio,
    /// The ratios d(Φ(x), Φ(y)) / d(x, y) for images of different classes.
    pub between: Ratio,
    /// The norm ‖∂Φ/∂x‖₂ at each of the first images.
    pub jacobian_norms: Vec<f64>,
    /// The median of the norms of the derivatives.
    pub jacobian_median: f64,
    /// The largest of the norms of the derivatives.
    pub jacobian_largest: f64,
    /// The norm ‖W‖₂ of each layer up to Φ.
    pub layer_norms: Vec<f64>,
    /// The product of the layers' norms, an upper bound on the Lipschitz constant.
    pub layer_product: f64,
    /// Both sides of inequality (6) for β = 1, one batch.
    pub isometric_gradient: GradientBound,
    /// The medians of both sides for the cross-entropy, over the images of `jacobian_norms`.
    pub cross_entropy_gradient: GradientBound,
}

/// The estimates for every β and seed.
pub type Stretches = Sweep<f64, Stretch>;

/// Measures how far every network stretches distances, the networks side by side: ratios on all of
/// `data`, derivatives at its first `jacobians`, inequality (6) on its first
/// [`Settings::batch_size`].
///
/// # Errors
/// `jacobians` 0; images of one class only; or what [`ratio`] and [`isometric_gradient`] refuse.
pub fn stretch(
    networks: &Networks,
    data: &Dataset,
    settings: &Settings,
    jacobians: usize,
) -> Result<Stretches> {
    if jacobians == 0 {
        return Err(Error::argument("jacobians", "at least 1", jacobians));
    }
    let bar = settings.progress.bar("stretch");
    let bar = bar.of(networks.runs.len(), "networks");
    let measured = in_parallel(&networks.runs, |run| {
        let result = one(&run.result, data, settings, jacobians)?;
        bar.add(1.);
        Ok(Run {
            parameter: run.parameter,
            seed: run.seed,
            result,
        })
    })?;
    Ok(Sweep { runs: measured })
}

pub(super) fn one(
    trained: &Trained,
    data: &Dataset,
    settings: &Settings,
    jacobians: usize,
) -> Result<Stretch> {
    let representation = settings.representation;
    let network = trained.network.freeze()?;
    let phi = representation.of(&network, &data.inputs)?;
    let layer_norms = layer_norms(&network, representation)?;
    let batch = data.first(settings.batch_size)?;
    let isometric = isometric_gradient(&network, &settings.loss(1.), &batch)?;
    let cross_entropy = cross_entropy_gradient(&network, representation, &data.first(jacobians)?)?;
    let middle = |side: fn(&GradientBound) -> f64| {
        let values: Vec<f64> = cross_entropy.bounds.iter().map(side).collect();
        median(&values).unwrap_or(f64::NAN)
    };
    Ok(Stretch {
        beta: trained.beta,
        seed: trained.seed,
        within: ratio(data, &phi, Pairs::Within)?,
        between: ratio(data, &phi, Pairs::Between)?,
        jacobian_median: median(&cross_entropy.jacobian_norms).unwrap_or(f64::NAN),
        jacobian_largest: cross_entropy
            .jacobian_norms
            .iter()
            .copied()
            .fold(0., f64::max),
        layer_product: layer_norms.iter().product(),
        layer_norms,
        isometric_gradient: isometric.together_bound,
        cross_entropy_gradient: GradientBound {
            gradient: middle(|bound| bound.gradient),
            bound: middle(|bound| bound.bound),
        },
        jacobian_norms: cross_entropy.jacobian_norms,
    })
}
