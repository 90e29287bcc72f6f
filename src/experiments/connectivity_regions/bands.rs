//! Bands where segments have left a class in more than one component.

use serde::{Deserialize, Serialize};

use super::graphs::Graphs;
use crate::error::Result;
use crate::experiments::connectivity_cifar10::Space;
use crate::figures::{Table, drawn};
use crate::models::Network;
use crate::paths::NebParams;
use crate::paths::regions::RegionsParams;
use crate::progress::Progress;

/// A band between a component and the largest one of its class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassBand {
    /// The class that the band must not leave.
    pub class: u32,
    /// The name of that class.
    pub class_name: String,
    /// Both images, the nearest pair of the two components: rows of the data.
    pub test_index: [usize; 2],
    /// Whether the band keeps it.
    pub holds: bool,
    /// The smallest margin on the band, at most 0 where it leaves the class.
    pub smallest_margin: f64,
    /// Where that is: the share of the band from the first image on.
    pub at: f64,
    /// The length of the band over that of the straight segment; 1 where the band leaves the class.
    pub stretch: f64,
}

/// The bands of all classes in more than one component, from [`Graphs::bands`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassBands {
    /// The space that the bands run through.
    pub space: Space,
    /// The number of classes in one component, which need no band.
    pub connected: usize,
    /// A band for each component but the largest of its class.
    pub bands: Vec<ClassBand>,
}

drawn!(table: ClassBands);

impl Graphs {
    /// Tries an elastic band where segments have left a class in more than one component: between each
    /// component but the largest and that one, at their nearest pair of images. The graphs stay as they
    /// are.
    ///
    /// # Errors
    /// What [`Regions::extend`](crate::paths::Regions::extend) and [`neb`](crate::paths::neb())
    /// refuse.
    pub fn bands(&self, network: &dyn Network, params: &NebParams) -> Result<ClassBands> {
        let representation = self.space.representation();
        let mut found = ClassBands {
            space: self.space,
            connected: 0,
            bands: Vec::new(),
        };
        for graph in &self.classes {
            if graph.regions.is_connected() {
                found.connected += 1;
                continue;
            }
            let points = self.points(network, graph)?;
            let own = RegionsParams {
                samples: graph.regions.samples,
                // Segments have been tried, that to the nearest neighbour always.
                neighbors: 1,
                max_tests_per_point: 0,
                bands: Some(*params),
                progress: Progress::Hidden,
                ..RegionsParams::default()
            };
            let more = graph
                .regions
                .extend(network, representation, &points, &own)?;
            let joined = more.edges.iter().skip(graph.regions.edges.len());
            let left = more.left.iter().skip(graph.regions.left.len());
            let both = joined.map(|edge| (edge, true));
            for (edge, holds) in both.chain(left.map(|edge| (edge, false))) {
                let test_index = edge.ends.map(|end| graph.images[end]);
                let ends = representation.of(network, &self.data.select(&test_index)?.inputs)?;
                let straight = (ends.narrow(0, 0, 1)? - ends.narrow(0, 1, 1)?)?;
                let straight = straight
                    .sqr()?
                    .sum_all()?
                    .to_dtype(candle_core::DType::F64)?;
                found.bands.push(ClassBand {
                    class: graph.class,
                    class_name: self.data.class_name(graph.class),
                    test_index,
                    holds,
                    smallest_margin: edge.margin,
                    at: edge.at,
                    stretch: edge.length / straight.to_scalar::<f64>()?.sqrt(),
                });
            }
        }
        Ok(found)
    }
}

impl ClassBands {
    /// The number of bands that keep their class.
    pub fn holding(&self) -> usize {
        self.bands.iter().filter(|band| band.holds).count()
    }

    /// Tabulates the bands.
    pub fn table(&self) -> Table {
        let columns = [
            "class",
            "images",
            "verdict",
            "smallest margin",
            "at the share of the way",
            "length over the straight one",
        ];
        let caption = format!("Bands where no segment has joined, {}", self.space.title());
        let mut table = Table::new(caption, columns);
        for band in &self.bands {
            let [i, j] = band.test_index;
            let verdict = if band.holds {
                "joined by a band"
            } else {
                "none found"
            };
            table.push([
                band.class_name.clone(),
                format!("{i}, {j}"),
                verdict.into(),
                format!("{:.4}", band.smallest_margin),
                format!("{:.3}", band.at),
                format!("{:.3}", band.stretch),
            ]);
        }
        table
    }
}
