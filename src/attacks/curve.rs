//! Robust accuracy over many step sizes or radii in one call.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Pgd;
use super::batches::{batches, in_parallel, predictions};
use super::descent::Descent;
use super::goal::validate_eps;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::{Network, evaluation};

/// A robust-accuracy curve; the three lists have one entry a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustAccuracy {
    /// The attack in words.
    pub attack: String,
    /// The radius ε of the ball, pixel units.
    pub eps: Vec<f64>,
    /// The step size α, pixel units; equals ε for FGSM.
    pub step_size: Vec<f64>,
    /// The share of images that keep their true label in every restart, in \[0, 1\].
    pub accuracy: Vec<f64>,
    /// Images whose gradient was exactly 0 at the first step, of which the attack knew nothing: see
    /// [`Adversarial::zero_gradients`](super::Adversarial::zero_gradients).
    pub zero_gradients: usize,
    /// All attacked images.
    pub images: usize,
    /// What the whole curve took, seconds of wall time.
    pub seconds: f64,
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
    let batches = batches(network.as_ref(), data, pgd)?;
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
