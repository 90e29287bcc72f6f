//! Tables and charts of graphs and segments.

use super::graphs::Graphs;
use super::random::{ClassCrossings, RandomSegments};
use crate::datasets::Dataset;
use crate::figures::{
    BarChart, BarSeries, BarStyle, HistogramChart, LineChart, Sample, Series, Table, drawn,
};
use crate::statistics::Proportion;

drawn!(table: Graphs);

impl Graphs {
    /// Tabulates what was found for each class.
    pub fn table(&self) -> Table {
        let columns = [
            "class",
            "images",
            "components",
            "tests",
            "that failed",
            "points asked",
            "longest way (edges)",
            "smallest margin",
            "seconds",
        ];
        let caption = format!("The graph of each class, {}", self.space.title());
        let mut table = Table::new(caption, columns);
        for graph in &self.classes {
            let found = &graph.regions;
            let hops = found.diameter(0).map_or(0, |diameter| diameter.hops);
            let bottleneck = found.bottlenecks(1);
            let margin = bottleneck.first().map_or(f64::NAN, |edge| edge.margin);
            table.push([
                self.data.class_name(graph.class),
                graph.images.len().to_string(),
                sizes(&found.components),
                found.tests.to_string(),
                found.left.len().to_string(),
                found.evaluations.values.to_string(),
                hops.to_string(),
                format!("{margin:.3}"),
                format!("{:.1}", graph.seconds),
            ]);
        }
        table
    }

    /// Tabulates what denser samples changed; classes that were not checked are left out.
    pub fn check_table(&self) -> Table {
        let columns = [
            "class",
            "edges",
            "samples before and after",
            "edges that left",
            "components without them",
            "components when repaired",
        ];
        let caption = format!("The edges with denser samples, {}", self.space.title());
        let mut table = Table::new(caption, columns);
        for graph in &self.classes {
            let Some(check) = &graph.check else { continue };
            let (before, after) = (graph.regions.samples, check.repaired.samples);
            table.push([
                self.data.class_name(graph.class),
                graph.regions.edges.len().to_string(),
                format!("{before}, {after}"),
                check.failed.len().to_string(),
                sizes(&check.components),
                sizes(&check.repaired.components),
            ]);
        }
        table
    }

    /// Charts the lengths of the edges beside those of segments between random pairs.
    pub fn lengths(&self, random: &RandomSegments) -> HistogramChart {
        let edges = self.classes.iter().flat_map(|graph| &graph.regions.edges);
        let lengths: Vec<f64> = edges.map(|edge| edge.length).collect();
        HistogramChart {
            title: format!(
                "Edges are shorter than random segments, {}",
                self.space.title()
            ),
            x_label: "Euclidean distance of both ends".into(),
            y_label: "share of the segments".into(),
            samples: vec![
                Sample::new("edges of the graphs", &lengths),
                Sample::new("random pairs", &random.lengths()),
            ],
            ..HistogramChart::default()
        }
    }
}

impl RandomSegments {
    /// Charts the share of random segments that hold, by class, in several spaces.
    pub fn by_class(all: &[&Self], data: &Dataset) -> BarChart {
        let mut chart = BarChart {
            title: "Segments between random images that stay in their class".into(),
            x_label: "class".into(),
            y_label: "share of the segments".into(),
            style: BarStyle::Dots,
            y_range: Some((0., 1.)),
            note: "Bars: Wilson's 95 % interval.".into(),
            ..BarChart::default()
        };
        for found in all {
            let names = found.classes.keys().map(|class| data.class_name(*class));
            chart.groups = names.collect();
            let mut series = BarSeries {
                name: found.space.title().into(),
                ..BarSeries::default()
            };
            for segments in found.classes.values() {
                let share = segments.share();
                series.values.push(share.share);
                series.low.push(share.low);
                series.high.push(share.high);
            }
            chart.series.push(series);
        }
        chart
    }

    /// Charts the share of segments that hold against their length, in `groups` groups of as many
    /// segments each.
    pub fn by_length(&self, groups: usize) -> LineChart {
        let groups = self.all().by_length(groups);
        let of = |value: fn(&Proportion) -> f64| -> Vec<f64> {
            groups.iter().map(|group| value(&group.share)).collect()
        };
        let middle: Vec<f64> = groups
            .iter()
            .map(|group| (group.shortest + group.longest) / 2.)
            .collect();
        LineChart {
            title: format!(
                "Segments that hold, by their length, {}",
                self.space.title()
            ),
            x_label: "Euclidean distance of both ends (middle of the group)".into(),
            y_label: "share of the segments".into(),
            y_range: Some((0., 1.)),
            series: vec![Series {
                name: "random pairs".into(),
                x: middle,
                mean: of(|share| share.share),
                low: of(|share| share.low),
                high: of(|share| share.high),
            }],
            note: "Band: Wilson's 95 % interval.".into(),
            ..LineChart::default()
        }
    }
}

impl ClassCrossings {
    /// Tabulates, class by class, the share of segments whose answer changes exactly once.
    pub fn table(&self, data: &Dataset) -> Table {
        let names = self.classes.iter().map(|class| data.class_name(*class));
        let mut table = Table::new(
            "Segments between two classes on which the answer changes exactly once",
            std::iter::once(String::new()).chain(names),
        );
        for row in &self.classes {
            let cell = |column: &u32| {
                let pair = (*row.min(column), *row.max(column));
                let own = self
                    .single
                    .iter()
                    .find(|(one, other, _)| (*one, *other) == pair);
                own.map_or("–".into(), |(.., share)| format!("{:.2}", share.share))
            };
            let cells = self.classes.iter().map(cell);
            table.push(std::iter::once(data.class_name(*row)).chain(cells));
        }
        table
    }

    /// The share of all segments whose answer changes exactly once.
    pub fn share(&self) -> Proportion {
        let once = self.changes.get(&1).copied().unwrap_or(0);
        Proportion::new(once, self.changes.values().sum())
    }
}

/// Components in words: how many, and how large where there are several.
fn sizes(components: &[Vec<usize>]) -> String {
    const SHOWN: usize = 4;
    let sizes: Vec<String> = components.iter().map(|all| all.len().to_string()).collect();
    match sizes.len() {
        0 | 1 => sizes.len().to_string(),
        n if n <= SHOWN => format!("{n}: {}", sizes.join(", ")),
        n => format!("{n}: {}, and {} more", sizes[..SHOWN].join(", "), n - SHOWN),
    }
}
