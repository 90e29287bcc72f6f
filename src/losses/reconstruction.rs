//! The reconstruction loss of a decoder: its images against the original ones.

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;

use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::models::{Network, Representation, enlarge, evaluation};

/// The mean squared error of a decoder, which is to give an image back from its representation.
///
/// ```text
/// L = 1/(N·C·H·W) Σ_i ‖g(f_{0:l}(x_i)) − x_i‖²
/// ```
///
/// g is the decoder and f_{0:l} the first l stages of the encoder. The network in [`Loss::loss`] is
/// g; no gradient flows into the encoder, and labels are not read. Where the decoder's images are
/// larger than x, x is first [enlarged](enlarge) to their size.
///
/// - **Shapes**: inputs (N, C, H, W); the loss is a scalar ().
/// - **Range**: ≥ 0, in squared pixels; at most 1 where all pixels lie in \[0, 1\].
/// - **Source**: *connectivity*, section 3, "Decoding the latent space", and table 4.
///
/// # Errors
/// Its methods refuse images that the encoder does not take, and a decoder whose images have
/// another shape or are smaller than x.
///
/// # Examples
/// ```
/// use isopath::{losses::Reconstruction, prelude::*};
///
/// /// Halves every pixel.
/// #[derive(Clone)]
/// struct Half;
///
/// impl Network for Half {
///     fn stages(&self) -> usize { 1 }
///     fn stage(&self, _: usize, x: &Tensor) -> isopath::Result<Tensor> { Ok((x * 0.5)?) }
/// }
///
/// let images = Tensor::ones((2, 1, 4, 4), DType::F32, &device::best())?;
/// let loss = Reconstruction::new(&Half, Representation::Stage(1))?;
/// // Encoder and decoder leave a quarter of 1: (1/4 − 1)² = 0.5625.
/// assert_eq!(loss.errors(&Half, &images)?.to_vec1::<f32>()?, [0.5625; 2]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct Reconstruction {
    encoder: Arc<dyn Network>,
    index: usize,
}

impl fmt::Debug for Reconstruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reconstruction(from representation {})", self.index)
    }
}

impl Reconstruction {
    /// The loss of a decoder of `representation`, by `encoder` as it is now, in evaluation mode.
    ///
    /// # Errors
    /// The encoder has no such representation, or no evaluation mode.
    pub fn new(encoder: &dyn Network, representation: Representation) -> Result<Self> {
        let index = representation.index(encoder.stages())?;
        Ok(Self {
            encoder: evaluation(encoder)?,
            index,
        })
    }

    /// The decoder's images of `x`: what it makes of the representations of images.
    ///
    /// ```text
    /// g(f_{0:l}(x))
    /// ```
    ///
    /// - **Shapes**: `x` (N, C, H, W); the result is what the decoder gives, (N, C, H', W').
    /// - **Range**: what the decoder gives.
    /// - **Source**: *connectivity*, section 3, "Decoding the latent space".
    ///
    /// # Errors
    /// Images that the encoder does not take, or representations that the decoder does not take.
    pub fn decoded(&self, decoder: &dyn Network, x: &Tensor) -> Result<Tensor> {
        decoder.forward(&self.encoder.forward_to(self.index, x)?.detach())
    }

    /// The squared error of each image, its mean over channels and pixels.
    ///
    /// ```text
    /// e_i = 1/(C·H·W) ‖g(f_{0:l}(x_i)) − x_i‖²
    /// ```
    ///
    /// - **Shapes**: `x` (N, C, H, W); the result is (N,).
    /// - **Range**: ≥ 0, in squared pixels.
    /// - **Source**: *connectivity*, section 3 and table 4.
    ///
    /// # Errors
    /// Images that the encoder does not take, or a decoder whose images have another shape or are
    /// smaller than `x`.
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
