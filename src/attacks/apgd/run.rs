//! APGD on all batches of a data set.

use super::ascent::{Ascent, ascend};
use super::{Apgd, Start};
use crate::attacks::adversarial::Adversarial;
use crate::attacks::apart::{Apart, in_f64};
use crate::attacks::attack::Attack;
use crate::attacks::curve::RobustAccuracy;
use crate::attacks::goal::validate_eps;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::Network;

impl Attack for Apgd {
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial> {
        self.validate()?;
        validate_eps(eps)?;
        check_start(&self.start, data)?;
        let apart = Apart {
            name: self.to_string(),
            norm: self.norm,
            eps,
            bounds: self.bounds,
            batch_size: self.batch_size,
            progress: &self.progress,
        };
        match in_f64(data) {
            true => {
                let attack = Ascent::<f64>::of(self, eps)?;
                apart.attack(network, data, |rows| ascend(&attack, rows))
            }
            false => {
                let attack = Ascent::<f32>::of(self, eps)?;
                apart.attack(network, data, |rows| ascend(&attack, rows))
            }
        }
    }

    fn curve(&self, network: &dyn Network, data: &Dataset, eps: &[f64]) -> Result<RobustAccuracy> {
        RobustAccuracy::one_by_one(eps, |eps| self.attack(network, data, eps))
    }
}

/// # Errors
/// Images to start at that do not fit those to attack.
fn check_start(start: &Start, data: &Dataset) -> Result<()> {
    match start {
        Start::At(images) if images.dims() != data.inputs.dims() => {
            let expected = format!("{:?}, the images' shape", data.inputs.dims());
            Err(Error::shape("apgd", "start", expected, images.dims()))
        }
        _ => Ok(()),
    }
}
