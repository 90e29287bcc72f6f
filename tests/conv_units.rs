//! Units of convolution, normalisation, sum and ReLU: the fused operation, its composite twin,
//! slopes.

mod common;

use common::{CPU, assert_close, gradients_along, message, values, wave, with_threads};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::ops::{
    Conv2dParams, ConvUnit, ConvUnits, FrozenUnits, UnitNorm, conv_units, conv_units_composite,
};
use isopath::rng::Rng;

const EPS: f64 = 1e-3;

/// A residual stage with everything in it: a bottleneck with strides and a projected residual, one
/// whose residual is its input, and a unit that reads x again.
struct Stage {
    x: Var,
    parameters: Vec<Var>,
    units: Vec<ConvUnit>,
}

fn stage(batch: bool, dtype: DType) -> Result<Stage> {
    let rng = Rng::new(5);
    let x = Var::from_tensor(&rng.stream("x").normal((3, 4, 7, 6), 0., 1., dtype, CPU)?)?;
    let mut parameters = Vec::new();
    let mut unit = |name: &str,
                    [input, inputs, outputs, kernel]: [usize; 4],
                    residual,
                    stride,
                    groups,
                    relu| {
        let draw = |what: &str, shape: &[usize], mean: f64| -> Result<Var> {
            Ok(Var::from_tensor(
                &rng.stream(format!("{name} {what}"))
                    .normal(shape, mean, 0.5, dtype, CPU)?,
            )?)
        };
        let weight = draw("weight", &[outputs, inputs / groups, kernel, kernel], 0.)?;
        let vectors = [
            draw("gamma", &[outputs], 1.)?,
            draw("beta", &[outputs], 0.)?,
        ];
        let [gamma, beta] = vectors.each_ref().map(|vector| vector.as_tensor().clone());
        let norm = if batch {
            UnitNorm::Batch { gamma, beta }
        } else {
            UnitNorm::Bias(beta)
        };
        parameters.push(weight.clone());
        parameters.extend(vectors.into_iter().skip(usize::from(!batch)));
        let conv = Conv2dParams {
            stride,
            padding: kernel / 2,
            groups,
            ..Conv2dParams::default()
        };
        Ok::<_, isopath::Error>(ConvUnit {
            input,
            residual,
            weight: weight.as_tensor().clone(),
            conv,
            norm,
            relu,
        })
    };
    let units = vec![
        unit("a", [0, 4, 3, 1], None, 1, 1, true)?,
        unit("b", [1, 3, 6, 3], None, 2, 3, true)?,
        unit("projection", [0, 4, 8, 1], None, 2, 1, false)?,
        unit("c", [2, 6, 8, 1], Some(3), 1, 1, true)?,
        unit("d", [4, 8, 8, 3], Some(4), 1, 2, true)?,
        unit("again", [0, 4, 8, 3], Some(5), 2, 1, true)?,
        unit("last", [6, 8, 5, 1], None, 1, 1, batch)?,
    ];
    Ok(Stage {
        x,
        parameters,
        units,
    })
}

type Change<'a> = &'a dyn Fn(&mut Vec<ConvUnit>);
type Op = fn(&Tensor, &[ConvUnit], f64) -> Result<ConvUnits>;

impl Stage {
    /// The units with plain tensors.
    fn detached(&self) -> Vec<ConvUnit> {
        let detached = |unit: &ConvUnit| {
            let norm = match &unit.norm {
                UnitNorm::Batch { gamma, beta } => UnitNorm::Batch {
                    gamma: gamma.detach(),
                    beta: beta.detach(),
                },
                UnitNorm::Bias(bias) => UnitNorm::Bias(bias.detach()),
            };
            ConvUnit {
                weight: unit.weight.detach(),
                norm,
                ..unit.clone()
            }
        };
        self.units.iter().map(detached).collect()
    }

    /// Output, statistics, and the gradients of x and all parameters.
    fn all(&self, op: Op) -> Result<Vec<Vec<f64>>> {
        let ConvUnits { output, statistics } = op(&self.x, &self.units, EPS)?;
        let variables: Vec<_> = std::iter::once(&self.x).chain(&self.parameters).collect();
        let mut all = vec![values(&output)];
        all.extend(
            statistics
                .iter()
                .flatten()
                .flat_map(|(mean, variance)| [values(mean), values(variance)]),
        );
        all.extend(gradients_along(
            &output,
            &wave(output.dims(), 1.)?.to_dtype(output.dtype())?,
            &variables,
        )?);
        Ok(all)
    }
}

#[test]
fn fused_units_are_their_composite() -> Result<()> {
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 2e-4)] {
        for batch in [true, false] {
            let stage = stage(batch, dtype)?;
            let (fused, composite) = (stage.all(conv_units)?, stage.all(conv_units_composite)?);
            assert_eq!(fused.len(), composite.len());
            assert_eq!(
                fused.len(),
                if batch { 1 + 14 + 1 + 21 } else { 1 + 1 + 14 }
            );
            for (fused, composite) in fused.iter().zip(&composite) {
                assert!(composite.iter().any(|number| *number != 0.));
                let largest = composite
                    .iter()
                    .fold(1f64, |largest, number| largest.max(number.abs()));
                assert_close(fused, composite, tolerance * largest);
            }
        }
    }
    Ok(())
}

/// A third of the numbers of every argument, by central differences.
#[test]
fn gradients_are_slopes() -> Result<()> {
    for batch in [true, false] {
        let stage = stage(batch, DType::F64)?;
        let output = conv_units(&stage.x, &stage.units, EPS)?.output;
        let along = wave(output.dims(), 2.)?;
        let variables: Vec<_> = std::iter::once(&stage.x).chain(&stage.parameters).collect();
        let gradients = gradients_along(&output, &along, &variables)?;
        let (h, mut kinks, mut all) = (1e-6, 0, 0);
        for (variable, gradient) in variables.into_iter().zip(gradients) {
            let start = variable.as_detached_tensor().copy()?;
            for index in (0..start.elem_count()).step_by(3) {
                let at = |step: f64| -> Result<f64> {
                    let mut numbers = values(&start);
                    numbers[index] += step;
                    variable.set(&Tensor::from_vec(numbers, start.shape(), CPU)?)?;
                    let y = conv_units(&stage.x, &stage.units, EPS)?.output;
                    Ok((y * &along)?.sum_all()?.to_scalar()?)
                };
                let (above, here, below) = (at(h)?, at(0.)?, at(-h)?);
                let scale = gradient[index].abs().max(1.);
                let off = ((above - below) / (2. * h) - gradient[index]).abs() / scale;
                // A ReLU that the step crosses has no slope: its sides differ by as much.
                let sides = (above - 2. * here + below).abs() / (h * scale);
                assert!(
                    off < 1e-6 || off < sides,
                    "{index}: off by {off}, the sides by {sides}"
                );
                kinks += usize::from(off >= 1e-6);
                all += 1;
            }
            variable.set(&start)?;
        }
        assert!(
            kinks <= 1 && all > 100,
            "{kinks} of {all} numbers stand at a kink"
        );
    }
    Ok(())
}

#[test]
fn what_needs_no_gradient_gets_none_and_changes_nothing() -> Result<()> {
    for batch in [true, false] {
        let stage = stage(batch, DType::F32)?;
        let x = stage.x.as_detached_tensor();
        let frozen = stage.detached();
        let with_all = stage.all(conv_units)?;
        let plain = conv_units(&x, &frozen, EPS)?.output;
        assert!(!plain.track_op());
        assert_eq!(values(&plain), with_all[0]);

        let along = wave(plain.dims(), 1.)?.to_dtype(DType::F32)?;
        let of_x = gradients_along(
            &conv_units(&stage.x, &frozen, EPS)?.output,
            &along,
            &[&stage.x],
        )?;
        let first = with_all.len() - 1 - stage.parameters.len();
        assert_eq!(of_x[0], with_all[first]);
        let parameters: Vec<_> = stage.parameters.iter().collect();
        let of_parameters = gradients_along(
            &conv_units(&x, &stage.units, EPS)?.output,
            &along,
            &parameters,
        )?;
        assert_eq!(of_parameters, with_all[first + 1..]);
    }
    Ok(())
}

/// Of more images than one tile takes, on threads that have several and on threads that share one.
#[test]
fn frozen_units_are_the_same_one_after_another_and_on_any_number_of_threads() -> Result<()> {
    for images in [1, 3, 14] {
        let stage = stage(false, DType::F32)?;
        let repeated = stage.x.repeat((5, 1, 1, 1))?.narrow(0, 0, images)?;
        let x = Var::from_tensor(&repeated.contiguous()?)?;
        let units = stage.detached();
        let first = FrozenUnits::new(&units)?;
        let last = ConvUnit {
            input: 0,
            residual: None,
            weight: Rng::new(6).normal((5, 5, 3, 3), 0., 1., DType::F32, CPU)?,
            conv: Conv2dParams {
                padding: 1,
                ..Conv2dParams::default()
            },
            norm: units[6].norm.clone(),
            relu: true,
        };
        let second = FrozenUnits::new(&[last])?;
        let both = first.then(&second);
        let value_and_gradient = |y: &Tensor| -> Result<Vec<Vec<f64>>> {
            let along = wave(y.dims(), 1.)?.to_dtype(DType::F32)?;
            let gradient = gradients_along(y, &along, &[&x])?.remove(0);
            Ok(vec![values(y), gradient])
        };
        let apart = value_and_gradient(&second.forward(&first.forward(&x)?)?)?;
        let composite = conv_units_composite(&x, &units, EPS)?.output;
        assert_close(
            &values(&first.forward(&x)?),
            &values(&composite),
            2e-4 * composite.abs()?.max_all()?.to_scalar::<f32>()? as f64,
        );
        for threads in [1, 2, 5] {
            let together = with_threads(threads, || value_and_gradient(&both.forward(&x)?))?;
            assert_eq!(together, apart, "{images} images, {threads} threads");
        }
    }
    Ok(())
}

#[test]
fn units_that_are_not_frozen_are_refused() -> Result<()> {
    let refused = |units: &[ConvUnit]| message(FrozenUnits::new(units));
    let expected = "expected biases and weights without a gradient, as freeze() gives them";
    assert_eq!(
        refused(&stage(true, DType::F32)?.detached()),
        format!("units is a batch normalisation in unit 0; {expected}")
    );
    assert_eq!(
        refused(&stage(false, DType::F32)?.units),
        format!("units is a variable in unit 0; {expected}")
    );
    assert_eq!(refused(&[]), "units is none; expected at least one");
    Ok(())
}

#[test]
fn number_of_threads_changes_no_bit() -> Result<()> {
    for batch in [true, false] {
        let run = |threads| with_threads(threads, || stage(batch, DType::F32)?.all(conv_units));
        assert_eq!(run(1)?, run(3)?);
    }
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    let stage = stage(true, DType::F32)?;
    let text = |change: Change| {
        let mut units = stage.units.clone();
        change(&mut units);
        [conv_units as Op, conv_units_composite].map(|op| message(op(&stage.x, &units, EPS)))
    };
    let cases: [(Change, &str); 5] = [
        (
            &|units| units.clear(),
            "units is none; expected at least one",
        ),
        (
            &|units| units[1].input = 2,
            "input is 2; expected at most 1, an earlier result, in unit 1",
        ),
        (
            &|units| units[3].residual = Some(9),
            "residual is 9; expected at most 3, an earlier result, in unit 3",
        ),
        (
            &|units| units[3].residual = Some(0),
            "conv_units: residual has shape [3, 4, 7, 6]; expected [3, 8, 4, 3], that of unit 3's convolution",
        ),
        (
            &|units| units[1].input = 0,
            "conv2d: x has shape [3, 4, 7, 6]; expected (N, 3, H, W) for weight [6, 1, 3, 3], groups 3",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(text(change), [expected; 2]);
    }
    let eps = message(conv_units(&stage.x, &stage.units, 0.));
    assert_eq!(eps, "eps is 0; expected a finite number > 0");
    Ok(())
}
