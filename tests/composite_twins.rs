//! Every `_composite` twin of `isopath::ops` beside its fused kernel on the CPU: the twins are all
//! that CUDA uses.
//!
//! One plain case each, values and gradients; the awkward cases are in the tests of the operations.
//! A `match` over [`Operation`] has them all, so a new one without a case does not compile.

mod common;

use common::{CPU, assert_close, gradients_along, values, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::{Distance as _, Euclidean};
use isopath::ops::{
    AdamStep, Conv2dParams, ConvTranspose2dParams, ConvUnit, Distances, Operation, PivotForce,
    UnitNorm, adam, adam_composite, band_forces, band_forces_composite, band_lengths,
    band_lengths_composite, band_points, band_points_composite, batch_norm, batch_norm_composite,
    batch_norm_eval, batch_norm_eval_composite, conv_transpose2d, conv_transpose2d_composite,
    conv_units, conv_units_composite, conv2d, conv2d_composite, conv2d_relu, conv2d_relu_composite,
    cross_entropies, cross_entropies_composite, cross_entropy, cross_entropy_composite,
    global_avg_pool2d, global_avg_pool2d_composite, isometric, isometric_composite, isometric_to,
    isometric_to_composite, leaky_relu, leaky_relu_composite, linear, linear_composite,
    linear_tanh, linear_tanh_composite, max_pool2d, max_pool2d_composite, row_norms,
    row_norms_composite,
};
use isopath::rng::Rng;

/// f32, as on CUDA: sums of some hundred numbers of size one, in two orders.
const TOLERANCE: f64 = 2e-5;

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
        composite(&x, &weight, &bias),
        &[&x, &weight, &bias],
    )
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
        isometric_composite(&x, &z, &cells, &Euclidean),
        &[&x, &z],
    )
}

fn isometric_to_twins() -> Result<()> {
    let (x, z, cells) = points()?;
    let x = x.as_detached_tensor();
    for distances in [
        Distances::from_matrix(&Euclidean.pairwise(&x)?)?,
        Distances::within_cells(&x, &cells, &Euclidean)?,
    ] {
        assert_twins(
            isometric_to(&distances, &z, &cells, &Euclidean),
            isometric_to_composite(&distances, &z, &cells, &Euclidean),
            &[&z],
        )?;
    }
    Ok(())
}

type Convolution = fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>;

fn conv2d_twins(fused: Convolution, composite: Convolution) -> Result<()> {
    let (x, weight, bias) = (
        random("x", &[2, 4, 9, 8])?,
        random("weight", &[6, 2, 3, 3])?,
        random("bias", &[6])?,
    );
    let params = Conv2dParams {
        stride: 2,
        padding: 1,
        groups: 2,
        ..Conv2dParams::default()
    };
    let b = Some(bias.as_tensor());
    assert_twins(
        fused(&x, &weight, b, &params),
        composite(&x, &weight, b, &params),
        &[&x, &weight, &bias],
    )
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
    let b = Some(bias.as_tensor());
    assert_twins(
        conv_transpose2d(&x, &weight, b, &params),
        conv_transpose2d_composite(&x, &weight, b, &params),
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
    let gradient = random("gradient", &[4, 5])?;
    let after = |op: fn(&Var, &Var, &Var, &Tensor, AdamStep) -> Result<()>| -> Result<Vec<f64>> {
        let state = [
            random("theta", &[4, 5])?,
            random("m", &[4, 5])?,
            Var::from_tensor(&random("v", &[4, 5])?.sqr()?)?,
        ];
        op(&state[0], &state[1], &state[2], &gradient, step)?;
        Ok(state.iter().flat_map(|v| values(v)).collect())
    };
    assert_close(&after(adam)?, &after(adam_composite)?, TOLERANCE);
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
        let (fused, composite) = (fused(&path)?, composite(&path)?);
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
                cross_entropy_composite(logits, labels, smoothing),
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
            cross_entropies_composite(logits, labels),
            variables,
        )
    })
}

fn leaky_relu_twins() -> Result<()> {
    let x = random("x", &[9, 20])?;
    assert_twins(leaky_relu(&x, 0.3), leaky_relu_composite(&x, 0.3), &[&x])
}

fn max_pool2d_twins() -> Result<()> {
    let x = random("x", &[2, 3, 9, 8])?;
    assert_twins(
        max_pool2d(&x, 3, 2, 1),
        max_pool2d_composite(&x, 3, 2, 1),
        &[&x],
    )
}

fn global_avg_pool2d_twins() -> Result<()> {
    let x = random("x", &[2, 3, 9, 8])?;
    assert_twins(
        global_avg_pool2d(&x),
        global_avg_pool2d_composite(&x),
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
    let composite = batch_norm_composite(&x, &gamma, &beta, 1e-5)?;
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
        batch_norm_eval_composite(&x, &gamma, &beta, [&mean, &variance], 1e-5),
        &[&x, &gamma, &beta],
    )
}

fn conv_unit_twins() -> Result<()> {
    let (x, weight) = (
        random("x", &[3, 4, 5, 6])?,
        random("weight", &[4, 4, 3, 3])?,
    );
    let (gamma, beta) = (random("gamma", &[4])?, random("beta", &[4])?);
    let norm = UnitNorm::Batch {
        gamma: gamma.as_tensor().clone(),
        beta: beta.as_tensor().clone(),
    };
    let conv = Conv2dParams {
        padding: 1,
        ..Conv2dParams::default()
    };
    let unit = ConvUnit {
        input: 0,
        residual: Some(0),
        weight: weight.as_tensor().clone(),
        conv,
        norm,
        relu: true,
    };
    let fused = conv_units(&x, std::slice::from_ref(&unit), 1e-5)?.output;
    let composite = conv_units_composite(&x, &[unit], 1e-5)?.output;
    assert_twins(Ok(fused), Ok(composite), &[&x, &weight, &gamma, &beta])
}

#[test]
fn every_instruction_set() {
    common::run_with_every_instruction_set("every_instruction_set");
}
