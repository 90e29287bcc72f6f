//! FMN on all batches of a data set.

use super::Fmn;
use super::shrink::shrink;
use crate::attacks::adversarial::Adversarial;
use crate::attacks::apart::{Apart, Found, Rows, in_f64};
use crate::attacks::minimal::{ANY_DISTANCE, MinimalAttack, MinimalNorm};
use crate::attacks::rows::Pixel;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::models::Network;

impl Fmn {
    fn run(&self, network: &dyn Network, data: &Dataset) -> Result<Adversarial> {
        self.validate()?;
        let apart = Apart {
            name: self.to_string(),
            norm: self.norm,
            eps: ANY_DISTANCE,
            bounds: self.bounds,
            batch_size: self.batch_size,
            progress: &self.progress,
        };
        match in_f64(data) {
            true => apart.attack(network, data, |rows| self.found::<f64>(rows)),
            false => apart.attack(network, data, |rows| self.found::<f32>(rows)),
        }
    }

    fn found<T: Pixel>(&self, rows: &Rows<T>) -> Result<Vec<Found<T>>> {
        let nearest = shrink(self, rows)?.into_iter();
        Ok(nearest
            .map(|nearest| nearest.within(ANY_DISTANCE))
            .collect())
    }
}

impl MinimalAttack for Fmn {
    fn minimal(&self, network: &dyn Network, data: &Dataset) -> Result<MinimalNorm> {
        MinimalNorm::timed(self.norm, || self.run(network, data))
    }
}
