//! The search: candidates in the order of their length, tested only where they can join something.

use std::collections::HashMap;

use super::edge::{Edge, EdgeKind};
use super::result::Regions;
use super::sampler::{Link, Sample, Sampler, Tested};
use super::union_find::UnionFind;
use crate::distances::nearest::{Neighbor, nearest};
use crate::error::{Error, Result};
use crate::paths::Evaluations;
use crate::paths::network_energy::margin;
use crate::progress::Bar;
use crate::statistics::argmax;

/// What is known of the points so far.
pub(super) struct Search<'a> {
    pub sampler: &'a Sampler,
    pub class: u32,
    /// The margin of every point.
    margins: Vec<f64>,
    /// The points that edges have joined.
    pub joined: UnionFind,
    /// The segments that were tested.
    pub tested: HashMap<[usize; 2], Tested>,
    /// The number of tests of every point's segments.
    pub tests_of: Vec<usize>,
    pub edges: Vec<Edge>,
    pub left: Vec<Edge>,
    pub tests: usize,
    pub evaluations: Evaluations,
    pub bar: &'a Bar,
}

impl<'a> Search<'a> {
    /// All points apart.
    ///
    /// # Errors
    /// A point that the network does not give the class.
    pub fn new(sampler: &'a Sampler, class: u32, bar: &'a Bar) -> Result<Self> {
        let points = sampler.count();
        Ok(Self {
            margins: margins_of_points(sampler, class, 0)?,
            joined: UnionFind::new(points),
            tested: HashMap::new(),
            tests_of: vec![0; points],
            edges: Vec::new(),
            left: Vec::new(),
            tests: 0,
            evaluations: Evaluations {
                gradients: 0,
                values: points,
            },
            sampler,
            class,
            bar,
        })
    }

    /// What is known from a result for the first points; the others are apart.
    ///
    /// # Errors
    /// Another point that the network does not give the class.
    pub fn resumed(sampler: &'a Sampler, known: &Regions, bar: &'a Bar) -> Result<Self> {
        let points = sampler.count();
        let mut search = Self {
            margins: known.margins.clone(),
            joined: UnionFind::new(points),
            tested: HashMap::new(),
            tests_of: vec![0; points],
            edges: Vec::new(),
            left: known.left.clone(),
            tests: known.tests,
            evaluations: known.evaluations,
            sampler,
            class: known.class,
            bar,
        };
        let others = margins_of_points(sampler, known.class, known.points)?;
        search.evaluations.values += others.len();
        search.margins.extend(others);
        for (edges, holds) in [(&known.edges, true), (&known.left, false)] {
            for edge in edges {
                for end in edge.ends {
                    search.tests_of[end] += 1;
                }
                if edge.kind == EdgeKind::Segment {
                    let edge = *edge;
                    search.tested.insert(edge.ends, Tested { edge, holds });
                }
            }
        }
        for edge in &known.edges {
            search.join(*edge);
        }
        Ok(search)
    }

    /// Each pair of a point and one of its `k` nearest neighbours once, the shortest first.
    pub fn neighbors(&self, k: usize) -> Result<Vec<Link>> {
        let rows: Vec<usize> = (0..self.sampler.count()).collect();
        self.bar.begin(rows.len(), "points");
        let points = self.sampler.flat()?;
        let found = nearest(&points, &rows, |_| k, |i, j| i == j, self.bar)?;
        Ok(links(&rows, &found))
    }

    /// Joins what segments join, the shortest first (Kruskal): the minimum spanning forest of those
    /// candidates that hold.
    ///
    /// A candidate between points that are joined is not tested. Up to `batch_size` are tested
    /// together: those that would join something if all chosen before them, and not tested yet,
    /// held. They are judged in order, and where one that was passed over has become needed, the
    /// rest waits until that is tested, so the forest does not depend on the batches.
    pub fn join_shortest(&mut self, candidates: &[Link], batch_size: usize) -> Result<()> {
        let mut left = candidates;
        while self.joined.sets() > 1 {
            let batch = self.needed(left, batch_size);
            if batch.is_empty() {
                break;
            }
            self.test(&batch)?;
            while let [first, rest @ ..] = left {
                if !self.joined.are_joined(first.ends) {
                    match self.tested.get(&first.ends) {
                        Some(tested) if tested.holds => self.join(tested.edge),
                        Some(_) => {}
                        None => break,
                    }
                }
                left = rest;
            }
            self.show();
        }
        Ok(())
    }

    /// The next candidates to test.
    fn needed(&self, candidates: &[Link], batch_size: usize) -> Vec<Link> {
        let mut joined = self.joined.clone();
        let mut batch = Vec::new();
        for link in candidates {
            if batch.len() == batch_size || joined.sets() == 1 {
                break;
            }
            let tested = self.tested.get(&link.ends);
            let may_hold = tested.is_none_or(|tested| tested.holds);
            if may_hold && joined.join(link.ends) && tested.is_none() {
                batch.push(*link);
            }
        }
        batch
    }

    /// Tests segments, none of which was tested before.
    pub fn test(&mut self, links: &[Link]) -> Result<Vec<Tested>> {
        let found = self.sampler.test(links, &self.margins, |_| self.class)?;
        Ok(self.count(found))
    }

    /// Tests segments that are known at `known` equal parts each, at the samples between.
    pub fn refine(&mut self, edges: Vec<Edge>, known: usize) -> Result<Vec<Tested>> {
        let found = self.sampler.refine(edges, known, |_| self.class)?;
        Ok(self.count(found))
    }

    /// Keeps what tests have found, and the number of their samples.
    fn count(&mut self, (found, evaluations): (Vec<Tested>, usize)) -> Vec<Tested> {
        self.evaluations.values += evaluations;
        for tested in &found {
            let edge = tested.edge;
            self.tested.insert(edge.ends, *tested);
            if edge.length > 0. {
                self.tests += 1;
                for end in edge.ends {
                    self.tests_of[end] += 1;
                }
            }
            if !tested.holds {
                self.left.push(edge);
            }
        }
        found
    }

    /// Joins the ends of an edge, which are apart.
    pub fn join(&mut self, edge: Edge) {
        self.joined.join(edge.ends);
        self.edges.push(edge);
    }

    /// What was found.
    pub fn result(mut self) -> Regions {
        Regions {
            class: self.class,
            points: self.sampler.count(),
            samples: self.sampler.parts,
            margins: self.margins,
            components: self.joined.groups(),
            edges: self.edges,
            left: self.left,
            tests: self.tests,
            evaluations: self.evaluations,
        }
    }

    /// Moves the bar to the number of edges.
    pub fn show(&self) {
        let components = self.joined.sets();
        let note = match components {
            1 => "1 component".to_string(),
            _ => format!("{components} components"),
        };
        self.bar.report(self.edges.len() as f64, note);
    }

    /// Begins the bar's count of edges.
    pub fn begin(&self) {
        self.bar
            .begin(self.sampler.count().saturating_sub(1), "edges");
        self.show();
    }
}

/// The margin of every point from one on.
///
/// # Errors
/// One that is not positive.
fn margins_of_points(sampler: &Sampler, class: u32, from: usize) -> Result<Vec<f64>> {
    let itself = |point| Sample {
        ends: [point, point],
        place: 0,
    };
    let samples: Vec<Sample> = (from..sampler.count()).map(itself).collect();
    sampler.read(&samples, |sample, logits| {
        if class as usize >= logits.len() {
            let expected = format!("below {}, the number of classes", logits.len());
            return Err(Error::argument("class", expected, class));
        }
        let margin = margin(logits, class as usize);
        if margin > 0. {
            return Ok(margin);
        }
        let expected = format!(
            "{class}, the class asked for, with a margin above 0; leave other points out \
             (correctly_classified does)"
        );
        let [point, _] = sample.ends;
        let got = format!("{} for point {point} (margin {margin})", argmax(logits));
        Err(Error::argument("the network's answer", expected, got))
    })
}

/// Neighbours of `rows` as pairs, each once, the shortest first, then by their numbers.
pub(super) fn links(rows: &[usize], neighbors: &[Vec<Neighbor>]) -> Vec<Link> {
    let pair = |row: usize, neighbor: &Neighbor| Link {
        ends: [row.min(neighbor.index), row.max(neighbor.index)],
        length: neighbor.distance,
    };
    let of_row = |(row, neighbors): (&usize, &Vec<Neighbor>)| {
        let row = *row;
        neighbors.iter().map(|n| pair(row, n)).collect::<Vec<_>>()
    };
    let mut links: Vec<Link> = rows.iter().zip(neighbors).flat_map(of_row).collect();
    links.sort_unstable_by(|a, b| a.length.total_cmp(&b.length).then(a.ends.cmp(&b.ends)));
    links.dedup_by_key(|link| link.ends);
    links
}
