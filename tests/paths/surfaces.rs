//! Surfaces and the saddles that bands find on them.

use isopath::Result;
use isopath::candle::DType;
use isopath::paths::{
    AutoNebParams, Cycle, Energy, FireParams, Leps, MullerBrown, NebInfo, NebParams, Optimizer,
    Outcome, SgdParams, Spacing, Stop, auto_neb, band, neb,
};

use crate::common::{assert_close, values};
use crate::fixtures::{ase, points};

const FIRE: Optimizer = Optimizer::Fire(FireParams {
    time_step: 0.002,
    max_step: 0.2,
});

/// Relaxed until the forces are small, the highest pivot on the saddle.
fn climbing() -> NebParams {
    NebParams {
        pivots: 11,
        spacing: Spacing::Springs { constant: 100. },
        climbing: true,
        optimizer: FIRE,
        stop: Stop::Force(1e-5),
        max_iterations: 5_000,
        ..NebParams::default()
    }
}

fn saddle(info: &NebInfo) -> Result<(Vec<f64>, f64)> {
    let at = info.highest();
    Ok((values(&info.path.get(at)?), info.energies[at]))
}

#[test]
fn values_and_gradients_are_right() -> Result<()> {
    let stationary = ase().stationary;
    for (name, energy) in [
        ("muller_brown", &MullerBrown::default() as &dyn Energy),
        ("leps", &Leps::default()),
    ] {
        for point in &stationary[name] {
            let at = points(&[point.at])?;
            let (found, gradient) = energy.values_and_gradients(&at, &[0])?;
            assert_close(&found.energy, &[point.energy], 1e-11);
            assert_close(&values(&gradient), &[0., 0.], 1e-9);
            assert_eq!(energy.values(&at, &[0])?, found);
        }
        // Central differences: the error is h² times a third derivative of up to 10⁴, and
        // 10⁻¹⁴·10²/h of rounding.
        let h = 1e-5;
        for [x, y] in [[0.9, 1.3], [1.5, 0.8], [0.75, 2.1], [1.1, 1.1]] {
            let shifted = points(&[[x + h, y], [x - h, y], [x, y + h], [x, y - h]])?;
            let e = energy.values(&shifted, &[0; 4])?.energy;
            let gradient = energy.values_and_gradients(&points(&[[x, y]])?, &[0])?.1;
            assert_close(
                &values(&gradient),
                &[(e[0] - e[1]) / (2. * h), (e[2] - e[3]) / (2. * h)],
                1e-5,
            );
        }
        // The dtype of the points is kept.
        let single = points(&[[0.9, 1.3]])?.to_dtype(DType::F32)?;
        assert_eq!(
            energy.values_and_gradients(&single, &[0])?.1.dtype(),
            DType::F32
        );
    }
    Ok(())
}

#[test]
fn bands_climb_to_the_saddles_of_muller_brown() -> Result<()> {
    let minima = ase().stationary.remove("muller_brown").unwrap();
    let (left, middle, right) = (minima[0].at, minima[2].at, minima[4].at);
    let found = neb(
        &MullerBrown::default(),
        &points(&[left, middle, left])?,
        &points(&[middle, right, right])?,
        &climbing(),
    )?;
    // The literature's digits: Müller & Brown 1979, table 1. The whole way goes over the higher
    // saddle.
    for (info, [x, y, energy]) in found.iter().zip([
        [-0.822, 0.624, -40.665],
        [0.212, 0.293, -72.249],
        [-0.822, 0.624, -40.665],
    ]) {
        assert_eq!(info.outcome, Outcome::Converged);
        let (at, found) = saddle(info)?;
        assert_close(&at, &[x, y], 5e-4);
        assert_close(&[found], &[energy], 5e-4);
    }
    // And far more of them, from scipy.
    for (info, saddle_index) in found.iter().zip([1, 3, 1]) {
        let (at, energy) = saddle(info)?;
        assert_close(&at, &minima[saddle_index].at, 1e-6);
        assert_close(&[energy], &[minima[saddle_index].energy], 1e-8);
    }
    // Energy above the ends, as the dense profile has it: at least the saddle's.
    let barrier = found[0].after.barrier();
    assert!((barrier - (-40.6648 + 80.7678)).abs() < 0.5, "{barrier}");
    assert!(found[2].length_ratio() > 1.1);
    Ok(())
}

#[test]
fn a_band_climbs_to_the_saddle_of_leps() -> Result<()> {
    let saddles = ase().stationary.remove("leps").unwrap();
    let params = NebParams {
        spacing: Spacing::Springs { constant: 5. },
        optimizer: Optimizer::Fire(FireParams {
            time_step: 0.02,
            max_step: 0.2,
        }),
        ..climbing()
    };
    let found = neb(
        &Leps::default(),
        &points(&[[0.742, 3.5]])?,
        &points(&[[3.5, 0.742]])?,
        &params,
    )?;
    assert_eq!(found[0].outcome, Outcome::Converged);
    let (at, energy) = saddle(&found[0])?;
    assert_close(&at, &saddles[0].at, 1e-5);
    assert_close(&[energy], &[saddles[0].energy], 1e-9);
    Ok(())
}

#[test]
fn springs_and_redistribution_space_pivots_equally_and_ends_stay() -> Result<()> {
    let minima = ase().stationary.remove("muller_brown").unwrap();
    let (start, end) = (points(&[minima[0].at])?, points(&[minima[4].at])?);
    let springs = NebParams {
        climbing: false,
        ..climbing()
    };
    let redistribution = NebParams {
        spacing: Spacing::Redistribution,
        optimizer: Optimizer::Sgd(SgdParams::plain(2e-4)),
        stop: Stop::Force(1.),
        ..springs
    };
    for (params, tolerance) in [(springs, 1e-5), (redistribution, 1e-2)] {
        let found = neb(&MullerBrown::default(), &start, &end, &params)?;
        assert_eq!(found[0].outcome, Outcome::Converged, "{params:?}");
        let lengths = band::lengths(&found[0].path.unsqueeze(0)?)?.remove(0);
        let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
        assert!(
            lengths
                .iter()
                .all(|length| (length / mean - 1.).abs() < tolerance),
            "{lengths:?}"
        );
        let ends = [found[0].path.get(0)?, found[0].path.get(12)?];
        assert_eq!(
            [values(&ends[0]), values(&ends[1])],
            [minima[0].at.to_vec(), minima[4].at.to_vec()]
        );
    }
    Ok(())
}

#[test]
fn a_growing_band_puts_its_pivots_where_it_is_worst() -> Result<()> {
    let minima = ase().stationary.remove("muller_brown").unwrap();
    let cycle = |insert| Cycle {
        insert,
        optimizer: FIRE,
        max_iterations: 400,
    };
    let params = AutoNebParams {
        neb: NebParams {
            pivots: 3,
            climbing: false,
            max_iterations: 200,
            stop: Stop::Force(1e-3),
            ..climbing()
        },
        cycles: vec![cycle(2), cycle(4), cycle(0)],
    };
    let (start, end) = (points(&[minima[0].at])?, points(&[minima[4].at])?);
    let coarse = neb(&MullerBrown::default(), &start, &end, &params.neb)?;
    let fine = auto_neb(
        &MullerBrown::default(),
        &start,
        &end,
        &AutoNebParams {
            neb: NebParams {
                stop: Stop::Force(1e-300),
                ..params.neb
            },
            ..params.clone()
        },
    )?;
    assert_eq!(coarse[0].path.dims(), [5, 2]);
    assert_eq!(fine[0].path.dims(), [11, 2]);
    assert_eq!(
        (fine[0].outcome, fine[0].iterations),
        (Outcome::IterationLimit, 200 + 3 * 400)
    );
    assert_eq!(
        fine[0].evaluations.gradients,
        3 * 201 + 5 * 401 + 2 * 9 * 401
    );
    assert_eq!(fine[0].before, coarse[0].before);
    // Between the pivots of the coarse band the path cuts the corner over the ridge; the saddle is
    // at −40.665.
    let (coarse, fine) = (
        coarse[0].after.barrier() - 108.1667,
        fine[0].after.barrier() - 108.1667,
    );
    assert!(
        coarse > -40.665 + 1. && (-40.665 - 1e-3..coarse - 0.5).contains(&fine),
        "{coarse} {fine}"
    );
    Ok(())
}
