//! The graphs as JSON, which other software can check.

use serde::Serialize;

use super::bands::ClassBands;
use super::compared::Compared;
use super::cost::Cost;
use super::further::Further;
use super::graphs::{ClassGraph, Graphs, Vertices};
use super::isometric::{ByLayer, LayerRegions};
use super::proved::Proved;
use super::random::{ClassCrossings, Estimate, RandomSegments};
use super::settings::Settings;
use super::weakest::WeakEdges;
use crate::experiments::connectivity_cifar10::Space;
use crate::paths::regions::Edge;

/// The notebook's JSON: every verdict with the test images and the settings that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// The scale of the run: `quick`, `default` or `paper`.
    pub scale: String,
    /// The file of the network's weights.
    pub checkpoint: String,
    /// The number of equal parts into which the samples divide a segment.
    pub samples_per_segment: usize,
    /// The graphs, of all spaces and networks.
    pub graphs: Vec<GraphResult>,
    /// Bands where segments have left a class in more than one component, space by space.
    pub bands: Vec<ClassBands>,
    /// The graphs of other networks in short.
    pub compared: Compared,
    /// Other images beside the vertices.
    pub further: Further,
    /// Parts of the weakest edges, exactly.
    pub exact: WeakEdges,
    /// Segments of networks on MNIST, proved.
    pub proved: Proved,
}

/// The numbers beside the graphs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The segments between random images of a class, in each space: how many of all hold.
    pub random: Vec<(Space, Estimate)>,
    /// The segments between two classes.
    pub crossings: ClassCrossings,
    /// The cost of graphs on MNIST.
    pub cost: Cost,
    /// For each training and seed the layers of the network.
    pub layers: Vec<(String, u64, Vec<LayerRegions>)>,
}

impl Evidence {
    /// The numbers of the notebook's cells.
    pub fn new(
        random: &[&RandomSegments],
        vertices: &Vertices,
        crossings: &ClassCrossings,
        cost: &Cost,
        layers: &ByLayer,
    ) -> Self {
        let estimate = |own: &&RandomSegments| (own.space, own.estimate(vertices));
        let runs = layers.networks.runs.iter();
        Self {
            random: random.iter().map(estimate).collect(),
            crossings: crossings.clone(),
            cost: cost.clone(),
            layers: runs
                .map(|run| (run.parameter.to_string(), run.seed, run.result.clone()))
                .collect(),
        }
    }
}

/// The graph of one class in one space.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GraphResult {
    /// The class that no segment leaves.
    pub class: u32,
    /// The space that the segments run through.
    pub space: Space,
    /// The network that was asked.
    pub network: String,
    /// The vertices: numbers of test images, from 0.
    pub images: Vec<usize>,
    /// The number of vertices of each component, the largest first.
    pub components: Vec<usize>,
    /// The segments that join the vertices: both test images and the smallest margin.
    pub edges: Vec<(usize, usize, f64)>,
    /// The number of segments tested.
    pub tests: usize,
    /// The number of points given to the network.
    pub evaluations: usize,
    /// The edges that left the class at denser samples, if that was checked.
    pub failed_denser: Option<Vec<(usize, usize, f64)>>,
}

impl Results {
    /// Results without a graph.
    pub fn new(settings: &Settings, checkpoint: impl Into<String>) -> Self {
        Self {
            scale: settings.scale.to_string(),
            checkpoint: checkpoint.into(),
            samples_per_segment: settings.samples,
            graphs: Vec::new(),
            bands: Vec::new(),
            compared: Compared::default(),
            further: Further::default(),
            exact: WeakEdges::default(),
            proved: Proved::default(),
        }
    }

    /// Adds the graphs of a network.
    pub fn push(&mut self, network: &str, graphs: &Graphs) {
        let one = |graph: &ClassGraph| graph.result(network, graphs.space);
        self.graphs.extend(graphs.classes.iter().map(one));
    }
}

impl ClassGraph {
    fn result(&self, network: &str, space: Space) -> GraphResult {
        let edge = |edge: &Edge| {
            let [one, other] = edge.ends.map(|end| self.images[end]);
            (one, other, edge.margin)
        };
        let found = &self.regions;
        GraphResult {
            class: self.class,
            space,
            network: network.into(),
            images: self.images.clone(),
            components: found.components.iter().map(Vec::len).collect(),
            edges: found.edges.iter().map(edge).collect(),
            tests: found.tests,
            evaluations: found.evaluations.values,
            failed_denser: self
                .check
                .as_ref()
                .map(|check| check.failed.iter().map(edge).collect()),
        }
    }
}
