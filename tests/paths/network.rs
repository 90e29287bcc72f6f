//! Bands on networks, against PyTorch.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::checks::Bounds;
use isopath::models::{Mlp, Model, Network as _, Representation};
use isopath::paths::{
    AutoNebParams, Energy, FireParams, NebInfo, NebParams, NetworkEnergy, Optimizer, Outcome,
    SgdParams, Spacing, Stop, Verdict, auto_neb, linear, neb,
};

use crate::common::{CPU, assert_close, build, values, with_threads};
use crate::fixtures::{Torch, bits, torch};

/// The network of the fixture.
fn network(fixture: &Torch, dtype: DType) -> Result<Model<Mlp>> {
    let mlp = build(&[6, 12, 8, 3], 0, dtype)?;
    let named = mlp.parameters().named();
    for (layer, (weight, bias)) in fixture.weights.iter().enumerate() {
        for (name, numbers) in [("weight", weight), ("bias", bias)] {
            let var = &named[&format!("layers.{layer}.{name}")];
            var.set(&Tensor::from_vec(numbers.clone(), var.shape(), CPU)?.to_dtype(dtype)?)?;
        }
    }
    Ok(mlp)
}

fn pairs(fixture: &Torch, dtype: DType) -> Result<(Tensor, Tensor)> {
    let rows = |numbers: &[f64]| -> Result<Tensor> {
        Ok(Tensor::from_vec(numbers.to_vec(), (numbers.len() / 6, 6), CPU)?.to_dtype(dtype)?)
    };
    Ok((rows(&fixture.starts)?, rows(&fixture.ends)?))
}

/// One for each of ten points.
const TARGETS: [u32; 10] = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0];
const EACH: [usize; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

#[test]
fn energies_and_gradients_are_those_of_torch() -> Result<()> {
    let fixture = torch();
    let network = network(&fixture, DType::F64)?;
    for (index, width, points, energies, gradients) in [
        (0, 6, &fixture.points, &fixture.energies, &fixture.gradients),
        (
            1,
            12,
            &fixture.hidden,
            &fixture.tail_energies,
            &fixture.tail_gradients,
        ),
    ] {
        let points = Tensor::from_vec(points.clone(), (10, width), CPU)?;
        for batch_size in [1, 3, 16] {
            let energy = NetworkEnergy {
                batch_size,
                ..NetworkEnergy::new(&network, Representation::Stage(index), &TARGETS)?
            };
            let (found, gradient) = energy.values_and_gradients(&points, &EACH)?;
            assert_close(&found.energy, energies, 1e-13);
            assert_close(&values(&gradient), gradients, 1e-13);
            assert_eq!(energy.values(&points, &EACH)?, found);
            // The margin is positive exactly where the network answers the target.
            let answers = network
                .forward_from(index, &points)?
                .argmax(1)?
                .to_vec1::<u32>()?;
            for ((margin, answer), target) in found.margin.iter().zip(answers).zip(TARGETS) {
                assert_eq!(*margin > 0., answer == target);
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    let fixture = torch();
    let network = network(&fixture, DType::F64)?;
    let energy = NetworkEnergy::new(&network, Representation::Input, &TARGETS)?;
    let points = Tensor::from_vec(fixture.points.clone(), (10, 6), CPU)?;
    let gradient = values(&energy.values_and_gradients(&points, &EACH)?.1);
    let h = 1e-5;
    for column in 0..6 {
        let mut shift = vec![0.; 6];
        shift[column] = h;
        let shift = Tensor::new(shift, CPU)?;
        let up = energy.values(&points.broadcast_add(&shift)?, &EACH)?.energy;
        let down = energy.values(&points.broadcast_sub(&shift)?, &EACH)?.energy;
        let differences: Vec<f64> = up
            .iter()
            .zip(&down)
            .map(|(up, down)| (up - down) / (2. * h))
            .collect();
        let own: Vec<f64> = gradient.iter().skip(column).step_by(6).copied().collect();
        // h² times a third derivative of up to 100.
        assert_close(&own, &differences, 1e-8);
    }
    Ok(())
}

/// The band of the fixture, for exactly thirty iterations.
fn thirty(optimizer: Optimizer) -> NebParams {
    NebParams {
        pivots: 5,
        spacing: Spacing::Springs { constant: 1.5 },
        optimizer,
        stop: Stop::Force(1e-300),
        max_iterations: 30,
        ..NebParams::default()
    }
}

#[test]
fn bands_go_where_the_same_bands_in_torch_go() -> Result<()> {
    let fixture = torch();
    let network = network(&fixture, DType::F64)?;
    let (starts, ends) = pairs(&fixture, DType::F64)?;
    let energy = NetworkEnergy::new(&network, Representation::Input, &fixture.targets)?;
    for (name, optimizer) in [
        ("adam", Optimizer::adam(0.02)),
        (
            "momentum",
            Optimizer::Sgd(SgdParams {
                momentum: 0.9,
                ..SgdParams::plain(0.01)
            }),
        ),
    ] {
        let found = neb(&energy, &starts, &ends, &thirty(optimizer))?;
        let paths = Tensor::stack(
            &found
                .iter()
                .map(|info| info.path.clone())
                .collect::<Vec<_>>(),
            0,
        )?;
        // Rounding over thirty steps.
        assert_close(&values(&paths), &fixture.relaxed[name], 1e-10);
    }
    Ok(())
}

fn connect(
    network: &Model<Mlp>,
    fixture: &Torch,
    params: &NebParams,
    dtype: DType,
) -> Result<Vec<NebInfo>> {
    let (starts, ends) = pairs(fixture, dtype)?;
    neb(
        &NetworkEnergy::new(network, Representation::Input, &fixture.targets)?,
        &starts,
        &ends,
        params,
    )
}

#[test]
fn verdicts_agree_with_the_network_itself() -> Result<()> {
    let fixture = torch();
    for dtype in [DType::F64, DType::F32] {
        let network = network(&fixture, dtype)?;
        let found = connect(
            &network,
            &fixture,
            &NebParams {
                optimizer: Optimizer::adam(0.05),
                ..NebParams::default()
            },
            dtype,
        )?;
        let verdicts: Vec<Verdict> = found.iter().map(|info| info.verdict).collect();
        use Verdict::{Linear, Nonlinear};
        // The fixture's choice: two straight lines stay inside, two leave.
        assert_eq!(verdicts, [Linear, Linear, Nonlinear, Nonlinear]);
        let (starts, ends) = pairs(&fixture, dtype)?;
        let lines = linear(
            &NetworkEnergy::new(&network, Representation::Input, &fixture.targets)?,
            &starts,
            &ends,
            9,
            10,
        )?;
        for ((info, target), line) in found.iter().zip(&fixture.targets).zip(lines) {
            assert_eq!(info.outcome, Outcome::Connected);
            assert_eq!(info.iterations == 0, info.verdict == Linear);
            assert_eq!(line.is_connected(), info.verdict == Linear);
            assert_close(&line.energy, &info.before.energy, 1e-5);
            // Ask the network at 1,000 points of the path.
            let mut points = Vec::new();
            for segment in 0..9 {
                let (from, to) = (info.path.get(segment)?, info.path.get(segment + 1)?);
                for place in 0..=110 {
                    let t = f64::from(place) / 110.;
                    points.push(((&from * (1. - t))? + (&to * t)?)?);
                }
            }
            let answers = network
                .forward(&Tensor::stack(&points, 0)?)?
                .argmax(1)?
                .to_vec1::<u32>()?;
            assert!(answers.iter().all(|answer| answer == target));
            assert!(info.after.margin() > 0. && info.length_ratio() >= 1. - 1e-6);
            assert!(info.after.barrier() >= 0. && info.after.barrier() <= info.before.barrier());
            assert_eq!(info.energies.len(), 10);
        }
    }
    Ok(())
}

#[test]
fn any_number_of_threads_finds_the_same_paths() -> Result<()> {
    let fixture = torch();
    let network = network(&fixture, DType::F32)?;
    let run = || -> Result<Vec<(Vec<u64>, usize)>> {
        let (starts, ends) = pairs(&fixture, DType::F32)?;
        let energy = NetworkEnergy {
            batch_size: 3,
            ..NetworkEnergy::new(&network, Representation::Input, &fixture.targets)?
        };
        let found = auto_neb(&energy, &starts, &ends, &AutoNebParams::default())?;
        Ok(found
            .iter()
            .map(|info| (bits(&info.path), info.iterations))
            .collect())
    };
    let one = with_threads(1, run)?;
    assert_eq!(one, with_threads(2, run)?);
    assert_eq!(one, with_threads(5, run)?);
    Ok(())
}

#[test]
fn a_band_does_not_depend_on_the_others() -> Result<()> {
    let fixture = torch();
    let network = network(&fixture, DType::F64)?;
    let together = connect(&network, &fixture, &NebParams::default(), DType::F64)?;
    for optimizer in [
        Optimizer::adam(0.01),
        Optimizer::Sgd(SgdParams {
            momentum: 0.5,
            ..SgdParams::plain(0.05)
        }),
        Optimizer::Fire(FireParams {
            time_step: 0.05,
            max_step: 0.5,
        }),
    ] {
        let params = NebParams {
            optimizer,
            max_iterations: 60,
            ..NebParams::default()
        };
        let together = connect(&network, &fixture, &params, DType::F64)?;
        for batch_size in [1, 3] {
            let apart = connect(
                &network,
                &fixture,
                &NebParams {
                    batch_size,
                    ..params
                },
                DType::F64,
            )?;
            for (one, other) in together.iter().zip(&apart) {
                assert_close(&values(&one.path), &values(&other.path), 1e-10);
                assert_eq!(
                    (one.iterations, one.evaluations),
                    (other.iterations, other.evaluations)
                );
            }
        }
    }
    assert!(
        together
            .iter()
            .any(|info| info.iterations != together[3].iterations)
    );
    Ok(())
}

#[test]
fn bounded_paths_stay_inside() -> Result<()> {
    let fixture = torch();
    let network = network(&fixture, DType::F32)?;
    let (starts, ends) = pairs(&fixture, DType::F32)?;
    let all = Tensor::cat(&[&starts, &ends], 0)?;
    let number = |tensor: Tensor| -> Result<f64> { Ok(f64::from(tensor.to_scalar::<f32>()?)) };
    let bounds = Bounds {
        min: number(all.min_all()?)?,
        max: number(all.max_all()?)?,
    };
    let energy = NetworkEnergy::new(&network, Representation::Input, &fixture.targets)?;
    // Large steps, so that free paths leave the box.
    let params = NebParams {
        optimizer: Optimizer::adam(0.5),
        stop: Stop::Force(1e-300),
        max_iterations: 40,
        ..NebParams::default()
    };
    let outside = |params: &NebParams| -> Result<bool> {
        let found = neb(&energy, &starts, &ends, params)?;
        Ok(found
            .iter()
            .flat_map(|info| values(&info.path))
            .any(|x| !(bounds.min..=bounds.max).contains(&x)))
    };
    assert!(outside(&params)?);
    for spacing in [params.spacing, Spacing::Redistribution] {
        assert!(!outside(&NebParams {
            bounds: Some(bounds),
            spacing,
            ..params
        })?);
    }
    Ok(())
}
