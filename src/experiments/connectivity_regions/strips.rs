//! Segments, ways and images of graphs as pictures.

use candle_core::{D, DType, Tensor};
use candle_nn::ops::softmax;

use super::graphs::{ClassGraph, Graphs};
use crate::checks::Bounds;
use crate::error::{Error, Result};
use crate::experiments::connectivity_cifar10::Space;
use crate::figures::{Filmstrip, Image, ImageGrid, Mark, Pixels, Strip};
use crate::models::{Network, evaluation};
use crate::paths::regions::Edge;

/// Points of a segment in a filmstrip, ends included.
const SHOWN: usize = 9;
/// Images of a way that are shown at most.
const MOST: usize = 12;

impl Graphs {
    /// Shows the `count` edges of all classes with the smallest margins: images on the way with the
    /// network's answers.
    ///
    /// # Errors
    /// Graphs of another space than the pixels, or a network that does not take the images.
    pub fn bottlenecks(&self, network: &dyn Network, count: usize) -> Result<Filmstrip> {
        self.check_space("bottlenecks")?;
        let of_class = |graph| {
            let graph: &ClassGraph = graph;
            let edges = graph.regions.bottlenecks(count).into_iter();
            edges.map(move |edge| (graph, edge))
        };
        let mut all: Vec<(&ClassGraph, Edge)> = self.classes.iter().flat_map(of_class).collect();
        all.sort_by(|(_, a), (_, b)| a.margin.total_cmp(&b.margin));
        let network = evaluation(network)?;
        let strip = |(graph, edge): &(&ClassGraph, Edge)| -> Result<Strip> {
            let ends = edge.ends.map(|end| graph.images[end]);
            let images = self.data.select(&ends)?.inputs;
            let (first, last) = (images.narrow(0, 0, 1)?, images.narrow(0, 1, 1)?);
            let point = |at: usize| -> Result<Tensor> {
                let t = at as f64 / (SHOWN - 1) as f64;
                Ok(((&first * (1. - t))? + (&last * t)?)?)
            };
            let points = (0..SHOWN).map(point).collect::<Result<Vec<_>>>()?;
            let name = self.data.class_name(graph.class);
            let label = format!(
                "{name}: {} to {}, margin {:.3}",
                ends[0], ends[1], edge.margin
            );
            strip(
                network.as_ref(),
                label,
                &Tensor::cat(&points, 0)?,
                graph.class,
            )
        };
        Ok(Filmstrip {
            title: "The edges that come nearest to leaving their class".into(),
            classes: self.data.classes.to_vec(),
            strips: all.iter().take(count).map(strip).collect::<Result<_>>()?,
            note: "Bars: the softmax probabilities, the class in red.".into(),
        })
    }

    /// Shows the vertices of the polyline between the two vertices of a class that are the most edges
    /// apart, at most twelve of them; every mixture between neighbours keeps the class.
    ///
    /// # Errors
    /// A class without a graph, graphs of another space than the pixels, or a network that does not
    /// take the images.
    pub fn longest_way(&self, network: &dyn Network, class: &str) -> Result<Filmstrip> {
        self.check_space("longest_way")?;
        let graph = self.of_class(class)?;
        let found = &graph.regions;
        let first = found
            .components
            .first()
            .and_then(|all| all.first())
            .copied()
            .unwrap_or(0);
        // The vertex furthest from any one is an end of a longest way in a tree.
        let furthest = |from: usize| {
            let ways = (0..graph.images.len()).filter_map(|to| found.path(from, to));
            ways.max_by_key(Vec::len).unwrap_or_default()
        };
        let end = furthest(first).last().copied().unwrap_or(first);
        let way = furthest(end);
        let shown = way.len().clamp(1, MOST);
        let place = |at: usize| at * way.len().saturating_sub(1) / (shown - 1).max(1);
        let places = (0..shown).filter_map(|at| way.get(place(at)));
        let rows: Vec<usize> = places.map(|vertex| graph.images[*vertex]).collect();
        let images = self.data.select(&rows)?.inputs;
        let network = evaluation(network)?;
        let label = format!("{class}, {} edges", way.len().saturating_sub(1));
        Ok(Filmstrip {
            title: format!("The longest way through the class {class:?}: {shown} of its images"),
            classes: self.data.classes.to_vec(),
            strips: vec![strip(network.as_ref(), label, &images, graph.class)?],
            note: "Bars: the softmax probabilities, the class in red.".into(),
        })
    }

    /// Shows the images of each class that were the ends of the most segments that left it.
    ///
    /// # Errors
    /// Every tested segment held, or inputs that are no images.
    pub fn hard_images(&self, count: usize) -> Result<ImageGrid> {
        let mut hard: Vec<(usize, usize, u32)> = Vec::new();
        for graph in &self.classes {
            let ends = graph.regions.hard_to_attach(count).into_iter();
            hard.extend(ends.map(|(at, failed)| (failed, graph.images[at], graph.class)));
        }
        hard.sort_by_key(|(failed, image, _)| (std::cmp::Reverse(*failed), *image));
        hard.truncate(count);
        if hard.is_empty() {
            let expected = "some with a segment that left its class";
            return Err(Error::argument("images", expected, "none"));
        }
        let mut grid = ImageGrid {
            title: "The images that are hardest to join to their class".into(),
            note: "Number of tested segments from the image that left its class.".into(),
            ..ImageGrid::default()
        };
        for row in hard.chunks(8) {
            let rows: Vec<usize> = row.iter().map(|(_, image, _)| *image).collect();
            let caption = |(failed, image, class): &(usize, usize, u32)| {
                let name = self.data.class_name(*class);
                (format!("{name} {image}: {failed}"), Mark::None)
            };
            let captions: Vec<_> = row.iter().map(caption).collect();
            let images = self.data.select(&rows)?.inputs;
            grid.push("", &images, Pixels::Intensity, &captions)?;
        }
        if grid.rows.len() == 1 {
            grid.row_labels.clear();
        }
        Ok(grid)
    }

    /// # Errors
    /// The points are no images.
    fn check_space(&self, what: &'static str) -> Result<()> {
        match self.space {
            Space::Input => Ok(()),
            other => Err(Error::argument(what, "graphs in pixels", other.title())),
        }
    }
}

/// A row of a filmstrip: images and what the network says to them.
fn strip(network: &dyn Network, label: String, points: &Tensor, class: u32) -> Result<Strip> {
    Bounds::default().check("points", "the pixels of images", points)?;
    let probabilities = softmax(&network.forward(points)?, D::Minus1)?.to_dtype(DType::F64)?;
    Ok(Strip {
        label,
        images: Image::batch(points, Pixels::Intensity)?,
        probabilities: probabilities.to_vec2()?,
        target: class as usize,
    })
}
