//! The fuzzy simplicial set: how strongly each pair of neighbours belongs together.

use std::collections::BTreeMap;

use super::Neighbors;

/// An undirected edge in both directions, sorted by rows, with its weight in (0, 1].
pub(super) type Edge = (usize, usize, f64);

/// Steps of the bisection for σ, and how close it must come; as in umap-learn.
const BISECTIONS: usize = 64;
const TOLERANCE: f64 = 1e-5;
/// σ is at least this share of the mean distance, so that a dense group keeps ties to the rest.
const LEAST_SHARE: f64 = 1e-3;

/// w_ij = p_ij + p_ji − p_ij p_ji with p_ij = exp(−max(0, d_ij − ρ_i) / σ_i) over the neighbours j
/// of i.
///
/// ρ_i is the distance to the nearest neighbour that is no duplicate, and σ_i makes Σ_j p_ij =
/// log₂(k + 1), k the number of neighbours: umap-learn counts the point itself among them.
pub(super) fn fuzzy_graph(neighbors: &Neighbors) -> Vec<Edge> {
    let all = neighbors.distances.iter().flatten();
    let mean_of_all =
        all.clone().sum::<f64>() / (all.count() + neighbors.distances.len()).max(1) as f64;
    // (p_ij, p_ji) of i < j.
    let mut pairs: BTreeMap<(usize, usize), (f64, f64)> = BTreeMap::new();
    for (i, (indices, distances)) in neighbors
        .indices
        .iter()
        .zip(&neighbors.distances)
        .enumerate()
    {
        let (rho, sigma) = scale(distances, mean_of_all);
        for (&j, &distance) in indices.iter().zip(distances) {
            let p = membership(distance, rho, sigma);
            let pair = pairs.entry((i.min(j), i.max(j))).or_default();
            if i < j { pair.0 = p } else { pair.1 = p }
        }
    }
    let mut edges: Vec<Edge> = Vec::with_capacity(2 * pairs.len());
    for ((i, j), (forth, back)) in pairs {
        let weight = forth + back - forth * back;
        edges.extend([(i, j, weight), (j, i, weight)]);
    }
    edges.sort_by_key(|&(i, j, _)| (i, j));
    edges
}

/// (ρ, σ) of one point's distances.
fn scale(distances: &[f64], mean_of_all: f64) -> (f64, f64) {
    let rho = distances
        .iter()
        .copied()
        .find(|&distance| distance > 0.)
        .unwrap_or(0.);
    let with_itself = (distances.len() + 1) as f64;
    let target = with_itself.log2();
    let (mut low, mut high, mut sigma) = (0., f64::INFINITY, 1.);
    for _ in 0..BISECTIONS {
        let sum: f64 = distances
            .iter()
            .map(|&distance| membership(distance, rho, sigma))
            .sum();
        if (sum - target).abs() < TOLERANCE {
            break;
        }
        if sum > target {
            high = sigma;
            sigma = (low + high) / 2.;
        } else {
            low = sigma;
            sigma = if high == f64::INFINITY {
                2. * sigma
            } else {
                (low + high) / 2.
            };
        }
    }
    let mean = if rho > 0. {
        distances.iter().sum::<f64>() / with_itself
    } else {
        mean_of_all
    };
    (rho, sigma.max(LEAST_SHARE * mean))
}

fn membership(distance: f64, rho: f64, sigma: f64) -> f64 {
    if distance <= rho || sigma == 0. {
        1.
    } else {
        (-(distance - rho) / sigma).exp()
    }
}
