//! A network that takes pixels and first normalises them.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::models::{Along, Layer, Network};

/// A network behind a normalisation of its inputs, so that it takes pixels.
///
/// ```text
/// g(x) = f((x − mean) / std),  channel by channel
/// ```
///
/// Networks are often trained on normalised images. Behind this they take pixels, so that
/// distances, attacks and bounds are in pixels. Its stages are the network's; the normalisation is
/// part of the first.
///
/// - **Shapes**: x (N, C, …) for C means, or (N, …) for one; logits as the network's.
/// - **Range**: pixels as the network's training data before their normalisation, usually [0, 1].
/// - **Source**: ours; torchvision's `Normalize` inside the network.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let network = Model::new(0, |vb| Mlp::new(&[784, 32, 10], Activation::Relu, vb))?;
/// let on_pixels = network.wrap(|mlp| Normalised::new(mlp, &[0.1307], &[0.3081]))?;
/// let mean = Tensor::full(0.1307f32, (1, 784), &device::best())?;
/// assert_eq!(on_pixels.normalise(&mean)?.abs()?.max_all()?.to_scalar::<f32>()?, 0.);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Normalised<N> {
    /// The network that gets the normalised inputs.
    pub network: N,
    /// The mean that is subtracted: one number for each channel, or one for all.
    pub mean: Vec<f64>,
    /// The standard deviation by which the rest is divided, > 0: as many numbers.
    pub std: Vec<f64>,
}

impl<N> Normalised<N> {
    /// Puts `network` behind (x − `mean`) / `std`; its first use checks the numbers.
    pub fn new(network: N, mean: &[f64], std: &[f64]) -> Self {
        Self {
            network,
            mean: mean.to_vec(),
            std: std.to_vec(),
        }
    }

    /// Normalises a batch of inputs: (x − mean) / std, channel by channel.
    ///
    /// - **Shapes**: `x` (N, C, …), or (N, …) with one number for all; the result has the same
    ///   shape.
    /// - **Range**: unbounded.
    /// - **Source**: torchvision's `Normalize`.
    ///
    /// # Errors
    ///
    /// Not as many means as deviations, a deviation that is not finite and above 0, or neither one
    /// number nor as many as the inputs have channels.
    pub fn normalise(&self, x: &Tensor) -> Result<Tensor> {
        let Self { mean, std, .. } = self;
        if mean.len() != std.len() || mean.is_empty() {
            let got = format!("{} and {}", mean.len(), std.len());
            return Err(Error::argument(
                "number of means and of deviations",
                "as many of both, at least one",
                got,
            ));
        }
        if let Some(std) = std.iter().find(|std| !(**std > 0. && std.is_finite())) {
            return Err(Error::argument("std", "finite numbers > 0", std));
        }
        if let ([mean], [std]) = (mean.as_slice(), std.as_slice()) {
            return Ok(((x - *mean)? / *std)?);
        }
        let channels = mean.len();
        if x.rank() < 2 || x.dims()[1] != channels {
            let expected = format!("(N, {channels}, …), a channel for each mean");
            return Err(Error::shape("normalise", "x", expected, x.dims()));
        }
        let mut shape = vec![1; x.rank()];
        shape[1] = channels;
        let numbers = |values: &[f64]| -> Result<Tensor> {
            let values = Tensor::new(values, x.device())?.to_dtype(x.dtype())?;
            Ok(values.reshape(shape.as_slice())?)
        };
        Ok(x.broadcast_sub(&numbers(mean)?)?
            .broadcast_div(&numbers(std)?)?)
    }
}

impl<N: Network + Clone + 'static> Network for Normalised<N> {
    fn stages(&self) -> usize {
        self.network.stages()
    }

    fn is_training(&self) -> bool {
        self.network.is_training()
    }

    fn frozen(&self) -> Result<Arc<dyn Network>> {
        let Self { network, mean, std } = self;
        let network = network.frozen()?;
        Ok(Arc::new(Normalised {
            network,
            mean: mean.clone(),
            std: std.clone(),
        }))
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        match index {
            0 => self.network.stage(0, &self.normalise(x)?),
            _ => self.network.stage(index, x),
        }
    }

    fn forward_between(&self, stages: Range<usize>, x: &Tensor) -> Result<Tensor> {
        match stages.start {
            0 if !stages.is_empty() => self.network.forward_between(stages, &self.normalise(x)?),
            _ => self.network.forward_between(stages, x),
        }
    }

    /// Of normalised points: what lies between them, is between them still.
    fn along(&self, index: usize, points: &Tensor) -> Result<Box<dyn Along>> {
        match index {
            0 => self.network.along(0, &self.normalise(points)?),
            _ => self.network.along(index, points),
        }
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        let layers = self.network.layers(index)?;
        Ok(layers.map(|layers| match index {
            0 => {
                let (mean, std) = (self.mean.clone(), self.std.clone());
                Layer::Normalise {
                    input: 0,
                    mean,
                    std,
                }
                .before(layers)
            }
            _ => layers,
        }))
    }

    /// That of the network; the first stage's is divided by the deviations, which belong to it.
    fn weight(&self, index: usize) -> Result<Option<Tensor>> {
        let weight = self.network.weight(index)?;
        let (Some(weight), 0) = (&weight, index) else {
            return Ok(weight);
        };
        // The inputs of a channel lie side by side: the columns of W take turns in their blocks.
        let (outputs, inputs) = weight.dims2()?;
        let channels = self.std.len();
        if channels == 0 || inputs % channels != 0 {
            let expected = format!("(outputs, inputs), a multiple of {channels} inputs");
            return Err(Error::shape("normalise", "weight", expected, weight.dims()));
        }
        let std = Tensor::new(self.std.as_slice(), weight.device())?.to_dtype(weight.dtype())?;
        let blocks = weight.reshape((outputs, channels, ()))?;
        let scaled = blocks.broadcast_div(&std.reshape((1, channels, 1))?)?;
        Ok(Some(scaled.reshape((outputs, inputs))?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[derive(Clone)]
    struct Identity;

    impl Network for Identity {
        fn stages(&self) -> usize {
            1
        }

        fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
            Ok(x.clone())
        }
    }

    /// ```python
    /// x = torch.arange(8.).reshape(1, 2, 2, 2) / 8                            # torchvision 0.30
    /// print(torchvision.transforms.Normalize([0.5, 0.25], [0.5, 2.0])(x))
    /// ```
    #[test]
    fn channels_are_normalised_as_torchvision_does() -> Result<()> {
        let x = (Tensor::arange(0f32, 8., &Device::Cpu)? / 8.)?.reshape((1, 2, 2, 2))?;
        let network = Normalised::new(Identity, &[0.5, 0.25], &[0.5, 2.]);
        let found = network.forward(&x)?.flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(
            found,
            [-1., -0.75, -0.5, -0.25, 0.125, 0.1875, 0.25, 0.3125]
        );
        let again = network
            .frozen()?
            .forward(&x)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        assert_eq!(again, found);
        let refused = Normalised::new(Identity, &[0.; 3], &[1.; 3])
            .forward(&x)
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "normalise: x has shape [1, 2, 2, 2]; expected (N, 3, …), a channel for each mean"
        );
        assert!(Normalised::new(Identity, &[0.], &[0.]).forward(&x).is_err());
        Ok(())
    }
}
