//! The same graph of several networks.

use serde::{Deserialize, Serialize};

use super::graphs::Graphs;
use super::random::RandomSegments;
use crate::figures::{BarChart, BarSeries, BarStyle, Table, drawn};
use crate::statistics::Proportion;

/// What one network makes of the experiment, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedRow {
    /// The network.
    pub name: String,
    /// The number of vertices.
    pub images: usize,
    /// The number of classes that have a vertex.
    pub classes: usize,
    /// The number of components of all classes.
    pub components: usize,
    /// The number of vertices outside the largest component of their class.
    pub outside: usize,
    /// The number of tests over that of edges.
    pub tests_per_edge: f64,
    /// The share of segments between random pairs of a class that hold.
    pub random: Proportion,
}

/// The graphs of several networks, one beside the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compared {
    /// A row for each network.
    pub rows: Vec<ComparedRow>,
}

drawn!(table: Compared);

impl Compared {
    /// Adds a network.
    pub fn push(&mut self, name: impl Into<String>, graphs: &Graphs, random: &RandomSegments) {
        let outside = |graph: &super::ClassGraph| {
            let largest = graph.regions.components.first().map_or(0, Vec::len);
            graph.images.len() - largest
        };
        self.rows.push(ComparedRow {
            name: name.into(),
            images: graphs.vertices(),
            classes: graphs.classes.len(),
            components: graphs.components(),
            outside: graphs.classes.iter().map(outside).sum(),
            tests_per_edge: graphs.tests_per_edge(),
            random: random.all().share(),
        });
    }

    /// Tabulates the networks.
    pub fn table(&self) -> Table {
        let columns = [
            "network",
            "images",
            "classes",
            "components",
            "images outside",
            "tests an edge",
            "random segments that hold",
        ];
        let mut table = Table::new("The same graph of other networks, in pixels", columns);
        for row in &self.rows {
            table.push([
                row.name.clone(),
                row.images.to_string(),
                row.classes.to_string(),
                row.components.to_string(),
                row.outside.to_string(),
                format!("{:.2}", row.tests_per_edge),
                row.random.to_string(),
            ]);
        }
        table
    }

    /// Charts the share of random segments that hold.
    pub fn chart(&self) -> BarChart {
        let shares = self.rows.iter().map(|row| row.random);
        BarChart {
            title: "How often a segment between random images of a class stays inside".into(),
            x_label: "network".into(),
            y_label: "share of the segments".into(),
            groups: self.rows.iter().map(|row| row.name.clone()).collect(),
            series: vec![BarSeries {
                name: "pixels".into(),
                values: shares.clone().map(|share| share.share).collect(),
                low: shares.clone().map(|share| share.low).collect(),
                high: shares.map(|share| share.high).collect(),
            }],
            style: BarStyle::Dots,
            y_range: Some((0., 1.)),
            note: "Bars: Wilson's 95 % interval.".into(),
            ..BarChart::default()
        }
    }
}
