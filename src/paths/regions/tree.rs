//! Ways along the edges of a forest.

use serde::{Deserialize, Serialize};

use super::edge::Edge;

/// How far apart the points of a component lie along the edges of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diameter {
    /// The largest number of edges between two points.
    pub hops: usize,
    /// The largest length of the way between two points, which need not be the same two.
    pub length: f64,
}

/// The edges of each point of a forest.
pub(super) struct Tree {
    neighbors: Vec<Vec<(usize, f64)>>,
}

impl Tree {
    pub fn new(points: usize, edges: &[Edge]) -> Self {
        let mut neighbors = vec![Vec::new(); points];
        for edge in edges {
            let [a, b] = edge.ends;
            if a.max(b) < points {
                neighbors[a].push((b, edge.length));
                neighbors[b].push((a, edge.length));
            }
        }
        Self { neighbors }
    }

    /// Every point that can be reached from `start`: in the order of their hops, with the point
    /// before (`start` itself at first), the hops and the length of the way.
    fn reached(&self, start: usize) -> Vec<Reached> {
        let mut known = vec![false; self.neighbors.len()];
        let mut reached: Vec<Reached> = Vec::new();
        if let Some(known) = known.get_mut(start) {
            *known = true;
            reached.push(Reached {
                point: start,
                before: start,
                hops: 0,
                length: 0.,
            });
        }
        let mut next = 0;
        while let Some(&at) = reached.get(next) {
            for (point, length) in &self.neighbors[at.point] {
                if !std::mem::replace(&mut known[*point], true) {
                    reached.push(Reached {
                        point: *point,
                        before: at.point,
                        hops: at.hops + 1,
                        length: at.length + length,
                    });
                }
            }
            next += 1;
        }
        reached
    }

    /// The points from one to another, both included.
    pub fn path(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let reached = self.reached(from);
        let mut path = vec![reached.iter().find(|reached| reached.point == to)?.point];
        // Those before a point were reached before it.
        for at in reached.iter().rev() {
            if path.last() == Some(&at.point) && at.hops > 0 {
                path.push(at.before);
            }
        }
        path.reverse();
        Some(path)
    }

    /// Of the tree of `start`: the farthest point from any is an end of a longest way.
    pub fn diameter(&self, start: usize) -> Option<Diameter> {
        let by_hops = self.reached(start).last()?.point;
        let by_length = farthest(&self.reached(start))?.point;
        Some(Diameter {
            hops: self.reached(by_hops).last()?.hops,
            length: farthest(&self.reached(by_length))?.length,
        })
    }
}

/// A point and the way to it.
#[derive(Clone, Copy, Debug)]
struct Reached {
    point: usize,
    before: usize,
    hops: usize,
    length: f64,
}

fn farthest(reached: &[Reached]) -> Option<&Reached> {
    reached.iter().max_by(|a, b| a.length.total_cmp(&b.length))
}
