//! FAB and FMN against SciPy, torchattacks and foolbox (`tests/fixtures/minimal_norm.py`), and against
//! their laws.

use candle_core::{DType, Device, Tensor};
use isopath::Result;
use isopath::attacks::{Attack, Bounds, Fab, Fmn, MinimalAttack, MinimalNorm, Norm, onto_plane};
use isopath::datasets::Dataset;
use isopath::metrics::accuracy;
use isopath::rng::Rng;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use serde::Deserialize;

use crate::apart::{self, images, message, own_mlp};
use crate::common::{Mlp, largest_difference, values};

/// Runs of up to 40 steps, each a few hundred roundings of 1e-16, and at most a hundred times as
/// much where a boundary is met at an angle.
const TOLERANCE: f64 = 1e-10;

#[derive(Deserialize)]
struct Fixture {
    weights: Vec<Vec<f64>>,
    images: Vec<f64>,
    labels: Vec<u32>,
    projections: Vec<Projection>,
    fab: Vec<Run>,
    whole_fab: Vec<Whole>,
    fmn: Vec<Run>,
}

#[derive(Deserialize)]
struct Projection {
    norm: Norm,
    x: Vec<f64>,
    w: Vec<f64>,
    b: f64,
    /// None: the plane misses the box.
    distance: Option<f64>,
}

#[derive(Deserialize)]
struct Run {
    norm: Norm,
    steps: usize,
    target: Option<usize>,
    gamma: Option<f64>,
    max_stepsize: Option<f64>,
    images: Vec<f64>,
    distance: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Whole {
    norm: Norm,
    eps: f64,
    misled: Vec<bool>,
}

fn fixture() -> Fixture {
    let text = include_str!("../fixtures/minimal_norm.json");
    serde_json::from_str(text).unwrap()
}

impl Fixture {
    fn network(&self) -> Result<Mlp> {
        let tensor = |index: usize, shape: &[usize]| {
            Tensor::from_vec(self.weights[index].clone(), shape, &Device::Cpu)
        };
        Ok(Mlp {
            layers: vec![
                (tensor(0, &[14, 24])?, tensor(1, &[14])?),
                (tensor(2, &[5, 14])?, tensor(3, &[5])?),
            ],
        })
    }

    fn data(&self) -> Result<Dataset> {
        let images = Tensor::from_vec(self.images.clone(), (12, 2, 3, 4), &Device::Cpu)?;
        let labels = Tensor::new(self.labels.clone(), &Device::Cpu)?;
        Dataset::new(images, labels)?.with_classes(["a", "b", "c", "d", "e"])
    }
}

fn length(norm: Norm, delta: impl Iterator<Item = f64>) -> f64 {
    match norm {
        Norm::LInf => delta.fold(0., |most: f64, delta| most.max(delta.abs())),
        Norm::L2 => delta.map(|delta| delta * delta).sum::<f64>().sqrt(),
    }
}

#[test]
fn projections_are_as_short_as_scipys() -> Result<()> {
    let unit = Some(Bounds::default());
    let cases = fixture().projections;
    assert_eq!(cases.len(), 48);
    for Projection {
        norm,
        x,
        w,
        b,
        distance,
    } in cases
    {
        let found = onto_plane(norm, &x, &w, b, unit)?;
        let own = length(norm, found.iter().zip(&x).map(|(a, b)| a - b));
        let on_plane: f64 = found.iter().zip(&w).map(|(x, w)| x * w).sum();
        match distance {
            // SciPy's bisection and linear programmes end within 1e-9.
            Some(distance) => {
                assert!((own - distance).abs() < 1e-8, "{norm:?}: {own} {distance}");
                assert!((on_plane - b).abs() < 1e-12, "{on_plane} {b}");
            }
            None => {
                let corner = found.iter().zip(&w).zip(&x);
                for ((found, w), x) in corner {
                    let side = if *w > 0. { 0. } else { 1. };
                    assert_eq!(*found, if *w == 0. { *x } else { side });
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// On the plane, in the box, and no point of the segment to another point of both is nearer.
    #[test]
    fn a_projection_is_the_nearest_point(
        seed in 0u64..10_000,
        dims in 1usize..30,
        reach in 0f64..1.,
        bounded: bool,
    ) {
        let mut rng = Rng::new(seed);
        let mut draw = |lo: f64, hi: f64| -> Vec<f64> {
            rng.uniform(dims, lo, hi, DType::F64, &Device::Cpu).unwrap().to_vec1().unwrap()
        };
        let (x, w, other) = (draw(0., 1.), draw(-1., 1.), draw(0., 1.));
        let dot = |x: &[f64]| x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>();
        // A plane through a point of the box.
        let inside: Vec<f64> = x.iter().zip(&other).map(|(x, o)| x + reach * (o - x)).collect();
        let b = dot(&inside);
        let bounds = bounded.then(Bounds::default);
        for norm in [Norm::LInf, Norm::L2] {
            let found = onto_plane(norm, &x, &w, b, bounds).unwrap();
            prop_assert!((dot(&found) - b).abs() < 1e-12);
            if bounded {
                prop_assert!(found.iter().all(|x| (-1e-15..=1. + 1e-15).contains(x)));
            }
            let far = length(norm, found.iter().zip(&x).map(|(a, b)| a - b));
            let to_other = length(norm, inside.iter().zip(&x).map(|(a, b)| a - b));
            prop_assert!(far <= to_other + 1e-12);
            // The dual norm is the distance of the plane itself.
            let dual = match norm {
                Norm::LInf => w.iter().map(|w| w.abs()).sum::<f64>(),
                Norm::L2 => length(Norm::L2, w.iter().copied()),
            };
            let alone = (dot(&x) - b).abs() / dual;
            prop_assert!(far >= alone - 1e-12);
            prop_assert!(bounded || (far - alone).abs() < 1e-12);
        }
    }
}

#[test]
fn planes_without_a_direction_and_bad_numbers() -> Result<()> {
    let unit = Some(Bounds::default());
    for norm in [Norm::LInf, Norm::L2] {
        for bounds in [unit, None] {
            assert_eq!(
                onto_plane(norm, &[0.2, 0.7], &[0., 0.], 1., bounds)?,
                [0.2, 0.7]
            );
            assert_eq!(
                onto_plane(norm, &[0.2, 0.7], &[1., 0.], 0.2, bounds)?,
                [0.2, 0.7]
            );
            assert_eq!(onto_plane(norm, &[], &[], 0.2, bounds)?, [0f64; 0]);
        }
    }
    let of = |x: &[f64], w: &[f64], b| message(onto_plane(Norm::L2, x, w, b, unit));
    assert_eq!(
        of(&[0.1], &[1., 2.], 0.),
        "onto_plane: w has shape [2]; expected (1,), a number for each of x"
    );
    assert_eq!(
        of(&[f64::NAN], &[1.], 0.),
        "x is NaN; expected finite numbers"
    );
    assert_eq!(
        of(&[0.1], &[f64::INFINITY], 0.),
        "w is inf; expected finite numbers"
    );
    assert_eq!(
        of(&[0.1], &[1.], f64::NAN),
        "b is NaN; expected finite numbers"
    );
    assert_eq!(
        of(&[1.1], &[1.], 0.),
        "x is 1.1; expected inside the bounds [0, 1]"
    );
    Ok(())
}

/// The largest difference of the images, and of the distances.
fn differences(found: &MinimalNorm, run: &Run) -> Result<f64> {
    let pixels = largest_difference(&values(&found.data.inputs)?, &run.images);
    let both = found.distance.iter().zip(&run.distance);
    let far = both.map(|(own, their)| match (own, their) {
        (Some(own), Some(their)) => (own - their).abs(),
        (None, None) => 0.,
        _ => f64::INFINITY,
    });
    Ok(far.fold(pixels, f64::max))
}

#[test]
fn one_run_of_fab_is_that_of_torchattacks() -> Result<()> {
    let fixture = fixture();
    let (network, data) = (fixture.network()?, fixture.data()?);
    for run in &fixture.fab {
        // A run towards the second class is what the first two find, unless the first is nearer.
        let fab = Fab {
            norm: run.norm,
            targets: run.target,
            steps: run.steps,
            search_steps: 0,
            ..Fab::default()
        };
        let found = fab.minimal(&network, &data)?;
        let name = format!(
            "{:?}, target {:?}, {} steps",
            run.norm, run.target, run.steps
        );
        if run.target.is_none_or(|target| target == 1) {
            let difference = differences(&found, run)?;
            assert!(difference < TOLERANCE, "{name}: {difference:e}");
            continue;
        }
        let before = fixture.fab.iter().filter(|other| {
            other.norm == run.norm && other.steps == run.steps && other.target < run.target
        });
        let before: Vec<&Run> = before.filter(|other| other.target.is_some()).collect();
        for (row, own) in found.distance.iter().enumerate() {
            let all = before.iter().copied().chain([run]);
            let best = all
                .filter_map(|run| run.distance[row])
                .fold(f64::INFINITY, f64::min);
            // The third class is not in the fixture.
            let own = own.unwrap_or(f64::INFINITY);
            assert!(
                own < best + TOLERANCE || own == best,
                "{name}, image {row}: {own} {best}"
            );
            assert!(
                run.target != Some(2) || own >= best - TOLERANCE,
                "{name}, image {row}"
            );
        }
    }
    Ok(())
}

#[test]
fn fab_misleads_the_images_that_torchattacks_does() -> Result<()> {
    let fixture = fixture();
    let (network, data) = (fixture.network()?, fixture.data()?);
    for Whole { norm, eps, misled } in &fixture.whole_fab {
        for search_steps in [0, 3] {
            let fab = Fab {
                norm: *norm,
                steps: 40,
                search_steps,
                ..Fab::default()
            };
            let found = fab.attack(&network, &data, *eps)?;
            assert_eq!(&found.success, misled, "{norm:?} {eps}");
        }
    }
    Ok(())
}

#[test]
fn the_search_of_the_boundary_only_comes_nearer() -> Result<()> {
    let fixture = fixture();
    let (network, data) = (fixture.network()?, fixture.data()?);
    for norm in [Norm::LInf, Norm::L2] {
        let with = |search_steps| {
            let fab = Fab {
                norm,
                steps: 10,
                search_steps,
                ..Fab::default()
            };
            Ok::<_, isopath::Error>(fab.minimal(&network, &data)?.distance)
        };
        let (without, three) = (with(0)?, with(3)?);
        let pairs = three.iter().zip(&without);
        assert!(pairs.clone().all(|(three, without)| three <= without));
        assert!(pairs.filter(|(three, without)| three < without).count() > 6);
    }
    Ok(())
}

#[test]
fn fmn_is_that_of_foolbox() -> Result<()> {
    let fixture = fixture();
    let (network, data) = (fixture.network()?, fixture.data()?);
    let (mut same, mut all) = (0, 0);
    for run in &fixture.fmn {
        let fmn = Fmn {
            norm: run.norm,
            steps: run.steps,
            gamma: run.gamma.unwrap(),
            alpha: run.max_stepsize.unwrap(),
            ..Fmn::default()
        };
        let found = fmn.minimal(&network, &data)?;
        for (row, (own, their)) in found.distance.iter().zip(&run.distance).enumerate() {
            let name = format!(
                "{:?}, {} steps, image {row}: {own:?} {their:?}",
                run.norm, run.steps
            );
            all += 1;
            match (own, their) {
                (Some(own), Some(their)) if (own - their).abs() < TOLERANCE => same += 1,
                // Where foolbox first came near to the boundary without crossing it, we cross it.
                (Some(own), Some(their)) => assert!(*own < their * 1.01, "{name}"),
                (None, None) => same += 1,
                (Some(_), None) => assert!(run.steps > 1, "{name}"),
                (None, Some(_)) => panic!("{name}"),
            }
        }
        if run.steps >= 60 {
            assert!(
                found.distance.iter().all(Option::is_some),
                "{:?}",
                found.distance
            );
        }
    }
    assert!(same * 10 > all * 7, "{same} of {all}");
    Ok(())
}

/// Both attacks, in a norm.
fn both(norm: Norm, batch_size: usize) -> [Box<dyn MinimalAttack>; 2] {
    [
        Box::new(Fab {
            norm,
            steps: 20,
            batch_size,
            restarts: 2,
            ..Fab::default()
        }),
        Box::new(Fmn {
            norm,
            steps: 40,
            batch_size,
            ..Fmn::default()
        }),
    ]
}

#[test]
fn fab_keeps_the_laws_of_every_attack_that_decides_for_each_image_alone() -> Result<()> {
    for norm in [Norm::LInf, Norm::L2] {
        for (targets, restarts) in [(Some(9), 1), (None, 1), (Some(2), 3)] {
            apart::laws(norm, &|batch_size, bounds| Fab {
                norm,
                targets,
                restarts,
                batch_size,
                bounds,
                steps: 12,
                ..Fab::default()
            })?;
        }
    }
    Ok(())
}

#[test]
fn a_linear_network_is_as_far_as_its_plane() -> Result<()> {
    let network = Mlp::random(8, &[12, 2], DType::F64)?;
    let weights = network.layers[0].0.to_vec2::<f64>()?;
    let bias = network.layers[0].1.to_vec1::<f64>()?;
    let w: Vec<f64> = weights[1]
        .iter()
        .zip(&weights[0])
        .map(|(a, b)| a - b)
        .collect();
    let data = images(&network, 40, &[12], DType::F64)?;
    for norm in [Norm::LInf, Norm::L2] {
        for attack in both(norm, 7) {
            let found = attack.minimal(&network, &data)?;
            let labels = data.labels.to_vec1::<u32>()?;
            for (row, x) in data.inputs.to_vec2::<f64>()?.iter().enumerate() {
                let margin: f64 =
                    x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() + bias[1] - bias[0];
                let own = found.distance[row];
                if u32::from(margin > 0.) != labels[row] {
                    assert_eq!(own, Some(0.));
                    continue;
                }
                // To the plane inside the box, by the projection.
                let plane = onto_plane(norm, x, &w, bias[0] - bias[1], Some(Bounds::default()))?;
                let far = length(norm, plane.iter().zip(x).map(|(a, b)| a - b));
                let on: f64 = plane.iter().zip(&w).map(|(x, w)| x * w).sum();
                if (on - (bias[0] - bias[1])).abs() > 1e-9 {
                    assert_eq!(own, None);
                } else {
                    let own = own.unwrap();
                    assert!(
                        own >= far - 1e-12 && own < far * 1.05 + 1e-6,
                        "{norm:?} {own} {far}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn neither_batch_nor_order_nor_threads_matter() -> Result<()> {
    let network = own_mlp(5, &[40, 12, 4])?;
    let data = images(&network, 23, &[40], DType::F32)?;
    for norm in [Norm::LInf, Norm::L2] {
        let found = |batch_size| -> Result<Vec<MinimalNorm>> {
            let attacks = both(norm, batch_size).into_iter();
            attacks
                .map(|attack| attack.minimal(&network, &data))
                .collect()
        };
        let one = found(23)?;
        for batch_size in [1, 4] {
            for (one, many) in one.iter().zip(found(batch_size)?) {
                assert_eq!(
                    one.distance, many.distance,
                    "{} by {batch_size}",
                    one.attack
                );
                assert_eq!(values(&one.data.inputs)?, values(&many.data.inputs)?);
            }
        }
        let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for (one, many) in one.iter().zip(pool.install(|| found(5))?) {
            assert_eq!(one.distance, many.distance);
        }
        let order = Rng::new(3).permutation(23);
        let mixed = data.select(&order)?;
        for (one, attack) in one.iter().zip(both(norm, 6)) {
            let distance = attack.minimal(&network, &mixed)?.distance;
            let expected: Vec<_> = order.iter().map(|row| one.distance[*row]).collect();
            assert_eq!(distance, expected);
        }
    }
    Ok(())
}

#[test]
fn few_images_of_the_size_of_mnist_do_not_depend_on_the_batch() -> Result<()> {
    let network = own_mlp(5, &[784, 100, 100, 10])?;
    let data = images(&network, 11, &[784], DType::F32)?;
    let fab = |batch_size| Fab {
        steps: 4,
        targets: Some(1),
        batch_size,
        ..Fab::default()
    };
    let one = fab(100).minimal(&network, &data)?;
    assert!(one.distance.iter().flatten().count() > 5);
    for batch_size in [1, 2, 3, 5, 8] {
        let many = fab(batch_size).minimal(&network, &data)?;
        assert_eq!(one.distance, many.distance, "{batch_size}");
    }
    Ok(())
}

#[test]
fn minimal_norms_are_a_curve() -> Result<()> {
    let network = own_mlp(5, &[40, 12, 4])?;
    let data = images(&network, 30, &[40], DType::F32)?;
    for norm in [Norm::LInf, Norm::L2] {
        for attack in both(norm, 8) {
            let found = attack.minimal(&network, &data)?;
            // At 0 the accuracy; where a distance ends, its image is misled.
            assert_eq!(found.robust_accuracy(0.), accuracy(&network, &data)?);
            assert_eq!(
                found
                    .distance
                    .iter()
                    .filter(|far| **far == Some(0.))
                    .count(),
                5
            );
            let wrong = 1. - found.distance.iter().flatten().count() as f64 / 30.;
            assert!((accuracy(&network, &found.data)? - wrong).abs() < 1e-12);
            let mut all: Vec<f64> = found
                .distance
                .iter()
                .map(|far| far.unwrap_or(f64::INFINITY))
                .collect();
            all.sort_by(f64::total_cmp);
            let curve = found.curve(&[0., all[10], all[20], 100.])?;
            assert!(curve.accuracy.is_sorted_by(|a, b| a >= b));
            assert_eq!(curve.accuracy[2], 9. / 30.);
            assert_eq!(found.median(), Some((all[14] + all[15]) / 2.));
            assert_eq!((curve.images, &curve.attack), (30, &found.attack));
            let (original, images) = (values(&found.original.inputs)?, values(&found.data.inputs)?);
            for (row, far) in found.distance.iter().enumerate() {
                let delta = (0..40).map(|at| images[row * 40 + at] - original[row * 40 + at]);
                assert!((length(norm, delta) - far.unwrap_or(0.)).abs() < 1e-12);
            }
            assert!(images.iter().all(|pixel| (0. ..=1.).contains(pixel)));
            assert_eq!(
                message(found.curve(&[])),
                "eps is none; expected at least one"
            );
            assert!(message(found.curve(&[0.1, -1.])).starts_with("eps is -1;"));
            let half = MinimalNorm {
                distance: vec![Some(0.5), None],
                ..found.clone()
            };
            assert_eq!((half.median(), half.robust_accuracy(0.5)), (None, 0.5));
            assert!(
                half.to_string()
                    .ends_with("1 of 2 images misled, the median distance unknown")
            );
            let one = MinimalNorm {
                distance: vec![Some(0.5), None, Some(0.25)],
                ..found
            };
            assert!(
                one.to_string()
                    .ends_with("2 of 3 images misled, the median distance 0.500")
            );
        }
    }
    Ok(())
}

#[test]
fn hard_networks_and_images() -> Result<()> {
    for norm in [Norm::LInf, Norm::L2] {
        for attack in both(norm, 4) {
            // The same answer to every image: none is ever misled, and there is no gradient.
            let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
            let bias = Tensor::new(&[0f32, 0., 1., 0.], &Device::Cpu)?;
            let same = Mlp {
                layers: vec![(zeros(&[4, 12])?, bias)],
            };
            let data = images(&same, 9, &[12], DType::F32)?;
            let found = attack.minimal(&same, &data)?;
            assert_eq!(found.zero_gradients, 7);
            assert_eq!(found.distance.iter().flatten().count(), 2);
            assert_eq!(values(&found.data.inputs)?, values(&data.inputs)?);
            let broken = Mlp {
                layers: vec![((zeros(&[4, 12])? + f64::NAN)?, zeros(&[4])?)],
            };
            assert!(message(attack.minimal(&broken, &data)).contains("expected finite numbers"));
            let one = Mlp::random(5, &[12, 1], DType::F32)?;
            let zero = Dataset::new(
                data.inputs.clone(),
                Tensor::zeros(9, DType::U32, &Device::Cpu)?,
            )?;
            assert!(message(attack.minimal(&one, &zero)).starts_with("number of classes is 1"));
            let outside = Dataset {
                inputs: (&data.inputs * 1.5)?,
                ..data.clone()
            };
            assert!(message(attack.minimal(&same, &outside)).contains("inside the bounds [0, 1]"));
            for (classes, dtype) in [(2, DType::F16), (3, DType::F64), (4, DType::F32)] {
                let network = Mlp::random(5, &[12, 9, classes], dtype)?;
                let data = images(&network, 9, &[12], dtype)?;
                let found = attack.minimal(&network, &data)?;
                assert!(
                    found.distance.iter().flatten().count() > 4,
                    "{}",
                    found.attack
                );
                assert_eq!(found.data.inputs.dtype(), dtype);
            }
        }
    }
    Ok(())
}

#[test]
fn fields_out_of_range_are_refused() -> Result<()> {
    let network = Mlp::random(5, &[12, 9, 4], DType::F32)?;
    let data = images(&network, 4, &[12], DType::F32)?;
    let fab = |fab: Fab| message(fab.minimal(&network, &data));
    let d = Fab::default;
    assert_eq!(
        fab(Fab {
            targets: Some(0),
            ..d()
        }),
        "targets is 0; expected at least 1"
    );
    assert_eq!(
        fab(Fab { steps: 0, ..d() }),
        "steps is 0; expected at least 1"
    );
    assert_eq!(
        fab(Fab { restarts: 0, ..d() }),
        "restarts is 0; expected at least 1"
    );
    assert_eq!(
        fab(Fab {
            batch_size: 0,
            ..d()
        }),
        "batch_size is 0; expected at least 1"
    );
    assert_eq!(
        fab(Fab { eta: 0.9, ..d() }),
        "eta is 0.9; expected a finite number ≥ 1"
    );
    assert_eq!(
        fab(Fab { beta: 1., ..d() }),
        "beta is 1; expected a number in (0, 1)"
    );
    let expected = "alpha_max is NaN; expected a number in [0, 1]";
    assert_eq!(
        fab(Fab {
            alpha_max: f64::NAN,
            ..d()
        }),
        expected
    );
    let fmn = |fmn: Fmn| message(fmn.minimal(&network, &data));
    let d = Fmn::default;
    assert_eq!(
        fmn(Fmn { steps: 0, ..d() }),
        "steps is 0; expected at least 1"
    );
    assert_eq!(
        fmn(Fmn { alpha: 0., ..d() }),
        "alpha is 0; expected a finite number > 0"
    );
    assert_eq!(
        fmn(Fmn { gamma: 1., ..d() }),
        "gamma is 1; expected a number in (0, 1)"
    );
    assert_eq!(Fab::default().to_string(), "FAB, 100 steps, 9 targets");
    let other = Fab {
        norm: Norm::L2,
        targets: None,
        restarts: 2,
        ..Fab::default()
    };
    assert_eq!(other.to_string(), "FAB, 100 steps, L2, 2 restarts");
    assert_eq!(Fmn::default().to_string(), "FMN, 100 steps");
    Ok(())
}
