//! Bad input: one line that names the value and what was expected.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::checks::Bounds;
use isopath::models::{Network, Parameters, Representation, ResNet, ResNetParams};
use isopath::ops::{
    PivotForce, band_forces, band_forces_composite, band_lengths, band_lengths_composite,
    band_points, band_points_composite,
};
use isopath::paths::{
    AutoNebParams, Cycle, Energy, EnergyValues, FireParams, MullerBrown, NebParams, NetworkEnergy,
    Optimizer, SgdParams, Spacing, Stop, auto_neb, linear, neb, relax,
};
use isopath::rng::Rng;

use crate::common::{CPU, build, message};
use crate::fixtures::{hill, points};

/// In training mode.
fn resnet() -> Result<ResNet> {
    ResNet::new(
        ResNetParams::cifar10(18, 2)?,
        Parameters::new().builder(&Rng::new(0), DType::F32, CPU),
    )
}

fn ends() -> (Tensor, Tensor) {
    (points(&[[-3., 1.]]).unwrap(), points(&[[3., 1.]]).unwrap())
}

#[test]
fn parameters() {
    let refused = |params: NebParams, expected: &str| {
        let (start, end) = ends();
        assert_eq!(message(neb(&hill(2.), &start, &end, &params)), expected);
        assert_eq!(message(params.validate()), expected);
        assert_eq!(
            message(
                AutoNebParams {
                    neb: params,
                    ..AutoNebParams::default()
                }
                .validate()
            ),
            expected
        );
    };
    let with = NebParams::default;
    refused(
        NebParams {
            pivots: 0,
            ..with()
        },
        "pivots is 0; expected at least 1",
    );
    refused(
        NebParams {
            max_iterations: 0,
            ..with()
        },
        "max_iterations is 0; expected at least 1",
    );
    refused(
        NebParams {
            samples_per_segment: 0,
            ..with()
        },
        "samples_per_segment is 0; expected at least 1",
    );
    refused(
        NebParams {
            batch_size: 0,
            ..with()
        },
        "batch_size is 0; expected at least 1",
    );
    for bad in [0., -1., f64::NAN, f64::INFINITY] {
        let expected = |name: &str| format!("{name} is {bad}; expected a finite number > 0");
        refused(
            NebParams {
                spacing: Spacing::Springs { constant: bad },
                ..with()
            },
            &expected("spring constant"),
        );
        refused(
            NebParams {
                stop: Stop::Force(bad),
                ..with()
            },
            &expected("force"),
        );
        for (optimizer, name) in [
            (Optimizer::Sgd(SgdParams::plain(bad)), "learning_rate"),
            (Optimizer::adam(bad), "learning_rate"),
            (
                Optimizer::Fire(FireParams {
                    time_step: bad,
                    max_step: 1.,
                }),
                "time_step",
            ),
            (
                Optimizer::Fire(FireParams {
                    time_step: 1.,
                    max_step: bad,
                }),
                "max_step",
            ),
        ] {
            // A learning rate of 0 is one, but no path moves by it.
            let expected = match name {
                "learning_rate" if bad != 0. => {
                    format!("{name} is {bad}; expected a finite number ≥ 0")
                }
                _ => expected(name),
            };
            refused(
                NebParams {
                    optimizer,
                    ..with()
                },
                &expected,
            );
            let cycles = vec![Cycle {
                insert: 1,
                optimizer,
                max_iterations: 1,
            }];
            assert_eq!(
                message(
                    AutoNebParams {
                        cycles,
                        ..AutoNebParams::default()
                    }
                    .validate()
                ),
                expected
            );
        }
    }
    for bad in [-0.1, 1., f64::NAN] {
        let optimizer = Optimizer::Sgd(SgdParams {
            momentum: bad,
            ..SgdParams::plain(0.1)
        });
        refused(
            NebParams {
                optimizer,
                ..with()
            },
            &format!("momentum is {bad}; expected a number in [0, 1)"),
        );
    }
    refused(
        NebParams {
            optimizer: SgdParams::default().into(),
            ..with()
        },
        "weight_decay is 0.0005; expected 0, since it would pull a path to the origin \
         (SgdParams::plain has none)",
    );
    refused(
        NebParams {
            climbing: true,
            spacing: Spacing::Redistribution,
            ..with()
        },
        "climbing is true; expected false with redistribution, which moves every pivot",
    );
    refused(
        NebParams {
            bounds: Some(Bounds { min: 1., max: 0. }),
            ..with()
        },
        "bounds is [1, 0]; expected finite min < max",
    );
    let cycle = |insert, max_iterations| Cycle {
        insert,
        optimizer: Optimizer::adam(0.1),
        max_iterations,
    };
    let auto = |cycle: Cycle| {
        let neb = NebParams {
            max_iterations: 1,
            pivots: 2,
            ..with()
        };
        auto_neb(
            &hill(0.3),
            &points(&[[-3., 0.]])?,
            &points(&[[3., 0.]])?,
            &AutoNebParams {
                neb,
                cycles: vec![cycle],
            },
        )
    };
    assert_eq!(
        message(auto(cycle(1, 0))),
        "max_iterations is 0; expected at least 1"
    );
    assert_eq!(
        message(auto(cycle(4, 1))),
        "insert is 4; expected at most 3, the number of segments"
    );
    // Known before any work: each cycle adds segments for the next one.
    let grows = |last| {
        let neb = NebParams {
            pivots: 2,
            ..with()
        };
        AutoNebParams {
            neb,
            cycles: vec![cycle(3, 1), cycle(6, 1), cycle(last, 1)],
        }
        .validate()
    };
    assert!(grows(12).is_ok());
    assert_eq!(
        message(grows(13)),
        "insert is 13; expected at most 12, the number of segments"
    );
}

#[test]
fn end_points() -> Result<()> {
    let (start, end) = ends();
    let with =
        |start: &Tensor, end: &Tensor| message(neb(&hill(2.), start, end, &NebParams::default()));
    assert_eq!(
        with(&start, &start),
        "ends is the start itself in pair 0; expected another point than the start"
    );
    assert_eq!(
        with(&start, &points(&[[0., 1.], [2., 3.]])?),
        "path: ends has shape [2, 2]; expected [1, 2], that of starts"
    );
    assert_eq!(
        with(&start.get(0)?, &end.get(0)?),
        "path: starts has shape [2]; expected (B, …), B at least 1 and no dimension 0"
    );
    assert_eq!(
        with(&start, &end.to_dtype(DType::F32)?),
        "starts and ends is f64 and f32; expected floating-point numbers of one type"
    );
    assert_eq!(
        with(&start.to_dtype(DType::U32)?, &end.to_dtype(DType::U32)?),
        "starts and ends is u32 and u32; expected floating-point numbers of one type"
    );
    for bad in [f64::NAN, f64::INFINITY] {
        assert_eq!(
            with(&start, &points(&[[bad, 1.]])?),
            "ends is not finite; expected finite numbers"
        );
    }
    let bounded = NebParams {
        bounds: Some(Bounds::default()),
        ..NebParams::default()
    };
    assert_eq!(
        message(neb(&hill(2.), &start, &end, &bounded)),
        "starts is between -3 and 1; expected points inside the bounds [0, 1]"
    );
    // Below the level at the start, above it at the end; only where connection is asked for.
    let across = |stop| {
        neb(
            &hill(0.5),
            &start,
            &points(&[[0., 0.]])?,
            &NebParams {
                stop,
                ..NebParams::default()
            },
        )
    };
    assert_eq!(
        message(across(Stop::Connected)),
        "margin at the end is -0.5 in pair 0; expected a number > 0; choose ends that lie in the target class, as the network classifies them"
    );
    across(Stop::Force(10.))?;
    assert_eq!(
        message(linear(&hill(2.), &start, &end, 0, 1)),
        "segments is 0; expected at least 1"
    );
    assert_eq!(
        message(linear(&hill(2.), &start, &end, 1, 0)),
        "samples_per_segment is 0; expected at least 1"
    );
    let short = Tensor::stack(&[start.get(0)?, end.get(0)?], 0)?.unsqueeze(0)?;
    assert_eq!(
        message(relax(&hill(2.), &short, &NebParams::default())),
        "relax: paths has shape [1, 2, 2]; expected (B, N, …), N at least 3"
    );
    Ok(())
}

#[test]
fn networks_and_classes() -> Result<()> {
    let network = build(&[4, 5, 3], 2, DType::F64)?;
    let points = Tensor::new(&[[0.1, 0.2, 0.3, 0.4], [0.5, 0.1, 0.9, 0.4]], CPU)?;
    let own = network.forward(&points)?.argmax(1)?.to_vec1::<u32>()?[0];
    let (start, end) = (points.narrow(0, 0, 1)?, points.narrow(0, 1, 1)?);
    let with = |index, classes: &[u32], batch_size| {
        let energy = NetworkEnergy::new(&network, Representation::Stage(index), classes);
        message(energy.and_then(|energy| {
            let energy = NetworkEnergy {
                batch_size,
                ..energy
            };
            neb(&energy, &start, &end, &NebParams::default())
        }))
    };
    assert_eq!(
        with(0, &[3], 16),
        "label is 3; expected below 3, the number of classes"
    );
    assert_eq!(with(0, &[], 16), "classes is 0; expected one for each pair");
    assert_eq!(with(0, &[own], 0), "batch_size is 0; expected at least 1");
    // A network without another mode than training.
    #[derive(Clone)]
    struct Training(ResNet);
    impl Network for Training {
        fn stages(&self) -> usize {
            self.0.stages()
        }
        fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
            self.0.stage(index, x)
        }
        fn is_training(&self) -> bool {
            true
        }
    }
    assert_eq!(
        message(NetworkEnergy::new(&Training(resnet()?), Representation::Input, &[0]).map(|_| ())),
        "network is in training mode; expected one in evaluation mode; give it a `frozen` that leaves \
         training mode"
    );
    assert_eq!(
        with(3, &[own], 16),
        "representation is Stage(3); expected a representation of a network of 2 stages"
    );
    assert_eq!(
        with(1, &[own], 16),
        "mlp: x has shape [10, 4]; expected (N, 5)"
    );
    // An end that the network gives another class.
    let other = (own + 1) % 3;
    let outside = with(0, &[other], 16);
    assert!(
        outside.contains("margin") && outside.contains("pair 0"),
        "{outside}"
    );
    Ok(())
}

#[test]
fn energies_that_answer_too_little() -> Result<()> {
    struct Short(bool);
    impl Energy for Short {
        fn values(&self, _: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
            let count = if self.0 { 1 } else { bands.len() };
            Ok(EnergyValues {
                energy: vec![0.; count],
                margin: vec![if bands.len() == 10 { 1. } else { 0. }; count],
            })
        }

        fn values_and_gradients(
            &self,
            points: &Tensor,
            bands: &[usize],
        ) -> Result<(EnergyValues, Tensor)> {
            Ok((self.values(points, bands)?, points.narrow(1, 0, 1)?))
        }
    }
    let (start, end) = ends();
    assert_eq!(
        message(neb(&Short(true), &start, &end, &NebParams::default())),
        "energies and margins is 1; expected 10, one for each point"
    );
    assert_eq!(
        message(neb(&Short(false), &start, &end, &NebParams::default())),
        "energy: gradients has shape [8, 1]; expected [8, 2], that of the points"
    );
    assert_eq!(
        message(MullerBrown::default().values(&start.reshape((2, 1))?, &[0, 0])),
        "surface: points has shape [2, 1]; expected (P, 2)"
    );
    Ok(())
}

#[test]
fn bands_that_do_not_fit() -> Result<()> {
    let path = Tensor::zeros((2, 3, 4), DType::F64, CPU)?;
    let flat = path.flatten_all()?;
    let pivot = PivotForce {
        before: 1.,
        after: 1.,
        along: 1.,
        stretch: 0.,
    };
    let gradients = path.narrow(1, 0, 1)?;
    type Points = fn(&Tensor, &[(usize, f64)]) -> Result<Tensor>;
    type Forces = fn(&Tensor, &Tensor, &[PivotForce]) -> Result<Tensor>;
    for points in [band_points as Points, band_points_composite] {
        let got = |path, places: &[(usize, f64)]| message(points(path, places));
        assert!(got(&flat, &[(0, 0.)]).contains("(B, N, D), N at least 2"));
        assert!(got(&path, &[]).contains("as many for each of 2 bands, at least one"));
        assert!(got(&path, &[(0, 0.)]).contains("as many for each of 2 bands"));
        let outside = "a segment below 2 and a share in [0, 1]";
        for place in [
            (2, 0.),
            (usize::MAX, 0.),
            (0, -0.1),
            (0, 1.1),
            (0, f64::NAN),
        ] {
            assert!(got(&path, &[(0, 0.), place]).contains(outside), "{place:?}");
        }
    }
    for forces in [band_forces as Forces, band_forces_composite] {
        let short = message(forces(&gradients, &gradients, &[pivot]));
        assert!(short.contains("(B, N, D), N at least 2"), "{short}");
        let shape = message(forces(&path, &path, &[pivot; 2]));
        assert!(shape.contains("(B, P, D), a row for each pivot"), "{shape}");
        let count = message(forces(&path, &gradients, &[pivot]));
        assert!(count.contains("2, one for each pivot"), "{count}");
    }
    for lengths in [band_lengths, band_lengths_composite] {
        assert!(message(lengths(&flat)).contains("(B, N, D), N at least 2"));
    }
    Ok(())
}
