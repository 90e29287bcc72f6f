//! The components of a class, and what joins them.

use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::tree::{Diameter, Tree};
use crate::paths::Evaluations;

/// Which points of a class are joined by segments that do not leave it, from
/// [`regions`](super::regions()). Points are rows of the tensor, counted from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regions {
    /// The class y.
    pub class: u32,
    /// The number N of points.
    pub points: usize,
    /// The number of equal parts into which samples divide a segment.
    pub samples: usize,
    /// The margin of each point: the class's logit minus the largest other one, above 0.
    pub margins: Vec<f64>,
    /// The components: the largest first, of equally large ones that of the first point; the points
    /// of each ascending.
    pub components: Vec<Vec<usize>>,
    /// The N − C edges that join the points to C components, a spanning forest, in the order in
    /// which they were found.
    pub edges: Vec<Edge>,
    /// The segments and bands that left the class, in the order of the tests.
    pub left: Vec<Edge>,
    /// The number of segments tested. Beside those of `edges` and `left` that may be a few more,
    /// which hold and were tested together with others that made them needless.
    pub tests: usize,
    /// The number of points given to the network; those with gradients are of bands.
    pub evaluations: Evaluations,
}

impl Regions {
    /// Whether all points lie in one component.
    pub fn is_connected(&self) -> bool {
        self.components.len() == 1
    }

    /// The points of the polyline from one point to another, both included; `None` if they lie in
    /// different components, or are none of the points.
    pub fn path(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        Tree::new(self.points, &self.edges).path(from, to)
    }

    /// How far apart the points of a component lie along its tree; `None` if there is no such
    /// component.
    pub fn diameter(&self, component: usize) -> Option<Diameter> {
        let first = *self.components.get(component)?.first()?;
        Tree::new(self.points, &self.edges).diameter(first)
    }

    /// The edges that came nearest to leaving the class: up to `count`, those with the smallest
    /// margins, ascending.
    pub fn bottlenecks(&self, count: usize) -> Vec<Edge> {
        let mut edges = self.edges.clone();
        edges.sort_by(|a, b| a.margin.total_cmp(&b.margin));
        edges.truncate(count);
        edges
    }

    /// The points with the most segments and bands that left the class: up to `count` points that
    /// have any, each with their number, descending.
    pub fn hard_to_attach(&self, count: usize) -> Vec<(usize, usize)> {
        let failures = ends_of(self.points, &self.left);
        let mut points: Vec<(usize, usize)> = failures.into_iter().enumerate().collect();
        points.retain(|(_, failures)| *failures > 0);
        points.sort_by_key(|(_, failures)| std::cmp::Reverse(*failures));
        points.truncate(count);
        points
    }

    /// The number of edges at each point.
    pub fn degrees(&self) -> Vec<usize> {
        ends_of(self.points, &self.edges)
    }
}

/// How many of the edges end at each point.
fn ends_of(points: usize, edges: &[Edge]) -> Vec<usize> {
    let mut counts = vec![0; points];
    for end in edges.iter().flat_map(|edge| edge.ends) {
        if let Some(count) = counts.get_mut(end) {
            *count += 1;
        }
    }
    counts
}
