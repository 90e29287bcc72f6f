//! Batch normalisation on the CPU as a differentiable operation of candle.

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, DType, Device, Layout, Result, Shape, Tensor, bail,
};

use super::batch_norm::BatchNorm;
use super::batch_norm_kernels::{Gradient, Images, Moments, Sums, Then, normalise};
use super::contiguous;
use super::planes::Float;

/// Training mode.
pub(super) fn train(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
) -> crate::Result<BatchNorm> {
    let measured = Arc::new(OnceLock::new());
    let op = Normalise {
        mode: Mode::Train,
        eps,
        statistics: Arc::clone(&measured),
    };
    let output = x
        .contiguous()?
        .apply_op3(&gamma.contiguous()?, &beta.contiguous()?, op)?;
    let (mean, variance) = statistics(
        measured.get().map_or(&[], Vec::as_slice),
        x.shape(),
        x.dtype(),
    )?;
    Ok(BatchNorm {
        output,
        mean,
        variance,
    })
}

/// The mean and the unbiased variance of the channels of images (N, C, H, W).
pub(super) fn statistics(
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
    let given: Vec<_> = pairs
        .map(|(mean, variance)| Moments { mean, variance })
        .collect();
    let statistics = Arc::new(OnceLock::from(given));
    let op = Normalise {
        mode: Mode::Eval,
        eps,
        statistics,
    };
    Ok(x.contiguous()?
        .apply_op3(&gamma.contiguous()?, &beta.contiguous()?, op)?)
}

fn numbers(vector: &Tensor) -> Result<Vec<f64>> {
    vector.to_dtype(DType::F64)?.to_vec1()
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
                let scale = [
                    contiguous(gamma, gamma_layout)?,
                    contiguous(beta, beta_layout)?,
                ];
                CpuStorage::F32(self.run(contiguous(x, x_layout)?, images, scale)?)
            }
            (CpuStorage::F64(x), CpuStorage::F64(gamma), CpuStorage::F64(beta)) => {
                let scale = [
                    contiguous(gamma, gamma_layout)?,
                    contiguous(beta, beta_layout)?,
                ];
                CpuStorage::F64(self.run(contiguous(x, x_layout)?, images, scale)?)
            }
            _ => bail!(
                "batch_norm: expected three of f32 or three of f64, x is {:?}",
                x.dtype()
            ),
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
        let Some(statistics) = self.statistics.get() else {
            return Ok((None, None, None));
        };
        let op = NormaliseGradient {
            of: self,
            statistics,
            gamma: numbers(gamma)?,
            wanted: [gamma.track_op() || beta.track_op(), x.track_op()],
            sums: OnceLock::new(),
        };
        let of_x = x.apply_op2_no_bwd(&gradient.contiguous()?, &op)?;
        let vector = |of: fn(&Sums) -> f64| {
            let values: Vec<f64> = op.sums.get().into_iter().flatten().map(of).collect();
            Tensor::from_vec(values, gamma.dims(), &Device::Cpu)?.to_dtype(gamma.dtype())
        };
        Ok((
            x.track_op().then_some(of_x),
            gamma
                .track_op()
                .then(|| vector(|sums| sums.of_gamma))
                .transpose()?,
            beta.track_op()
                .then(|| vector(|sums| sums.of_beta))
                .transpose()?,
        ))
    }
}

impl Normalise {
    fn run<T: Float>(&self, x: &[T], images: Images, scale: [&[T]; 2]) -> Result<Vec<T>> {
        let given = self.statistics.get().map(Vec::as_slice);
        let (y, statistics) = normalise(x, images, scale, given, self.eps, Then::NOTHING)?;
        // Only in training was there nothing.
        let _ = self.statistics.set(statistics);
        Ok(y)
    }
}

struct NormaliseGradient<'a> {
    of: &'a Normalise,
    statistics: &'a [Moments],
    gamma: Vec<f64>,
    wanted: [bool; 2],
    sums: OnceLock<Vec<Sums>>,
}

impl CustomOp2 for NormaliseGradient<'_> {
    fn name(&self) -> &'static str {
        "batch_norm-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        gradient: &CpuStorage,
        lg: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let images = Images::new(lx.shape())?;
        let of_x = match (x, gradient) {
            (CpuStorage::F32(x), CpuStorage::F32(g)) => {
                CpuStorage::F32(self.run(contiguous(x, lx)?, contiguous(g, lg)?, images)?)
            }
            (CpuStorage::F64(x), CpuStorage::F64(g)) => {
                CpuStorage::F64(self.run(contiguous(x, lx)?, contiguous(g, lg)?, images)?)
            }
            _ => bail!(
                "batch_norm: x is {:?} and its gradient {:?}",
                x.dtype(),
                gradient.dtype()
            ),
        };
        Ok((of_x, lx.shape().clone()))
    }
}

impl NormaliseGradient<'_> {
    fn run<T: Float>(&self, x: &[T], g: &[T], images: Images) -> Result<Vec<T>> {
        let mut g = g.to_vec();
        let gradient = Gradient {
            x,
            images,
            gamma: &self.gamma,
            statistics: self.statistics,
            eps: self.of.eps,
            of_batch: self.of.mode == Mode::Train,
            relu: None,
            wanted: self.wanted,
        };
        let _ = self.sums.set(gradient.run(&mut g)?);
        Ok(g)
    }
}
