//! Which points are joined.

use std::cmp::Reverse;

/// The sets into which points are joined, each with a root among its points.
///
/// Union by size with path halving (Tarjan & van Leeuwen 1984).
#[derive(Clone, Debug)]
pub(super) struct UnionFind {
    parents: Vec<usize>,
    /// The number of points of each root's set.
    sizes: Vec<usize>,
    sets: usize,
}

impl UnionFind {
    /// Points that are all apart.
    pub fn new(points: usize) -> Self {
        Self {
            parents: (0..points).collect(),
            sizes: vec![1; points],
            sets: points,
        }
    }

    /// The number of sets.
    pub fn sets(&self) -> usize {
        self.sets
    }

    /// The root of a point's set.
    pub fn root(&mut self, mut point: usize) -> usize {
        while self.parents[point] != point {
            self.parents[point] = self.parents[self.parents[point]];
            point = self.parents[point];
        }
        point
    }

    /// Whether two points are in one set.
    pub fn are_joined(&mut self, [one, other]: [usize; 2]) -> bool {
        self.root(one) == self.root(other)
    }

    /// Joins the sets of two points; whether they were two.
    pub fn join(&mut self, ends: [usize; 2]) -> bool {
        let [mut large, mut small] = ends.map(|end| self.root(end));
        if large == small {
            return false;
        }
        if self.sizes[large] < self.sizes[small] {
            (large, small) = (small, large);
        }
        self.parents[small] = large;
        self.sizes[large] += self.sizes[small];
        self.sets -= 1;
        true
    }

    /// The root of every point's set.
    pub fn roots(&mut self) -> Vec<usize> {
        (0..self.parents.len())
            .map(|point| self.root(point))
            .collect()
    }

    /// The sets: the largest first, of equally large ones that of the first point; points
    /// ascending.
    pub fn groups(&mut self) -> Vec<Vec<usize>> {
        let roots = self.roots();
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); roots.len()];
        for (point, root) in roots.into_iter().enumerate() {
            groups[root].push(point);
        }
        groups.retain(|group| !group.is_empty());
        groups.sort_by_key(|group| (Reverse(group.len()), group.first().copied()));
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::rng::Rng;

    /// Which points can be reached from each, step by step.
    fn reached(points: usize, pairs: &[[usize; 2]]) -> Vec<Vec<bool>> {
        let from = |start: usize| {
            let mut reached = vec![false; points];
            reached[start] = true;
            for _ in 0..points {
                for [a, b] in pairs {
                    (reached[*a], reached[*b]) =
                        (reached[*a] || reached[*b], reached[*a] || reached[*b]);
                }
            }
            reached
        };
        (0..points).map(from).collect()
    }

    #[test]
    fn sets_are_what_can_be_reached() -> Result<()> {
        let mut rng = Rng::new(5);
        for round in 0..60 {
            let points = 1 + round % 13;
            let mut sets = UnionFind::new(points);
            let mut pairs = Vec::new();
            for _ in 0..round % 17 {
                let pair = [rng.below(points)?, rng.below(points)?];
                let apart = !reached(points, &pairs)[pair[0]][pair[1]];
                assert_eq!(sets.join(pair), apart);
                pairs.push(pair);
            }
            let reached = reached(points, &pairs);
            let groups = sets.groups();
            assert_eq!(groups.len(), sets.sets());
            assert_eq!(groups.concat().len(), points);
            for (a, reached) in reached.iter().enumerate() {
                let group = groups.iter().find(|group| group.contains(&a)).unwrap();
                let own: Vec<usize> = (0..points).filter(|b| reached[*b]).collect();
                assert_eq!(group, &own);
                assert!((0..points).all(|b| sets.are_joined([a, b]) == reached[b]));
            }
            assert!(groups.is_sorted_by_key(|group| (Reverse(group.len()), group[0])));
        }
        Ok(())
    }
}
