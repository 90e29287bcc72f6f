//! How the cost of a graph grows.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::graphs::{Vertices, right_ones};
use super::settings::IsometricSettings;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::figures::{AxisScale, Figure, LineChart, Series, drawn};
use crate::metrics::predictions;
use crate::models::{Network, Representation};
use crate::paths::regions::regions;

/// What the graphs of all classes cost for one number of images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostRow {
    /// The number of images, right or wrong.
    pub images: usize,
    /// The number of pairs of vertices of one class.
    pub pairs: usize,
    /// The number of segments tested.
    pub tests: usize,
    /// The number of components of all classes.
    pub components: usize,
    /// The number of classes that have a vertex.
    pub classes: usize,
    /// The time that it took, the search for neighbours included.
    pub seconds: f64,
}

/// The cost of graphs against the number of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// A row for each number of images.
    pub rows: Vec<CostRow>,
}

drawn!(Cost);

/// Draws the graphs of the first images of a data set in pixels, for several numbers of them.
///
/// # Errors
/// No numbers, a number of 0, or what [`regions`] refuses.
pub fn cost(
    network: &dyn Network,
    data: &Dataset,
    sizes: &[usize],
    settings: &IsometricSettings,
) -> Result<Cost> {
    let largest = sizes.iter().copied().max();
    let largest = largest.ok_or_else(|| Error::argument("sizes", "at least one", "none"))?;
    let all = data.first(largest)?;
    let answers = predictions(network, &all.inputs)?;
    let mut rows = Vec::new();
    let of_size = |size: &usize| -> Result<_> {
        let some = all.first(*size)?;
        let vertices = right_ones(&some, &answers.narrow(0, 0, some.len())?)?;
        Ok((some, vertices))
    };
    let sizes: Vec<(Dataset, Vertices)> = sizes.iter().map(of_size).collect::<Result<_>>()?;
    let all = sizes.iter().flat_map(|(_, vertices)| vertices.values());
    let bar = settings.bar("graphs").of(all.map(Vec::len).sum(), "edges");
    let mut before = 0;
    for (some, vertices) in sizes {
        let start = Instant::now();
        let mut row = CostRow {
            images: some.len(),
            pairs: 0,
            tests: 0,
            components: 0,
            classes: vertices.len(),
            seconds: 0.,
        };
        for (class, images) in &vertices {
            let points = some.select(images)?.inputs;
            let params = settings.params(bar.within(before, format!("{} images", some.len())));
            let found = regions(network, Representation::Input, &points, *class, &params)?;
            row.pairs += images.len() * (images.len() - 1) / 2;
            row.tests += found.tests;
            row.components += found.components.len();
            before += images.len();
            bar.report(before as f64, "");
        }
        row.seconds = start.elapsed().as_secs_f64();
        rows.push(row);
    }
    Ok(Cost { rows })
}

impl Cost {
    /// Charts the tests beside the pairs of one class, against the number of images.
    pub fn chart(&self) -> LineChart {
        let of = |value: fn(&CostRow) -> usize| -> Vec<f64> {
            self.rows
                .iter()
                .map(|row| value(row).max(1) as f64)
                .collect()
        };
        let images = of(|row| row.images);
        let seconds: Vec<String> = self
            .rows
            .iter()
            .map(|row| format!("{:.1}", row.seconds))
            .collect();
        LineChart {
            title: "Tests grow with the number of images, pairs with its square".into(),
            x_label: "images".into(),
            y_label: "segments".into(),
            x_scale: AxisScale::Log,
            y_scale: AxisScale::Log,
            series: vec![
                Series::line("pairs of one class", &images, &of(|row| row.pairs)),
                Series::line("segments tested", &images, &of(|row| row.tests)),
            ],
            note: format!("Seconds: {}.", seconds.join(", ")),
            ..LineChart::default()
        }
    }

    /// Draws [`Cost::chart`].
    ///
    /// # Errors
    /// No row.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}
