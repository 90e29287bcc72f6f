//! The edges with the smallest margins, exactly.

use std::ops::Range;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::graphs::{ClassGraph, Graphs};
use crate::checks::{at_least_one, positive};
use crate::error::Result;
use crate::experiments::connectivity_cifar10::Space;
use crate::figures::{Table, drawn};
use crate::models::Network;
use crate::paths::regions::{Edge, EdgeKind, Regions};
use crate::paths::{ExactParams, PiecewiseLinear, exact};

/// What lies between the samples of an edge, around the smallest of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeakEdge {
    /// The class that the edge must not leave.
    pub class: u32,
    /// The name of that class.
    pub class_name: String,
    /// The space that the edge runs through.
    pub space: Space,
    /// Both images: rows of the data.
    pub test_index: [usize; 2],
    /// The number of equal parts into which its samples divide the edge.
    pub samples: usize,
    /// The smallest margin of a sample, and its t.
    pub sampled: (f64, f64),
    /// The part of the edge that was looked at: the t of its start and of its end.
    pub part: (f64, f64),
    /// Whether the class is kept on all of this part, up to floating point.
    pub inside: bool,
    /// The smallest margin on this part.
    pub smallest_margin: f64,
    /// Its t on the whole edge.
    pub at: f64,
    /// The number of linear pieces of this part.
    pub pieces: usize,
    /// The residual: [`ExactInfo::residual`](crate::paths::ExactInfo::residual).
    pub residual: f64,
}

/// The weakest edges of graphs, from [`Graphs::weakest`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WeakEdges {
    /// The edges, the smallest margin of a sample first.
    pub edges: Vec<WeakEdge>,
}

drawn!(table: WeakEdges);

impl Graphs {
    /// Looks at every point around the smallest sample of the `count` edges of all classes with the
    /// smallest margins: the share `reach` of the edge to either side, 1 for the whole edge. Where
    /// the graphs were [checked](Graphs::check), the edges and samples are those of the check.
    ///
    /// # Errors
    /// `count` 0, `reach` not positive, or what [`exact`] refuses: a network that is not piecewise
    /// linear.
    pub fn weakest(
        &self,
        network: &dyn Network,
        count: usize,
        reach: f64,
        params: &ExactParams,
    ) -> Result<WeakEdges> {
        at_least_one("count", count)?;
        let edges = self.look(network, 0..count, reach, params)?;
        Ok(WeakEdges { edges })
    }

    /// The edge number `number` of [`Graphs::weakest`], if there are so many.
    pub(super) fn weak_edge(
        &self,
        network: &dyn Network,
        number: usize,
        reach: f64,
        params: &ExactParams,
    ) -> Result<Option<WeakEdge>> {
        Ok(self.look(network, number..number + 1, reach, params)?.pop())
    }

    /// The edges of these numbers, as many as there are.
    fn look(
        &self,
        network: &dyn Network,
        numbers: Range<usize>,
        reach: f64,
        params: &ExactParams,
    ) -> Result<Vec<WeakEdge>> {
        positive("reach", reach)?;
        let tail = PiecewiseLinear::new(network, self.space.representation())?;
        let weak = self.weak(numbers.end).into_iter().skip(numbers.start);
        weak.map(|weak| weak.look(self, (network, &tail), reach, params))
            .collect()
    }

    /// The `count` edges of all classes with the smallest margins.
    fn weak(&self, count: usize) -> Vec<Weak<'_>> {
        let mut weakest = Vec::new();
        for graph in &self.classes {
            let found = graph
                .check
                .as_ref()
                .map_or(&graph.regions, |check| &check.repaired);
            let segments = found
                .edges
                .iter()
                .filter(|edge| edge.kind == EdgeKind::Segment && edge.length > 0.);
            weakest.extend(segments.map(|&edge| Weak { graph, found, edge }));
        }
        weakest.sort_by(|a, b| a.edge.margin.total_cmp(&b.edge.margin));
        weakest.truncate(count);
        weakest
    }
}

/// An edge with a small margin, before it is looked at.
struct Weak<'a> {
    graph: &'a ClassGraph,
    found: &'a Regions,
    edge: Edge,
}

impl Weak<'_> {
    fn look(
        &self,
        graphs: &Graphs,
        (network, tail): (&dyn Network, &PiecewiseLinear),
        reach: f64,
        params: &ExactParams,
    ) -> Result<WeakEdge> {
        let Self { graph, found, edge } = self;
        let test_index = edge.ends.map(|end| graph.images[end]);
        let representation = graphs.space.representation();
        let points = representation.of(network, &graphs.data.select(&test_index)?.inputs)?;
        let (start, end) = (points.narrow(0, 0, 1)?, points.narrow(0, 1, 1)?);
        let at = |t: f64| -> Result<Tensor> { Ok(((&start * (1. - t))? + (&end * t)?)?) };
        let part = ((edge.at - reach).max(0.), (edge.at + reach).min(1.));
        let params = ExactParams {
            stop_at_witness: false,
            ..params.clone()
        };
        let info = exact(tail, graph.class, &at(part.0)?, &at(part.1)?, &params)?;
        Ok(WeakEdge {
            class: graph.class,
            class_name: graphs.data.class_name(graph.class),
            space: graphs.space,
            test_index,
            samples: found.samples,
            sampled: (edge.margin, edge.at),
            part,
            inside: info.inside,
            smallest_margin: info.smallest_margin,
            at: part.0 + (part.1 - part.0) * info.at,
            pieces: info.pieces,
            residual: info.residual,
        })
    }
}

impl WeakEdges {
    /// The number of edges that leave their class.
    pub fn outside(&self) -> usize {
        self.edges.iter().filter(|edge| !edge.inside).count()
    }

    /// Tabulates the edges.
    pub fn table(&self) -> Table {
        let columns = [
            "class",
            "images",
            "smallest sample",
            "at t",
            "smallest margin around it",
            "at t",
            "pieces",
            "verdict",
            "residual",
        ];
        let mut table = Table::new("The weakest edges between their samples", columns);
        for edge in &self.edges {
            let [i, j] = edge.test_index;
            let verdict = if edge.inside { "inside" } else { "outside" };
            table.push([
                edge.class_name.clone(),
                format!("{i}, {j}"),
                format!("{:.5}", edge.sampled.0),
                format!("{:.5}", edge.sampled.1),
                format!("{:.5}", edge.smallest_margin),
                format!("{:.5}", edge.at),
                edge.pieces.to_string(),
                verdict.into(),
                format!("{:.0e}", edge.residual),
            ]);
        }
        table
    }
}
