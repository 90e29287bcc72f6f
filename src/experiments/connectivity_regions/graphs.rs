//! The graph of each class.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::checks;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::connectivity_cifar10::Space;
use crate::models::Network;
use crate::paths::regions::{Regions, RegionsCheck, RegionsParams, regions};

/// For each class the indices of inputs that a network gives it.
pub type Vertices = BTreeMap<u32, Vec<usize>>;

/// The graph of those images of a data set that a network gives one class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassGraph {
    /// The class that no segment may leave.
    pub class: u32,
    /// The index of each vertex in the data set, ascending.
    pub images: Vec<usize>,
    /// The components, and the segments that join the vertices to them.
    pub regions: Regions,
    /// The edges with denser samples, if they were checked.
    pub check: Option<RegionsCheck>,
    /// The seconds that it took, without the check.
    pub seconds: f64,
}

/// The graphs of several classes in one space.
#[derive(Clone, Debug)]
pub struct Graphs {
    /// The data set that the indices refer to.
    pub data: Dataset,
    /// The space that the segments run through.
    pub space: Space,
    /// A graph for each class that has a vertex, in the order of the classes.
    pub classes: Vec<ClassGraph>,
}

/// Joins the inputs of each class that `vertices` names by straight segments, in one space.
///
/// - **Shapes**: `vertices` has for each class the indices of its vertices in `data`, all of which
///   the network gives that class.
/// - **Range**: a class without a vertex is left out.
/// - **Source**: ours; *connectivity*, section 5, open question i.
///
/// # Errors
/// An index that there is not, no vertex at all, or what [`regions`] refuses.
pub fn graphs(
    network: &dyn Network,
    data: &Dataset,
    vertices: &Vertices,
    space: Space,
    settings: &Settings,
) -> Result<Graphs> {
    let representation = space.representation();
    let mut classes = Vec::new();
    let vertices = vertices.iter().filter(|(_, images)| !images.is_empty());
    let edges = vertices.clone().map(|(_, images)| images.len() - 1).sum();
    let bar = settings.bar(space.title()).of(edges, "edges");
    let mut before = 0;
    for (class, images) in vertices {
        let start = Instant::now();
        let points = representation.of(network, &data.select(images)?.inputs)?;
        let params = settings.params(bar.within(before, data.class_name(*class)));
        before += images.len() - 1;
        classes.push(ClassGraph {
            class: *class,
            images: images.clone(),
            regions: regions(network, representation, &points, *class, &params)?,
            check: None,
            seconds: start.elapsed().as_secs_f64(),
        });
        bar.set(before as f64);
    }
    let components = |graph: &ClassGraph| graph.regions.components.len();
    let components: usize = classes.iter().map(components).sum();
    bar.note(format!(
        "{components} components of {} classes",
        classes.len()
    ));
    if classes.is_empty() {
        return Err(Error::argument("vertices", "at least one", "none"));
    }
    Ok(Graphs {
        data: data.clone(),
        space,
        classes,
    })
}

/// The indices of the inputs that the network gives their class, class by class.
///
/// - **Shapes**: `answers` (N,) of u32, the network's [answers](crate::metrics::predictions) to
///   `data`.
/// - **Range**: indices below N.
/// - **Source**: *connectivity*, section 4, takes correctly classified images alone.
///
/// # Errors
/// Not an answer for each input.
pub fn right_ones(data: &Dataset, answers: &Tensor) -> Result<Vertices> {
    vertices(data, answers, |label, answer| label == answer)
}

/// The indices of the inputs that the network gives another class, by that class.
///
/// # Errors
/// As [`right_ones`].
pub fn wrong_ones(data: &Dataset, answers: &Tensor) -> Result<Vertices> {
    vertices(data, answers, |label, answer| label != answer)
}

/// The indices of all inputs by the network's answer, right or wrong.
///
/// # Errors
/// As [`right_ones`].
pub fn answered(data: &Dataset, answers: &Tensor) -> Result<Vertices> {
    vertices(data, answers, |_, _| true)
}

fn vertices(
    data: &Dataset,
    answers: &Tensor,
    is_wanted: impl Fn(u32, u32) -> bool,
) -> Result<Vertices> {
    let labels = checks::labels("graphs", &data.labels, data.len(), None)?;
    let answers = checks::labels("graphs", answers, data.len(), None)?;
    let mut vertices = Vertices::new();
    for (at, (label, answer)) in labels.iter().zip(&answers).enumerate() {
        if is_wanted(*label, *answer) {
            vertices.entry(*answer).or_default().push(at);
        }
    }
    Ok(vertices)
}

impl Graphs {
    /// The number of vertices of all classes.
    pub fn vertices(&self) -> usize {
        self.classes.iter().map(|graph| graph.images.len()).sum()
    }

    /// The number of components of all classes.
    pub fn components(&self) -> usize {
        let of = |graph: &ClassGraph| graph.regions.components.len();
        self.classes.iter().map(of).sum()
    }

    /// The tests of all classes over their edges: 1 where every tested segment held.
    pub fn tests_per_edge(&self) -> f64 {
        let count = |of: fn(&ClassGraph) -> usize| self.classes.iter().map(of).sum::<usize>();
        let edges = count(|graph| graph.regions.edges.len());
        count(|graph| graph.regions.tests) as f64 / edges as f64
    }

    /// The graph of a class.
    ///
    /// # Errors
    /// A class without a graph.
    pub fn of_class(&self, name: &str) -> Result<&ClassGraph> {
        let is = |graph: &&ClassGraph| self.data.class_name(graph.class) == name;
        self.classes.iter().find(is).ok_or_else(|| {
            let classes = self.classes.iter();
            let names: Vec<String> = classes.map(|g| self.data.class_name(g.class)).collect();
            Error::argument("class", format!("one of {}", names.join(", ")), name)
        })
    }

    /// The points of a graph: its images in the graphs' space.
    ///
    /// # Errors
    /// The network does not take the images.
    pub(super) fn points(&self, network: &dyn Network, graph: &ClassGraph) -> Result<Tensor> {
        let images = self.data.select(&graph.images)?.inputs;
        self.space.representation().of(network, &images)
    }

    /// Checks the edges of every graph that was not checked before, with [`Settings::denser`] times as
    /// many samples.
    ///
    /// # Errors
    /// What [`Regions::check`] refuses: another network or data set.
    pub fn check(&mut self, network: &dyn Network, settings: &Settings) -> Result<()> {
        let representation = self.space.representation();
        let open = |graph: &ClassGraph| graph.check.is_none();
        let unchecked = self.classes.iter().filter(|graph| open(graph));
        let edges = unchecked.map(|graph| graph.images.len() - 1).sum();
        let bar = settings.bar("denser samples").of(edges, "edges");
        let mut before = 0;
        for at in 0..self.classes.len() {
            if !open(&self.classes[at]) {
                continue;
            }
            let points = self.points(network, &self.classes[at])?;
            let graph = &mut self.classes[at];
            let name = self.data.class_name(graph.class);
            let params = RegionsParams {
                samples: settings.denser * graph.regions.samples,
                ..settings.params(bar.within(before, name))
            };
            before += graph.images.len() - 1;
            let check = graph
                .regions
                .check(network, representation, &points, &params)?;
            graph.check = Some(check);
            bar.report(before as f64, "");
        }
        Ok(())
    }
}
