//! Tables and figures of the networks.

use candle_core::Tensor;

use super::networks::{Networks, Trained};
use crate::embedding::{UmapParams, umap};
use crate::error::Result;
use crate::experiments::Run;
use crate::figures::{
    AxisScale, HistogramChart, HistogramPanels, LineChart, Panels, Sample, ScatterChart,
    ScatterPanels, Table, drawn, plus_minus,
};
use crate::losses::Partition;
use crate::metrics::distances_within;

drawn!(table: Networks);

/// What a mapping is called in a figure.
fn name(mapping: Partition) -> &'static str {
    match mapping {
        Partition::None => "cross-entropy alone",
        Partition::Local => "local isometry",
        Partition::Global => "global isometry",
    }
}

impl Networks {
    /// Tabulates what becomes of the rings under each mapping: mean ± standard deviation over both
    /// rings and all seeds.
    pub fn table(&self) -> Table {
        let columns = [
            "isometry",
            "accuracy",
            "stress",
            "correlation",
            "1 − birth/death",
            "loops kept",
        ];
        let mut table = Table::new("Both rings, all seeds", columns);
        let accuracies = self.values(|trained| trained.accuracy);
        for (mapping, accuracies) in self.parameters().iter().zip(&accuracies) {
            let kept = self.ring_values(mapping, |ring| f64::from(ring.loop_kept));
            table.push([
                mapping.to_string(),
                plus_minus(accuracies, 4),
                plus_minus(&self.ring_values(mapping, |ring| ring.stress), 3),
                plus_minus(
                    &self.ring_values(mapping, |ring| ring.distance_correlation),
                    3,
                ),
                plus_minus(&self.ring_values(mapping, |ring| ring.loop_prominence), 3),
                format!("{} of {}", kept.iter().sum::<f64>(), kept.len()),
            ]);
        }
        table
    }

    /// Charts both terms of the loss during training, the first seed of each mapping.
    pub fn losses(&self) -> Panels {
        let chart = |run: &Run<Partition, Trained>| LineChart {
            title: format!("isometry: {}", run.parameter),
            y_label: "loss".into(),
            ..run.result.history.chart()
        };
        let charts: Vec<LineChart> = self.first_seed().runs.iter().map(chart).collect();
        Panels {
            title: "Losses during training, first seed".into(),
            columns: charts.len(),
            charts,
            note: "Without isometry L_ISO is shown, but not minimised.".into(),
        }
    }

    /// Charts Φ of every point in the plane, by UMAP with the paper's settings (section 2.2), the
    /// first seed of each mapping: the *isometry* paper's figure 2A.
    ///
    /// # Errors
    /// Too few points for 40 neighbours.
    pub fn layouts(&self) -> Result<ScatterPanels> {
        let params = UmapParams::default();
        let chart = |run: &Run<Partition, Trained>| {
            Ok(ScatterChart {
                title: name(run.parameter).into(),
                points: umap(&run.result.representation()?, &params)?,
                axes: Vec::new(),
                ..run.result.rings.cloud()?
            })
        };
        let first = self.first_seed();
        let charts = first.runs.iter().map(chart).collect::<Result<Vec<_>>>()?;
        Ok(ScatterPanels {
            title: "Figure 2A: the last hidden layer in the plane (UMAP)".into(),
            columns: charts.len(),
            charts,
            note: format!(
                "First seed; {} neighbours, minimal distance {}.",
                params.n_neighbors, params.min_dist
            ),
        })
    }

    /// Charts the distances inside each ring before the network and after it, for some of the
    /// mappings, the first seed of each: the *isometry* paper's figure 2B. Every ring is drawn over
    /// a linear and over a logarithmic axis.
    ///
    /// # Errors
    /// A mapping without a network.
    pub fn distances(&self, mappings: &[Partition]) -> Result<HistogramPanels> {
        let mut classes: Vec<String> = Vec::new();
        let mut samples: Vec<Vec<Sample>> = Vec::new();
        let seed = self.seeds().first().copied().unwrap_or(0);
        for mapping in mappings {
            let trained = self.get(mapping, seed)?;
            let within = |points: &Tensor| distances_within(points, &trained.rings.labels);
            if samples.is_empty() {
                classes = trained.rings.classes.to_vec();
                let before = within(&trained.rings.inputs)?;
                samples.extend(before.iter().map(|ring| vec![Sample::new("before", ring)]));
            }
            let after = within(&trained.representation()?)?;
            for (samples, ring) in samples.iter_mut().zip(&after) {
                samples.push(Sample::new(format!("after, {}", name(*mapping)), ring));
            }
        }
        let chart = |(title, samples): (&String, &Vec<Sample>), y_scale| HistogramChart {
            title: match y_scale {
                AxisScale::Linear => title.clone(),
                AxisScale::Log => format!("{title}, logarithmic"),
            },
            x_label: "distance of two points of the ring".into(),
            y_label: "share of the pairs".into(),
            y_scale,
            samples: samples.clone(),
            ..HistogramChart::default()
        };
        let rings = classes.iter().zip(&samples);
        let both = |ring| [AxisScale::Linear, AxisScale::Log].map(|scale| chart(ring, scale));
        Ok(HistogramPanels {
            title: "Figure 2B: distances inside the rings".into(),
            columns: 2,
            charts: rings.flat_map(both).collect(),
            note: "First seed.".into(),
        })
    }
}
