//! Figures of the Lipschitz constants over β, and of both sides of the inequalities for gradients.

use super::super::robustness::StepAccuracy;
use super::super::stretch::{Stretch, Stretches};
use super::shared::over_betas;
use crate::error::Result;
use crate::figures::{
    AxisScale, BarChart, BarSeries, Figure, HistogramChart, Sample, Table, drawn, plus_minus,
};

drawn!(Stretches);

/// One number of a network's estimates.
type Estimate = fn(&Stretch) -> f64;

impl Stretches {
    /// Charts the estimates of the Lipschitz constant over β, from the upper bound down to the
    /// mean.
    ///
    /// # Errors
    /// No network.
    pub fn chart(&self) -> Result<BarChart> {
        let estimates: [(&str, Estimate); 5] = [
            ("product of the layers' norms", |s| s.layer_product),
            ("largest ‖∂Φ/∂x‖₂", |s| s.jacobian_largest),
            ("median ‖∂Φ/∂x‖₂", |s| s.jacobian_median),
            ("largest ratio in a class", |s| s.within.largest),
            ("mean ratio in a class", |s| s.within.mean),
        ];
        let series = estimates
            .into_iter()
            .map(|(name, value)| BarSeries::over_runs(name, &self.values(value)));
        Ok(BarChart {
            title: "How much Φ stretches".into(),
            y_label: "factor".into(),
            series: series.collect::<Result<_>>()?,
            y_scale: AxisScale::Log,
            y_range: Some((0.3, 1_000.)),
            reference: Some(("isometry".into(), 1.)),
            ..over_betas(&self.parameters(), &self.seeds())
        })
    }

    /// Draws [`Stretches::chart`] as a figure.
    ///
    /// # Errors
    /// As [`Stretches::chart`].
    pub fn figure(&self) -> Result<Figure> {
        self.chart()?.figure()
    }

    /// Tabulates the estimates beside the accuracies of the same networks under attack.
    pub fn table(&self, attacked: &StepAccuracy) -> Table {
        let caption = format!(
            "Lipschitz constants of Φ, and accuracy under {}, α = {:.3}",
            attacked.attack, attacked.step_size
        );
        let ratios = ["β", "ratio in a class, mean", "largest"];
        let rest = [
            "‖∂Φ/∂x‖₂, median",
            "largest",
            "∏‖W‖₂",
            "along L_CE",
            "along L",
        ];
        let mut table = Table::new(caption, ratios.into_iter().chain(rest));
        for (index, beta) in self.parameters().iter().enumerate() {
            let over_seeds = |value: Estimate, decimals| {
                let values = self.at(beta).into_iter().map(value);
                plus_minus(&values.collect::<Vec<f64>>(), decimals)
            };
            let [plain, whole] = attacked.words(index, 2);
            table.push([
                beta.to_string(),
                over_seeds(|s| s.within.mean, 2),
                over_seeds(|s| s.within.largest, 2),
                over_seeds(|s| s.jacobian_median, 1),
                over_seeds(|s| s.jacobian_largest, 0),
                over_seeds(|s| s.layer_product, 0),
                plain,
                whole,
            ]);
        }
        table
    }

    /// Charts how the derivatives at the test images are distributed for some of the weights β, all
    /// seeds together.
    pub fn derivatives(&self, betas: &[f64]) -> HistogramChart {
        let parameters = self.parameters();
        let shown = parameters.iter().filter(|beta| betas.contains(beta));
        let sample = |beta: &f64| {
            let runs = self.at(beta).into_iter();
            let norms = runs.flat_map(|run| run.jacobian_norms.iter().copied());
            Sample::new(format!("β = {beta}"), &norms.collect::<Vec<f64>>())
        };
        let images = self.runs.first();
        let images = images.map_or(0, |run| run.result.jacobian_norms.len());
        HistogramChart {
            title: "The derivative of Φ at test images".into(),
            x_label: "‖∂Φ/∂x‖₂".into(),
            y_label: "share of the images".into(),
            x_scale: AxisScale::Log,
            bins: 40,
            samples: shown.map(sample).collect(),
            note: format!("The first {images} test images, all seeds together."),
            ..HistogramChart::default()
        }
    }

    /// Tabulates both sides of the inequalities of section 3.2, for the first seed's networks.
    pub fn gradients(&self) -> Table {
        let columns = [
            "β",
            "‖∇L_ISO‖",
            "bound (6)",
            "median ‖∇L_CE‖",
            "median of its bound",
        ];
        let mut table = Table::new("Gradients and their bounds, first seed", columns);
        for run in &self.first_seed().runs {
            let isometric = run.result.isometric_gradient;
            let cross_entropy = run.result.cross_entropy_gradient;
            let numbers = [
                isometric.gradient,
                isometric.bound,
                cross_entropy.gradient,
                cross_entropy.bound,
            ];
            let numbers = numbers.map(|number| format!("{number:.1e}"));
            table.push(std::iter::once(run.parameter.to_string()).chain(numbers));
        }
        table
    }
}
