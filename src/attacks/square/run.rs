//! The Square attack on all batches of a data set.

use super::Square;
use super::search::Search;
use super::window::Grid;
use crate::attacks::adversarial::Adversarial;
use crate::attacks::apart::{Apart, Found, Rows, in_f64};
use crate::attacks::attack::Attack;
use crate::attacks::curve::RobustAccuracy;
use crate::attacks::rows::Pixel;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::models::Network;

impl Square {
    fn found<T: Pixel>(&self, rows: &Rows<T>, eps: f64) -> Result<Vec<Found<T>>> {
        Search::new(self, rows, grid(&rows.form.dims)?, eps).run()
    }
}

/// The channels, lines and columns of an image.
fn grid(dims: &[usize]) -> Result<Grid> {
    match *dims {
        [height, width] => Ok(Grid {
            channels: 1,
            height,
            width,
        }),
        [width] => Ok(Grid {
            channels: 1,
            height: 1,
            width,
        }),
        [channels, height, width] => Ok(Grid {
            channels,
            height,
            width,
        }),
        _ => {
            let expected = "(C, H, W), (H, W) or (d,) for each image";
            Err(Error::shape("Square", "inputs", expected, dims))
        }
    }
}

impl Attack for Square {
    fn attack(&self, network: &dyn Network, data: &Dataset, eps: f64) -> Result<Adversarial> {
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
            true => apart.attack(network, data, |rows| self.found::<f64>(rows, eps)),
            false => apart.attack(network, data, |rows| self.found::<f32>(rows, eps)),
        }
    }

    fn curve(&self, network: &dyn Network, data: &Dataset, eps: &[f64]) -> Result<RobustAccuracy> {
        RobustAccuracy::one_by_one(eps, |eps| self.attack(network, data, eps))
    }
}
