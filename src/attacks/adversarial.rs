//! Attacked images: PGD, FGSM, and what another network says to them.

use candle_core::Tensor;

use super::ball::distances;
use super::batches::{Batch, batches, in_parallel, predictions};
use super::descent::Descent;
use super::params::{FgsmParams, Goal, PgdParams, validate_eps};
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::Network;

/// What an attack found, one entry an image and in their order.
#[derive(Clone, Debug)]
pub struct Adversarial {
    /// The attacked images, of the shape of the images.
    pub images: Tensor,
    /// The network's label of each attacked image.
    pub predictions: Vec<u32>,
    /// Untargeted: the prediction is not the true label (also where it was not before the attack);
    /// targeted: it is the label to reach.
    pub success: Vec<bool>,
    /// ‖attacked − image‖ in the attack's norm, pixel units.
    pub distance: Vec<f64>,
    /// The attacked loss at the images, the mean over batches, weighted by their size; at the
    /// labels to reach if targeted.
    pub loss_before: f64,
    /// The same at the attacked images.
    pub loss_after: f64,
    /// Input gradients taken for each image: steps times restarts.
    pub gradient_evaluations: usize,
}

impl Adversarial {
    /// The share of images where the attack succeeded, in [0, 1]. Untargeted, the robust accuracy
    /// is what remains to 1.
    pub fn success_rate(&self) -> f64 {
        self.success.iter().filter(|success| **success).count() as f64 / self.success.len() as f64
    }
}

/// Projected gradient descent in the ball of radius `eps` around each image ([the
/// loop](crate::attacks)).
///
/// # Shapes
/// `images` (N, …) of floating-point numbers, the network's input; `labels` (N,) of `u32`, the true
/// labels.
///
/// # Range
/// `eps` ≥ 0 in pixel units. Images must lie inside `params.bounds`; so does every iterate,
/// exactly. In the ball it is to the rounding of its arithmetic: half an ulp of x ± ε a pixel, in
/// L2 also d/2 ulps of ‖δ‖₂ for d pixels.
///
/// # Errors
/// `eps` negative or not finite, what [`PgdParams::validate`] refuses, images or labels that do not
/// fit (empty batch, shapes, types, pixels outside the bounds, labels out of range or of another
/// length), a gradient that is missing or not finite.
///
/// Paper: Madry et al. 2018 (arXiv 1706.06083); *isometry*, sections 2.2 and 3.3.
pub fn pgd(
    network: &dyn Network,
    loss: &dyn Loss,
    images: &Tensor,
    labels: &Tensor,
    eps: f64,
    params: &PgdParams,
) -> Result<Adversarial> {
    params.validate()?;
    validate_eps(eps)?;
    attack(network, loss, images, labels, (eps, params.alpha), params)
}

/// The fast gradient sign method: [`pgd`] with one full step of `eps` from the image.
///
/// ```text
/// x' = clip(x + ε · sign(∇ₓ L(x, t)))
/// ```
///
/// `eps` is what the *isometry* paper calls the step size of FGSM. Shapes, range and errors as
/// [`pgd`].
///
/// Paper: Goodfellow et al. 2015 (arXiv 1412.6572); *isometry*, sections 2.2 and 3.3.
pub fn fgsm(
    network: &dyn Network,
    loss: &dyn Loss,
    images: &Tensor,
    labels: &Tensor,
    eps: f64,
    params: &FgsmParams,
) -> Result<Adversarial> {
    validate_eps(eps)?;
    let params = params.one_step(PgdParams::default().alpha);
    params.validate()?;
    // ε = 0 is a step of length 0, which PGD's α may not be.
    attack(network, loss, images, labels, (eps, eps), &params)
}

/// The accuracy of a network on images that were made to mislead another one.
///
/// A network that resists its own attacker, but not images made on another network, hides its
/// gradient rather than being robust.
///
/// # Shapes
/// `labels` (N,) of `u32`, the true labels. `batch_size` ≥ 1 only bounds the memory used.
///
/// # Errors
/// `batch_size` 0, labels out of range or of another length, images that do not fit the network.
pub fn transfer(
    network: &dyn Network,
    adversarial: &Adversarial,
    labels: &Tensor,
    batch_size: usize,
) -> Result<f64> {
    if batch_size == 0 {
        return Err(Error::argument("batch_size", "at least 1", batch_size));
    }
    let batches = batches(
        network,
        &adversarial.images,
        labels,
        &Goal::Untargeted,
        None,
        batch_size,
    )?;
    let correct: usize = in_parallel(&batches, |batch| {
        let found = predictions(network, &batch.images)?;
        Ok(found
            .iter()
            .zip(&batch.true_labels)
            .filter(|(found, label)| found == label)
            .count())
    })?
    .iter()
    .sum();
    Ok(correct as f64 / adversarial.images.dim(0)? as f64)
}

/// The attack for one pair (ε, α), all batches.
fn attack(
    network: &dyn Network,
    loss: &dyn Loss,
    images: &Tensor,
    labels: &Tensor,
    pair: (f64, f64),
    params: &PgdParams,
) -> Result<Adversarial> {
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
    let parts = in_parallel(&batches, |batch| attack_batch(&descent, batch, pair))?;
    let rows = images.dim(0)? as f64;
    let mean = |value: fn(&Adversarial) -> f64| {
        parts
            .iter()
            .map(|part| value(part) * part.success.len() as f64 / rows)
            .sum::<f64>()
    };
    Ok(Adversarial {
        images: Tensor::cat(
            &parts.iter().map(|part| &part.images).collect::<Vec<_>>(),
            0,
        )?,
        predictions: parts
            .iter()
            .flat_map(|part| &part.predictions)
            .copied()
            .collect(),
        success: parts
            .iter()
            .flat_map(|part| &part.success)
            .copied()
            .collect(),
        distance: parts
            .iter()
            .flat_map(|part| &part.distance)
            .copied()
            .collect(),
        loss_before: mean(|part| part.loss_before),
        loss_after: mean(|part| part.loss_after),
        gradient_evaluations: params.steps * params.restarts,
    })
}

fn attack_batch(descent: &Descent, batch: &Batch, pair: (f64, f64)) -> Result<Adversarial> {
    let params = descent.params;
    let rows = batch.aim_labels.len();
    let (mut attempts, mut labels) = (Vec::new(), Vec::new());
    descent.run(batch, &[pair], |_, images| {
        labels.extend(predictions(descent.network, &images)?);
        attempts.push(images);
        Ok(())
    })?;
    let success: Vec<bool> = labels
        .iter()
        .zip(batch.aim_labels.iter().cycle())
        .map(|(label, aim)| params.goal.is_met(*label, *aim))
        .collect();
    // Row `restart · rows + row` is an image in one attempt: of each image the first that succeeds,
    // else the first.
    let kept: Vec<usize> = (0..rows)
        .map(|row| {
            (row..success.len())
                .step_by(rows)
                .find(|at| success[*at])
                .unwrap_or(row)
        })
        .collect();
    let index: Vec<u32> = kept.iter().map(|at| *at as u32).collect();
    let images =
        Tensor::cat(&attempts, 0)?.index_select(&Tensor::new(index, batch.images.device())?, 0)?;
    Ok(Adversarial {
        predictions: kept.iter().map(|at| labels[*at]).collect(),
        success: kept.iter().map(|at| success[*at]).collect(),
        distance: distances(params.norm, &images, &batch.images)?,
        loss_before: descent.loss(&batch.images, batch)?,
        loss_after: descent.loss(&images, batch)?,
        gradient_evaluations: params.steps * params.restarts,
        images,
    })
}
