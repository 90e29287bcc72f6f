//! Components and forest against SciPy: `tests/fixtures/regions_scipy.py`.

use isopath::Result;
use isopath::models::Representation;
use isopath::paths::RegionsParams;
use isopath::paths::regions::segments;
use serde::Deserialize;

use super::{Plane, found, plane};

#[derive(Deserialize)]
struct Scipy {
    samples: usize,
    points: Vec<[f64; 2]>,
    components: Vec<Vec<usize>>,
    edges: Vec<[usize; 2]>,
    total: f64,
    holding: usize,
}

fn margin([x, y]: [f64; 2]) -> f64 {
    (2.1 * x).sin() + (1.7 * y).sin() + 0.3 * (x + y).sin() - 0.2
}

#[test]
fn components_and_spanning_forest_are_those_of_scipy() -> Result<()> {
    let scipy: Scipy =
        serde_json::from_str(include_str!("../../fixtures/regions_scipy.json")).unwrap();
    let (network, points) = (Plane::new(margin), plane(&scipy.points));
    let n = scipy.points.len();
    for batch_size in [1, 7, 64, n * n] {
        let params = RegionsParams {
            samples: scipy.samples,
            neighbors: n - 1,
            batch_size,
            ..RegionsParams::default()
        };
        let regions = found(&network, &points, &params)?;
        assert_eq!(regions.components, scipy.components);
        let mut edges: Vec<[usize; 2]> = regions.edges.iter().map(|edge| edge.ends).collect();
        edges.sort_unstable();
        assert_eq!(edges, scipy.edges);
        assert!(regions.edges.is_sorted_by(|a, b| a.length <= b.length));
        let total: f64 = regions.edges.iter().map(|edge| edge.length).sum();
        assert!((total - scipy.total).abs() < 1e-12 * scipy.total);
        assert!(regions.tests < n * n / 2, "{} tests", regions.tests);
        // One by one, no test is made whose ends are joined already; together, few.
        let needless = regions.tests - regions.edges.len() - regions.left.len();
        let most = if batch_size == 1 { 0 } else { n / 10 };
        assert!(needless <= most, "{needless} of {}", regions.tests);
    }
    // Of all pairs as many hold.
    let pairs: Vec<[usize; 2]> = (0..n).flat_map(|i| (0..i).map(move |j| [j, i])).collect();
    let all = segments(
        &network,
        Representation::Input,
        &points,
        &pairs,
        scipy.samples,
    )?;
    assert_eq!(all.share().count, scipy.holding);
    Ok(())
}
