//! An attack that decides for each image alone, on all batches of a data set.

use candle_core::{DType, Tensor};

use super::adversarial::Adversarial;
use super::ball::distances;
use super::batches::{Batch, Batched, answers, batches, in_parallel};
use super::goal::{Norm, validate_eps};
use super::rows::{Form, Pixel, values};
use crate::checks::Bounds;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::metrics::Answer;
use crate::models::{Network, evaluation};
use crate::progress::Progress;

/// The batches that a data set is split into at least, where they have `LEAST` images each.
const PARTS: usize = 8;
const LEAST: usize = 32;

/// What all such attacks have.
pub(super) struct Apart<'a> {
    pub name: String,
    pub norm: Norm,
    pub eps: f64,
    pub bounds: Option<Bounds>,
    pub batch_size: usize,
    pub progress: &'a Progress,
}

/// Some images, asked together.
pub(super) struct Rows<'a, T> {
    /// In evaluation mode.
    pub network: &'a dyn Network,
    pub form: Form,
    /// One image after another.
    pub images: Vec<T>,
    pub labels: Vec<u32>,
    /// The place of the first one in the data.
    pub first: usize,
}

impl<'a, T: Pixel> Rows<'a, T> {
    /// Those of one batch of at most `batch_size`.
    pub fn of(network: &'a dyn Network, batch: &Batch, batch_size: usize) -> Result<Self> {
        Ok(Self {
            network,
            form: Form::of(&batch.data.inputs),
            images: values(&batch.data.inputs)?,
            labels: batch.true_labels.clone(),
            first: batch.index * batch_size,
        })
    }

    pub fn image(&self, row: usize) -> &[T] {
        let pixels = self.form.pixels();
        &self.images[row * pixels..][..pixels]
    }
}

/// What an attack makes of one image.
pub(super) struct Found<T> {
    /// The image; none where it stays as it is.
    pub image: Option<Vec<T>>,
    pub loss_before: f64,
    pub loss_after: f64,
    pub zero_gradient: bool,
    /// The gradients, or the queries, that it took.
    pub evaluations: usize,
}

impl<T> Found<T> {
    /// Nothing yet.
    pub fn unchanged(loss: f64) -> Self {
        Self {
            image: None,
            loss_before: loss,
            loss_after: loss,
            zero_gradient: false,
            evaluations: 0,
        }
    }
}

struct Part {
    images: Tensor,
    before: Vec<Answer>,
    after: Vec<Answer>,
    distance: Vec<f64>,
    loss: [f64; 2],
    zero_gradients: usize,
    evaluations: usize,
}

impl Apart<'_> {
    /// Attacks all of `data` by `attack`, which gives what it found for each row.
    ///
    /// # Errors
    /// As [`Attack::attack`](super::Attack::attack).
    pub fn attack<T: Pixel>(
        self,
        network: &dyn Network,
        data: &Dataset,
        attack: impl Fn(&Rows<T>) -> Result<Vec<Found<T>>> + Send + Sync,
    ) -> Result<Adversarial> {
        validate_eps(self.eps)?;
        let network = evaluation(network)?;
        let network = network.as_ref();
        // The last few images of an attack, which take longest, keep several processors busy.
        let size = data
            .len()
            .div_ceil(PARTS)
            .clamp(LEAST, self.batch_size.max(LEAST));
        let size = size.min(self.batch_size);
        let batched = Batched::untargeted(self.bounds, size);
        let batches = batches(network, data, batched)?;
        let parts = in_parallel(&batches, self.progress, &self.name, |batch| {
            let rows = Rows::of(network, batch, size)?;
            self.part(batch, &rows, attack(&rows)?)
        })?;
        let mean =
            |at: usize| parts.iter().map(|part| part.loss[at]).sum::<f64>() / data.len() as f64;
        let images: Vec<&Tensor> = parts.iter().map(|part| &part.images).collect();
        let after: Vec<Answer> = parts.iter().flat_map(|part| &part.after).copied().collect();
        let labels = batches.iter().flat_map(|batch| &batch.true_labels);
        Ok(Adversarial {
            data: data.part(Tensor::cat(&images, 0)?, data.labels.clone()),
            original: data.clone(),
            before: parts
                .iter()
                .flat_map(|part| &part.before)
                .copied()
                .collect(),
            success: after
                .iter()
                .zip(labels)
                .map(|(answer, label)| answer.class != *label)
                .collect(),
            after,
            distance: parts
                .iter()
                .flat_map(|part| &part.distance)
                .copied()
                .collect(),
            loss_before: mean(0),
            loss_after: mean(1),
            zero_gradients: parts.iter().map(|part| part.zero_gradients).sum(),
            gradient_evaluations: parts.iter().map(|part| part.evaluations).max().unwrap_or(0),
            attack: self.name,
            eps: self.eps,
        })
    }

    fn part<T: Pixel>(&self, batch: &Batch, rows: &Rows<T>, found: Vec<Found<T>>) -> Result<Part> {
        let before = &batch.data.inputs;
        let mut images = rows.images.clone();
        let pixels = rows.form.pixels();
        for (place, found) in images.chunks_mut(pixels).zip(&found) {
            if let Some(image) = found.image.as_ref().filter(|_| self.eps > 0.) {
                place.copy_from_slice(image);
            }
        }
        let images = rows.form.tensor(&images)?;
        Ok(Part {
            before: answers(rows.network, before)?,
            after: answers(rows.network, &images)?,
            distance: distances(self.norm, &images, before)?,
            loss: [
                found.iter().map(|found| found.loss_before).sum(),
                found.iter().map(|found| found.loss_after).sum(),
            ],
            zero_gradients: found.iter().filter(|found| found.zero_gradient).count(),
            evaluations: found
                .iter()
                .map(|found| found.evaluations)
                .max()
                .unwrap_or(0),
            images,
        })
    }
}

/// Whether pixels are computed in f64: else in f32.
pub(super) fn in_f64(data: &Dataset) -> bool {
    data.inputs.dtype() == DType::F64
}
