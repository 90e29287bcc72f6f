//! Robust accuracy over many step sizes or radii in one call.

use std::time::Instant;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::batches::{batches, in_parallel, predictions};
use super::descent::Descent;
use super::params::{FgsmParams, PgdParams, validate_eps};
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::Network;

/// A robust-accuracy curve; the three lists have one entry a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustAccuracy {
    /// The radius ε of the ball, pixel units.
    pub eps: Vec<f64>,
    /// The step size α, pixel units; equals ε for FGSM.
    pub step_size: Vec<f64>,
    /// The share of images that keep their true label in every restart, in [0, 1].
    pub accuracy: Vec<f64>,
    /// What the whole curve took, seconds of wall time.
    pub seconds: f64,
}

/// The accuracy under [`fgsm`](super::fgsm) at each radius of `eps`, the *isometry* paper's step
/// sizes (figure 3A).
///
/// Takes one gradient a batch, since all radii share it; each point equals its own call of
/// [`fgsm`](super::fgsm). Shapes, range and errors as there; also an error: no `eps` at all.
pub fn fgsm_sweep(
    network: &dyn Network,
    loss: &dyn Loss,
    images: &Tensor,
    labels: &Tensor,
    eps: &[f64],
    params: &FgsmParams,
) -> Result<RobustAccuracy> {
    let pairs: Vec<(f64, f64)> = eps.iter().map(|eps| (*eps, *eps)).collect();
    let params = params.one_step(PgdParams::default().alpha);
    params.validate()?;
    sweep(network, loss, images, labels, "eps", &pairs, &params)
}

/// The accuracy under [`pgd`](super::pgd) in a ball of `eps` at each step size of `alphas`
/// (*isometry*, figure 3B).
///
/// `params.alpha` is not used. The step sizes share start and first gradient; each point equals its
/// own call of [`pgd`](super::pgd). Shapes, range and errors as there; also an error: no `alphas`
/// at all.
pub fn pgd_sweep(
    network: &dyn Network,
    loss: &dyn Loss,
    images: &Tensor,
    labels: &Tensor,
    eps: f64,
    alphas: &[f64],
    params: &PgdParams,
) -> Result<RobustAccuracy> {
    for alpha in alphas {
        PgdParams {
            alpha: *alpha,
            ..params.clone()
        }
        .validate()?;
    }
    let pairs: Vec<(f64, f64)> = alphas.iter().map(|alpha| (eps, *alpha)).collect();
    sweep(network, loss, images, labels, "alphas", &pairs, params)
}

/// The accuracy under [`pgd`](super::pgd) with step size `params.alpha` in each ball of `eps`.
///
/// Each point equals its own call of [`pgd`](super::pgd). Shapes, range and errors as there; also
/// an error: no `eps` at all.
pub fn pgd_eps_sweep(
    network: &dyn Network,
    loss: &dyn Loss,
    images: &Tensor,
    labels: &Tensor,
    eps: &[f64],
    params: &PgdParams,
) -> Result<RobustAccuracy> {
    params.validate()?;
    let pairs: Vec<(f64, f64)> = eps.iter().map(|eps| (*eps, params.alpha)).collect();
    sweep(network, loss, images, labels, "eps", &pairs, params)
}

/// `params` valid but for its `alpha`; `swept` names the list that `pairs` (ε, α) came from.
fn sweep(
    network: &dyn Network,
    loss: &dyn Loss,
    images: &Tensor,
    labels: &Tensor,
    swept: &'static str,
    pairs: &[(f64, f64)],
    params: &PgdParams,
) -> Result<RobustAccuracy> {
    let begin = Instant::now();
    if pairs.is_empty() {
        return Err(Error::argument(swept, "at least one value", "empty"));
    }
    pairs.iter().try_for_each(|(eps, _)| validate_eps(*eps))?;
    let descent = Descent {
        network,
        loss,
        params,
    };
    let batches = batches(
        network,
        images,
        labels,
        &params.goal,
        params.bounds,
        params.batch_size,
    )?;
    let counts = in_parallel(&batches, |batch| {
        let mut correct = vec![vec![true; batch.true_labels.len()]; pairs.len()];
        descent.run(batch, pairs, |pair, images| {
            let found = predictions(network, &images)?;
            for (correct, (found, label)) in correct[pair]
                .iter_mut()
                .zip(found.iter().zip(&batch.true_labels))
            {
                *correct &= found == label;
            }
            Ok(())
        })?;
        Ok(correct
            .iter()
            .map(|rows| rows.iter().filter(|correct| **correct).count())
            .collect::<Vec<usize>>())
    })?;
    let rows = images.dim(0)? as f64;
    Ok(RobustAccuracy {
        eps: pairs.iter().map(|(eps, _)| *eps).collect(),
        step_size: pairs.iter().map(|(_, alpha)| *alpha).collect(),
        accuracy: (0..pairs.len())
            .map(|at| counts.iter().map(|count| count[at]).sum::<usize>() as f64 / rows)
            .collect(),
        seconds: begin.elapsed().as_secs_f64(),
    })
}
