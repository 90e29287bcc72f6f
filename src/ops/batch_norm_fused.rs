//! Batch normalisation on the CPU: a channel is read twice, the second time while it is still in the cache.

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Device, Layout, Result, Shape, Tensor, bail};
use pulp::Arch;
use rayon::prelude::*;

use super::batch_norm::BatchNorm;
use super::contiguous;
use super::planes::{Float, sum, sum_and_product};

/// Training mode.
pub(super) fn train(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> crate::Result<BatchNorm> {
    let measured = Arc::new(OnceLock::new());
    let op = Normalise { mode: Mode::Train, eps, statistics: Arc::clone(&measured) };
    let output = x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, op)?;
    let (n, channels, height, width) = x.dims4()?;
    let count = (n * height * width) as f64;
    let vector = |of: fn(&Moments) -> f64, factor: f64| {
        let values: Vec<f64> = measured.get().into_iter().flatten().map(|moments| of(moments) * factor).collect();
        Tensor::from_vec(values, channels, &Device::Cpu)?.to_dtype(x.dtype())
    };
    let (mean, variance) = (vector(|m| m.mean, 1.)?, vector(|m| m.variance, count / (count - 1.))?);
    Ok(BatchNorm { output, mean, variance })
}

/// Evaluation mode.
pub(super) fn eval(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> crate::Result<Tensor> {
    let pairs = numbers(mean)?.into_iter().zip(numbers(variance)?);
    let given: Vec<_> = pairs.map(|(mean, variance)| Moments { mean, variance }).collect();
    let statistics = Arc::new(OnceLock::from(given));
    let op = Normalise { mode: Mode::Eval, eps, statistics };
    Ok(x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, op)?)
}

fn numbers(vector: &Tensor) -> Result<Vec<f64>> {
    vector.to_dtype(DType::F64)?.to_vec1()
}

/// A channel's mean and biased variance.
#[derive(Clone, Copy)]
struct Moments {
    mean: f64,
    variance: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// The statistics are those of the batch, and gradients flow through them.
    Train,
    /// The statistics are given.
    Eval,
}

struct Normalise {
    mode: Mode,
    eps: f64,
    /// By channel; in training the forward pass measures them.
    statistics: Arc<OnceLock<Vec<Moments>>>,
}

impl CustomOp3 for Normalise {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = x_layout.shape();
        let images = Images::new(shape)?;
        let y = match (x, gamma, beta) {
            (CpuStorage::F32(x), CpuStorage::F32(gamma), CpuStorage::F32(beta)) => {
                let (gamma, beta) = (contiguous(gamma, gamma_layout)?, contiguous(beta, beta_layout)?);
                CpuStorage::F32(self.run(contiguous(x, x_layout)?, images, gamma, beta))
            }
            (CpuStorage::F64(x), CpuStorage::F64(gamma), CpuStorage::F64(beta)) => {
                let (gamma, beta) = (contiguous(gamma, gamma_layout)?, contiguous(beta, beta_layout)?);
                CpuStorage::F64(self.run(contiguous(x, x_layout)?, images, gamma, beta))
            }
            _ => bail!("batch_norm: expected three of f32 or three of f64, x is {:?}", x.dtype()),
        };
        Ok((y, shape.clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(statistics) = self.statistics.get() else { return Ok((None, None, None)) };
        let op = Gradient {
            mode: self.mode,
            eps: self.eps,
            statistics,
            gamma: numbers(gamma)?,
            of_x: x.track_op(),
            of_scale: gamma.track_op() || beta.track_op(),
            sums: OnceLock::new(),
        };
        let of_x = x.apply_op2_no_bwd(&gradient.contiguous()?, &op)?;
        let vector = |of: fn(&Sums) -> f64| {
            let values: Vec<f64> = op.sums.get().into_iter().flatten().map(of).collect();
            Tensor::from_vec(values, gamma.dims(), &Device::Cpu)?.to_dtype(gamma.dtype())
        };
        Ok((
            x.track_op().then_some(of_x),
            gamma.track_op().then(|| vector(|sums| sums.of_gamma)).transpose()?,
            beta.track_op().then(|| vector(|sums| sums.of_beta)).transpose()?,
        ))
    }
}

impl Normalise {
    fn run<T: Float>(&self, x: &[T], images: Images, gamma: &[T], beta: &[T]) -> Vec<T> {
        let given = self.statistics.get();
        let mut y = vec![T::zero(); x.len()];
        let statistics = images
            .split_mut(&mut y)
            .into_par_iter()
            .enumerate()
            .with_min_len(images.channels_per_task())
            .map(|(channel, outputs)| {
                Arch::new().dispatch(|| {
                    let moments = match given {
                        Some(given) => given[channel],
                        None => moments(x, images, channel),
                    };
                    let scale: f64 = gamma[channel].into() / (moments.variance + self.eps).sqrt();
                    let (mean, scale, shift) = (T::from_f64(moments.mean), T::from_f64(scale), beta[channel]);
                    for (image, output) in outputs.into_iter().enumerate() {
                        for (y, &x) in output.iter_mut().zip(images.plane(x, image, channel)) {
                            *y = (x - mean) * scale + shift;
                        }
                    }
                    moments
                })
            })
            .collect();
        // Only in training was there nothing.
        let _ = self.statistics.set(statistics);
        y
    }
}

/// Σ g · (x − mean)/√(variance + eps) and Σ g of a channel.
#[derive(Clone, Copy)]
struct Sums {
    of_gamma: f64,
    of_beta: f64,
}

/// With x̂ = (x − mean)/√(variance + eps) and M = N·H·W, the gradient of x is
/// gamma/√(variance + eps) · (g − Σg/M − x̂ · Σ(g·x̂)/M) in training, where Σ is over the channel, and only the first
/// term in evaluation.
struct Gradient<'a> {
    mode: Mode,
    eps: f64,
    statistics: &'a [Moments],
    gamma: Vec<f64>,
    of_x: bool,
    /// Whether gamma or beta need a gradient.
    of_scale: bool,
    sums: OnceLock<Vec<Sums>>,
}

impl CustomOp2 for Gradient<'_> {
    fn name(&self) -> &'static str {
        "batch_norm-gradient"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, gradient: &CpuStorage, lg: &Layout) -> Result<(CpuStorage, Shape)> {
        let images = Images::new(lx.shape())?;
        let of_x = match (x, gradient) {
            (CpuStorage::F32(x), CpuStorage::F32(g)) => {
                CpuStorage::F32(self.run(contiguous(x, lx)?, contiguous(g, lg)?, images))
            }
            (CpuStorage::F64(x), CpuStorage::F64(g)) => {
                CpuStorage::F64(self.run(contiguous(x, lx)?, contiguous(g, lg)?, images))
            }
            _ => bail!("batch_norm: x is {:?} and its gradient {:?}", x.dtype(), gradient.dtype()),
        };
        Ok((of_x, if self.of_x { lx.shape().clone() } else { Shape::from(0) }))
    }
}

impl Gradient<'_> {
    /// The gradient of x; nothing if nobody needs it.
    fn run<T: Float>(&self, x: &[T], g: &[T], images: Images) -> Vec<T> {
        let mut of_x = vec![T::zero(); if self.of_x { x.len() } else { 0 }];
        let outputs =
            if self.of_x { images.split_mut(&mut of_x) } else { (0..images.channels).map(|_| vec![]).collect() };
        let sums = outputs
            .into_par_iter()
            .enumerate()
            .with_min_len(images.channels_per_task())
            .map(|(channel, outputs)| Arch::new().dispatch(|| self.channel(x, g, images, channel, outputs)))
            .collect();
        let _ = self.sums.set(sums);
        of_x
    }

    #[inline(always)]
    fn channel<T: Float>(&self, x: &[T], g: &[T], images: Images, channel: usize, outputs: Vec<&mut [T]>) -> Sums {
        let Moments { mean, variance } = self.statistics[channel];
        let deviation = (variance + self.eps).sqrt();
        let (mut of_beta, mut of_centred) = (0., 0.);
        if self.mode == Mode::Train || self.of_scale {
            for image in 0..images.count {
                let (x, g) = (images.plane(x, image, channel), images.plane(g, image, channel));
                let [sum, product] = sum_and_product(g, x, |x| x - mean);
                of_beta += sum;
                of_centred += product;
            }
        }
        let scale = T::from_f64(self.gamma[channel] / deviation);
        if self.mode == Mode::Train {
            let numbers = (images.count * images.plane) as f64;
            let (mean, offset) = (T::from_f64(mean), T::from_f64(of_beta / numbers));
            let slope = T::from_f64(of_centred / (numbers * deviation * deviation));
            for (image, output) in outputs.into_iter().enumerate() {
                let inputs = images.plane(x, image, channel).iter().zip(images.plane(g, image, channel));
                for (output, (&x, &g)) in output.iter_mut().zip(inputs) {
                    *output = (g - offset - (x - mean) * slope) * scale;
                }
            }
        } else {
            for (image, output) in outputs.into_iter().enumerate() {
                for (output, &g) in output.iter_mut().zip(images.plane(g, image, channel)) {
                    *output = g * scale;
                }
            }
        }
        Sums { of_gamma: of_centred / deviation, of_beta }
    }
}

/// The mean and the variance of a channel. Every block, small enough for the nearest cache, is read twice; blocks are
/// joined as in Chan, Golub & LeVeque 1983, so that no large squares cancel.
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
    Moments { mean, variance: squares / count }
}

/// Where the planes of (N, C, H, W) lie.
#[derive(Clone, Copy)]
struct Images {
    count: usize,
    channels: usize,
    plane: usize,
}

impl Images {
    fn new(shape: &Shape) -> Result<Self> {
        let (count, channels, height, width) = shape.dims4()?;
        Ok(Self { count, channels, plane: height * width })
    }

    #[inline(always)]
    fn plane<T>(self, values: &[T], image: usize, channel: usize) -> &[T] {
        &values[(image * self.channels + channel) * self.plane..][..self.plane]
    }

    /// The planes of every channel.
    fn split_mut<T>(self, values: &mut [T]) -> Vec<Vec<&mut [T]>> {
        let mut channels: Vec<Vec<&mut [T]>> = (0..self.channels).map(|_| Vec::with_capacity(self.count)).collect();
        for (index, plane) in values.chunks_mut(self.plane.max(1)).enumerate() {
            channels[index % self.channels].push(plane);
        }
        channels
    }

    /// A few channels a task: tasks of some ten microseconds.
    fn channels_per_task(self) -> usize {
        super::planes::planes_per_task(self.count * self.plane)
    }
}
