//! Every `_composite` twin of `isopath::ops` beside its fused kernel on the CPU: the twins are all
//! that CUDA uses. They run where [`device::best`] says: with `--features cuda` and a GPU, there.
//!
//! One plain case each, values and gradients; the awkward cases are in the tests of the operations.
//! A `match` over [`Operation`] has them all, so a new one without a case does not compile.

mod common;

use common::{CPU, assert_close, gradients_along, values, wave};
use isopath::Result;
use isopath::candle::{DType, Device, Tensor, Var};
use isopath::device;
use isopath::distances::{Distance as _, Euclidean};
use isopath::ops::{
    AdamStep, Conv2dParams, ConvTranspose2dParams, ConvUnit, Distances, Operation, PivotForce,
    UnitNorm, adam, adam_composite, band_forces, band_forces_composite, band_lengths,
    band_lengths_composite, band_points, band_points_composite, batch_norm, batch_norm_composite,
    batch_norm_eval, batch_norm_eval_composite, conv_transpose2d, conv_transpose2d_composite,
    conv_units, conv_units_composite, conv2d, conv2d_composite, conv2d_relu, conv2d_relu_composite,
    cross_entropies, cross_entropies_composite, cross_entropy, cross_entropy_composite,
    global_avg_pool2d, global_avg_pool2d_composite, gram_sums, gram_sums_composite, isometric,
    isometric_composite, isometric_to, isometric_to_composite, leaky_relu, leaky_relu_composite,
    linear, linear_composite, linear_tanh, linear_tanh_composite, max_pool2d, max_pool2d_composite,
    row_norms, row_norms_composite,
};
use isopath::rng::Rng;

/// f32, as on CUDA: sums of some hundred numbers of size one, in two orders.
const TOLERANCE: f64 = 2e-5;

/// A kernel's argument as its twin takes it: on the best device. Gradients find their way back.
fn there(argument: &Tensor) -> Result<Tensor> {
    Ok(argument.to_device(&device::best())?)
}

fn random(name: &str, shape: &[usize]) -> Result<Var> {
    Ok(Var::from_tensor(&Rng::new(1).stream(name).normal(
        shape,
        0.,
        1.,
        DType::F32,
        CPU,
    )?)?)
}

/// Equal values, and equal gradients in every variable.
fn assert_twins(
    fused: Result<Tensor>,
    composite: Result<Tensor>,
    variables: &[&Var],
) -> Result<()> {
    let (fused, composite) = (fused?, composite?);
    assert_eq!(fused.dims(), composite.dims());
    assert_close(&values(&fused), &values(&composite), TOLERANCE);
    let along = wave(fused.dims(), 1.)?.to_dtype(DType::F32)?;
    let of_fused = gradients_along(&fused, &along, variables)?;
    for (of_fused, of_composite) in of_fused
        .iter()
        .zip(gradients_along(&composite, &along, variables)?)
    {
        assert!(of_composite.iter().any(|gradient| *gradient != 0.));
        assert_close(of_fused, &of_composite, TOLERANCE);
    }
    Ok(())
}

#[test]
fn every_operation_equals_its_twin() -> Result<()> {
    for &operation in Operation::ALL {
        // Shown where it fails.
        println!("{operation}");
        match operation {
            Operation::Adam => adam_twins()?,
            Operation::BandForces => band_forces_twins()?,
            Operation::BandLengths => each_band(band_lengths, band_lengths_composite)?,
            Operation::BandPoints => band_points_twins()?,
            Operation::BatchNorm => batch_norm_twins()?,
            Operation::BatchNormEval => batch_norm_eval_twins()?,
            Operation::Conv2d => conv2d_twins(conv2d, conv2d_composite)?,
            Operation::Conv2dRelu => conv2d_twins(conv2d_relu, conv2d_relu_composite)?,
            Operation::ConvTranspose2d => conv_transpose2d_twins()?,
            Operation::ConvUnits => conv_unit_twins()?,
            Operation::CrossEntropies => cross_entropies_twins()?,
            Operation::CrossEntropy => cross_entropy_twins()?,
            Operation::GlobalAvgPool2d => global_avg_pool2d_twins()?,
            Operation::GramSums => gram_sums_twins()?,
            Operation::Isometric => isometric_twins()?,
            Operation::IsometricTo => isometric_to_twins()?,
            Operation::LeakyRelu => leaky_relu_twins()?,
            Operation::Linear => linear_twins(linear, linear_composite)?,
            Operation::LinearTanh => linear_twins(linear_tanh, linear_tanh_composite)?,
            Operation::MaxPool2d => max_pool2d_twins()?,
            Operation::RowNorms => each_band(row_norms, row_norms_composite)?,
        }
    }
    Ok(())
}

type Linear = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

fn linear_twins(fused: Linear, composite: Linear) -> Result<()> {
    let (x, weight, bias) = (
        random("x", &[9, 20])?,
        random("weight", &[7, 20])?,
        random("bias", &[7])?,
    );
    assert_twins(
        fused(&x, &weight, &bias),
        composite(&there(&x)?, &there(&weight)?, &there(&bias)?),
        &[&x, &weight, &bias],
    )
}

fn gram_sums_twins() -> Result<()> {
    let weight = random("weight", &[3, 6])?;
    let composite = gram_sums_composite(&there(&weight)?);
    assert_twins(gram_sums(&weight), composite, &[&weight])
}

/// Points, their representations and the cell of each.
fn points() -> Result<(Var, Var, Vec<u32>)> {
    let cells = (0..12).map(|i| i % 3).collect();
    Ok((random("x", &[12, 5])?, random("z", &[12, 4])?, cells))
}

fn isometric_twins() -> Result<()> {
    let (x, z, cells) = points()?;
    assert_twins(
        isometric(&x, &z, &cells, &Euclidean),
        isometric_composite(&there(&x)?, &there(&z)?, &cells, &Euclidean),
        &[&x, &z],
    )
}

fn isometric_to_twins() -> Result<()> {
    let (x, z, cells) = points()?;
    let distances = |x: &Tensor| -> Result<[Distances; 2]> {
        Ok([
            Distances::from_matrix(&Euclidean.pairwise(x)?)?,
            Distances::within_cells(x, &cells, &Euclidean)?,
        ])
    };
    let x = x.as_detached_tensor();
    for (here, away) in distances(&x)?.iter().zip(distances(&there(&x)?)?) {
        assert_twins(
            isometric_to(here, &z, &cells, &Euclidean),
            isometric_to_composite(&away, &there(&z)?, &cells, &Euclidean),
            &[&z],
        )?;
    }
    Ok(())
}

type Convolution = fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>;

fn conv2d_twins(fused: Convolution, composite: Convolution) -> Result<()> {
    // Of groups with a stride; of 1×1, whose images do not fill vectors; of that with a stride.
    for (groups, kernel, stride, padding) in [(2, 3, 2, 1), (1, 1, 1, 0), (1, 1, 2, 0)] {
        let (x, weight, bias) = (
            random("x", &[2, 4, 9, 8])?,
            random("weight", &[6, 4 / groups, kernel, kernel])?,
            random("bias", &[6])?,
        );
        let params = Conv2dParams {
            stride,
            padding,
            groups,
            ..Conv2dParams::default()
        };
        let b = bias.as_tensor();
        assert_twins(
            fused(&x, &weight, Some(b), &params),
            composite(&there(&x)?, &there(&weight)?, Some(&there(b)?), &params),
            &[&x, &weight, &bias],
        )?;
    }
    Ok(())
}

fn conv_transpose2d_twins() -> Result<()> {
    let (x, weight, bias) = (
        random("x", &[2, 4, 9, 8])?,
        random("weight", &[4, 3, 3, 3])?,
        random("bias", &[6])?,
    );
    let params = ConvTranspose2dParams {
        stride: 2,
        padding: 1,
        output_padding: 1,
        groups: 2,
        ..Default::default()
    };
    let b = bias.as_tensor();
    assert_twins(
        conv_transpose2d(&x, &weight, Some(b), &params),
        conv_transpose2d_composite(&there(&x)?, &there(&weight)?, Some(&there(b)?), &params),
        &[&x, &weight, &bias],
    )
}

fn adam_twins() -> Result<()> {
    let step = AdamStep {
        step_size: 1e-2,
        correction: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
    };
    type Op = fn(&Var, &Var, &Var, &Tensor, AdamStep) -> Result<()>;
    let after = |op: Op, device: &Device| -> Result<Vec<f64>> {
        let on = |t: &Tensor| -> Result<Var> { Ok(Var::from_tensor(&t.to_device(device)?)?) };
        let state = [
            on(random("theta", &[4, 5])?.as_tensor())?,
            on(random("m", &[4, 5])?.as_tensor())?,
            on(&random("v", &[4, 5])?.sqr()?)?,
        ];
        let gradient = on(random("gradient", &[4, 5])?.as_tensor())?;
        op(&state[0], &state[1], &state[2], &gradient, step)?;
        Ok(state.iter().flat_map(|v| values(v)).collect())
    };
    let composite = after(adam_composite, &device::best())?;
    assert_close(&after(adam, CPU)?, &composite, TOLERANCE);
    Ok(())
}

/// Of bands of odd widths, in f32 and f64.
fn each_band(
    fused: impl Fn(&Tensor) -> Result<Tensor>,
    composite: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<()> {
    for (shape, dtype) in [
        ([2, 5, 37], DType::F32),
        ([1, 3, 8], DType::F64),
        ([3, 4, 1], DType::F32),
    ] {
        let path = random("path", &shape)?
            .as_detached_tensor()
            .to_dtype(dtype)?;
        let (fused, composite) = (fused(&path)?, composite(&there(&path)?)?);
        assert_eq!(fused.dims(), composite.dims());
        assert_eq!(fused.dtype(), dtype);
        assert_close(&values(&fused), &values(&composite), TOLERANCE);
    }
    Ok(())
}

fn band_points_twins() -> Result<()> {
    let places = |path: &Tensor| -> Vec<(usize, f64)> {
        let [bands, points] = [path.dims()[0], path.dims()[1]];
        let own = [(0, 0.), (points - 2, 1.), (points - 2, 0.3), (0, 0.5)];
        own.repeat(bands)
    };
    each_band(
        |path| band_points(path, &places(path)),
        |path| band_points_composite(path, &places(path)),
    )
}

fn band_forces_twins() -> Result<()> {
    let pivots = |path: &Tensor| -> Vec<PivotForce> {
        let count = path.dims()[0] * (path.dims()[1] - 2);
        let pivot = |at: usize| PivotForce {
            before: 0.2 * (at % 3) as f64,
            after: 1.,
            along: if at == 1 { 2. } else { 1. },
            stretch: if at == 1 { 0. } else { 0.7 },
        };
        (0..count).map(pivot).collect()
    };
    let gradients = |path: &Tensor| path.narrow(1, 0, path.dims()[1] - 2)?.sin();
    each_band(
        |path| band_forces(path, &gradients(path)?, &pivots(path)),
        |path| band_forces_composite(path, &gradients(path)?, &pivots(path)),
    )
}

/// Logits and labels, and the logits once more where they have a gradient.
fn each_batch(test: impl Fn(&Var, &Tensor, &[&Var]) -> Result<()>) -> Result<()> {
    for (rows, classes) in [(1, 1), (3, 2), (17, 10), (5, 33)] {
        let logits = random("logits", &[rows, classes])?;
        let labels = Tensor::from_iter((0..rows).map(|i| (i * 7 % classes) as u32), CPU)?;
        // The cross-entropy of one class is 0.
        let variables = [&logits];
        test(&logits, &labels, &variables[usize::from(classes == 1)..])?;
    }
    Ok(())
}

fn cross_entropy_twins() -> Result<()> {
    each_batch(|logits, labels, variables| {
        for smoothing in [0., 0.2] {
            assert_twins(
                cross_entropy(logits, labels, smoothing),
                cross_entropy_composite(&there(logits)?, &there(labels)?, smoothing),
                variables,
            )?;
        }
        Ok(())
    })
}

fn cross_entropies_twins() -> Result<()> {
    each_batch(|logits, labels, variables| {
        assert_twins(
            cross_entropies(logits, labels),
            cross_entropies_composite(&there(logits)?, &there(labels)?),
            variables,
        )
    })
}

fn leaky_relu_twins() -> Result<()> {
    let x = random("x", &[9, 20])?;
    assert_twins(
        leaky_relu(&x, 0.3),
        leaky_relu_composite(&there(&x)?, 0.3),
        &[&x],
    )
}

fn max_pool2d_twins() -> Result<()> {
    let x = random("x", &[2, 3, 9, 8])?;
    assert_twins(
        max_pool2d(&x, 3, 2, 1),
        max_pool2d_composite(&there(&x)?, 3, 2, 1),
        &[&x],
    )
}

fn global_avg_pool2d_twins() -> Result<()> {
    let x = random("x", &[2, 3, 9, 8])?;
    assert_twins(
        global_avg_pool2d(&x),
        global_avg_pool2d_composite(&there(&x)?),
        &[&x],
    )
}

/// Images, gamma and beta.
fn images() -> Result<[Var; 3]> {
    Ok([
        random("x", &[4, 3, 5, 6])?,
        random("gamma", &[3])?,
        random("beta", &[3])?,
    ])
}

fn batch_norm_twins() -> Result<()> {
    let [x, gamma, beta] = images()?;
    let fused = batch_norm(&x, &gamma, &beta, 1e-5)?;
    let composite = batch_norm_composite(&there(&x)?, &there(&gamma)?, &there(&beta)?, 1e-5)?;
    for (fused, composite) in [
        (&fused.mean, &composite.mean),
        (&fused.variance, &composite.variance),
    ] {
        assert_close(&values(fused), &values(composite), TOLERANCE);
    }
    assert_twins(Ok(fused.output), Ok(composite.output), &[&x, &gamma, &beta])
}

fn batch_norm_eval_twins() -> Result<()> {
    let [x, gamma, beta] = images()?;
    let (mean, variance) = (
        random("mean", &[3])?.as_detached_tensor(),
        random("variance", &[3])?.sqr()?.detach(),
    );
    assert_twins(
        batch_norm_eval(&x, &gamma, &beta, [&mean, &variance], 1e-5),
        batch_norm_eval_composite(
            &there(&x)?,
            &there(&gamma)?,
            &there(&beta)?,
            [&there(&mean)?, &there(&variance)?],
            1e-5,
        ),
        &[&x, &gamma, &beta],
    )
}

fn conv_unit_twins() -> Result<()> {
    let (x, weight) = (
        random("x", &[3, 4, 5, 6])?,
        random("weight", &[4, 4, 3, 3])?,
    );
    let (gamma, beta) = (random("gamma", &[4])?, random("beta", &[4])?);
    let unit = |device: &Device| -> Result<ConvUnit> {
        Ok(ConvUnit {
            input: 0,
            residual: Some(0),
            weight: weight.to_device(device)?,
            conv: Conv2dParams {
                padding: 1,
                ..Conv2dParams::default()
            },
            norm: UnitNorm::Batch {
                gamma: gamma.to_device(device)?,
                beta: beta.to_device(device)?,
            },
            relu: true,
        })
    };
    let fused = conv_units(&x, &[unit(CPU)?], 1e-5)?.output;
    let away = unit(&device::best())?;
    let composite = conv_units_composite(&there(&x)?, &[away], 1e-5)?.output;
    assert_twins(Ok(fused), Ok(composite), &[&x, &weight, &gamma, &beta])
}

#[test]
fn every_instruction_set() {
    common::run_with_every_instruction_set("every_instruction_set");
}
