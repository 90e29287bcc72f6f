//! Classes whose pieces are known.

use isopath::Result;
use isopath::paths::RegionsParams;
use isopath::paths::regions::EdgeKind;

use super::{
    Plane, checkerboard, f32s, found, moons, on_checkerboard, on_moons, on_ring, plane, ring,
};

#[test]
fn two_moons_are_two_pieces() -> Result<()> {
    let points = plane(&on_moons(40));
    for points in [f32s(&points), points] {
        let regions = found(&Plane::new(moons), &points, &RegionsParams::default())?;
        let moon = |first| (first..80).step_by(2).collect::<Vec<usize>>();
        assert_eq!(regions.components, [moon(0), moon(1)]);
        assert!(!regions.is_connected());
        // Along a moon, from one end to the other; never from moon to moon.
        assert_eq!(regions.path(0, 79), None);
        let path = regions.path(0, 78).unwrap();
        assert_eq!((path[0], path[path.len() - 1]), (0, 78));
        assert!(path.len() > 4 && path.iter().all(|point| point % 2 == 0));
        let [long, short] = [0, 1].map(|component| regions.diameter(component).unwrap());
        // The way along the points on a half circle is a little shorter than the half circle.
        for diameter in [long, short] {
            assert!(
                (3.1..std::f64::consts::PI).contains(&diameter.length),
                "{diameter:?}"
            );
            assert_eq!(diameter.hops, 39);
        }
        assert_eq!(regions.diameter(2), None);
    }
    Ok(())
}

#[test]
fn a_ring_is_one_piece_although_few_segments_hold() -> Result<()> {
    let points = plane(&on_ring(60));
    let regions = found(&Plane::new(ring), &points, &RegionsParams::default())?;
    assert!(regions.is_connected());
    assert_eq!(regions.components, [(0..60).collect::<Vec<_>>()]);
    assert_eq!(
        (regions.edges.len(), regions.degrees().iter().sum::<usize>()),
        (59, 118)
    );
    assert!(
        regions
            .edges
            .iter()
            .all(|edge| edge.margin > 0. && edge.kind == EdgeKind::Segment)
    );
    // A chord inside the ring is at most 2 √(1 − 0.7²) long, so opposite points need hops.
    assert!(regions.diameter(0).unwrap().hops > 2);
    assert!(regions.path(0, 1).unwrap().len() > 2);
    // The longest segments come nearest to the hole.
    let bottlenecks = regions.bottlenecks(3);
    assert_eq!(bottlenecks.len(), 3);
    let least = regions
        .edges
        .iter()
        .map(|edge| edge.margin)
        .fold(f64::INFINITY, f64::min);
    assert_eq!(bottlenecks[0].margin, least);
    assert!(bottlenecks.is_sorted_by(|a, b| a.margin <= b.margin));
    Ok(())
}

#[test]
fn every_cell_of_a_checkerboard_is_a_piece() -> Result<()> {
    let points = plane(&on_checkerboard(6));
    let params = RegionsParams {
        samples: 64,
        neighbors: 3,
        ..RegionsParams::default()
    };
    let network = Plane::new(checkerboard);
    let regions = found(&network, &points, &params)?;
    let cell = |cell: usize| (6 * cell..6 * cell + 6).collect::<Vec<_>>();
    assert_eq!(regions.components, (0..8).map(cell).collect::<Vec<_>>());
    // Every pair of two cells was tried: no point has 60 others outside.
    assert_eq!(regions.left.len(), 28 * 36);
    assert!(
        regions
            .left
            .iter()
            .all(|edge| edge.margin <= 0. && (0. ..=1.).contains(&edge.at))
    );
    assert_eq!(regions.tests, 28 * 36 + 40);
    // No more than so many for a point, whether tests were lost or not.
    let few = RegionsParams {
        max_tests_per_point: 10,
        ..params
    };
    let few = found(&network, &points, &few)?;
    assert_eq!(few.components, regions.components);
    let hard = few.hard_to_attach(100);
    assert!(hard.is_sorted_by(|a, b| a.1 > b.1 || a.1 == b.1 && a.0 < b.0));
    assert_eq!(
        hard.iter().map(|(_, failed)| failed).sum::<usize>(),
        2 * few.left.len()
    );
    // Those of the seven smaller cells ask for ten tests each, and some answer more.
    assert!(few.tests < 48 * 10 && few.tests > 21 * 10, "{}", few.tests);
    Ok(())
}

#[test]
fn a_lonely_point_is_joined_by_a_pair_that_is_no_neighbor() -> Result<()> {
    // A wall between the point at 0 and a cluster; a gap in it, seen from a farther point alone.
    fn wall([x, y]: [f64; 2]) -> f64 {
        if (x - 0.5).abs() < 0.1 { y - 2. } else { 1. }
    }
    let mut points = vec![[0., 0.]];
    points.extend((0..30).map(|point| [1. + 0.01 * f64::from(point), 0.]));
    points.push([1.2, 6.]);
    let network = Plane::new(wall);
    let params = RegionsParams {
        neighbors: 4,
        ..RegionsParams::default()
    };
    let regions = found(&network, &plane(&points), &params)?;
    assert!(regions.is_connected());
    assert_eq!(regions.edges.last().unwrap().ends, [0, 31]);
    // The same point after fewer tests than it needs.
    let params = RegionsParams {
        max_tests_per_point: 12,
        ..params
    };
    let regions = found(&network, &plane(&points), &params)?;
    assert_eq!(regions.components[1], [0]);
    assert_eq!(regions.hard_to_attach(1), [(0, 12)]);
    Ok(())
}

#[test]
fn identical_points_are_joined_without_a_test() -> Result<()> {
    let mut points = vec![[1., 0.]; 40];
    points.push([-1., 0.]);
    let network = Plane::new(ring);
    let regions = found(&network, &plane(&points), &RegionsParams::default())?;
    assert_eq!(regions.components, [(0..40).collect::<Vec<_>>(), vec![40]]);
    assert!(
        regions
            .edges
            .iter()
            .all(|edge| edge.length == 0. && (edge.margin - 0.3).abs() < 1e-15)
    );
    // The other one was tried with each of them: all left at the first sample.
    assert_eq!((regions.tests, regions.left.len()), (40, 40));
    assert_eq!(
        (regions.evaluations.values, network.asked()),
        (41 + 40, 41 + 40)
    );
    let one = found(&network, &plane(&[[1., 0.]]), &RegionsParams::default())?;
    assert!(one.is_connected() && one.edges.is_empty());
    assert_eq!((one.tests, one.evaluations.values), (0, 1));
    assert_eq!(one.path(0, 0), Some(vec![0]));
    assert_eq!(one.path(0, 1), None);
    let diameter = one.diameter(0).unwrap();
    assert_eq!((diameter.hops, diameter.length), (0, 0.));
    Ok(())
}
