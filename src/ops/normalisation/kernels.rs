//! Batch normalisation on slices. A channel is read twice, the second time while it is still in the
//! cache.

use candle_core::{DType, Device, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::ops::planes::{self, sum, sum_and_product};
use crate::ops::simd::{self, Float, vectorised};

/// A channel's mean and biased variance.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Moments {
    pub mean: f64,
    pub variance: f64,
}

/// Σ g · (x − mean)/√(variance + eps) and Σ g of a channel.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Sums {
    pub of_gamma: f64,
    pub of_beta: f64,
}

/// (x − mean)/√(variance + eps) · gamma + beta, with the statistics `given`, or
/// with those of x.
pub(in crate::ops) fn normalise<T: Float>(
    x: &[T],
    images: Images,
    [gamma, beta]: [&[T]; 2],
    given: Option<&[Moments]>,
    eps: f64,
) -> Result<(Vec<T>, Vec<Moments>)> {
    let arch = simd::arch()?;
    let mut y = vec![T::zero(); x.len()];
    let statistics = images
        .split_mut(&mut y)
        .into_par_iter()
        .enumerate()
        .with_min_len(images.channels_per_task())
        .map(|(channel, mut outputs)| {
            vectorised!(arch, {
                let moments = match given {
                    Some(given) => given[channel],
                    None => moments(x, images, channel),
                };
                let scale: f64 = gamma[channel].into() / (moments.variance + eps).sqrt();
                let (mean, scale, shift) =
                    (T::from_f64(moments.mean), T::from_f64(scale), beta[channel]);
                for (image, output) in outputs.iter_mut().enumerate() {
                    let x = images.plane(x, image, channel);
                    output
                        .iter_mut()
                        .zip(x)
                        .for_each(|(y, &x)| *y = (x - mean) * scale + shift);
                }
                moments
            })
        })
        .collect();
    Ok((y, statistics))
}

/// The gradient of [`normalise`]: on the way in `g` is that of its result, on the way out that of
/// x.
pub(in crate::ops) struct Gradient<'a, T> {
    pub x: &'a [T],
    pub images: Images,
    pub gamma: &'a [f64],
    pub statistics: &'a [Moments],
    pub eps: f64,
    /// Whether the statistics are those of x, so that gradients flow through them.
    pub of_batch: bool,
    /// Whether the sums are needed, and whether the gradient of x is.
    pub wanted: [bool; 2],
}

impl<T: Float> Gradient<'_, T> {
    /// With s = √(variance + eps), x̂ = (x − mean)/s and M = N·H·W, the gradient of x is gamma/s ·
    /// (g − Σg/M − x̂ · Σ(g·x̂)/M) with the batch's statistics, where Σ is over the channel, and
    /// only the first term with given ones. `g` is left alone where the gradient of x is not
    /// wanted.
    pub fn run(&self, g: &mut [T]) -> Result<Vec<Sums>> {
        let arch = simd::arch()?;
        let planes = self.images.split_mut(g).into_par_iter().enumerate();
        let tasks = planes.with_min_len(self.images.channels_per_task());
        Ok(tasks
            .map(|(channel, g)| {
                arch.dispatch(Channel {
                    of: self,
                    channel,
                    g,
                })
            })
            .collect())
    }
}

struct Channel<'a, 'b, T> {
    of: &'a Gradient<'a, T>,
    channel: usize,
    g: Vec<&'b mut [T]>,
}

impl<T: Float> pulp::WithSimd for Channel<'_, '_, T> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> Sums {
        let Gradient {
            x,
            images,
            gamma,
            statistics,
            eps,
            of_batch,
            wanted: [sums, of_x],
        } = *self.of;
        let channel = self.channel;
        let Moments { mean, variance } = statistics[channel];
        let deviation = (variance + eps).sqrt();
        let (mut of_beta, mut of_centred) = (0., 0.);
        let sums = sums || (of_batch && of_x);
        for (image, g) in self.g.iter_mut().enumerate() {
            if sums {
                let [sum, product] =
                    sum_and_product(g, images.plane(x, image, channel), |x| x - mean);
                of_beta += sum;
                of_centred += product;
            }
        }
        let scale = T::from_f64(gamma[channel] / deviation);
        if of_x && of_batch {
            let numbers = (images.count * images.plane) as f64;
            let (mean, offset) = (T::from_f64(mean), T::from_f64(of_beta / numbers));
            let slope = T::from_f64(of_centred / (numbers * deviation * deviation));
            for (image, g) in self.g.iter_mut().enumerate() {
                for (g, &x) in g.iter_mut().zip(images.plane(x, image, channel)) {
                    *g = (*g - offset - (x - mean) * slope) * scale;
                }
            }
        } else if of_x {
            self.g
                .iter_mut()
                .for_each(|g| g.iter_mut().for_each(|g| *g *= scale));
        }
        Sums {
            of_gamma: of_centred / deviation,
            of_beta,
        }
    }
}

/// The mean and the variance of a channel. Every block, small enough for the nearest cache, is read
/// twice; blocks are joined as in Chan, Golub & LeVeque 1983, so that no large squares cancel.
#[inline(always)]
fn moments<T: Float>(x: &[T], images: Images, channel: usize) -> Moments {
    const BLOCK: usize = 1024;
    let (mut count, mut mean, mut squares) = (0., 0., 0.);
    for image in 0..images.count {
        for block in images.plane(x, image, channel).chunks(BLOCK) {
            let size = block.len() as f64;
            let block_mean = sum(block, |v| v) / size;
            let block_squares = sum(block, |v| (v - block_mean) * (v - block_mean));
            let (total, apart) = (count + size, block_mean - mean);
            mean += apart * (size / total);
            squares += block_squares + apart * apart * (count * (size / total));
            count = total;
        }
    }
    Moments {
        mean,
        variance: squares / count,
    }
}

/// The mean and the unbiased variance of the channels of images (N, C, H, W).
pub(in crate::ops) fn statistics(
    moments: &[Moments],
    images: &Shape,
    dtype: DType,
) -> Result<(Tensor, Tensor)> {
    let (n, channels, height, width) = images.dims4()?;
    let count = (n * height * width) as f64;
    let vector = |of: fn(&Moments) -> f64, factor: f64| {
        let values: Vec<f64> = moments.iter().map(|moments| of(moments) * factor).collect();
        Tensor::from_vec(values, channels, &Device::Cpu)?.to_dtype(dtype)
    };
    Ok((
        vector(|m| m.mean, 1.)?,
        vector(|m| m.variance, count / (count - 1.))?,
    ))
}

/// Where the planes of (N, C, H, W) lie.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Images {
    pub count: usize,
    pub channels: usize,
    pub plane: usize,
}

impl Images {
    pub fn new(shape: &Shape) -> Result<Self> {
        let (count, channels, height, width) = shape.dims4()?;
        Ok(Self {
            count,
            channels,
            plane: height * width,
        })
    }

    #[inline(always)]
    fn plane<T>(self, values: &[T], image: usize, channel: usize) -> &[T] {
        &values[(image * self.channels + channel) * self.plane..][..self.plane]
    }

    /// The planes of every channel.
    fn split_mut<T>(self, values: &mut [T]) -> Vec<Vec<&mut [T]>> {
        let mut channels: Vec<Vec<&mut [T]>> = (0..self.channels)
            .map(|_| Vec::with_capacity(self.count))
            .collect();
        for (index, plane) in values.chunks_mut(self.plane.max(1)).enumerate() {
            channels[index % self.channels].push(plane);
        }
        channels
    }

    /// A few channels a task: tasks of some ten microseconds.
    fn channels_per_task(self) -> usize {
        planes::planes_per_task(self.count * self.plane)
    }
}
