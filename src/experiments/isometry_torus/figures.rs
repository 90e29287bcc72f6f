//! Tables and figures of the stacks.

use super::gradient::GradientNorms;
use super::settings::Gradient;
use super::shape::LayerShape;
use super::stacks::{Stacks, Trained};
use crate::embedding::{UmapParams, umap};
use crate::error::Result;
use crate::figures::{LineChart, Panels, ScatterChart, ScatterPanels, Table, drawn, plus_minus};

drawn!(table: GradientNorms);

impl GradientNorms {
    /// Tabulates the norms of the gradients: a row for each loss, a column for each layer.
    pub fn table(&self) -> Table {
        let layers = (1..=self.stopped.len()).map(|layer| format!("layer {layer}"));
        let mut table = Table::new(
            "Norm of the gradient in the weights of each layer, before training",
            std::iter::once("gradient, loss".to_string()).chain(layers),
        );
        let both = [
            (Gradient::Stopped, &self.stopped),
            (Gradient::Through, &self.through),
        ];
        for (gradient, losses) in both {
            for (index, norms) in losses.iter().enumerate() {
                let name = format!("{gradient}, L{}", index + 1);
                let norms = norms.iter().map(|norm| format!("{norm:.1e}"));
                table.push(std::iter::once(name).chain(norms));
            }
        }
        table
    }
}

impl Trained {
    /// The number of regions of each layer.
    fn regions(&self) -> impl Iterator<Item = usize> {
        self.levels.iter().map(|level| level.regions)
    }

    /// Charts both terms of every layer's loss during training.
    pub fn losses(&self) -> Panels {
        let charts = self.histories.iter().zip(self.regions());
        let chart = charts.map(|(history, regions)| LineChart {
            title: format!("{regions} regions"),
            y_label: "loss".into(),
            ..history.chart()
        });
        Panels {
            title: format!("Losses of the layers, seed {}", self.seed),
            columns: self.histories.len(),
            charts: chart.collect(),
            note: "Each layer's isometric loss is against its own input.".into(),
        }
    }

    /// Charts Φ of every layer in the plane, by UMAP with the paper's settings (section 2.2),
    /// coloured by the regions of its resolution: the *isometry* paper's figure 4B.
    ///
    /// # Errors
    /// Too few points for 40 neighbours.
    pub fn layouts(&self) -> Result<ScatterPanels> {
        let params = UmapParams::default();
        let outputs = self.stack.outputs(&self.torus.points)?;
        let mut charts = Vec::new();
        for (output, labels) in outputs.iter().zip(&self.torus.labels) {
            charts.push(ScatterChart {
                title: format!("layer {}", charts.len() + 1),
                points: umap(&output.representation, &params)?,
                labels: labels.to_vec1()?,
                ..ScatterChart::default()
            });
        }
        Ok(ScatterPanels {
            title: "Figure 4B: the torus after each layer (UMAP)".into(),
            columns: charts.len(),
            charts,
            note: format!(
                "Seed {}; {} neighbours, minimal distance {}.",
                self.seed, params.n_neighbors, params.min_dist
            ),
        })
    }
}

impl Stacks {
    /// Tabulates what the layers of the stacks with that gradient do at each resolution: mean ±
    /// standard deviation over the seeds.
    pub fn table(&self, gradient: Gradient) -> Table {
        let own = self.runs.iter().filter(|run| run.parameter == gradient);
        let seeds: Vec<u64> = own.clone().map(|run| run.seed).collect();
        let columns = [
            "regions",
            "accuracy",
            "stress",
            "of the layer",
            "correlation",
            "circles kept",
        ];
        let way = match gradient {
            Gradient::Stopped => "stopped between layers",
            Gradient::Through => "let through",
        };
        let mut table = Table::new(format!("Gradient {way}, seeds {seeds:?}"), columns);
        let levels = own.map(|run| run.result.levels.len()).max().unwrap_or(0);
        for level in 0..levels {
            let values = |value: fn(&LayerShape) -> f64| self.level_values(gradient, level, value);
            let over = |value| plus_minus(&values(value), 4);
            let regions = values(|shape| shape.regions as f64);
            table.push([
                regions.first().map_or_else(String::new, f64::to_string),
                over(|shape| shape.accuracy),
                over(|shape| shape.stress),
                over(|shape| shape.stress_of_layer),
                over(|shape| shape.distance_correlation),
                over(|shape| shape.loop_kept),
            ]);
        }
        table
    }
}
