//! Every `_composite` twin of `isopath::ops` beside its fused kernel on the CPU: the twins are all
//! that CUDA uses.
//!
//! One plain case each, values and gradients; the awkward cases are in the tests of the operations.

mod common;

use std::fs;
use std::path::Path;

use common::{CPU, assert_close, gradients_along, values, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::distances::{Distance as _, Euclidean};
use isopath::ops::{
    AdamStep, Conv2dParams, ConvTranspose2dParams, ConvUnit, Distances, UnitNorm, adam,
    adam_composite, batch_norm, batch_norm_composite, batch_norm_eval, batch_norm_eval_composite,
    conv_transpose2d, conv_transpose2d_composite, conv_units, conv_units_composite, conv2d,
    conv2d_composite, conv2d_relu, conv2d_relu_composite, cross_entropies,
    cross_entropies_composite, cross_entropy, cross_entropy_composite, global_avg_pool2d,
    global_avg_pool2d_composite, isometric, isometric_composite, isometric_to,
    isometric_to_composite, leaky_relu, leaky_relu_composite, linear, linear_composite,
    linear_tanh, linear_tanh_composite, max_pool2d, max_pool2d_composite,
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
fn linear_twins() -> Result<()> {
    let (x, weight, bias) = (
        random("x", &[9, 20])?,
        random("weight", &[7, 20])?,
        random("bias", &[7])?,
    );
    let all = [&x, &weight, &bias];
    assert_twins(
        linear(&x, &weight, &bias),
        linear_composite(&x, &weight, &bias),
        &all,
    )?;
    assert_twins(
        linear_tanh(&x, &weight, &bias),
        linear_tanh_composite(&x, &weight, &bias),
        &all,
    )
}

#[test]
fn isometric_twins() -> Result<()> {
    let (x, z) = (random("x", &[12, 5])?, random("z", &[12, 4])?);
    let cells: Vec<u32> = (0..12).map(|i| i % 3).collect();
    assert_twins(
        isometric(&x, &z, &cells, &Euclidean),
        isometric_composite(&x, &z, &cells, &Euclidean),
        &[&x, &z],
    )?;
    let distances = Distances::from_matrix(&Euclidean.pairwise(&x.as_detached_tensor())?)?;
    let fused = isometric_to(&distances, &z, &cells, &Euclidean);
    assert_twins(
        fused,
        isometric_to_composite(&distances, &z, &cells, &Euclidean),
        &[&z],
    )
}

#[test]
fn convolution_twins() -> Result<()> {
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
    let (all, b) = ([&x, &weight, &bias], Some(bias.as_tensor()));
    assert_twins(
        conv2d(&x, &weight, b, &params),
        conv2d_composite(&x, &weight, b, &params),
        &all,
    )?;
    assert_twins(
        conv2d_relu(&x, &weight, b, &params),
        conv2d_relu_composite(&x, &weight, b, &params),
        &all,
    )?;
    let (weight, bias) = (random("weight", &[4, 3, 3, 3])?, random("bias", &[6])?);
    let params = ConvTranspose2dParams {
        stride: 2,
        padding: 1,
        output_padding: 1,
        groups: 2,
        ..Default::default()
    };
    let (all, b) = ([&x, &weight, &bias], Some(bias.as_tensor()));
    let fused = conv_transpose2d(&x, &weight, b, &params);
    assert_twins(
        fused,
        conv_transpose2d_composite(&x, &weight, b, &params),
        &all,
    )
}

#[test]
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

#[test]
fn cross_entropy_twins() -> Result<()> {
    for (rows, classes) in [(1, 1), (3, 2), (17, 10), (5, 33)] {
        let logits = random("logits", &[rows, classes])?;
        let labels = Tensor::from_iter((0..rows).map(|i| (i * 7 % classes) as u32), CPU)?;
        let smoothed = |smoothing| {
            let fused = cross_entropy(&logits, &labels, smoothing);
            (fused, cross_entropy_composite(&logits, &labels, smoothing))
        };
        let each = (
            cross_entropies(&logits, &labels),
            cross_entropies_composite(&logits, &labels),
        );
        for (fused, composite) in [smoothed(0.), smoothed(0.2), each] {
            let variables: &[&Var] = if classes > 1 { &[&logits] } else { &[] };
            assert_twins(fused, composite, variables)?;
        }
    }
    Ok(())
}

#[test]
fn leaky_relu_twins() -> Result<()> {
    let x = random("x", &[9, 20])?;
    assert_twins(leaky_relu(&x, 0.3), leaky_relu_composite(&x, 0.3), &[&x])
}

#[test]
fn pooling_twins() -> Result<()> {
    let x = random("x", &[2, 3, 9, 8])?;
    assert_twins(
        max_pool2d(&x, 3, 2, 1),
        max_pool2d_composite(&x, 3, 2, 1),
        &[&x],
    )?;
    assert_twins(
        global_avg_pool2d(&x),
        global_avg_pool2d_composite(&x),
        &[&x],
    )
}

#[test]
fn batch_norm_twins() -> Result<()> {
    let (x, gamma, beta) = (
        random("x", &[4, 3, 5, 6])?,
        random("gamma", &[3])?,
        random("beta", &[3])?,
    );
    let (mean, variance) = (
        random("mean", &[3])?.as_detached_tensor(),
        random("variance", &[3])?.sqr()?.detach(),
    );
    let all = [&x, &gamma, &beta];
    let fused = batch_norm(&x, &gamma, &beta, 1e-5)?;
    let composite = batch_norm_composite(&x, &gamma, &beta, 1e-5)?;
    assert_close(&values(&fused.mean), &values(&composite.mean), TOLERANCE);
    assert_close(
        &values(&fused.variance),
        &values(&composite.variance),
        TOLERANCE,
    );
    assert_twins(Ok(fused.output), Ok(composite.output), &all)?;
    let fused = batch_norm_eval(&x, &gamma, &beta, &mean, &variance, 1e-5);
    assert_twins(
        fused,
        batch_norm_eval_composite(&x, &gamma, &beta, &mean, &variance, 1e-5),
        &all,
    )
}

#[test]
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

/// So that a new twin cannot be forgotten here.
#[test]
fn every_twin_is_tested_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = fs::read_to_string(root.join("tests/composite_twins.rs")).unwrap();
    let (mut paths, mut found) = (vec![root.join("src/ops")], 0);
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        for definition in source.split("pub fn ").skip(1) {
            let name = definition.split(['(', '<']).next().unwrap_or_default();
            if name.ends_with("_composite") {
                assert!(
                    here.contains(&format!("{name}(")) || here.contains(&format!("({name})")),
                    "{name}"
                );
                found += 1;
            }
        }
    }
    assert!(found >= 14, "only {found} twins in src/ops");
}
