//! Tables and figures of the results.

use super::gradients::Angles;
use super::networks::Networks;
use super::robustness::{Curves, Robustness, StepAccuracy};
use super::strength::AttackStrength;
use super::stretch::{Stretch, Stretches};
use crate::error::Result;
use crate::figures::{
    AxisScale, BarChart, BarSeries, BarStyle, Colors, Figure, HistogramChart, LineChart, Panels,
    Sample, Series, Table, drawn, plus_minus,
};

drawn!(table: Networks, Angles);
drawn!(Robustness, Curves, StepAccuracy, AttackStrength, Stretches);

const ALONG_CROSS_ENTROPY: &str = "along L_CE";
const ALONG_TRAINING_LOSS: &str = "along L_CE + β L_ISO";

/// `β = 0.1` for each weight.
fn names(betas: &[f64]) -> Vec<String> {
    betas.iter().map(|beta| format!("β = {beta}")).collect()
}

/// What is shown of these seeds: the mean, with `spread` for the standard deviation, of several.
fn seeds_note(seeds: &[u64], spread: &str) -> String {
    match seeds {
        [seed] => format!("Seed {seed}."),
        _ => format!("Mean over the seeds {seeds:?}; {spread}: ± one standard deviation."),
    }
}

impl Networks {
    /// Table 1: test accuracy and isometric loss of every β, mean ± standard deviation over the
    /// seeds.
    pub fn table(&self) -> Table {
        let mut table = Table::new(
            "Table 1. Test accuracy and isometric loss",
            ["β", "accuracy", "L_ISO"],
        );
        let accuracies = self.values(|trained| trained.test_accuracy);
        let losses = self.values(|trained| trained.isometric_loss);
        for ((beta, accuracy), loss) in self.parameters().iter().zip(&accuracies).zip(&losses) {
            table.push([
                beta.to_string(),
                plus_minus(accuracy, 4),
                plus_minus(loss, 3),
            ]);
        }
        table
    }
}

impl Curves {
    /// Accuracy over the step size, a curve for every β: along the cross-entropy on the left, along
    /// the training loss on the right.
    ///
    /// # Errors
    /// The curves are yours, and not as many as their weights, seeds and step sizes.
    pub fn panels(&self) -> Result<Panels> {
        let (names, accuracy) = (names(&self.betas), &self.accuracy);
        let chart = |along: &str, runs| -> Result<LineChart> {
            Ok(LineChart {
                title: format!("{} {along}", self.attack),
                x_label: "step size α (pixel units)".into(),
                y_label: "accuracy".into(),
                x_scale: AxisScale::Log,
                y_range: Some((0., 1.)),
                series: Series::family(&names, &self.step_size, runs)?,
                colors: Colors::Ordered,
                reference: Some(("chance".into(), 0.1)),
                ..LineChart::default()
            })
        };
        Ok(Panels {
            title: format!("Accuracy under {}, along two losses", self.attack),
            columns: 2,
            charts: vec![
                chart(ALONG_CROSS_ENTROPY, &accuracy.cross_entropy)?,
                chart(ALONG_TRAINING_LOSS, &accuracy.training_loss)?,
            ],
            note: format!(
                "{} {} images.",
                seeds_note(&self.seeds, "shading"),
                self.images
            ),
        })
    }

    /// [`Curves::panels`], drawn.
    ///
    /// # Errors
    /// As [`Curves::panels`].
    pub fn figure(&self) -> Result<Figure> {
        self.panels()?.figure()
    }
}

impl Robustness {
    /// Figure 3: the curves of FGSM above those of PGD.
    ///
    /// # Errors
    /// As [`Curves::panels`].
    pub fn panels(&self) -> Result<Panels> {
        let (fgsm, pgd) = (self.fgsm.panels()?, self.pgd.panels()?);
        let note = format!(
            "{} {} images for FGSM, {} for PGD.",
            seeds_note(&self.fgsm.seeds, "shading"),
            self.fgsm.images,
            self.pgd.images
        );
        Ok(Panels {
            title: "Figure 3, along two losses".into(),
            charts: [fgsm.charts, pgd.charts].concat(),
            note,
            ..fgsm
        })
    }

    /// [`Robustness::panels`], drawn.
    ///
    /// # Errors
    /// As [`Curves::panels`].
    pub fn figure(&self) -> Result<Figure> {
        self.panels()?.figure()
    }
}

impl StepAccuracy {
    /// The accuracies of every β, mean ± standard deviation over the seeds.
    pub fn table(&self) -> Table {
        let caption = format!(
            "Accuracy under {} with steps of {:.3}, by the loss that is followed",
            self.attack, self.step_size
        );
        let mut table = Table::new(caption, ["β", "L_CE", "L_CE + β L_ISO"]);
        for (index, beta) in self.betas.iter().enumerate() {
            let [plain, whole] = self.words(index, 3);
            table.push([beta.to_string(), plain, whole]);
        }
        table
    }

    /// The accuracies of β number `index` along both losses, in words.
    fn words(&self, index: usize, decimals: usize) -> [String; 2] {
        [&self.cross_entropy, &self.training_loss].map(|runs| {
            let runs = runs.get(index).map_or(&[][..], Vec::as_slice);
            plus_minus(runs, decimals)
        })
    }

    /// The accuracies over β.
    ///
    /// # Errors
    /// The accuracies are yours, and there is none at a β.
    pub fn chart(&self) -> Result<BarChart> {
        Ok(BarChart {
            title: format!("Accuracy under {}, α = {:.3}", self.attack, self.step_size),
            y_label: "accuracy".into(),
            series: vec![
                BarSeries::over_runs(ALONG_CROSS_ENTROPY, &self.cross_entropy)?,
                BarSeries::over_runs(ALONG_TRAINING_LOSS, &self.training_loss)?,
            ],
            y_range: Some((0., 1.)),
            ..over_betas(&self.betas, &self.seeds)
        })
    }

    /// [`StepAccuracy::chart`], drawn.
    ///
    /// # Errors
    /// As [`StepAccuracy::chart`].
    pub fn figure(&self) -> Result<Figure> {
        self.chart()?.figure()
    }
}

/// A chart of dots over β, without its series.
fn over_betas(betas: &[f64], seeds: &[u64]) -> BarChart {
    BarChart {
        x_label: "weight of the isometric loss".into(),
        groups: names(betas),
        style: BarStyle::Dots,
        note: seeds_note(seeds, "bars"),
        ..BarChart::default()
    }
}

/// Numbers as in `6.9e-5`, after a row's β.
fn row_of_powers<const N: usize>(beta: f64, numbers: [f64; N]) -> impl Iterator<Item = String> {
    let numbers = numbers.into_iter().map(|number| format!("{number:.1e}"));
    std::iter::once(beta.to_string()).chain(numbers)
}

impl Angles {
    /// Angle and lengths at every β.
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
    /// A group of bars for every β, a bar for every attack.
    pub fn chart(&self) -> BarChart {
        let series = self.attacks.iter().map(|attack| BarSeries {
            name: attack.attack.clone(),
            values: attack.accuracy.clone(),
            ..BarSeries::default()
        });
        BarChart {
            title: format!("What is left under PGD, ε = {}", self.eps),
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

    /// [`AttackStrength::chart`], drawn.
    ///
    /// # Errors
    /// The accuracies are yours, and not one for each β.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}

/// One number of a network's estimates.
type Estimate = fn(&Stretch) -> f64;

impl Stretches {
    /// The estimates of the Lipschitz constant over β, from the upper bound down to the mean.
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

    /// [`Stretches::chart`], drawn.
    ///
    /// # Errors
    /// As [`Stretches::chart`].
    pub fn figure(&self) -> Result<Figure> {
        self.chart()?.figure()
    }

    /// The estimates beside the accuracies of the same networks under attack.
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

    /// How the derivatives at the test images are distributed for some of the weights β, all seeds
    /// together.
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

    /// Both sides of the inequalities of section 3.2, of the first seed's networks.
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
            table.push(row_of_powers(run.parameter, numbers));
        }
        table
    }
}
