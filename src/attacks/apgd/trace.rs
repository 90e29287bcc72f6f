//! APGD, step by step.

use std::fmt;

use serde::Serialize;

use super::ascent::{Ascent, climbed};
use super::{Apgd, Start};
use crate::attacks::apart::{Rows, in_f64};
use crate::attacks::batches::{Batched, batches, in_parallel};
use crate::attacks::goal::validate_eps;
use crate::attacks::rows::Pixel;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::{Network, evaluation};

/// The way of one image under [`Apgd`].
///
/// - **Shapes**: `loss` has an entry for the start and for each step, `step_size` for each step.
/// - **Range**: step sizes > 0, in pixel units, from 2ε on, halved at checkpoints.
/// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), figure 2.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Way {
    /// The loss at the start and after each step.
    pub loss: Vec<f64>,
    /// η, the step size of each step, pixel units.
    pub step_size: Vec<f64>,
    /// The number of steps after which a point first misled the network, 0 for the start; none where
    /// none did.
    pub misled_after: Option<usize>,
}

/// Writes `100 steps, loss 0.1 to 2.3, step size 0.2 to 0.003, misled after 4`.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends =
            |list: &[f64]| [list.first(), list.last()].map(|x| x.copied().unwrap_or(f64::NAN));
        let ([first, last], [widest, least]) = (ends(&self.loss), ends(&self.step_size));
        write!(
            f,
            "{} steps, loss {first:.3} to {last:.3}, ",
            self.step_size.len()
        )?;
        write!(f, "step size {widest:.3} to {least:.2e}, ")?;
        match self.misled_after {
            Some(steps) => write!(f, "misled after {steps}"),
            None => f.write_str("not misled"),
        }
    }
}

impl Apgd {
    /// The way of every image: one attempt with all steps, towards the likeliest wrong class if the
    /// loss has targets.
    ///
    /// - **Shapes**: inputs (N, …), labels (N,) of u32; one way for each image.
    /// - **Range**: `eps` ≥ 0, in pixel units.
    /// - **Source**: Croce & Hein 2020 (arXiv 2003.01690), figure 2.
    ///
    /// # Errors
    /// As [`Attack::attack`](crate::attacks::Attack::attack), or given starts: they belong to no batch.
    pub fn ways(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Vec<Way>> {
        self.validate()?;
        validate_eps(eps)?;
        if let Start::At(images) = &self.start {
            let expected = "Start::Random or Start::Image, to look at an attack step by step";
            let got = format!("Start::At images {:?}", images.dims());
            return Err(Error::argument("start", expected, got));
        }
        let whole = Self {
            until_misled: false,
            ..self.clone()
        };
        match in_f64(data) {
            true => whole.ways_in::<f64>(network, data, eps),
            false => whole.ways_in::<f32>(network, data, eps),
        }
    }

    fn ways_in<T: Pixel>(
        &self,
        network: &dyn Network,
        data: &Dataset,
        eps: f64,
    ) -> Result<Vec<Way>> {
        let network = evaluation(network)?;
        let attack = Ascent::<T>::of(self, eps)?;
        let batched = Batched::untargeted(self.bounds, self.batch_size);
        let batches = batches(network.as_ref(), data, batched)?;
        let parts = in_parallel(&batches, &self.progress, &self.to_string(), |batch| {
            let rows = Rows::of(network.as_ref(), batch, self.batch_size)?;
            let climbers = climbed(&attack, &rows)?.into_iter();
            let ways = climbers.map(|climber| Way {
                loss: climber.losses,
                step_size: climber.sizes,
                misled_after: climber.misled_after,
            });
            Ok(ways.collect::<Vec<_>>())
        })?;
        Ok(parts.into_iter().flatten().collect())
    }
}
