//! Attacked images.

use std::fmt;

use candle_core::Tensor;

use super::Pgd;
use super::ball::distances;
use super::batches::{Batch, answers, batches, in_parallel};
use super::descent::Descent;
use super::goal::validate_eps;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::metrics::Answer;
use crate::models::{Network, evaluation};

/// What an attack found, one entry an image and in their order.
#[derive(Clone, Debug)]
pub struct Adversarial {
    /// The attack in words.
    pub attack: String,
    /// ε, the radius of the ball, pixel units.
    pub eps: f64,
    /// The attacked images, with their true labels.
    pub data: Dataset,
    /// The images before the attack, with their true labels.
    pub original: Dataset,
    /// The network's answer to each image before the attack.
    pub before: Vec<Answer>,
    /// The network's answer to each attacked image.
    pub after: Vec<Answer>,
    /// Untargeted: the prediction is not the true label (also where it was not before the attack);
    /// targeted: it is the label to reach.
    pub success: Vec<bool>,
    /// ‖attacked − image‖ in the attack's norm, pixel units.
    pub distance: Vec<f64>,
    /// The attacked loss at the images, the mean over batches, weighted by their size; at the labels
    /// to reach if targeted.
    pub loss_before: f64,
    /// The same at the attacked images.
    pub loss_after: f64,
    /// Images whose gradient was exactly 0 at the first step.
    ///
    /// There the attack learns nothing, and an image that it does not change is no sign of
    /// robustness: in f32 the gradient of the cross-entropy is 0 where the margin of the logits
    /// exceeds 87 or so. [`LogitDifference`](crate::losses::LogitDifference) and
    /// [`RescaledLogitDifference`](crate::losses::RescaledLogitDifference) have a gradient there.
    pub zero_gradients: usize,
    /// Input gradients taken for each image: steps times restarts.
    pub gradient_evaluations: usize,
}

impl Adversarial {
    /// The share of images where the attack succeeded, in \[0, 1\]. Untargeted, the robust accuracy is
    /// what remains to 1.
    pub fn success_rate(&self) -> f64 {
        let count = self.success.iter().filter(|success| **success).count();
        count as f64 / self.success.len() as f64
    }
}

/// `FGSM, eps = 0.1: 82 of 100 images misled, the largest change 0.1`.
impl fmt::Display for Adversarial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            attack,
            eps,
            success,
            distance,
            zero_gradients,
            ..
        } = self;
        let count = success.iter().filter(|success| **success).count();
        let largest = distance.iter().copied().fold(0., f64::max);
        write!(
            f,
            "{attack}, eps = {eps}: {count} of {} images misled, ",
            success.len()
        )?;
        write!(f, "the largest change {largest:.3}")?;
        match zero_gradients {
            0 => Ok(()),
            zero => write!(
                f,
                "; for {zero} images the gradient is exactly 0, and the attack learnt nothing: \
                 follow LogitDifference instead"
            ),
        }
    }
}

/// The attack of `pgd` for one pair (ε, α), all batches.
pub(super) fn attack(
    pgd: &Pgd,
    name: String,
    network: &dyn Network,
    data: &Dataset,
    pair: (f64, f64),
) -> Result<Adversarial> {
    validate_eps(pair.0)?;
    let network = evaluation(network)?;
    let descent = Descent {
        network: network.as_ref(),
        pgd,
    };
    let batches = batches(network.as_ref(), data, pgd)?;
    let parts = in_parallel(&batches, &pgd.progress, &name, |batch| {
        attack_batch(&descent, batch, pair)
    })?;
    let rows = data.len() as f64;
    let mean = |value: fn(&Part) -> f64| {
        parts
            .iter()
            .map(|part| value(part) * part.success.len() as f64 / rows)
            .sum::<f64>()
    };
    let images: Vec<&Tensor> = parts.iter().map(|part| &part.images).collect();
    Ok(Adversarial {
        attack: name,
        eps: pair.0,
        data: data.part(Tensor::cat(&images, 0)?, data.labels.clone()),
        original: data.clone(),
        before: parts
            .iter()
            .flat_map(|part| &part.before)
            .copied()
            .collect(),
        after: parts.iter().flat_map(|part| &part.after).copied().collect(),
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
        zero_gradients: parts.iter().map(|part| part.zero_gradients).sum(),
        gradient_evaluations: pgd.steps * pgd.restarts,
    })
}

/// What the attack found for one batch.
struct Part {
    images: Tensor,
    before: Vec<Answer>,
    after: Vec<Answer>,
    success: Vec<bool>,
    distance: Vec<f64>,
    loss_before: f64,
    loss_after: f64,
    zero_gradients: usize,
}

fn attack_batch(descent: &Descent, batch: &Batch, pair: (f64, f64)) -> Result<Part> {
    let pgd = descent.pgd;
    let rows = batch.data.len();
    let (mut attempts, mut found) = (Vec::new(), Vec::new());
    let zero_gradients = descent.run(batch, &[pair], |_, images| {
        found.extend(answers(descent.network, &images)?);
        attempts.push(images);
        Ok(())
    })?;
    let aims = batch.aim_labels.iter().cycle();
    let success: Vec<bool> = found
        .iter()
        .zip(aims)
        .map(|(found, aim)| pgd.goal.is_met(found.class, *aim))
        .collect();
    // Row `restart · rows + row` is an image in one attempt: of each image the first that succeeds,
    // else the first.
    let first = |row: usize| (row..success.len()).step_by(rows).find(|at| success[*at]);
    let kept: Vec<usize> = (0..rows).map(|row| first(row).unwrap_or(row)).collect();
    let index: Vec<u32> = kept.iter().map(|at| *at as u32).collect();
    let before = &batch.data.inputs;
    let index = Tensor::new(index, before.device())?;
    let images = Tensor::cat(&attempts, 0)?.index_select(&index, 0)?;
    Ok(Part {
        before: answers(descent.network, before)?,
        after: kept.iter().map(|at| found[*at]).collect(),
        success: kept.iter().map(|at| success[*at]).collect(),
        distance: distances(pgd.norm, &images, before)?,
        loss_before: descent.loss(before, batch)?,
        loss_after: descent.loss(&images, batch)?,
        zero_gradients,
        images,
    })
}
