//! How far a decoder's images are from the ones it was given a representation of.

use std::sync::Arc;

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::{Network, Representation, enlarge, evaluation};

/// Mean squared error of a decoder d behind the first l stages of a network: mean((d(f_{0:l}(x)) −
/// x)²) over all images, channels and pixels.
///
/// The network in [`Loss::loss`] is the decoder, x the images (N, C, H, W); labels are not looked
/// at. Where the decoder's images are larger than x, x is [enlarged](enlarge) to their size.
///
/// # Errors
/// Its methods refuse an encoder in training mode, images that it does not take, and a decoder
/// whose images have another shape.
///
/// Paper: *connectivity*, section 3 and table 4.
#[derive(Clone)]
pub struct Reconstruction {
    encoder: Arc<dyn Network>,
    index: usize,
}

impl Reconstruction {
    /// The loss of a decoder of `representation`, behind `encoder` as it is now.
    ///
    /// # Errors
    /// The encoder has no such representation.
    pub fn new(encoder: &dyn Network, representation: Representation) -> Result<Self> {
        let index = representation.index(encoder.stages())?;
        Ok(Self {
            encoder: evaluation(encoder)?,
            index,
        })
    }

    /// What the decoder makes of images (N, C, H, W).
    ///
    /// # Errors
    /// As the type says.
    pub fn decoded(&self, decoder: &dyn Network, x: &Tensor) -> Result<Tensor> {
        decoder.forward(&self.encoder.forward_to(self.index, x)?.detach())
    }

    /// The squared error of every image, (N,): its mean over channels and pixels.
    ///
    /// # Errors
    /// As the type says.
    pub fn errors(&self, decoder: &dyn Network, x: &Tensor) -> Result<Tensor> {
        let decoded = self.decoded(decoder, x)?;
        let side = decoded.dims().last().copied().unwrap_or(0);
        let x = enlarge(x, side)?;
        if x.dims() != decoded.dims() {
            let expected = format!("{:?}", x.dims());
            let name = "decoded images";
            return Err(Error::shape(
                "reconstruction",
                name,
                expected,
                decoded.dims(),
            ));
        }
        Ok((decoded - x)?.sqr()?.flatten_from(1)?.mean(1)?)
    }
}

impl Loss for Reconstruction {
    fn loss(&self, network: &dyn Network, batch: &Dataset) -> Result<Tensor> {
        Ok(self.errors(network, &batch.inputs)?.mean_all()?)
    }

    fn describe(&self) -> String {
        format!("Reconstruction of representation {}", self.index)
    }
}
