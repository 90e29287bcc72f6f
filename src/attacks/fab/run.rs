//! FAB on all batches of a data set.

use super::Fab;
use super::chase::Chase;
use crate::attacks::adversarial::Adversarial;
use crate::attacks::apart::{Apart, Found, Rows, in_f64};
use crate::attacks::attack::Attack;
use crate::attacks::curve::RobustAccuracy;
use crate::attacks::minimal::{ANY_DISTANCE, MinimalAttack, MinimalNorm, checked_radii};
use crate::attacks::rows::Pixel;
use crate::datasets::Dataset;
use crate::error::Result;
use crate::models::Network;

impl Fab {
    /// Attacks all of `data`; each image until it is misled within `enough`, and only images within
    /// `eps` are kept.
    fn run(
        &self,
        network: &dyn Network,
        data: &Dataset,
        (eps, enough): (f64, f64),
    ) -> Result<Adversarial> {
        self.validate()?;
        let apart = Apart {
            name: self.to_string(),
            norm: self.norm,
            eps,
            bounds: self.bounds,
            batch_size: self.batch_size,
            progress: &self.progress,
        };
        match in_f64(data) {
            true => apart.attack(network, data, |rows| self.found::<f64>(rows, eps, enough)),
            false => apart.attack(network, data, |rows| self.found::<f32>(rows, eps, enough)),
        }
    }

    fn found<T: Pixel>(&self, rows: &Rows<T>, eps: f64, enough: f64) -> Result<Vec<Found<T>>> {
        let nearest = Chase::new(self, rows, enough)?.run(eps > 0.)?;
        Ok(nearest
            .into_iter()
            .map(|nearest| nearest.within(eps))
            .collect())
    }
}

impl MinimalAttack for Fab {
    fn minimal(&self, network: &dyn Network, data: &Dataset) -> Result<MinimalNorm> {
        MinimalNorm::timed(self.norm, || self.run(network, data, (ANY_DISTANCE, 0.)))
    }
}

impl Attack for Fab {
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial> {
        self.run(network, data, (eps, eps))
    }

    /// Takes one run, since it serves all radii.
    fn curve(&self, network: &dyn Network, data: &Dataset, eps: &[f64]) -> Result<RobustAccuracy> {
        checked_radii(eps)?;
        self.minimal(network, data)?.curve(eps)
    }
}
