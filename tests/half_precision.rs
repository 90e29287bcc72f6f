//! f16 and bf16: sums of thousands of numbers are right, or refused.
//!
//! Added up in its own dtype a sum of ones stalls at 2048 in f16 and at 256 in bf16, where the next
//! number is further away than 1. All expected values are exact, up to the rounding of the result.

mod common;

use common::{CPU, assert_close, gradients_along, message, values};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::Euclidean;
use isopath::ops::{
    AdamStep, Conv2dParams, ConvTranspose2dParams, ConvUnit, Distances, Operation, PivotForce,
    UnitNorm, adam, band_forces, band_lengths, band_points, batch_norm, batch_norm_eval,
    conv_transpose2d, conv_units, conv2d, conv2d_relu, cross_entropies, cross_entropy,
    fold_batch_norm, global_avg_pool2d, gram_sums, isometric, isometric_to, leaky_relu, linear,
    linear_tanh, max_pool2d, row_norms,
};

/// Far beyond the numbers at which sums stall.
const N: usize = 8192;

/// Tensors of one dtype.
#[derive(Clone, Copy)]
struct Half(DType);

impl Half {
    fn full(self, value: f64, shape: &[usize]) -> Result<Var> {
        let tensor = Tensor::full(value, shape, CPU)?.to_dtype(self.0)?;
        Ok(Var::from_tensor(&tensor)?)
    }

    fn ones(self, shape: &[usize]) -> Result<Var> {
        self.full(1., shape)
    }

    /// `low` and `high` in turns.
    fn turns(self, low: f64, high: f64, shape: &[usize]) -> Result<Var> {
        let count = shape.iter().product();
        let numbers: Vec<f64> = (0..count).map(|i| [low, high][i % 2]).collect();
        let tensor = Tensor::from_vec(numbers, shape, CPU)?.to_dtype(self.0)?;
        Ok(Var::from_tensor(&tensor)?)
    }

    /// All numbers of `y` are `expected`, and so are the sums that are its gradients along `along`.
    #[track_caller]
    fn check(
        self,
        y: &Tensor,
        expected: f64,
        along: Option<&Tensor>,
        gradients: &[(&Var, f64)],
    ) -> Result<()> {
        assert_eq!(y.dtype(), self.0);
        // One rounding to 8 bits in bf16, 11 in f16; and that of what was given.
        let tolerance = if self.0 == DType::F16 { 1e-3 } else { 8e-3 };
        let same = |got: &[f64], expected: f64| {
            let all = vec![expected; got.len()];
            assert_close(got, &all, tolerance * expected.abs().max(1e-3));
        };
        same(&values(y), expected);
        let variables: Vec<&Var> = gradients.iter().map(|(variable, _)| *variable).collect();
        if variables.is_empty() {
            return Ok(());
        }
        let along = along.map_or_else(|| y.ones_like(), |along| Ok(along.clone()))?;
        for (got, (_, expected)) in gradients_along(y, &along, &variables)?
            .iter()
            .zip(gradients)
        {
            same(got, *expected);
        }
        Ok(())
    }
}

#[test]
fn sums_of_thousands_are_right_or_refused() -> Result<()> {
    for half in [DType::F16, DType::BF16].map(Half) {
        for &operation in Operation::ALL {
            // Shown where it fails.
            println!("{operation} in {:?}", half.0);
            match operation {
                Operation::Adam => adam_refuses(half)?,
                Operation::BandForces | Operation::BandLengths | Operation::BandPoints => {
                    bands(half)?
                }
                Operation::BatchNorm => batch_norms(half)?,
                Operation::BatchNormEval => batch_norms_eval(half)?,
                Operation::Conv2d => convolutions(half, conv2d)?,
                Operation::Conv2dRelu => convolutions(half, conv2d_relu)?,
                Operation::ConvTranspose2d => transposed(half)?,
                Operation::ConvUnits => units(half)?,
                Operation::CrossEntropies | Operation::CrossEntropy => entropies(half)?,
                Operation::GlobalAvgPool2d => means(half)?,
                Operation::GramSums => {
                    // One column: s = N/4, and its gradient in each number is twice the number.
                    let weight = half.full(0.5, &[N, 1])?;
                    let sums = gram_sums(&weight)?;
                    half.check(&sums, N as f64 / 4., None, &[(&weight, 1.)])?;
                }
                Operation::Isometric => isometries(half)?,
                Operation::IsometricTo => distances_are_refused(half)?,
                Operation::LeakyRelu => {
                    half.check(&leaky_relu(&*half.full(-2., &[3])?, 0.25)?, -0.5, None, &[])?;
                }
                Operation::Linear => layers(half)?,
                Operation::LinearTanh => tanh_layers(half)?,
                Operation::MaxPool2d => maxima(half)?,
                Operation::RowNorms => {
                    let norms = row_norms(&*half.full(0.5, &[1, N])?)?;
                    half.check(&norms, 0.5 * (N as f64).sqrt(), None, &[])?;
                }
            }
        }
    }
    Ok(())
}

/// Three points of N numbers on a line, and a gradient across and along it.
fn bands(half: Half) -> Result<()> {
    let points = [0., 0.25, 0.75].map(|number| half.full(number, &[1, 1, N]));
    let [a, b, c] = points;
    let path = Tensor::cat(&[&*a?, &*b?, &*c?], 1)?;
    let lengths = band_lengths(&path)?.narrow(1, 0, 1)?;
    half.check(&lengths, 0.25 * (N as f64).sqrt(), None, &[])?;
    half.check(&band_points(&path, &[(1, 0.5)])?, 0.5, None, &[])?;
    // All of the gradient lies along the band: what is left is the spring's pull, k · 0.25 √N / √N.
    let pivot = PivotForce {
        before: 0.5,
        after: 1.,
        along: 1.,
        stretch: 2.,
    };
    let forces = band_forces(&path, &*half.full(0.5, &[1, 1, N])?, &[pivot])?;
    half.check(&forces, 0.5, None, &[])
}

fn layers(half: Half) -> Result<()> {
    let y = linear(
        &*half.ones(&[1, N])?,
        &*half.ones(&[1, N])?,
        &*half.full(0., &[1])?,
    )?;
    half.check(&y, N as f64, None, &[])?;
    let (weight, bias) = (half.ones(&[1, 1])?, half.ones(&[1])?);
    let y = linear(&*half.ones(&[N, 1])?, &weight, &bias)?;
    half.check(&y, 2., None, &[(&weight, N as f64), (&bias, N as f64)])
}

fn tanh_layers(half: Half) -> Result<()> {
    // A sum of 8192 terms of 2⁻¹⁴.
    let y = linear_tanh(
        &*half.ones(&[1, N])?,
        &*half.full(0.5 / N as f64, &[1, N])?,
        &*half.full(0., &[1])?,
    )?;
    half.check(&y, 0.5f64.tanh(), None, &[])?;
    let (weight, bias) = (half.full(0., &[1, 1])?, half.full(0., &[1])?);
    let y = linear_tanh(&*half.ones(&[N, 1])?, &weight, &bias)?;
    half.check(&y, 0., None, &[(&weight, N as f64), (&bias, N as f64)])
}

type Convolution = fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>;

fn convolutions(half: Half, conv2d: Convolution) -> Result<()> {
    let params = Conv2dParams::default();
    let (x, weight) = (half.ones(&[1, N, 1, 1])?, half.ones(&[1, N, 1, 1])?);
    half.check(&conv2d(&x, &weight, None, &params)?, N as f64, None, &[])?;
    let (x, weight, bias) = (
        half.ones(&[1, 1, 64, N / 64])?,
        half.ones(&[1; 4])?,
        half.ones(&[1])?,
    );
    let y = conv2d(&x, &weight, Some(&bias), &params)?;
    half.check(&y, 2., None, &[(&weight, N as f64), (&bias, N as f64)])
}

fn transposed(half: Half) -> Result<()> {
    let params = ConvTranspose2dParams::default();
    let (x, weight) = (half.ones(&[1, N, 1, 1])?, half.ones(&[N, 1, 1, 1])?);
    half.check(
        &conv_transpose2d(&x, &weight, None, &params)?,
        N as f64,
        None,
        &[],
    )?;
    let (x, weight, bias) = (
        half.ones(&[1, 1, 64, N / 64])?,
        half.ones(&[1; 4])?,
        half.ones(&[1])?,
    );
    let y = conv_transpose2d(&x, &weight, Some(&bias), &params)?;
    half.check(&y, 2., None, &[(&weight, N as f64), (&bias, N as f64)])
}

/// Images with mean 2 and variance 1, the images' places in which they are 3 less those in which
/// they are 1, gamma and beta.
fn images(half: Half) -> Result<[Var; 4]> {
    let shape = [2, 1, 64, N / 128];
    Ok([
        half.turns(1., 3., &shape)?,
        half.turns(-1., 1., &shape)?,
        half.ones(&[1])?,
        half.full(0., &[1])?,
    ])
}

fn batch_norms(half: Half) -> Result<()> {
    let [x, sign, gamma, beta] = images(half)?;
    let normal = batch_norm(&x, &gamma, &beta, 1e-5)?;
    half.check(&normal.mean, 2., None, &[])?;
    half.check(&normal.variance, N as f64 / (N as f64 - 1.), None, &[])?;
    let y = (normal.output * sign.as_tensor())?;
    half.check(&y, 1., None, &[(&gamma, N as f64)])?;
    let y = batch_norm(&x, &gamma, &beta, 1e-5)?.output.abs()?;
    // Along the signs of y the gradients of |y| are ones.
    half.check(&y, 1., Some(&sign), &[(&beta, N as f64)])
}

fn batch_norms_eval(half: Half) -> Result<()> {
    let [x, sign, gamma, beta] = images(half)?;
    let (mean, variance) = (half.full(2., &[1])?, half.ones(&[1])?);
    let normal = batch_norm_eval(&x, &gamma, &beta, [&mean, &variance], 1e-5)?;
    let y = (normal * sign.as_tensor())?;
    half.check(&y, 1., None, &[(&gamma, N as f64)])?;
    let y = batch_norm_eval(&x, &gamma, &beta, [&mean, &variance], 1e-5)?.abs()?;
    half.check(&y, 1., Some(&sign), &[(&beta, N as f64)])
}

#[test]
fn a_folded_weight_of_thousands_has_the_right_gradient() -> Result<()> {
    for half in [DType::F16, DType::BF16].map(Half) {
        let (weight, gamma) = (half.ones(&[1, N, 1, 1])?, half.ones(&[1])?);
        let (zero, variance) = (half.full(0., &[1])?, half.ones(&[1])?);
        let (weight, bias) =
            fold_batch_norm(&weight, None, [&gamma, &zero], [&zero, &variance], 1e-5)?;
        half.check(&weight, 1., None, &[(&gamma, N as f64)])?;
        half.check(&bias, 0., None, &[])?;
    }
    Ok(())
}

fn units(half: Half) -> Result<()> {
    let (weight, bias) = (half.ones(&[1; 4])?, half.ones(&[1])?);
    let mut unit = ConvUnit {
        input: 0,
        residual: None,
        weight: weight.as_tensor().clone(),
        conv: Conv2dParams::default(),
        norm: UnitNorm::Bias(bias.as_tensor().clone()),
        relu: true,
    };
    let x = half.ones(&[1, 1, 64, N / 64])?;
    let y = conv_units(&x, std::slice::from_ref(&unit), 1e-5)?.output;
    half.check(&y, 2., None, &[(&weight, N as f64), (&bias, N as f64)])?;
    let [x, _, gamma, beta] = images(half)?;
    unit.norm = UnitNorm::Batch {
        gamma: gamma.as_tensor().clone(),
        beta: beta.as_tensor().clone(),
    };
    let statistics = conv_units(&x, &[unit], 1e-5)?.statistics.remove(0);
    let (mean, variance) = statistics.expect("a normalised unit has statistics");
    half.check(&mean, 2., None, &[])?;
    half.check(&variance, N as f64 / (N as f64 - 1.), None, &[])
}

fn entropies(half: Half) -> Result<()> {
    let (labels, logits) = (Tensor::zeros(N, DType::U32, CPU)?, half.ones(&[N, 2])?);
    let two = 2f64.ln();
    half.check(&cross_entropy(&logits, &labels, 0.)?, two, None, &[])?;
    half.check(&cross_entropies(&logits, &labels)?, two, None, &[])?;
    let (labels, logits) = (Tensor::zeros(1, DType::U32, CPU)?, half.ones(&[1, N])?);
    let many = (N as f64).ln();
    half.check(&cross_entropy(&logits, &labels, 0.5)?, many, None, &[])?;
    half.check(&cross_entropies(&logits, &labels)?, many, None, &[])
}

fn means(half: Half) -> Result<()> {
    let x = half.ones(&[2, 3, 64, N / 64])?;
    half.check(&global_avg_pool2d(&x)?, 1., None, &[(&x, 1. / N as f64)])
}

fn maxima(half: Half) -> Result<()> {
    // The largest number lies in all windows.
    let (windows, size) = (600, 1199);
    let numbers = (0..size).map(|i| f64::from(i == windows - 1)).collect();
    let x = Tensor::from_vec(numbers, (1, 1, 1, size), CPU)?.to_dtype(half.0)?;
    let x = Var::from_tensor(&x)?;
    let y = max_pool2d(&x, (1, windows), 1, 0)?;
    assert_eq!(y.dims(), [1, 1, 1, windows]);
    half.check(&y, 1., None, &[])?;
    let gradient = &gradients_along(&y, &y.ones_like()?, &[&x])?[0];
    assert_close(&[gradient.iter().sum()], &[windows as f64], 2.);
    Ok(())
}

fn isometries(half: Half) -> Result<()> {
    // Two points, 8192 features that differ by 1.
    let (zeros, ones) = (half.full(0., &[1, N])?, half.ones(&[1, N])?);
    let x = Tensor::cat(&[zeros.as_tensor(), ones.as_tensor()], 0)?;
    let z = half.full(0., &[2, 3])?;
    let loss = isometric(&x, &z, &[0, 0], &Euclidean)?;
    half.check(&loss, N as f64 / 2., None, &[])?;
    // 16,384 pairs, of which every second is one apart.
    let (x, z) = (half.turns(0., 1., &[128, 1])?, half.full(0., &[128, 3])?);
    half.check(&isometric(&x, &z, &[0; 128], &Euclidean)?, 0.5, None, &[])
}

fn distances_are_refused(half: Half) -> Result<()> {
    let x = half.ones(&[4, 3])?;
    for refused in [
        Distances::from_matrix(&*half.ones(&[4, 4])?),
        Distances::within_cells(&x, &[0; 4], &Euclidean),
    ] {
        let text = message(refused);
        assert!(text.contains("to_dtype(DType::F32)"), "{text}");
    }
    let distances = Distances::within_cells(&x.to_dtype(DType::F32)?, &[0; 4], &Euclidean)?;
    let text = message(isometric_to(&distances, &x, &[0; 4], &Euclidean));
    assert!(text.starts_with("dtype of z is"), "{text}");
    Ok(())
}

fn adam_refuses(half: Half) -> Result<()> {
    let step = AdamStep {
        step_size: 1e-3,
        correction: 1.,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
    };
    let [theta, m, v] = [half.ones(&[2])?, half.ones(&[2])?, half.ones(&[2])?];
    let text = message(adam(&theta, &m, &v, &*half.ones(&[2])?, step));
    assert!(text.contains("to_dtype(DType::F32)"), "{text}");
    assert_eq!(values(&theta), [1., 1.]);
    Ok(())
}

#[test]
fn integers_are_refused() -> Result<()> {
    let x = Tensor::ones((1, 1, 2, 2), DType::U8, CPU)?;
    for refused in [
        global_avg_pool2d(&x),
        max_pool2d(&x, 1, 1, 0),
        leaky_relu(&x, 0.),
    ] {
        assert_eq!(
            message(refused),
            "x is a tensor of U8; expected floating-point numbers: convert it with \
             to_dtype(DType::F32)"
        );
    }
    Ok(())
}
