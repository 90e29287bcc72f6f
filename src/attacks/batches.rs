//! Checked images and labels, in batches.

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::params::Goal;
use crate::bounds::Bounds;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::metrics::decided;
use crate::models::{Network, check_evaluation};

/// Consecutive rows of the images, attacked together.
pub(super) struct Batch {
    /// Its place in the sequence of batches; names its random numbers.
    pub index: usize,
    pub images: Tensor,
    /// The labels at which the loss is taken: the true ones, or those to reach.
    pub aim: Tensor,
    /// The same on the host.
    pub aim_labels: Vec<u32>,
    pub true_labels: Vec<u32>,
}

/// Splits into batches of `batch_size` rows, the last one smaller where they do not divide.
///
/// # Errors
/// Images that are no (N, …) of floating-point numbers with N and all sizes at least 1, not finite
/// or outside the bounds; labels (or targets) that are not (N,) of `u32` below the number of
/// classes.
pub(super) fn batches(
    network: &dyn Network,
    images: &Tensor,
    labels: &Tensor,
    goal: &Goal,
    bounds: Option<Bounds>,
    batch_size: usize,
) -> Result<Vec<Batch>> {
    if images.rank() < 2 || images.elem_count() == 0 {
        return Err(Error::shape(
            "attack",
            "images",
            "(N, …), N ≥ 1 and no dimension 0",
            images.dims(),
        ));
    }
    if !images.dtype().is_float() {
        return Err(Error::argument(
            "images",
            "floating-point numbers",
            images.dtype().as_str(),
        ));
    }
    let images = images.detach().contiguous()?;
    check_range(&images, bounds)?;
    let rows = images.dim(0)?;
    let classes = logits(network, &images.narrow(0, 0, 1)?)?.dim(1)?;
    let true_labels = check_labels("labels", labels, rows, classes)?;
    let (aim, aim_labels) = match goal {
        Goal::Untargeted => (labels, true_labels.clone()),
        Goal::Targeted(targets) => (targets, check_labels("targets", targets, rows, classes)?),
    };
    let batch = |index: usize| -> Result<Batch> {
        let first = index * batch_size;
        let size = batch_size.min(rows - first);
        Ok(Batch {
            index,
            images: images.narrow(0, first, size)?,
            aim: aim.narrow(0, first, size)?.contiguous()?,
            aim_labels: aim_labels.iter().skip(first).take(size).copied().collect(),
            true_labels: true_labels.iter().skip(first).take(size).copied().collect(),
        })
    };
    (0..rows.div_ceil(batch_size)).map(batch).collect()
}

/// `f` on every batch, in parallel; results in the order of the batches, and of several errors the
/// first batch's.
pub(super) fn in_parallel<T: Send>(
    batches: &[Batch],
    f: impl Fn(&Batch) -> Result<T> + Send + Sync,
) -> Result<Vec<T>> {
    let f = |batch| {
        interrupt::check()?;
        f(batch)
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

fn logits(network: &dyn Network, images: &Tensor) -> Result<Tensor> {
    check_evaluation(network)?;
    let logits = network.forward(images)?.detach();
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

fn check_range(images: &Tensor, bounds: Option<Bounds>) -> Result<()> {
    // The sum alone sees a NaN: minimum and maximum may pass over it.
    let sum: f64 = images.sum_all()?.to_dtype(DType::F64)?.to_scalar()?;
    if !sum.is_finite() {
        return Err(Error::argument(
            "images",
            "finite pixels",
            format!("not finite (their sum is {sum})"),
        ));
    }
    bounds.map_or(Ok(()), |bounds| bounds.check("images", "pixels", images))
}

/// Labels as numbers on the host: (`rows`,) of `u32`, each below `classes`.
fn check_labels(
    name: &'static str,
    labels: &Tensor,
    rows: usize,
    classes: usize,
) -> Result<Vec<u32>> {
    if labels.dims() != [rows] {
        return Err(Error::shape(
            "attack",
            name,
            format!("({rows},), one label an image"),
            labels.dims(),
        ));
    }
    if labels.dtype() != DType::U32 {
        return Err(Error::argument(
            name,
            "of type u32",
            labels.dtype().as_str(),
        ));
    }
    let labels = labels.to_vec1::<u32>()?;
    match labels.iter().find(|label| **label as usize >= classes) {
        Some(label) => Err(Error::argument(
            name,
            format!("labels below {classes}"),
            format!("a label {label}"),
        )),
        None => Ok(labels),
    }
}
