//! Verdicts, counts and outcomes where the answer is known.

use std::sync::atomic::{AtomicUsize, Ordering};

use isopath::Result;
use isopath::candle::Tensor;
use isopath::paths::{
    AutoNebParams, Cycle, Energy, EnergyValues, Evaluations, NebParams, Outcome, Spacing, Stop,
    Verdict, auto_neb, linear, neb, relax,
};

use crate::common::{assert_close, values};
use crate::fixtures::{Plane, descent, hill, params, path, points};

/// Of [`hill`].
fn height(x: f64, y: f64) -> f64 {
    (-(x * x + y * y) / 2.).exp()
}

#[test]
fn a_hill_is_walked_around() -> Result<()> {
    // The line y = 0.1 passes the hill's top, 0.99 high; a path around it needs to stay below 0.5,
    // |z| > 1.18.
    let (start, end) = (
        points(&[[-3., 0.1], [-3., 3.]])?,
        points(&[[3., 0.1], [3., 3.]])?,
    );
    for spacing in [Spacing::Springs { constant: 1. }, Spacing::Redistribution] {
        let params = NebParams {
            spacing,
            max_iterations: 500,
            ..params()
        };
        let found = neb(&hill(0.5), &start, &end, &params)?;
        assert_eq!(
            [found[0].verdict, found[1].verdict],
            [Verdict::Nonlinear, Verdict::Linear]
        );
        let around = &found[0];
        assert!(around.before.barrier() > 0.97 && around.after.barrier() < 0.5);
        let along: Vec<f64> = (0..91)
            .map(|i| height(-3. + 6. * f64::from(i) / 90., 0.1))
            .collect();
        assert_close(&around.before.energy, &along, 1e-12);
        assert!((around.before.barrier() - (height(0., 0.1) - height(3., 0.1))).abs() < 1e-12);
        assert!(around.before.margin() < -0.48 && around.after.margin() > 0.);
        // The shortest way around a circle of radius 1.18 from so far is 1.19 times the line.
        assert!(
            (1.08..1.6).contains(&around.length_ratio()),
            "{}",
            around.length_ratio()
        );
        assert_eq!(around.outcome, Outcome::Connected);
        // The path's points beside the line's: the one furthest away decides.
        let line = around.line()?;
        assert_eq!(line.dims(), around.path.dims());
        assert_close(&values(&line.get(3)?), &[-1., 0.1], 1e-12);
        let furthest = values(&around.path)
            .chunks(2)
            .map(|z| (z[1] - 0.1).abs())
            .fold(0., f64::max);
        assert!((around.departure()? - furthest).abs() < 1e-12 && furthest > 0.9);
        assert!(found[1].departure()? < 1e-12);
        let straight = &found[1];
        assert_eq!(
            (straight.iterations, straight.evaluations),
            (
                0,
                Evaluations {
                    gradients: 0,
                    values: 91
                }
            )
        );
        assert_eq!(
            (straight.length_ratio(), &straight.before),
            (1., &straight.after)
        );
        // Equally distant samples of a straight line.
        assert_close(
            &straight.before.distance,
            &(0..91).map(|i| 6. * f64::from(i) / 90.).collect::<Vec<_>>(),
            1e-12,
        );
        assert_close(
            &around.energies,
            &around
                .after
                .energy
                .iter()
                .copied()
                .step_by(10)
                .collect::<Vec<_>>(),
            0.,
        );
    }
    Ok(())
}

#[test]
fn a_given_path_is_held_against_the_straight_line() -> Result<()> {
    // A detour that is connected already and longer than it need be, and one that crosses the
    // hill's top.
    let detour = |height: f64| {
        path(&[
            [-3., 0.1],
            [-1.5, height],
            [0., height],
            [1.5, height],
            [3., 0.1],
        ])
    };
    let paths = Tensor::cat(&[detour(2.)?, detour(0.1)?], 0)?;
    for (stop, iterations) in [(Stop::Connected, 0), (Stop::Force(1e-9), 5)] {
        let params = NebParams {
            stop,
            max_iterations: 5,
            ..params()
        };
        let found = relax(&hill(0.5), &paths, &params)?;
        assert_eq!(
            (found[0].verdict, found[0].iterations),
            (Verdict::Nonlinear, iterations)
        );
        let straight = &linear(
            &hill(0.5),
            &paths.get(0)?.narrow(0, 0, 1)?,
            &paths.get(0)?.narrow(0, 4, 1)?,
            4,
            10,
        )?[0];
        for info in &found {
            assert_close(&info.before.energy, &straight.energy, 1e-12);
            assert!(
                !info.before.is_connected() && info.length_ratio() > 0.999,
                "{}",
                info.length_ratio()
            );
        }
        assert_eq!(found[1].verdict, Verdict::NoneFound);
        if stop == Stop::Connected {
            // Nothing moved: lengths and energies of the given corners and of the samples between
            // them.
            let sides = 2. * 1.5f64.hypot(1.9) + 3.;
            assert!((found[0].length_ratio() - sides / 6.).abs() < 1e-12);
            let corners = values(&paths.get(0)?);
            let sample = |i: usize| {
                let (segment, share) = (i.min(39) / 10, (i - i.min(39) / 10 * 10) as f64 / 10.);
                let at = |axis| {
                    corners[2 * segment + axis] * (1. - share)
                        + corners[2 * segment + 2 + axis] * share
                };
                height(at(0), at(1))
            };
            assert_close(
                &found[0].after.energy,
                &(0..41).map(sample).collect::<Vec<_>>(),
                1e-12,
            );
        }
    }
    Ok(())
}

#[test]
fn a_band_grows_with_a_single_sample_a_segment_too() -> Result<()> {
    // Nothing lies between two points then, so the longest segments get the new ones.
    let neb = NebParams {
        pivots: 2,
        samples_per_segment: 1,
        max_iterations: 3,
        stop: Stop::Force(1e-9),
        ..params()
    };
    let cycle = |insert| Cycle {
        insert,
        optimizer: descent(0.1),
        max_iterations: 2,
    };
    let found = auto_neb(
        &hill(0.5),
        &points(&[[-3., 0.1]])?,
        &points(&[[3., 0.1]])?,
        &AutoNebParams {
            neb,
            cycles: vec![cycle(3), cycle(0), cycle(1)],
        },
    )?;
    let info = &found[0];
    assert_eq!(
        (info.path.dims(), info.after.energy.len(), info.iterations),
        (&[8, 2][..], 8, 3 + 3 * 2)
    );
    Ok(())
}

#[test]
fn where_there_is_no_path_none_is_found() -> Result<()> {
    // A ridge along the y axis, everywhere 1 high.
    let ridge = Plane(|_, [x, _]: [f64; 2]| {
        let e = (-x * x).exp();
        (e, [-2. * x * e, 0.], 0.5 - e)
    });
    let found = neb(
        &ridge,
        &points(&[[-2., 0.]])?,
        &points(&[[2., 1.]])?,
        &NebParams {
            max_iterations: 7,
            ..params()
        },
    )?;
    assert_eq!(
        (found[0].verdict, found[0].outcome, found[0].iterations),
        (Verdict::NoneFound, Outcome::IterationLimit, 7)
    );
    assert!(found[0].after.margin() < 0.);
    Ok(())
}

#[test]
fn the_dense_check_sees_what_the_pivots_miss() -> Result<()> {
    // A wall so thin that no pivot is on it, without a slope; samples at tenths of a segment are.
    let wall = |at: f64| {
        Plane(move |_, [x, _]: [f64; 2]| {
            (0., [0., 0.], if (x - at).abs() < 1e-9 { -1. } else { 1. })
        })
    };
    let (start, end) = (points(&[[0., 0.]])?, points(&[[9., 0.]])?);
    for (at, verdict) in [
        (4., Verdict::NoneFound),
        (4.3, Verdict::NoneFound),
        (4.35, Verdict::Linear),
    ] {
        let found = neb(
            &wall(at),
            &start,
            &end,
            &NebParams {
                max_iterations: 2,
                ..params()
            },
        )?;
        assert_eq!(found[0].verdict, verdict, "{at}");
        assert_eq!(
            linear(&wall(at), &start, &end, 9, 10)?[0].is_connected(),
            verdict == Verdict::Linear
        );
    }
    // Twice as many samples see the last one too.
    let found = neb(
        &wall(4.35),
        &start,
        &end,
        &NebParams {
            samples_per_segment: 20,
            max_iterations: 2,
            ..params()
        },
    )?;
    assert_eq!(found[0].verdict, Verdict::NoneFound);
    Ok(())
}

/// Counts the points that go through an energy.
struct Counted<E> {
    energy: E,
    gradients: AtomicUsize,
    values: AtomicUsize,
    calls: AtomicUsize,
}

impl<E: Energy> Energy for Counted<E> {
    fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        self.values.fetch_add(bands.len(), Ordering::Relaxed);
        self.energy.values(points, bands)
    }

    fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)> {
        self.gradients.fetch_add(bands.len(), Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.energy.values_and_gradients(points, bands)
    }
}

#[test]
fn bands_share_a_batch_and_finished_ones_leave_it() -> Result<()> {
    let energy = Counted {
        energy: hill(0.5),
        gradients: 0.into(),
        values: 0.into(),
        calls: 0.into(),
    };
    // From a line that needs many iterations to one that needs none.
    let ys = [0.1, 0.5, 0.9, 2.];
    let (start, end) = (
        points(&ys.map(|y| [-3., y]))?,
        points(&ys.map(|y| [3., y]))?,
    );
    let found = neb(
        &energy,
        &start,
        &end,
        &NebParams {
            max_iterations: 500,
            ..params()
        },
    )?;
    let iterations: Vec<usize> = found.iter().map(|info| info.iterations).collect();
    assert!(
        iterations.is_sorted_by(|a, b| a > b) && iterations[3] == 0,
        "{iterations:?}"
    );
    // Every band has one evaluation of its 8 pivots for each iteration and a last one, in one call
    // for all.
    for info in &found {
        assert_eq!(
            info.evaluations.gradients,
            if info.iterations == 0 {
                0
            } else {
                8 * (info.iterations + 1)
            }
        );
    }
    assert_eq!(energy.calls.into_inner(), iterations[0] + 1);
    assert_eq!(
        energy.gradients.into_inner(),
        found
            .iter()
            .map(|info| info.evaluations.gradients)
            .sum::<usize>()
    );
    assert_eq!(
        energy.values.into_inner(),
        found
            .iter()
            .map(|info| info.evaluations.values)
            .sum::<usize>()
    );
    Ok(())
}

#[test]
fn a_band_that_meets_nan_stops_and_says_where() -> Result<()> {
    // The second pair's energy is NaN, or its gradient infinite, once a path goes above y = 0.6.
    for gradient in [false, true] {
        let broken = Plane(move |band, [x, y]: [f64; 2]| {
            let e = (-(x * x + y * y) / 2.).exp();
            if band == 1 && y > 0.6 {
                return if gradient {
                    (e, [0., f64::INFINITY], 0.5 - e)
                } else {
                    (f64::NAN, [0., 0.], f64::NAN)
                };
            }
            (e, [-x * e, -y * e], 0.5 - e)
        });
        let (start, end) = (points(&[[-3., 0.1]; 2])?, points(&[[3., 0.1]; 2])?);
        let params = NebParams {
            pivots: 7,
            max_iterations: 500,
            ..params()
        };
        let found = neb(&broken, &start, &end, &params)?;
        let alone = neb(
            &hill(0.5),
            &start.narrow(0, 0, 1)?,
            &end.narrow(0, 0, 1)?,
            &params,
        )?;
        assert_eq!(values(&found[0].path), values(&alone[0].path));
        let info = &found[1];
        assert_eq!(info.verdict, Verdict::NoneFound);
        let Outcome::NotFinite { iteration, point } = info.outcome else {
            panic!("{:?}", info.outcome)
        };
        // The middle pivot, nearest to the top, goes furthest up.
        assert_eq!((iteration, point), (info.iterations, 4));
        assert!(values(&info.path.get(point)?)[1] > 0.6);
        assert_eq!(info.after.barrier().is_nan(), !gradient);
    }
    // At an end nothing is relaxed.
    let broken = Plane(|_, [x, _]: [f64; 2]| (if x > 2.9 { f64::NAN } else { 0. }, [0., 0.], 1.));
    for stop in [Stop::Connected, Stop::Force(1.)] {
        let found = neb(
            &broken,
            &points(&[[0., 0.]])?,
            &points(&[[3., 0.]])?,
            &NebParams { stop, ..params() },
        )?;
        assert_eq!(
            found[0].outcome,
            Outcome::NotFinite {
                iteration: 0,
                point: 9
            }
        );
    }
    Ok(())
}

#[test]
fn points_keep_their_shape() -> Result<()> {
    /// Wants points (P, 2, 1, 3).
    struct Shaped;
    impl Energy for Shaped {
        fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
            assert_eq!(points.dims(), [bands.len(), 2, 1, 3]);
            Ok(EnergyValues {
                energy: vec![0.; bands.len()],
                margin: vec![if bands.len() > 8 { 1. } else { -1. }; bands.len()],
            })
        }

        fn values_and_gradients(
            &self,
            points: &Tensor,
            bands: &[usize],
        ) -> Result<(EnergyValues, Tensor)> {
            Ok((self.values(points, bands)?, points.zeros_like()?))
        }
    }
    let start = points(&[[0., 0.], [0., 1.], [2., 3.]])?.reshape((1, 2, 1, 3))?;
    let found = neb(
        &Shaped,
        &start,
        &(&start + 1.)?,
        &NebParams {
            optimizer: descent(0.1),
            max_iterations: 2,
            ..params()
        },
    )?;
    assert_eq!(found[0].path.dims(), [10, 2, 1, 3]);
    assert_eq!(values(&found[0].path.get(0)?), values(&start));
    Ok(())
}
