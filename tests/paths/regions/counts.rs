//! Counts, order and checks.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::Representation;
use isopath::paths::{NetworkEnergy, Regions, RegionsParams, linear, regions};

use super::{Plane, checkerboard, found, moons, on_checkerboard, on_moons, on_ring, plane, ring};
use crate::common::{CPU, build, values, with_threads};

#[test]
fn evaluations_are_the_points_given_to_the_network() -> Result<()> {
    for (margin, points) in [
        (ring as fn([f64; 2]) -> f64, on_ring(50)),
        (moons, on_moons(20)),
        (checkerboard, on_checkerboard(5)),
    ] {
        for batch_size in [1, 32] {
            let network = Plane::new(margin);
            let params = RegionsParams {
                batch_size,
                neighbors: 4,
                ..RegionsParams::default()
            };
            let regions = found(&network, &plane(&points), &params)?;
            assert_eq!(regions.evaluations.values, network.asked());
            assert_eq!(regions.evaluations.gradients, 0);
            // An edge of the forest costs 15 samples, one that has left fewer or as many.
            let (held, left) = (regions.tests - regions.left.len(), regions.left.len());
            let samples = network.asked() - points.len();
            assert!((15 * held + left..=15 * (held + left)).contains(&samples));
        }
    }
    Ok(())
}

#[test]
fn a_segment_that_leaves_in_its_middle_costs_one_sample() -> Result<()> {
    // Opposite points of the ring.
    let network = Plane::new(ring);
    let regions = found(
        &network,
        &plane(&[[1., 0.], [-1., 0.]]),
        &RegionsParams::default(),
    )?;
    assert_eq!((network.asked(), regions.tests), (3, 1));
    let left = regions.left[0];
    assert_eq!((left.ends, left.length, left.at), ([0, 1], 2., 0.5));
    assert!((left.margin + 0.7).abs() < 1e-12);
    Ok(())
}

/// An untrained network and points with one answer, in f32.
fn trial() -> Result<(isopath::models::Model<isopath::models::Mlp>, Tensor)> {
    let network = build(&[6, 12, 8, 3], 4, DType::F32)?;
    let network_weights = network.parameters().vars();
    for var in network_weights {
        var.set(&(var.as_tensor() * 3.)?)?;
    }
    let points = isopath::rng::Rng::new(1).normal((300, 6), 0., 2., DType::F32, CPU)?;
    let answers = isopath::metrics::predictions(&network, &points)?.to_vec1::<u32>()?;
    let own: Vec<u32> = (0..300).filter(|i| answers[*i as usize] == 1).collect();
    assert!(own.len() > 50);
    Ok((network, points.index_select(&Tensor::new(own, CPU)?, 0)?))
}

#[test]
fn any_number_of_threads_finds_the_same_regions() -> Result<()> {
    let (network, points) = trial()?;
    let run = |threads: usize| -> Result<Regions> {
        with_threads(threads, || {
            let params = RegionsParams {
                neighbors: 3,
                ..RegionsParams::default()
            };
            regions(&network, Representation::Input, &points, 1, &params)
        })
    };
    let one = run(1)?;
    assert!(!one.left.is_empty());
    assert_eq!(one, run(1)?);
    assert_eq!(one, run(2)?);
    assert_eq!(one, run(3)?);
    // A result survives being written.
    let written = serde_json::to_value(&one).unwrap();
    assert_eq!(serde_json::from_value::<Regions>(written).unwrap(), one);
    Ok(())
}

#[test]
fn an_edge_has_the_margins_of_the_line_between_its_ends() -> Result<()> {
    let (network, points) = trial()?;
    for (representation, points) in [
        (Representation::Input, points.clone()),
        (
            Representation::Stage(1),
            Representation::Stage(1).of(&network, &points)?,
        ),
    ] {
        let params = RegionsParams::default();
        let regions = regions(&network, representation, &points, 1, &params)?;
        for edge in &regions.edges {
            let [start, end] = edge.ends.map(|end| points.narrow(0, end, 1).unwrap());
            let energy = NetworkEnergy::new(&network, representation, &[1])?;
            let line = &linear(&energy, &start, &end, 1, params.samples)?[0];
            // Batches of another size round differently.
            assert!((line.margin() - edge.margin).abs() < 1e-5);
            let at = (edge.at * params.samples as f64).round() as usize;
            assert!((line.margin[at] - edge.margin).abs() < 1e-5);
            let length = values(&(start - end)?.to_dtype(DType::F64)?.sqr()?.sum_all()?)[0].sqrt();
            assert!((edge.length - length).abs() < 1e-6 * length);
        }
    }
    Ok(())
}

/// Two points on each side of a thin wall at x = 0.6, which the samples of four parts miss.
fn around_a_wall() -> (Tensor, RegionsParams) {
    let params = RegionsParams {
        samples: 4,
        ..RegionsParams::default()
    };
    (plane(&[[0., 0.], [0., 0.5], [1., 0.], [1., 0.5]]), params)
}

#[test]
fn a_check_samples_only_between_and_finds_what_all_samples_find() -> Result<()> {
    let network = Plane::new(|[x, y]: [f64; 2]| 2. + (7. * x + 3. * y).sin());
    let (points, params) = around_a_wall();
    let regions = found(&network, &points, &params)?;
    for (samples, more) in [(8, 4), (16, 12), (6, 4)] {
        let dense = RegionsParams {
            samples,
            ..params.clone()
        };
        let before = network.asked();
        let check = regions.check(&network, Representation::Input, &points, &dense)?;
        assert_eq!(network.asked() - before, 4 + 3 * more, "{samples}");
        let anew = found(&network, &points, &dense)?;
        for (checked, edge) in check.repaired.edges.iter().zip(&anew.edges) {
            // With 6 parts the samples of 4 count too.
            match samples {
                6 => assert!(checked.margin <= edge.margin),
                _ => assert_eq!(checked, edge),
            }
        }
    }
    Ok(())
}

#[test]
fn denser_samples_find_what_few_have_missed() -> Result<()> {
    fn wall([x, _]: [f64; 2]) -> f64 {
        if (x - 0.6).abs() < 0.05 { -1. } else { 1. }
    }
    let network = Plane::new(wall);
    let (points, params) = around_a_wall();
    let regions = found(&network, &points, &params)?;
    assert!(regions.is_connected());
    let before = network.asked();
    let same = regions.check(&network, Representation::Input, &points, &params)?;
    assert!(same.failed.is_empty() && same.components == regions.components);
    assert_eq!(same.repaired.edges, regions.edges);
    // The four points alone: the samples are known.
    assert_eq!(
        (same.repaired.evaluations.values, network.asked() - before),
        (4, 4)
    );
    let dense = RegionsParams {
        samples: 40,
        ..params
    };
    let check = regions.check(&network, Representation::Input, &points, &dense)?;
    assert_eq!(check.components, [vec![0, 1], vec![2, 3]]);
    assert_eq!(check.failed.len(), 1);
    assert_eq!((check.failed[0].margin, check.repaired.samples), (-1., 40));
    assert!((check.failed[0].at - 0.6).abs() < 0.05);
    // The wall has no gap, and every segment through it was tried.
    assert_eq!(check.repaired.components, check.components);
    assert_eq!(
        (check.repaired.edges.len(), check.repaired.left.len()),
        (2, 4)
    );
    Ok(())
}

#[test]
fn what_denser_samples_part_is_joined_by_other_segments() -> Result<()> {
    // The wall has a gap, through which the upper two see each other.
    fn wall([x, y]: [f64; 2]) -> f64 {
        if (x - 0.6).abs() < 0.05 && y < 0.4 {
            -1.
        } else {
            1.
        }
    }
    let network = Plane::new(wall);
    let (points, params) = around_a_wall();
    let regions = found(&network, &points, &params)?;
    // Of equally long ones the first: through the wall, between its samples.
    let ends: Vec<[usize; 2]> = regions.edges.iter().map(|edge| edge.ends).collect();
    assert_eq!(ends, [[0, 1], [2, 3], [0, 2]]);
    let dense = RegionsParams {
        samples: 40,
        ..params
    };
    let check = regions.check(&network, Representation::Input, &points, &dense)?;
    assert_eq!(check.failed[0].ends, [0, 2]);
    assert!(check.repaired.is_connected());
    assert_eq!(check.repaired.edges[2].ends, [1, 3]);
    assert_eq!(check.repaired.left, check.failed);
    Ok(())
}
