//! Images moved and mirrored at random, as in the training of image classifiers.

use candle_core::{DType, Device, Tensor, WithDType};

use crate::error::{Error, Result};
use crate::rng::Rng;

/// Random crops and mirror images (He et al. 2016, section 4.2); none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation {
    /// Each image is moved by −`crop_padding` to `crop_padding` pixels along each axis; what comes
    /// in is 0. It is torchvision's `RandomCrop(size, padding=crop_padding)`; 4 is usual for
    /// CIFAR-10.
    pub crop_padding: usize,
    /// Whether every second image, by chance, is mirrored from left to right.
    pub flip: bool,
}

impl Augmentation {
    /// The images (N, C, H, W), each moved and mirrored by its own draws from `rng`; the same
    /// numbers on every device.
    ///
    /// # Errors
    /// Images that are not (N, C, H, W) of f32 or f64.
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
