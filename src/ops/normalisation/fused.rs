//! Batch normalisation on the CPU as a differentiable operation of candle.

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Result, Shape, Tensor};

use super::kernels::{Gradient, Images, Moments, Sums, normalise, statistics};
use super::running::BatchNorm;
use crate::ops::custom::{Argument, Arguments, Kernel};
use crate::ops::operation::Operation;
use crate::ops::simd::Float;

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
    let output = [x, gamma, beta].apply(op)?;
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
    Ok([x, gamma, beta].apply(op)?)
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

impl Kernel<3> for Normalise {
    fn operation(&self) -> Operation {
        match self.mode {
            Mode::Train => Operation::BatchNorm,
            Mode::Eval => Operation::BatchNormEval,
        }
    }

    fn forward<T: Float>(&self, [x, gamma, beta]: [Argument<'_, T>; 3]) -> Result<(Vec<T>, Shape)> {
        let shape = x.layout.shape();
        let (images, scale) = (Images::new(shape)?, [gamma.numbers, beta.numbers]);
        let given = self.statistics.get().map(Vec::as_slice);
        let (y, statistics) = normalise(x.numbers, images, scale, given, self.eps)?;
        // Only in training was there nothing.
        let _ = self.statistics.set(statistics);
        Ok((y, shape.clone()))
    }

    fn backward(
        &self,
        [x, gamma, beta]: [&Tensor; 3],
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let Some(statistics) = self.statistics.get() else {
            return Ok([None, None, None]);
        };
        let sums = OnceLock::new();
        let op = NormaliseGradient {
            of: self,
            statistics,
            gamma: numbers(gamma)?,
            wanted: [gamma.track_op() || beta.track_op(), x.track_op()],
            sums: &sums,
        };
        let of_x = [x, gradient].apply_detached(op)?;
        let vector = |of: fn(&Sums) -> f64| {
            let values: Vec<f64> = sums.get().into_iter().flatten().map(of).collect();
            Tensor::from_vec(values, gamma.dims(), &Device::Cpu)?.to_dtype(gamma.dtype())
        };
        let of_gamma = gamma.track_op().then(|| vector(|sums| sums.of_gamma));
        let of_beta = beta.track_op().then(|| vector(|sums| sums.of_beta));
        Ok([
            x.track_op().then_some(of_x),
            of_gamma.transpose()?,
            of_beta.transpose()?,
        ])
    }
}

struct NormaliseGradient<'a> {
    of: &'a Normalise,
    statistics: &'a [Moments],
    gamma: Vec<f64>,
    wanted: [bool; 2],
    /// Comes along with the gradient in x.
    sums: &'a OnceLock<Vec<Sums>>,
}

impl Kernel<2> for NormaliseGradient<'_> {
    fn operation(&self) -> Operation {
        self.of.operation()
    }

    fn forward<T: Float>(&self, [x, g]: [Argument<'_, T>; 2]) -> Result<(Vec<T>, Shape)> {
        let mut g = g.numbers.to_vec();
        let gradient = Gradient {
            x: x.numbers,
            images: Images::new(x.layout.shape())?,
            gamma: &self.gamma,
            statistics: self.statistics,
            eps: self.of.eps,
            of_batch: self.of.mode == Mode::Train,
            wanted: self.wanted,
        };
        let _ = self.sums.set(gradient.run(&mut g)?);
        Ok((g, x.layout.shape().clone()))
    }
}
