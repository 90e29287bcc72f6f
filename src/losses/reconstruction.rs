//! How far a decoder's images are from the ones it was given a representation of.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::{Network, check_evaluation, enlarge};

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
#[derive(Clone, Copy)]
pub struct Reconstruction<'a> {
    /// f, frozen.
    pub encoder: &'a dyn Network,
    /// l: the decoder gets what enters this stage.
    pub stage: usize,
}

impl Reconstruction<'_> {
    /// What the decoder makes of images (N, C, H, W).
    ///
    /// # Errors
    /// As the type says.
    pub fn decoded(&self, decoder: &dyn Network, x: &Tensor) -> Result<Tensor> {
        check_evaluation(self.encoder)?;
        decoder.forward(&self.encoder.forward_to(self.stage, x)?.detach())
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
            return Err(Error::shape(
                "reconstruction",
                "decoded images",
                format!("{:?}", x.dims()),
                decoded.dims(),
            ));
        }
        Ok((decoded - x)?.sqr()?.flatten_from(1)?.mean(1)?)
    }
}

impl Loss for Reconstruction<'_> {
    fn loss(&self, network: &dyn Network, x: &Tensor, _labels: &Tensor) -> Result<Tensor> {
        Ok(self.errors(network, x)?.mean_all()?)
    }

    fn describe(&self) -> String {
        format!("Reconstruction of what enters stage {}", self.stage)
    }
}
