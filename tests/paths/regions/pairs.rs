//! Segments between given pairs.

use isopath::Result;
use isopath::models::Representation;
use isopath::paths::regions::{crossings, segments};

use super::{Plane, on_ring, plane, ring};

#[test]
fn short_segments_of_a_ring_hold_and_long_ones_leave() -> Result<()> {
    let (network, points) = (Plane::new(ring), plane(&on_ring(40)));
    let pairs: Vec<[usize; 2]> = (0..40).flat_map(|i| (0..i).map(move |j| [i, j])).collect();
    let found = segments(&network, Representation::Input, &points, &pairs, 64)?;
    assert_eq!(
        (found.segments.len(), found.evaluations),
        (780, network.asked())
    );
    // A chord of length d comes as near as √(1 − d²/4) to the middle; 0.7 is the hole.
    let longest = 2. * (1_f64 - 0.49).sqrt();
    for segment in &found.segments {
        if (segment.edge.length - longest).abs() > 0.01 {
            assert_eq!(segment.holds, segment.edge.length < longest);
        }
        assert_eq!(segment.holds, segment.edge.margin > 0.);
        assert!(segment.edge.ends[0] < segment.edge.ends[1]);
    }
    let share = found.share();
    assert_eq!(share.of, 780);
    // Angles up to 2 asin(longest/2) of π.
    assert!((share.share - 2. * (longest / 2.).asin() / std::f64::consts::PI).abs() < 0.03);
    let groups = found.by_length(4);
    assert_eq!(groups.len(), 4);
    assert_eq!(
        groups.iter().map(|group| group.share.of).sum::<usize>(),
        780
    );
    assert_eq!((groups[0].share.share, groups[3].share.share), (1., 0.));
    assert!(groups.is_sorted_by(|a, b| a.longest <= b.shortest));
    assert!(found.by_length(0).is_empty());
    assert_eq!(found.by_length(1_000).len(), 780);
    Ok(())
}

#[test]
fn answers_change_where_a_line_crosses_the_ring() -> Result<()> {
    let network = Plane::new(ring);
    let points = plane(&[[0., 0.], [1., 0.], [-1., 0.], [2., 0.]]);
    let pairs = [[0, 1], [1, 2], [2, 1], [3, 0], [1, 1]];
    let found = crossings(&network, Representation::Input, &points, &pairs, 1_000)?;
    assert_eq!(network.asked(), 5 * 1_001);
    let answers: Vec<&[u32]> = found.iter().map(|line| line.answers.as_slice()).collect();
    assert_eq!(
        answers,
        [&[1, 0][..], &[0, 1, 0], &[0, 1, 0], &[1, 0, 1], &[0]]
    );
    // Radii 0.7 and 1.3, to the distance of two samples.
    let close = |line: usize, expected: &[f64]| {
        assert_eq!(
            (found[line].count(), found[line].ends),
            (expected.len(), pairs[line])
        );
        for (at, expected) in found[line].at.iter().zip(expected) {
            assert!((at - expected).abs() < 1e-3);
        }
    };
    close(0, &[0.7]);
    close(1, &[0.15, 0.85]);
    close(3, &[0.35, 0.65]);
    close(4, &[]);
    assert_eq!((found[3].length, found[4].length), (2., 0.));
    Ok(())
}
