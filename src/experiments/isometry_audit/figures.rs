//! The table of the audit, and its figures.

use ndarray::Array2;

use super::audit::{Audited, Audits};
use super::networks::Networks;
use super::outcomes::{AtRadius, SmallestChanges};
use crate::attacks::Norm;
use crate::error::{Error, Result};
use crate::figures::{AxisScale, LineChart, Panels, Series, Table, drawn, plus_minus};

drawn!(table: Audits, Networks);

/// The points of a curve over ε.
const POINTS: usize = 41;

impl Audits {
    /// Tabulates accuracy, robust accuracy at every radius, what the paper's attacker reports, all in
    /// percent, median smallest change, and warnings; mean ± standard deviation over the seeds.
    pub fn table(&self) -> Table {
        let Some(first) = self.runs.first().map(|run| &run.result) else {
            return Table::new("No network", ["network"]);
        };
        let radii = |name: &str, all: &[AtRadius]| -> Vec<String> {
            all.iter().map(|at| format!("{name} {}", at.eps)).collect()
        };
        let paper = format!("the paper's attacker, L∞ {}", first.paper_eps);
        let head = [
            vec!["network".to_string(), "accuracy".into(), paper],
            radii("L∞", &first.linf),
            radii("L2", &first.l2),
            ["median L∞", "median L2", "warnings"]
                .map(String::from)
                .to_vec(),
        ];
        let caption = format!(
            "Accuracy in % under AutoAttack, {} test images; beside it what the paper's attacker reports",
            first.linf_norm.distance.len()
        );
        let mut table = Table::new(caption, head.concat());
        for method in self.parameters() {
            let own = self.at(&method);
            let words = |value: &dyn Fn(&Audited) -> f64, decimals| {
                let runs: Vec<f64> = own.iter().map(|audited| value(audited)).collect();
                in_two_lines(plus_minus(&runs, decimals))
            };
            let percent =
                |value: &dyn Fn(&Audited) -> f64| words(&|audited| 100. * value(audited), 1);
            let mut row = vec![
                method.to_string(),
                percent(&|audited| audited.accuracy),
                percent(&|audited| audited.paper_attack),
            ];
            row.extend(
                (0..first.linf.len()).map(|at| percent(&|one| one.linf[at].robust_accuracy)),
            );
            row.extend((0..first.l2.len()).map(|at| percent(&|one| one.l2[at].robust_accuracy)));
            let median = |of: fn(&Audited) -> &SmallestChanges| {
                let known: Option<Vec<f64>> = own.iter().map(|one| of(one).median()).collect();
                known.map_or("unknown".into(), |runs: Vec<f64>| {
                    in_two_lines(plus_minus(&runs, 3))
                })
            };
            row.extend([median(|one| &one.linf_norm), median(|one| &one.l2_norm)]);
            let warnings: usize = own.iter().map(|one| one.warnings().len()).sum();
            row.push(if warnings == 0 {
                "none".into()
            } else {
                warnings.to_string()
            });
            table.push(row);
        }
        table
    }

    /// Lists every warning, with the networks that raised it; `none` where there is none.
    pub fn warnings(&self) -> Table {
        let mut table = Table::new("What AutoAttack warns of", ["network", "seed", "warning"]);
        for run in &self.runs {
            for warning in run.result.warnings() {
                let row = [
                    run.parameter.to_string(),
                    run.seed.to_string(),
                    warning.to_string(),
                ];
                table.push(row);
            }
        }
        if table.rows.is_empty() {
            table.push(["all", "all", "none"]);
        }
        table
    }

    /// Charts the robust accuracy over ε by the smallest changes that were found, L∞ and L2.
    ///
    /// # Errors
    /// No network.
    pub fn curves(&self) -> Result<Panels> {
        let charts = [
            self.curve(Norm::LInf, "L∞", |one| &one.linf_norm)?,
            self.curve(Norm::L2, "L2", |one| &one.l2_norm)?,
        ];
        Ok(Panels {
            title: "Robust accuracy at every radius".into(),
            columns: 2,
            charts: charts.to_vec(),
            note:
                "Smallest changes found by FMN; where there are several seeds, mean and standard \
                   deviation."
                    .into(),
        })
    }

    fn curve(
        &self,
        norm: Norm,
        name: &str,
        of: fn(&Audited) -> &SmallestChanges,
    ) -> Result<LineChart> {
        let methods = self.parameters();
        let distances = self
            .runs
            .iter()
            .flat_map(|run| of(&run.result).distance.iter().flatten());
        let farthest = distances.copied().fold(0., f64::max);
        let end = match norm {
            Norm::LInf => farthest.min(0.5),
            Norm::L2 => farthest.min(6.),
        };
        let eps: Vec<f64> = (0..POINTS)
            .map(|at| end * at as f64 / (POINTS - 1) as f64)
            .collect();
        let mut series = Vec::new();
        for method in &methods {
            let own = self.at(method);
            let runs = Array2::from_shape_fn((own.len(), POINTS), |(run, at)| {
                of(own[run]).robust_accuracy(eps[at])
            });
            series.push(Series::over_runs(method.to_string(), &eps, runs.view())?);
        }
        Ok(LineChart {
            title: format!("{name} ball"),
            x_label: "radius ε (pixel units)".into(),
            y_label: "robust accuracy".into(),
            y_range: Some((0., 1.)),
            series,
            ..LineChart::default()
        })
    }
}

/// A mean ± a deviation that a narrow column breaks before the sign alone.
fn in_two_lines(words: String) -> String {
    words.replace("± ", "±\u{a0}")
}

impl Networks {
    /// Tabulates what each method asks for, its epochs, the seconds of its training, and its accuracy;
    /// mean ± standard deviation over the seeds.
    pub fn table(&self) -> Table {
        let head = [
            "method",
            "asks for",
            "epochs",
            "seconds of training",
            "accuracy",
        ];
        let mut table = Table::new("The networks, before any attack", head);
        for method in self.parameters() {
            let own = self.at(&method);
            let accuracies: Vec<f64> = own.iter().map(|one| one.test_accuracy).collect();
            let seconds: Vec<f64> = own.iter().map(|one| one.seconds).collect();
            let epochs = own.first().map_or(0, |one| one.history.epochs.len());
            table.push([
                method.to_string(),
                method.describe(),
                epochs.to_string(),
                plus_minus(&seconds, 0),
                plus_minus(&accuracies, 4),
            ]);
        }
        table
    }

    /// Charts the cross-entropy in training over the epochs; mean and standard deviation over the
    /// seeds. Of a method that attacks each batch to learn from it, at attacked images.
    ///
    /// # Errors
    /// No network, or networks of a method whose trainings had different numbers of epochs.
    pub fn learning_curves(&self) -> Result<LineChart> {
        let mut series = Vec::new();
        for method in self.parameters() {
            let own = self.at(&method);
            let epochs = own.first().map_or(0, |one| one.history.epochs.len());
            if own.iter().any(|one| one.history.epochs.len() != epochs) {
                let expected = "as many for every seed";
                return Err(Error::argument("epochs", expected, method));
            }
            let runs = Array2::from_shape_fn((own.len(), epochs), |(run, at)| {
                let epoch = &own[run].history.epochs[at];
                epoch.cross_entropy.unwrap_or(epoch.loss)
            });
            let numbers: Vec<f64> = (1..=epochs).map(|epoch| epoch as f64).collect();
            let name = method.to_string();
            series.push(Series::over_runs(name, &numbers, runs.view())?);
        }
        Ok(LineChart {
            title: "How the methods learn".into(),
            x_label: "epoch".into(),
            y_label: "cross-entropy in training (nats)".into(),
            y_scale: AxisScale::Log,
            series,
            note: "Where each batch is attacked, at attacked images; but TRADES at the images as \
                   they are."
                .into(),
            ..LineChart::default()
        })
    }
}
