//! Units with memory that was used before.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::starts::Starts;
use super::{ConvUnit, FrozenUnits, UnitNorm, Workspace, conv_units_in};
use crate::ops::convolution::pixels::Pixels;
use crate::ops::{Conv2dParams, points_between};
use crate::rng::Rng;

const EPS: f64 = 1e-3;

/// Numbers of a normal distribution, the same for the same name.
fn draw(name: String, shape: &[usize]) -> crate::Result<Var> {
    let mut rng = Rng::new(7).stream(name);
    let numbers = rng.normal(shape, 0.3, 0.5, DType::F32, &Device::Cpu)?;
    Ok(Var::from_tensor(&numbers)?)
}

/// A bottleneck with strides, groups and a projection, and a unit whose residual is its input; channels that fill no
/// vector. With their variables.
fn units(batch: bool) -> crate::Result<(Vec<ConvUnit>, Vec<Var>)> {
    let (mut units, mut variables) = (Vec::new(), Vec::new());
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
    Ok((units, variables))
}

/// The same with biases and without gradients.
fn fixed() -> crate::Result<Vec<ConvUnit>> {
    let (mut fixed, _) = units(false)?;
    for unit in &mut fixed {
        unit.weight = unit.weight.detach();
        unit.norm = UnitNorm::Bias(
            unit.norm
                .bias()
                .map_or_else(|| unreachable!("they have biases"), |bias| bias.detach()),
        );
    }
    Ok(fixed)
}

/// The gradients of Σ result² / 10 after the result.
fn with_gradients(result: Tensor, variables: &[Var]) -> crate::Result<Vec<Tensor>> {
    let gradients = (result.sqr()? * 0.1)?.sum_all()?.backward()?;
    let mut found = vec![result];
    found.extend(variables.iter().flat_map(|var| gradients.get(var).cloned()));
    assert_eq!(found.len(), 1 + variables.len());
    Ok(found)
}

fn numbers(tensors: Vec<Tensor>) -> crate::Result<Vec<Vec<f32>>> {
    let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1();
    Ok(tensors.iter().map(numbers).collect::<Result<_>>()?)
}

/// The results of units in training, and all gradients.
fn step(batch: bool, workspace: &Workspace) -> crate::Result<Vec<Vec<f32>>> {
    let x = draw("x".into(), &[5, 4, 7, 6])?;
    let (units, variables) = units(batch)?;
    let result = conv_units_in(x.as_tensor(), &units, EPS, workspace)?;
    let mut found = with_gradients(result.output, &[vec![x], variables].concat())?;
    for (mean, variance) in result.statistics.into_iter().flatten() {
        found.extend([mean, variance]);
    }
    numbers(found)
}

/// What lay in the memory reaches no result: not even a NaN where there are no channels.
#[test]
fn the_numbers_before_do_not_matter() -> crate::Result<()> {
    for batch in [true, false] {
        let expected = step(batch, &Workspace::default())?;
        assert!(expected.iter().flatten().all(|number| number.is_finite()));
        let workspace = Workspace::default();
        let mut rooms: Vec<_> = (0..40).map(|_| workspace.take(1 << 14)).collect();
        rooms.iter_mut().for_each(|room| room.fill(f32::NAN));
        rooms.into_iter().for_each(|room| workspace.give(room));
        for _ in 0..2 {
            assert_eq!(step(batch, &workspace)?, expected);
        }
    }
    Ok(())
}

/// The same of frozen units.
#[test]
fn the_numbers_before_do_not_matter_to_frozen_units() -> crate::Result<()> {
    let fixed = fixed()?;
    // One image whose tiles threads share out, a few, and a task of more than a group.
    for images in [1, 5, 30] {
        let of = |units: &FrozenUnits| -> crate::Result<Vec<Vec<f32>>> {
            let x = draw("x".into(), &[images, 4, 7, 6])?;
            numbers(with_gradients(units.forward(&x)?, &[x])?)
        };
        let expected = of(&FrozenUnits::new(&fixed)?)?;
        assert!(expected.iter().flatten().all(|number| number.is_finite()));
        let frozen = FrozenUnits::new(&fixed)?;
        frozen.fill_memory(f32::NAN, 1 << 15);
        for _ in 0..2 {
            assert_eq!(of(&frozen)?, expected, "{images} images");
        }
    }
    Ok(())
}

/// Between points, what the first units give lies between their results.
#[test]
fn points_between_are_those_that_are_made() -> crate::Result<()> {
    let frozen = FrozenUnits::new(&fixed()?)?;
    let points = draw("points".into(), &[3, 4, 7, 6])?.as_detached_tensor();
    let begun = frozen.begun(&points)?.expect("the first units are affine");
    assert_eq!(begun.count(), 3);
    frozen.fill_memory(f32::NAN, 1 << 15);
    let ends = [([0, 1], 0.), ([0, 2], 1.), ([1, 1], 0.)];
    assert_eq!(
        begun.between(&ends)?.flatten_all()?.to_vec1::<f32>()?,
        frozen
            .forward(&points.index_select(&Tensor::new(&[0u32, 2, 1], &Device::Cpu)?, 0)?)?
            .flatten_all()?
            .to_vec1::<f32>()?
    );
    // One point whose tiles threads share out, and a task of more than a group.
    for count in [1, 40] {
        let place = |at| ([at % 3, (at + 1) % 3], (at + 1) as f64 / 45.);
        let places: Vec<_> = (0..count).map(place).collect();
        let made = points_between(&points.flatten_from(1)?, &places)?;
        let expected = frozen.forward(&made.reshape((count, 4, 7, 6))?)?;
        let found = begun.between(&places)?;
        assert_eq!(found.dims(), expected.dims());
        let difference = (found - &expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        let size = expected.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference <= 1e-5 * size, "{difference} of {size}");
    }
    Ok(())
}

/// What another unit reads must lie between the points' values, too.
#[test]
fn only_affine_results_are_known_between() -> crate::Result<()> {
    let pixels = |_| Pixels {
        area: 2,
        channels: 3,
    };
    let row = pixels(0).image();
    let mut units = fixed()?;
    // The first and the third read the argument; the others read them.
    let starts = Starts::of(&units, pixels).expect("nobody else reads the argument");
    assert_eq!(starts.width, 2 * row);
    let affine: Vec<_> = (0..units.len())
        .filter(|at| starts.is_affine(*at))
        .collect();
    assert_eq!(affine, [0, 2]);
    // Without the first one's ReLU, the second is affine too, and the first not needed; so is the fourth,
    // without the second's.
    units[0].relu = false;
    let starts = Starts::of(&units, pixels).expect("nobody else reads the argument");
    assert!(starts.is_affine(1) && starts.width == 2 * row);
    units[1].relu = false;
    let starts = Starts::of(&units, pixels).expect("nobody else reads the argument");
    assert!(starts.is_affine(3) && !starts.is_affine(4) && starts.width == row);
    // Nothing but affine results: the last is what is asked for.
    units.iter_mut().for_each(|unit| unit.relu = false);
    let starts = Starts::of(&units, pixels).expect("nobody else reads the argument");
    assert!(starts.is_affine(5) && starts.width == row);
    // A sum with the argument after a ReLU.
    units[0].relu = true;
    units[1].residual = Some(0);
    assert!(Starts::of(&units, pixels).is_none());
    Ok(())
}

/// Vectors may be shorter than the room of a pixel's channels.
#[cfg(target_arch = "x86_64")]
#[test]
fn with_every_instruction_set() {
    crate::ops::simd::tested::with_every_instruction_set("ops::conv_units::tests", 4);
}
