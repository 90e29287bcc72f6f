//! Figures of the gradients' angles, and of the accuracy under stronger and stronger attacks.

use super::super::gradients::Angles;
use super::super::strength::AttackStrength;
use super::shared::names;
use crate::error::Result;
use crate::figures::{BarChart, BarSeries, Figure, Table, drawn};

drawn!(table: Angles);
drawn!(AttackStrength);

impl Angles {
    /// Tabulates the angle between the gradients and their lengths, for every β.
    pub fn table(&self) -> Table {
        let mut table = Table::new(
            "Gradients of the first seed's networks",
            ["β", "mean cosine", "median ‖∇L_CE‖", "median ‖β ∇L_ISO‖"],
        );
        for angle in &self.angles {
            table.push([
                angle.beta.to_string(),
                format!("{:.3}", angle.cosine),
                format!("{:.1e}", angle.cross_entropy),
                format!("{:.1e}", angle.isometric),
            ]);
        }
        table
    }
}

impl AttackStrength {
    /// Charts the accuracy that is left: a group of bars for every β, a bar for every attack.
    pub fn chart(&self) -> BarChart {
        let series = self.attacks.iter().map(|attack| BarSeries {
            name: attack.attack.clone(),
            values: attack.accuracy.clone(),
            ..BarSeries::default()
        });
        BarChart {
            title: format!("Accuracy under PGD, ε = {}", self.eps),
            x_label: "weight of the isometric loss".into(),
            y_label: "accuracy".into(),
            legend: "attack".into(),
            groups: names(&self.betas),
            series: series.collect(),
            y_range: Some((0., 1.)),
            note: format!("First seed, first {} test images.", self.images),
            ..BarChart::default()
        }
    }

    /// Draws [`AttackStrength::chart`] as a figure.
    ///
    /// # Errors
    /// The accuracies are yours, and not one for each β.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}
