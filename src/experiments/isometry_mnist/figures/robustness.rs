//! Figure 3, and the accuracies at one step size.

use super::super::robustness::{Curves, Robustness, StepAccuracy};
use super::shared::{names, over_betas, seeds_note};
use crate::error::Result;
use crate::figures::{
    AxisScale, BarChart, BarSeries, Colors, Figure, LineChart, Panels, Series, Table, drawn,
    plus_minus,
};

drawn!(Robustness, Curves, StepAccuracy);

const ALONG_CROSS_ENTROPY: &str = "along L_CE";
const ALONG_TRAINING_LOSS: &str = "along L_CE + β L_ISO";

impl Curves {
    /// Charts the accuracy over the step size, a curve for every β: along the cross-entropy on the
    /// left, along the training loss on the right.
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

    /// Draws [`Curves::panels`] as a figure.
    ///
    /// # Errors
    /// As [`Curves::panels`].
    pub fn figure(&self) -> Result<Figure> {
        self.panels()?.figure()
    }
}

impl Robustness {
    /// Charts the curves of FGSM above those of PGD: the *isometry* paper's figure 3.
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

    /// Draws [`Robustness::panels`] as a figure.
    ///
    /// # Errors
    /// As [`Curves::panels`].
    pub fn figure(&self) -> Result<Figure> {
        self.panels()?.figure()
    }
}

impl StepAccuracy {
    /// Tabulates the accuracies for every β, mean ± standard deviation over the seeds.
    pub fn table(&self) -> Table {
        let caption = format!(
            "Accuracy under {} with steps of {:.3}, by the loss that the attacker follows",
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
    pub(super) fn words(&self, index: usize, decimals: usize) -> [String; 2] {
        [&self.cross_entropy, &self.training_loss].map(|runs| {
            let runs = runs.get(index).map_or(&[][..], Vec::as_slice);
            plus_minus(runs, decimals)
        })
    }

    /// Charts the accuracies over β.
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

    /// Draws [`StepAccuracy::chart`] as a figure.
    ///
    /// # Errors
    /// As [`StepAccuracy::chart`].
    pub fn figure(&self) -> Result<Figure> {
        self.chart()?.figure()
    }
}
