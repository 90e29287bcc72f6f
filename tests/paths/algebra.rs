//! The vector algebra of a band.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::paths::{
    Energy, FireParams, Leps, MullerBrown, NebParams, Optimizer, Spacing, Stop, band, relax,
};
use isopath::rng::Rng;

use crate::common::{CPU, assert_close, values};
use crate::fixtures::{Case, ase, bits, path};

fn surface(case: &Case) -> Box<dyn Energy> {
    if case.surface == "leps" {
        Box::new(Leps::default())
    } else {
        Box::new(MullerBrown::default())
    }
}

/// Rounding of some ten operations on numbers up to 10³.
const ROUNDING: f64 = 1e-10;

#[test]
fn forces_are_those_of_ase() -> Result<()> {
    let cases = ase().cases;
    assert_eq!(cases.len(), 8);
    for case in &cases {
        let path = path(&case.path)?;
        let gradients =
            Tensor::from_vec(case.gradients.concat(), (1, case.gradients.len(), 2), CPU)?;
        let forces = band::forces(&path, &case.energies, &gradients, Some(case.k), case.climb)?;
        assert_close(&values(&forces), &case.forces.concat(), ROUNDING);
        // Several bands at once are each itself.
        let three = |tensor: &Tensor| Tensor::cat(&[tensor, tensor, tensor], 0);
        let together = band::forces(
            &three(&path)?,
            &case.energies.repeat(3),
            &three(&gradients)?,
            Some(case.k),
            case.climb,
        )?;
        assert_eq!(values(&together), values(&forces).repeat(3));
    }
    Ok(())
}

#[test]
fn fire_goes_where_ase_goes() -> Result<()> {
    for case in &ase().cases {
        let params = NebParams {
            spacing: Spacing::Springs { constant: case.k },
            climbing: case.climb,
            optimizer: Optimizer::Fire(FireParams {
                time_step: 0.01,
                max_step: 0.2,
            }),
            stop: Stop::Force(1e-12),
            max_iterations: 40,
            ..NebParams::default()
        };
        let found = relax(surface(case).as_ref(), &path(&case.path)?, &params)?;
        assert_eq!(found[0].iterations, 40);
        // Rounding, grown over forty steps on a surface as steep as 10³.
        assert_close(
            &values(&found[0].path),
            &case.after_40_fire_steps.concat(),
            1e-8,
        );
    }
    Ok(())
}

#[test]
fn the_tangent_is_continuous_through_extrema() -> Result<()> {
    // Segments (1, 0) and (0, 2): the tangent's direction shows the weights.
    let path = path(&[[0., 0.], [1., 0.], [1., 2.]])?;
    let segments = band::segments(&path)?;
    let angle = |energies: [f64; 3]| -> Result<f64> {
        let tangent = values(&band::tangents(&segments, &energies)?);
        assert!((tangent[0].hypot(tangent[1]) - 1.).abs() < 1e-14);
        Ok(tangent[1].atan2(tangent[0]))
    };
    let step = 1e-4;
    for (before, after) in [(0., 1.), (1., 0.), (0.3, 0.3), (-2., 1.)] {
        // From a minimum over a slope to a maximum.
        let sweep = |i: i32| angle([before, -3. + step * f64::from(i), after]);
        let mut last = sweep(0)?;
        for i in 1..60_000 {
            let next = sweep(i)?;
            // Weights change by step / ΔV, and ΔV ≥ 0.5 here but where both neighbours are at 0.3.
            let equal = before == after && (step * f64::from(i) - 3.3).abs() < 0.1;
            assert!(
                equal || (next - last).abs() < 20. * step,
                "{before} {after} at {i}: {last} to {next}"
            );
            last = next;
        }
    }
    // On a slope the higher neighbour decides, whatever the order.
    assert_eq!(angle([0., 1., 5.])?, std::f64::consts::FRAC_PI_2);
    assert_eq!(angle([5., 1., 0.])?, 0.);
    // At the top the larger difference goes to the higher neighbour: 2·(0, 2) + 1·... with ΔV of 3
    // and 2.
    assert!((angle([0., 3., 1.])? - (2. * 3f64).atan2(2.)).abs() < 1e-14);
    assert!((angle([1., 3., 0.])? - (2. * 2f64).atan2(3.)).abs() < 1e-14);
    // Flat: the chord between the neighbours.
    assert!((angle([1., 1., 1.])? - 2f64.atan2(1.)).abs() < 1e-14);
    Ok(())
}

#[test]
fn a_reversed_band_has_reversed_forces() -> Result<()> {
    let mut rng = Rng::new(3);
    let (points, width) = (7, 5);
    let path = rng.normal((1, points, width), 0., 1., DType::F64, CPU)?;
    let gradients = rng.normal((1, points - 2, width), 0., 1., DType::F64, CPU)?;
    let energies: Vec<f64> = values(&rng.normal(points, 0., 1., DType::F64, CPU)?);
    let reversed = |tensor: &Tensor| -> Result<Tensor> {
        let order: Vec<u32> = (0..tensor.dim(1)? as u32).rev().collect();
        Ok(tensor.index_select(&Tensor::new(order, CPU)?, 1)?)
    };
    for (spring, climbing) in [(Some(2.), false), (Some(2.), true), (None, false)] {
        let forces = band::forces(&path, &energies, &gradients, spring, climbing)?;
        let mirror: Vec<f64> = energies.iter().rev().copied().collect();
        let backwards = band::forces(
            &reversed(&path)?,
            &mirror,
            &reversed(&gradients)?,
            spring,
            climbing,
        )?;
        assert_close(&values(&reversed(&forces)?), &values(&backwards), 1e-12);
    }
    Ok(())
}

#[test]
fn nudging_takes_the_parts_apart() -> Result<()> {
    let mut rng = Rng::new(4);
    let path = rng.normal((2, 6, 9), 0., 1., DType::F64, CPU)?;
    let gradients = rng.normal((2, 4, 9), 0., 1., DType::F64, CPU)?;
    let energies = values(&rng.normal(12, 0., 1., DType::F64, CPU)?);
    let tangents = band::tangents(&band::segments(&path)?, &energies)?;
    let along =
        |forces: &Tensor| -> Result<Vec<f64>> { Ok(values(&(forces * &tangents)?.sum(2)?)) };
    // Without springs nothing acts along the band; springs act along it alone.
    let plain = band::forces(&path, &energies, &gradients, None, false)?;
    assert_close(&along(&plain)?, &[0.; 8], 1e-13);
    let sprung = band::forces(&path, &energies, &gradients, Some(3.), false)?;
    let lengths = band::lengths(&path)?;
    let expected: Vec<f64> = lengths
        .iter()
        .flat_map(|l| l.windows(2).map(|l| 3. * (l[1] - l[0])))
        .collect();
    assert_close(&along(&sprung)?, &expected, 1e-12);
    // A climbing image feels no spring, and its force along the band is turned round.
    let climbing = along(&band::forces(&path, &energies, &gradients, Some(3.), true)?)?;
    let uphill = along(&gradients)?;
    for band in 0..2 {
        let own = &energies[band * 6 + 1..band * 6 + 5];
        let top = (0..4).max_by(|a, b| own[*a].total_cmp(&own[*b])).unwrap();
        for pivot in 0..4 {
            let wanted = if pivot == top {
                uphill[band * 4 + pivot]
            } else {
                expected[band * 4 + pivot]
            };
            assert!((climbing[band * 4 + pivot] - wanted).abs() < 1e-12);
        }
    }
    Ok(())
}

#[test]
fn pivots_on_their_neighbours_have_a_force_all_the_same() -> Result<()> {
    let path = path(&[[0., 0.], [0., 0.], [0., 0.], [1., 0.]])?;
    let gradients = Tensor::new(&[[[1., 2.], [3., 4.]]], CPU)?;
    let forces = band::forces(&path, &[0., 0., 0., 0.], &gradients, Some(1.), false)?;
    assert_close(&values(&forces), &[-1., -2., 1., -4.], 1e-14);
    Ok(())
}

#[test]
fn redistribution_spaces_equally_along_the_polyline() -> Result<()> {
    let path = path(&[[0., 0.], [0.5, 0.], [4., 0.], [4., 1.], [4., 4.]])?;
    let moved = band::redistribute(&path)?;
    assert_close(
        &values(&moved),
        &[0., 0., 2., 0., 4., 0., 4., 2., 4., 4.],
        1e-14,
    );
    // Any band: on the polyline, so no longer than it; the ends bit by bit; and equal already
    // stays.
    for (dtype, rounding) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
        let path = Rng::new(5).normal((3, 9, 40), 0., 1., dtype, CPU)?;
        let moved = band::redistribute(&path)?;
        for row in [0, 8] {
            assert_eq!(
                bits(&path.narrow(1, row, 1)?.contiguous()?),
                bits(&moved.narrow(1, row, 1)?.contiguous()?)
            );
        }
        let straight = band::straight(
            &path.narrow(1, 0, 1)?.squeeze(1)?,
            &path.narrow(1, 8, 1)?.squeeze(1)?,
            7,
        )?;
        assert_close(
            &values(&band::redistribute(&straight)?),
            &values(&straight),
            rounding,
        );
        for (before, after) in band::lengths(&path)?.iter().zip(band::lengths(&moved)?) {
            assert!(after.iter().sum::<f64>() <= before.iter().sum::<f64>() * (1. + rounding));
        }
    }
    Ok(())
}

#[test]
fn straight_bands_hold_their_ends_and_are_evenly_spaced() -> Result<()> {
    let mut rng = Rng::new(6);
    let (a, b) = (
        rng.normal((4, 30), 0., 1., DType::F32, CPU)?,
        rng.normal((4, 30), 0., 1., DType::F32, CPU)?,
    );
    for pivots in [0, 1, 2, 17] {
        let path = band::straight(&a, &b, pivots)?;
        assert_eq!(path.dims(), [4, pivots + 2, 30]);
        assert_eq!(bits(&path.narrow(1, 0, 1)?.contiguous()?), bits(&a));
        assert_eq!(
            bits(&path.narrow(1, pivots + 1, 1)?.contiguous()?),
            bits(&b)
        );
        for lengths in band::lengths(&path)? {
            let mean = lengths.iter().sum::<f64>() / (pivots + 1) as f64;
            assert!(
                lengths
                    .iter()
                    .all(|length| (length / mean - 1.).abs() < 1e-5)
            );
        }
    }
    Ok(())
}
