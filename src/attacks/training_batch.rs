//! A batch of a training, which is attacked before the loss looks at it.

use super::batches::{Batch, batches};
use super::pgd::Pgd;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::Network;
use crate::rng::Rng;

/// The generator of a batch's random start: the same batch has the same one, another has another.
pub(super) fn start_of(seed: u64, batch: &Dataset) -> Result<Rng> {
    Rng::new(seed).stream_of("start", &[&batch.labels, &batch.inputs])
}

/// The batch as an attack takes it, whole and checked.
///
/// # Errors
/// Images or labels that an attack refuses, or a network of one class.
pub(super) fn whole_batch(network: &dyn Network, data: &Dataset, pgd: &Pgd) -> Result<Batch> {
    let pgd = Pgd {
        batch_size: data.len().max(1),
        ..pgd.clone()
    };
    let first = batches(network, data, pgd.batched())?.into_iter().next();
    let batch = first.ok_or_else(|| Error::argument("inputs", "at least 1", 0))?;
    let logits = network.forward(&batch.data.inputs.narrow(0, 0, 1)?)?;
    match logits.dim(1)? {
        0 | 1 => {
            let expected = "(N, classes), at least 2 classes";
            let dims = logits.dims();
            Err(Error::shape("attack in training", "logits", expected, dims))
        }
        _ => Ok(batch),
    }
}
