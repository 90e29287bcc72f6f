//! Do other images join the components of a graph?

use std::collections::BTreeMap;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::graphs::{ClassGraph, Graphs, answered};
use super::settings::Settings;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::figures::{Table, drawn};
use crate::metrics::predictions;
use crate::models::Network;
use crate::paths::RegionsParams;
use crate::statistics::Proportion;

/// Other images beside those of a class's graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FurtherClass {
    /// The number of images that the network gives the class.
    pub images: usize,
    /// How many of them lie in the largest component.
    pub joined: usize,
    /// The number of segments tested for it.
    pub tests: usize,
}

/// Images of several kinds, each joined to the graphs for itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Further {
    /// For each kind, by the class that the network gives an image.
    pub kinds: Vec<(String, BTreeMap<u32, FurtherClass>)>,
}

drawn!(table: Further);

impl Further {
    /// Adds a kind of images.
    pub fn push(&mut self, name: impl Into<String>, found: BTreeMap<u32, FurtherClass>) {
        self.kinds.push((name.into(), found));
    }

    /// Tabulates the share of each kind that lies in the largest component of the class that the
    /// network gives it.
    pub fn table(&self) -> Table {
        let columns = [
            "images",
            "number",
            "classes",
            "in the class's component",
            "tests an image",
        ];
        let mut table = Table::new(
            "Do other images lie in the component of their answer?",
            columns,
        );
        for (name, classes) in &self.kinds {
            let sum = |of: fn(&FurtherClass) -> usize| classes.values().map(of).sum::<usize>();
            let images = sum(|class| class.images);
            table.push([
                name.clone(),
                images.to_string(),
                classes.len().to_string(),
                Proportion::new(sum(|class| class.joined), images).to_string(),
                format!("{:.2}", sum(|class| class.tests) as f64 / images as f64),
            ]);
        }
        table
    }
}

/// Goes on with images that are none of the graphs' vertices: which of them does a polyline join to
/// the largest component of the class that the network gives them?
///
/// Images whose answer has no graph are left out.
///
/// # Errors
/// No image whose answer has a graph, or what [`Regions::extend`](crate::paths::Regions::extend)
/// refuses.
pub fn further(
    network: &dyn Network,
    graphs: &Graphs,
    images: &Dataset,
    settings: &Settings,
) -> Result<BTreeMap<u32, FurtherClass>> {
    let representation = graphs.space.representation();
    let vertices = answered(images, &predictions(network, &images.inputs)?)?;
    let mut found = BTreeMap::new();
    let both = |graph: &ClassGraph| Some(graph.images.len() + vertices.get(&graph.class)?.len());
    let all = graphs.classes.iter().filter_map(both);
    let bar = settings.bar("further images").of(all.sum(), "edges");
    let mut before = 0;
    for graph in &graphs.classes {
        let Some(rows) = vertices.get(&graph.class) else {
            continue;
        };
        let others = representation.of(network, &images.select(rows)?.inputs)?;
        let points = Tensor::cat(&[graphs.points(network, graph)?, others], 0)?;
        let name = graphs.data.class_name(graph.class);
        let params = settings.params(bar.within(before, name));
        before += graph.images.len() + rows.len();
        let params = RegionsParams {
            samples: graph.regions.samples,
            ..params
        };
        let both = graph
            .regions
            .extend(network, representation, &points, &params)?;
        bar.report(before as f64, "");
        let known = graph.images.len();
        let largest = both.components.first();
        let joined = largest.map_or(0, |all| all.iter().filter(|point| **point >= known).count());
        found.insert(
            graph.class,
            FurtherClass {
                images: rows.len(),
                joined,
                tests: both.tests - graph.regions.tests,
            },
        );
    }
    if found.is_empty() {
        let expected = "some whose answer has a graph";
        return Err(Error::argument("images", expected, "none"));
    }
    Ok(found)
}
