//! An attack on all batches of a data set.

use std::time::Instant;

use candle_core::Tensor;

use super::adversarial::Adversarial;
use super::ball::distances;
use super::batches::{Batch, answers, batches, in_parallel, predictions};
use super::curve::RobustAccuracy;
use super::descent::Descent;
use super::goal::validate_eps;
use super::pgd::Pgd;
use crate::datasets::Dataset;
use crate::device;
use crate::error::{Error, Result};
use crate::metrics::Answer;
use crate::models::{Network, evaluation};

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
    let batches = batches(network.as_ref(), data, pgd.batched())?;
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

/// The attacked images of one batch and the answers to them.
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
    let images = device::rows(&Tensor::cat(&attempts, 0)?, &index)?;
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

/// The curve of `pgd`, valid but for its `alpha`, at each of `pairs` (ε, α).
pub(super) fn curve(
    pgd: &Pgd,
    attack: String,
    network: &dyn Network,
    data: &Dataset,
    pairs: &[(f64, f64)],
) -> Result<RobustAccuracy> {
    let begin = Instant::now();
    if pairs.is_empty() {
        return Err(Error::argument(
            "radii or step sizes",
            "at least one",
            "none",
        ));
    }
    pairs.iter().try_for_each(|(eps, _)| validate_eps(*eps))?;
    let network = evaluation(network)?;
    let descent = Descent {
        network: network.as_ref(),
        pgd,
    };
    let batches = batches(network.as_ref(), data, pgd.batched())?;
    let counts = in_parallel(&batches, &pgd.progress, &attack, |batch| {
        let mut correct = vec![vec![true; batch.data.len()]; pairs.len()];
        let zero = descent.run(batch, pairs, |pair, images| {
            let found = predictions(network.as_ref(), &images)?;
            let right = found
                .iter()
                .zip(&batch.true_labels)
                .map(|(found, label)| found == label);
            correct[pair]
                .iter_mut()
                .zip(right)
                .for_each(|(correct, right)| *correct &= right);
            Ok(())
        })?;
        let count = |rows: &Vec<bool>| rows.iter().filter(|correct| **correct).count();
        Ok((correct.iter().map(count).collect::<Vec<usize>>(), zero))
    })?;
    let share = |at: usize| {
        counts.iter().map(|(count, _)| count[at]).sum::<usize>() as f64 / data.len() as f64
    };
    Ok(RobustAccuracy {
        attack,
        eps: pairs.iter().map(|(eps, _)| *eps).collect(),
        step_size: pairs.iter().map(|(_, alpha)| *alpha).collect(),
        accuracy: (0..pairs.len()).map(share).collect(),
        zero_gradients: counts.iter().map(|(_, zero)| zero).sum(),
        images: data.len(),
        seconds: begin.elapsed().as_secs_f64(),
    })
}
