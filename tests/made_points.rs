//! The made-up sets of points: linked rings, and a torus cut into regions.

mod common;

use std::f64::consts::{PI, TAU};

use common::{message, values};
use isopath::Result;
use isopath::candle::Tensor;
use isopath::datasets::{Rings, RingsParams, TorusParams, entangled_rings, torus};

/// The rows of (N, 3).
fn rows(points: &Tensor) -> Vec<[f64; 3]> {
    values(points)
        .chunks_exact(3)
        .map(|row| [row[0], row[1], row[2]])
        .collect()
}

/// The points of a ring in the order of their angle.
fn ring(rings: &Rings, label: f64) -> Vec<[f64; 3]> {
    let labels = values(&rings.labels);
    let points = rows(&rings.points)
        .into_iter()
        .zip(&rings.angles)
        .zip(labels);
    let mut points: Vec<_> = points
        .filter(|(_, own)| *own == label)
        .map(|(point, _)| point)
        .collect();
    points.sort_by(|a, b| a.1.total_cmp(b.1));
    points.into_iter().map(|(point, _)| point).collect()
}

/// Gauss's integral over two closed polygons by their edges' midpoints: (1/4π) ΣΣ (a − b)·(da × db)
/// / |a − b|³.
fn linking_number(first: &[[f64; 3]], second: &[[f64; 3]]) -> f64 {
    let edges = |points: &[[f64; 3]]| -> Vec<([f64; 3], [f64; 3])> {
        let next = points.iter().cycle().skip(1);
        let edge = |(a, b): (&[f64; 3], &[f64; 3])| {
            (
                [0, 1, 2].map(|k| (a[k] + b[k]) / 2.),
                [0, 1, 2].map(|k| b[k] - a[k]),
            )
        };
        points.iter().zip(next).map(edge).collect()
    };
    let (first, second) = (edges(first), edges(second));
    let mut sum = 0.;
    for (a, da) in &first {
        for (b, db) in &second {
            let r = [0, 1, 2].map(|k| a[k] - b[k]);
            let cross = [0, 1, 2]
                .map(|k| da[(k + 1) % 3] * db[(k + 2) % 3] - da[(k + 2) % 3] * db[(k + 1) % 3]);
            let dot = |u: &[f64; 3], v: &[f64; 3]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
            sum += dot(&r, &cross) / dot(&r, &r).powf(1.5);
        }
    }
    sum / (4. * PI)
}

#[test]
fn the_rings_are_labelled_data() -> Result<()> {
    let mut rings = entangled_rings(&RingsParams {
        points: 5,
        ..RingsParams::default()
    })?;
    let data = rings.dataset()?;
    assert_eq!(values(&data.inputs), values(&rings.points));
    assert_eq!(data.of_class("ring A")?.len(), 3);
    assert_eq!(data.of_class("ring B")?.len(), 2);
    rings.labels = rings.labels.narrow(0, 0, 4)?;
    assert!(rings.dataset().is_err());
    Ok(())
}

#[test]
fn the_rings_are_linked_once() -> Result<()> {
    for (radii, noise, seed) in [
        ([1., 1.], 0.02, 0),
        ([1., 1.], 0., 1),
        ([2., 1.], 0., 2),
        ([1., 1.7], 0.01, 3),
    ] {
        let rings = entangled_rings(&RingsParams {
            points: 2_000,
            radii,
            noise,
            seed,
        })?;
        let linking = linking_number(&ring(&rings, 0.), &ring(&rings, 1.));
        // The polygons' edges are short against the distance of the rings, so the sum is close to a
        // whole number.
        assert!((linking.abs() - 1.).abs() < 0.02, "{radii:?}: {linking}");
    }
    // The measure itself can fail: two rings beside each other are not linked.
    let rings = entangled_rings(&RingsParams {
        noise: 0.,
        ..RingsParams::default()
    })?;
    let apart: Vec<_> = ring(&rings, 1.)
        .into_iter()
        .map(|[x, y, z]| [x + 3., y, z])
        .collect();
    assert!(linking_number(&ring(&rings, 0.), &apart).abs() < 0.02);
    Ok(())
}

#[test]
fn the_rings_have_their_radii_and_their_noise() -> Result<()> {
    let params = RingsParams {
        points: 1_001,
        radii: [1.5, 0.5],
        noise: 0.,
        seed: 4,
    };
    let rings = entangled_rings(&params)?;
    assert_eq!(
        (rings.points.dims(), rings.labels.dims()),
        (&[1_001, 3][..], &[1_001][..])
    );
    assert_eq!((ring(&rings, 0.).len(), ring(&rings, 1.).len()), (501, 500));
    assert!(
        ring(&rings, 0.)
            .iter()
            .all(|[x, y, z]| (x.hypot(*y) - 1.5).abs() < 1e-6 && *z == 0.)
    );
    assert!(
        ring(&rings, 1.)
            .iter()
            .all(|[x, y, z]| ((x - 1.5).hypot(*z) - 0.5).abs() < 1e-6 && *y == 0.)
    );
    let (low, high) = rings
        .angles
        .iter()
        .fold((TAU, 0f64), |(low, high), &angle| {
            (low.min(angle), high.max(angle))
        });
    assert!((0. ..0.1).contains(&low) && (TAU - 0.1..TAU).contains(&high));

    let noisy = entangled_rings(&RingsParams {
        noise: 0.1,
        ..params
    })?;
    assert_eq!(noisy.angles, rings.angles);
    let noise = values(&(noisy.points - rings.points)?);
    let std = (noise.iter().map(|n| n * n).sum::<f64>() / noise.len() as f64).sqrt();
    // The standard error of a standard deviation over 3,003 numbers is 0.1/√6006 = 0.0013.
    assert!((std - 0.1).abs() < 0.005, "{std}");
    let again = entangled_rings(&RingsParams {
        noise: 0.1,
        ..params
    })?;
    let other = entangled_rings(&RingsParams {
        noise: 0.1,
        seed: 5,
        ..params
    })?;
    let once = entangled_rings(&RingsParams {
        noise: 0.1,
        ..params
    })?;
    assert_eq!(values(&again.points), values(&once.points));
    assert_ne!(other.angles, once.angles);
    Ok(())
}

#[test]
fn bad_rings_are_refused() {
    let refused = |params: RingsParams| message(entangled_rings(&params));
    let base = RingsParams::default();
    assert_eq!(
        refused(RingsParams { points: 0, ..base }),
        "points is 0; expected at least 2, one a ring"
    );
    assert_eq!(
        refused(RingsParams { points: 1, ..base }),
        "points is 1; expected at least 2, one a ring"
    );
    assert_eq!(
        refused(RingsParams {
            radii: [0., 1.],
            ..base
        }),
        "radii[0] is 0; expected a finite number > 0"
    );
    assert_eq!(
        refused(RingsParams {
            radii: [1., f64::NAN],
            ..base
        }),
        "radii[1] is NaN; expected a finite number > 0"
    );
    let unlinked = "radii[1] is 2; expected below 2, twice radii[0], for the rings to be linked";
    assert_eq!(
        refused(RingsParams {
            radii: [1., 2.],
            ..base
        }),
        unlinked
    );
    for noise in [-0.1, f64::NAN, f64::INFINITY] {
        let expected = format!("noise is {noise}; expected a finite number ≥ 0");
        assert_eq!(refused(RingsParams { noise, ..base }), expected);
    }
}

#[test]
fn the_torus_has_1600_points_on_its_surface() -> Result<()> {
    let set = torus(&TorusParams {
        noise: 0.,
        ..TorusParams::default()
    })?;
    assert_eq!(set.points.dims(), [1_600, 3]);
    for [x, y, z] in rows(&set.points) {
        assert!(((x.hypot(y) - 1.).hypot(z) - 0.4).abs() < 1e-6);
    }
    // No point twice: the nearest of any two is at least the inner circle's step, 2 (R − r)
    // sin(π/40).
    let points = rows(&set.points);
    let square =
        |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let pairs = points
        .iter()
        .enumerate()
        .flat_map(|(i, a)| points[i + 1..].iter().map(move |b| square(a, b)));
    let nearest = pairs.fold(f64::INFINITY, f64::min).sqrt();
    assert!(
        (nearest - 0.4 * 2. * (PI / 40.).sin()).abs() < 1e-6,
        "{nearest}"
    );

    let noisy = torus(&TorusParams::default())?;
    let noise = values(&(noisy.points - set.points)?);
    let std = (noise.iter().map(|n| n * n).sum::<f64>() / noise.len() as f64).sqrt();
    // Four times the standard error, 0.001/√9600.
    assert!((std - 0.001).abs() < 4e-5, "{std}");
    Ok(())
}

#[test]
fn regions_are_balanced_cylinders_that_nest() -> Result<()> {
    let params = TorusParams {
        toroidal: 24,
        poloidal: 7,
        regions: vec![2, 6, 12, 24],
        noise: 0.,
        ..TorusParams::default()
    };
    let set = torus(&params)?;
    let angles: Vec<f64> = rows(&set.points)
        .iter()
        .map(|[x, y, _]| y.atan2(*x).rem_euclid(TAU))
        .collect();
    for (labels, regions) in set.labels.iter().zip([2, 6, 12, 24]) {
        let labels = values(labels);
        for region in 0..regions {
            assert_eq!(
                labels
                    .iter()
                    .filter(|label| **label == f64::from(region))
                    .count(),
                24 * 7 / regions as usize
            );
        }
        // u within the region's arc, which is half open; the points lie on its lower end, up to
        // rounding.
        let step = TAU / f64::from(regions);
        for (label, angle) in labels.iter().zip(&angles) {
            let within = (angle + 1e-6).rem_euclid(TAU) - label * step;
            assert!(
                (0. ..step).contains(&within),
                "{angle} in region {label} of {regions}"
            );
        }
    }
    for pair in set.labels.windows(2) {
        let (coarse, fine) = (values(&pair[0]), values(&pair[1]));
        for (i, a) in fine.iter().enumerate() {
            assert!(
                fine.iter()
                    .zip(&coarse)
                    .all(|(b, parent)| a != b || *parent == coarse[i])
            );
        }
    }
    Ok(())
}

#[test]
fn bad_tori_are_refused() {
    let refused = |params: TorusParams| message(torus(&params));
    let base = TorusParams::default;
    assert_eq!(
        refused(TorusParams {
            toroidal: 0,
            ..base()
        }),
        "toroidal is 0; expected at least 1"
    );
    assert_eq!(
        refused(TorusParams {
            poloidal: 0,
            ..base()
        }),
        "poloidal is 0; expected at least 1"
    );
    let radius = |major_radius, minor_radius| {
        refused(TorusParams {
            major_radius,
            minor_radius,
            ..base()
        })
    };
    assert_eq!(
        radius(f64::INFINITY, 0.4),
        "major_radius is inf; expected a finite number > 0"
    );
    assert_eq!(
        radius(1., -0.4),
        "minor_radius is -0.4; expected a finite number > 0"
    );
    assert_eq!(
        radius(1., 1.),
        "minor_radius is 1; expected below 1, the major radius"
    );
    assert_eq!(
        refused(TorusParams {
            noise: -1.,
            ..base()
        }),
        "noise is -1; expected a finite number ≥ 0"
    );
    assert_eq!(
        refused(TorusParams {
            regions: vec![],
            ..base()
        }),
        "regions is empty; expected at least one resolution"
    );
    assert_eq!(
        refused(TorusParams {
            regions: vec![1, 2],
            ..base()
        }),
        "regions is 1; expected at least 2 at every resolution"
    );
    let expected =
        "expected numbers of which each divides the next, and the last divides toroidal = 40";
    for regions in [vec![2, 3], vec![4, 2], vec![2, 16], vec![80], vec![2, 0]] {
        let got = format!("regions is {regions:?}; {expected}");
        assert_eq!(refused(TorusParams { regions, ..base() }), got);
    }
}
