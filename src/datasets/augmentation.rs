//! Data augmentation: images shifted and mirrored at random.

use candle_core::{DType, Device, Tensor, WithDType};

use crate::error::{Error, Result};
use crate::rng::Rng;

/// Random crops and mirror images of training images; none by default.
///
/// ```text
/// y(c, i, j) = x(c, i + a − p, j′ + b − p),   a, b ~ U{0, …, 2p},   j′ = j or width − 1 − j
/// ```
///
/// p is `crop_padding`; what lies outside of the image is 0. Each image has draws of its own.
///
/// - **Shapes**: images (N, C, H, W).
/// - **Range**: that of the images, and 0.
/// - **Source**: He et al. 2016, section 4.2; torchvision's `RandomCrop` and
///   `RandomHorizontalFlip`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation {
    /// How far each image is moved along each axis at most, in pixels; what comes in is 0. It is
    /// torchvision's `RandomCrop(size, padding=crop_padding)`; 4 is usual for CIFAR-10.
    pub crop_padding: usize,
    /// Whether each image is mirrored from left to right with a probability of ½.
    pub flip: bool,
}

impl Augmentation {
    /// Moves and mirrors images, each by its own draws from `rng`; the same numbers on every
    /// device.
    ///
    /// - **Shapes**: `images` (N, C, H, W) of f32 or f64; the result has the same shape.
    /// - **Range**: that of the images, and 0.
    /// - **Source**: He et al. 2016, section 4.2.
    ///
    /// # Errors
    ///
    /// Images that are not (N, C, H, W) of f32 or f64, unless nothing is to be changed.
    pub fn apply(&self, images: &Tensor, rng: &mut Rng) -> Result<Tensor> {
        if *self == Self::default() {
            return Ok(images.clone());
        }
        if images.rank() != 4 {
            return Err(Error::shape(
                "augmentation",
                "images",
                "(N, C, H, W)",
                images.dims(),
            ));
        }
        match images.dtype() {
            DType::F32 => self.run::<f32>(images, rng),
            DType::F64 => self.run::<f64>(images, rng),
            other => Err(Error::argument(
                "dtype of images",
                "F32 or F64",
                format!("{other:?}"),
            )),
        }
    }

    fn run<T: WithDType>(&self, images: &Tensor, rng: &mut Rng) -> Result<Tensor> {
        let (_, channels, height, width) = images.dims4()?;
        let from = images.flatten_all()?.to_vec1::<T>()?;
        let mut to = vec![T::zero(); from.len()];
        let size = (channels * height * width).max(1);
        for (from, to) in from.chunks(size).zip(to.chunks_mut(size)) {
            let range = 2 * self.crop_padding + 1;
            let (down, right) = (rng.below(range)?, rng.below(range)?);
            let flip = self.flip && rng.below(2)? == 1;
            for (from, to) in from
                .chunks(height * width)
                .zip(to.chunks_mut(height * width))
            {
                for (y, row) in to.chunks_mut(width).enumerate() {
                    let Some(from_y) = (y + down)
                        .checked_sub(self.crop_padding)
                        .filter(|y| *y < height)
                    else {
                        continue;
                    };
                    let from = &from[from_y * width..][..width];
                    for (x, to) in row.iter_mut().enumerate() {
                        let x = if flip { width - 1 - x } else { x };
                        if let Some(from) = (x + right)
                            .checked_sub(self.crop_padding)
                            .and_then(|x| from.get(x))
                        {
                            *to = *from;
                        }
                    }
                }
            }
        }
        Ok(Tensor::from_vec(to, images.shape(), &Device::Cpu)?.to_device(images.device())?)
    }
}
