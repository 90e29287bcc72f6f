//! A network that first enlarges the images of a data set.

use std::sync::Arc;

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::models::{Layer, Network};

/// Images enlarged to `side`×`side` pixels, bilinearly.
///
/// ```text
/// y(i, j) = x((i + ½) H/side − ½, (j + ½) W/side − ½), linear between pixels, clamped at edges
/// ```
///
/// It is PyTorch's `interpolate(mode="bilinear", align_corners=False)`. Images of that size are
/// given back as they are. No gradient passes through an enlargement.
///
/// - **Shapes**: `images` (N, C, H, W), H and W at most `side`; the result (N, C, side, side).
/// - **Range**: that of the images.
/// - **Source**: PyTorch's `interpolate`.
///
/// # Errors
///
/// Images that are not (N, C, H, W), or larger than `side`.
pub fn enlarge(images: &Tensor, side: usize) -> Result<Tensor> {
    match *images.dims() {
        [_, _, height, width] if height == side && width == side => Ok(images.clone()),
        [_, _, height, width] if height <= side && width <= side => Ok(images
            .detach()
            .contiguous()?
            .upsample_bilinear2d(side, side, false)?),
        _ => Err(Error::shape(
            "enlarge",
            "images",
            format!("(N, C, H, W), H and W at most {side}"),
            images.dims(),
        )),
    }
}

/// A network that enlarges its images first, so that a data set of small images stays small in
/// memory.
///
/// ```text
/// g(x) = f(enlarge(x, side))
/// ```
///
/// The enlargement ([`enlarge`]) is part of the first stage. No gradient passes through it to
/// smaller images: attacks need images of the full size.
///
/// - **Shapes**: x (N, C, H, W), H and W at most `side`; logits as the network's.
/// - **Range**: that of the network.
/// - **Source**: ours; *connectivity* shows CIFAR-10 to a network for 224×224 pixels.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[48, 2], Activation::Tanh, vb))?;
/// let enlarged = network.wrap(|network| Enlarged { network, side: 4 })?;
/// let images = Tensor::zeros((5, 3, 2, 2), DType::F32, &device::best())?;
/// assert_eq!(enlarged.forward(&images)?.dims(), [5, 2]);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Enlarged<N> {
    /// The network that gets the enlarged images.
    pub network: N,
    /// The height and width of the enlarged images in pixels.
    pub side: usize,
}

impl<N: Network + Clone + 'static> Network for Enlarged<N> {
    fn stages(&self) -> usize {
        self.network.stages()
    }

    fn is_training(&self) -> bool {
        self.network.is_training()
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        Ok(Arc::new(Enlarged {
            network: self.network.frozen()?,
            side: self.side,
        }))
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        match index {
            0 => self.network.stage(0, &enlarge(x, self.side)?),
            _ => self.network.stage(index, x),
        }
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        let layers = self.network.layers(index)?;
        Ok(layers.map(|layers| match index {
            0 => {
                let side = self.side;
                Layer::Enlarge { input: 0, side }.before(layers)
            }
            _ => layers,
        }))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// ```python
    /// x = torch.arange(6.).reshape(1, 1, 2, 3)                                          # torch 2.15.0
    /// print(torch.nn.functional.interpolate(x, size=(4, 4), mode="bilinear", align_corners=False))
    /// ```
    #[test]
    fn enlarged_images_are_those_of_pytorch() {
        let x = Tensor::arange(0f32, 6., &Device::Cpu)
            .unwrap()
            .reshape((1, 1, 2, 3))
            .unwrap();
        let y = enlarge(&x, 4)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let expected = [
            0., 0.625, 1.375, 2., 0.75, 1.375, 2.125, 2.75, 2.25, 2.875, 3.625, 4.25, 3., 3.625,
            4.375, 5.,
        ];
        assert!(
            y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
            "{y:?}"
        );
        assert_eq!(
            enlarge(&x, 2).unwrap_err().to_string(),
            "enlarge: images has shape [1, 1, 2, 3]; expected (N, C, H, W), H and W at most 2"
        );
    }
}
