//! Scores of a network's answers, and of the shape of its representations.

mod shape;

pub use shape::{Loop, correlation, distances_within, members, most_prominent_loop, pair_distances, stress};

use candle_core::{D, DType, Tensor};

use crate::error::{Error, Result};
use crate::models::Network;

/// The class of the largest logit in every row, the first of equals: `logits` (N, classes) give (N,) of u32.
///
/// # Errors
/// `logits` is no matrix, or has no columns.
pub fn classes(logits: &Tensor) -> Result<Tensor> {
    match *logits.dims() {
        [_, classes] if classes > 0 => Ok(logits.detach().argmax(D::Minus1)?),
        _ => Err(Error::shape("classes", "logits", "(N, classes), classes not 0", logits.dims())),
    }
}

/// The class that `network` gives each of `images` (N, …): (N,) of u32. `batch_size` images at a time go through the
/// network, which bounds the memory and changes no answer.
///
/// # Errors
/// No images, `batch_size` 0, or images that the network does not take.
pub fn predictions(network: &dyn Network, images: &Tensor, batch_size: usize) -> Result<Tensor> {
    let n = match images.dims().first() {
        Some(&n) if n > 0 => n,
        _ => return Err(Error::shape("predictions", "images", "(N, …), N at least 1", images.dims())),
    };
    if batch_size == 0 {
        return Err(Error::argument("batch_size", "at least 1", batch_size));
    }
    let answers = (0..n)
        .step_by(batch_size)
        .map(|start| classes(&network.forward(&images.narrow(0, start, batch_size.min(n - start))?)?))
        .collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(&answers, 0)?)
}

/// The share of `images` (N, …) that `network` gives the class `labels` (N,) of u32 names: in [0, 1].
///
/// # Errors
/// As [`predictions`], or labels of another number or dtype.
pub fn accuracy(network: &dyn Network, images: &Tensor, labels: &Tensor, batch_size: usize) -> Result<f64> {
    let answers = predictions(network, images, batch_size)?;
    if labels.dims() != answers.dims() || labels.dtype() != DType::U32 {
        let expected = format!("({},) of U32, one for each image", answers.elem_count());
        return Err(Error::shape("accuracy", "labels", expected, labels.dims()));
    }
    let correct = answers.eq(labels)?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
    Ok(correct / answers.elem_count() as f64)
}
