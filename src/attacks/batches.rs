//! Checked images and labels, in batches.

use candle_core::Tensor;
use rayon::prelude::*;

use super::goal::Goal;
use super::rows::asked;
use crate::checks::{self, Bounds};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::metrics::{Answer, decided};
use crate::models::Network;
use crate::progress::Progress;

/// Consecutive rows of the images, attacked together.
pub(super) struct Batch {
    /// Its place in the sequence of batches; names its random numbers.
    pub index: usize,
    /// The images, and the labels at which the loss is taken: the true ones, or those to reach.
    pub data: Dataset,
    /// The labels at which the loss is taken, on the host.
    pub aim_labels: Vec<u32>,
    pub true_labels: Vec<u32>,
}

/// How images are checked and split.
#[derive(Clone, Copy)]
pub(super) struct Batched<'a> {
    pub bounds: Option<Bounds>,
    pub goal: &'a Goal,
    pub batch_size: usize,
}

impl Batched<'_> {
    /// For an attack that any wrong answer will do for.
    pub fn untargeted(bounds: Option<Bounds>, batch_size: usize) -> Self {
        Self {
            bounds,
            goal: &Goal::Untargeted,
            batch_size,
        }
    }
}

/// Splits into batches of `batch_size` rows, the last one smaller where they do not divide.
///
/// # Errors
/// Images that are no (N, …) of floating-point numbers with N and all sizes at least 1, not finite
/// or outside the bounds; labels (or targets) that are not (N,) of `u32` below the number of
/// classes.
pub(super) fn batches(
    network: &dyn Network,
    data: &Dataset,
    batched: Batched,
) -> Result<Vec<Batch>> {
    let images = &data.inputs;
    if images.rank() < 2 || images.elem_count() == 0 {
        let expected = "(N, …), N ≥ 1 and no dimension 0";
        return Err(Error::shape("attack", "inputs", expected, images.dims()));
    }
    if !images.dtype().is_float() {
        let got = images.dtype().as_str();
        return Err(Error::argument("inputs", "floating-point numbers", got));
    }
    let images = images.detach().contiguous()?;
    checks::finite("inputs", "pixels", &images)?;
    if let Some(bounds) = batched.bounds {
        let what = "pixels (for other inputs: `bounds: None`)";
        bounds.check("inputs", what, &images)?;
    }
    let rows = images.dim(0)?;
    let classes = Some(logits(network, &images.narrow(0, 0, 1)?)?.dim(1)?);
    let true_labels = checks::labels("attack", &data.labels, rows, classes)?;
    let (aim, aim_labels) = match batched.goal {
        Goal::Untargeted => (&data.labels, true_labels.clone()),
        Goal::Targeted(aims) => (
            aims,
            checks::labels("attack's target", aims, rows, classes)?,
        ),
    };
    let batch = |index: usize| -> Result<Batch> {
        let first = index * batched.batch_size;
        let size = batched.batch_size.min(rows - first);
        let aim = aim.narrow(0, first, size)?.contiguous()?;
        Ok(Batch {
            index,
            data: data.part(images.narrow(0, first, size)?, aim),
            aim_labels: aim_labels[first..first + size].to_vec(),
            true_labels: true_labels[first..first + size].to_vec(),
        })
    };
    (0..rows.div_ceil(batched.batch_size)).map(batch).collect()
}

/// `f` on every batch, in parallel; results in the order of the batches, and of several errors the
/// first batch's. A line named `label` counts the images.
pub(super) fn in_parallel<T: Send>(
    batches: &[Batch],
    progress: &Progress,
    label: &str,
    f: impl Fn(&Batch) -> Result<T> + Send + Sync,
) -> Result<Vec<T>> {
    let images = batches.iter().map(|batch| batch.data.len()).sum();
    let bar = progress.slow_bar(label).of(images, "images");
    let f = |batch: &Batch| {
        interrupt::check()?;
        let found = f(batch)?;
        bar.add(batch.data.len() as f64);
        Ok(found)
    };
    batches
        .par_iter()
        .map(f)
        .collect::<Vec<Result<T>>>()
        .into_iter()
        .collect()
}

/// The label of the largest logit of each image.
///
/// # Errors
/// The network is in training mode, refuses the images, or its logits are not (N, classes) or not
/// numbers.
pub(super) fn predictions(network: &dyn Network, images: &Tensor) -> Result<Vec<u32>> {
    Ok(decided(&logits(network, images)?)?.to_vec1()?)
}

/// The answer to each image, of a network in evaluation mode.
///
/// # Errors
/// As [`predictions`].
pub(super) fn answers(network: &dyn Network, images: &Tensor) -> Result<Vec<Answer>> {
    Answer::of(&logits(network, images)?)
}

fn logits(network: &dyn Network, images: &Tensor) -> Result<Tensor> {
    let logits = asked(network, images)?.detach();
    let rows = images.dim(0)?;
    match logits.dims() {
        [n, classes] if *n == rows && *classes > 0 => Ok(logits),
        dims => Err(Error::shape(
            "attack",
            "logits",
            format!("({rows}, classes)"),
            dims,
        )),
    }
}
