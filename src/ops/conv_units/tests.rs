//! Units in training with memory that was used before.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::{ConvUnit, UnitNorm, Workspace, conv_units_in};
use crate::ops::Conv2dParams;
use crate::rng::Rng;

const EPS: f64 = 1e-3;

/// A bottleneck with strides, groups and a projection, and a unit whose residual is its input; channels that fill no
/// vector. The results and all gradients.
fn step(batch: bool, workspace: &Workspace) -> crate::Result<Vec<Vec<f32>>> {
    let rng = Rng::new(7);
    let draw = |name: String, shape: &[usize]| -> crate::Result<Var> {
        let numbers = rng
            .stream(name)
            .normal(shape, 0.3, 0.5, DType::F32, &Device::Cpu)?;
        Ok(Var::from_tensor(&numbers)?)
    };
    let mut variables = vec![draw("x".into(), &[5, 4, 7, 6])?];
    let mut units = Vec::new();
    for (number, ([input, inputs, outputs, kernel], residual, [stride, groups])) in [
        ([0, 4, 3, 3], None, [1, 1]),
        ([1, 3, 6, 3], None, [2, 3]),
        ([0, 4, 20, 1], None, [2, 1]),
        ([2, 6, 20, 1], Some(3), [1, 1]),
        ([4, 20, 20, 3], Some(4), [1, 1]),
        ([5, 20, 20, 3], Some(4), [1, 2]),
    ]
    .into_iter()
    .enumerate()
    {
        let of = |what: &str, shape: &[usize]| draw(format!("{what} {number}"), shape);
        let weight = of("weight", &[outputs, inputs / groups, kernel, kernel])?;
        let [gamma, beta] = [of("gamma", &[outputs])?, of("beta", &[outputs])?];
        let tensor = |var: &Var| var.as_tensor().clone();
        units.push(ConvUnit {
            input,
            residual,
            weight: tensor(&weight),
            conv: Conv2dParams {
                stride,
                padding: kernel / 2,
                groups,
                ..Conv2dParams::default()
            },
            norm: match batch {
                true => UnitNorm::Batch {
                    gamma: tensor(&gamma),
                    beta: tensor(&beta),
                },
                false => UnitNorm::Bias(tensor(&beta)),
            },
            relu: number != 2,
        });
        variables.extend([weight, beta]);
        variables.extend(batch.then_some(gamma));
    }
    let result = conv_units_in(variables[0].as_tensor(), &units, EPS, workspace)?;
    let loss = (result.output.sqr()? * 0.1)?.sum_all()?;
    let gradients = loss.backward()?;
    let mut found = vec![result.output];
    for variable in &variables {
        found.extend(gradients.get(variable).cloned());
    }
    assert_eq!(found.len(), 1 + variables.len());
    for (mean, variance) in result.statistics.into_iter().flatten() {
        found.extend([mean, variance]);
    }
    let numbers = found
        .iter()
        .map(|tensor: &Tensor| tensor.flatten_all()?.to_vec1());
    Ok(numbers.collect::<Result<_>>()?)
}

/// What lay in the memory reaches no result: not even a NaN where there are no channels.
#[test]
fn the_numbers_before_do_not_matter() -> crate::Result<()> {
    for batch in [true, false] {
        let expected = step(batch, &Workspace::default())?;
        assert!(expected.iter().flatten().all(|number| number.is_finite()));
        let workspace = Workspace::default();
        for _ in 0..40 {
            workspace.give(vec![f32::NAN; 1 << 14]);
        }
        for _ in 0..2 {
            assert_eq!(step(batch, &workspace)?, expected);
        }
    }
    Ok(())
}

/// Vectors may be shorter than the room of a pixel's channels.
#[cfg(target_arch = "x86_64")]
#[test]
fn with_every_instruction_set() {
    crate::ops::simd::tested::with_every_instruction_set("ops::conv_units::tests", 1);
}
