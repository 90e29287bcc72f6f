//! The connected components of a graph of neighbours, and their initial positions in the plane.

use candle_core::Tensor;

use super::graph::Edge;
use super::layout::{Place, WIDTH, principal_components};
use crate::device;
use crate::error::Result;
use crate::rng::Rng;

/// The least half width of a part at the start, as a share of the layout's.
const LEAST_SHARE: f64 = 0.05;

/// Where the points begin: the principal components of all, or of each part where the graph falls
/// into several.
///
/// No edge pulls on a part from outside, so nothing turns it: two rings in planes across each other
/// would stay seen from their edge, and be torn while they are opened. Each part therefore begins
/// in its own principal components, around its place in those of all, half as wide as the nearest
/// other part is far. umap-learn lays out parts one by one, too.
pub(super) fn start(x: &Tensor, edges: &[Edge], rng: &mut Rng) -> Result<Vec<Place>> {
    let mut places = principal_components(x, rng)?;
    let parts = parts(places.len(), edges);
    if parts.len() == 1 {
        return Ok(places);
    }
    let centre = |part: &Vec<u32>| {
        [0, 1].map(|axis| {
            part.iter()
                .map(|&point| f64::from(places[point as usize][axis]))
                .sum::<f64>()
                / part.len() as f64
        })
    };
    let centres: Vec<[f64; 2]> = parts.iter().map(centre).collect();
    for (index, part) in parts.iter().enumerate() {
        let distance =
            |other: &[f64; 2]| (other[0] - centres[index][0]).hypot(other[1] - centres[index][1]);
        let others = centres
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let nearest = others
            .map(|(_, centre)| distance(centre))
            .fold(f64::INFINITY, f64::min);
        let half = (nearest / 2.).max(LEAST_SHARE * WIDTH);
        let own = principal_components(&device::rows(x, part)?, rng)?;
        for (&point, own) in part.iter().zip(own) {
            let at = |axis: usize| {
                centres[index][axis] + half * (2. * f64::from(own[axis]) / WIDTH - 1.)
            };
            places[point as usize] = [at(0) as f32, at(1) as f32];
        }
    }
    Ok(places)
}

/// The points of each part, ascending; the parts by their first point.
fn parts(n: usize, edges: &[Edge]) -> Vec<Vec<u32>> {
    let mut neighbors = vec![Vec::new(); n];
    for &(from, to, _) in edges {
        neighbors[from].push(to);
    }
    let mut part_of = vec![usize::MAX; n];
    let mut parts: Vec<Vec<u32>> = Vec::new();
    for first in 0..n {
        if part_of[first] != usize::MAX {
            continue;
        }
        let (mut part, mut waiting) = (Vec::new(), vec![first]);
        part_of[first] = parts.len();
        while let Some(point) = waiting.pop() {
            part.push(point as u32);
            for &next in &neighbors[point] {
                if part_of[next] == usize::MAX {
                    part_of[next] = parts.len();
                    waiting.push(next);
                }
            }
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_what_edges_join() {
        let both = |a, b| [(a, b, 1.), (b, a, 1.)];
        let edges = [both(0, 2), both(2, 5), both(1, 4)].concat();
        assert_eq!(parts(6, &edges), [vec![0, 2, 5], vec![1, 4], vec![3]]);
        assert_eq!(parts(2, &both(0, 1)).len(), 1);
    }
}
