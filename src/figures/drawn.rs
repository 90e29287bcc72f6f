//! Results that draw themselves, as the last expression of a cell.

use super::{
    AxisScale, BarChart, Figure, Filmstrip, HistogramChart, HistogramPanels, ImageGrid, LineChart,
    Mark, Panels, Pixels, ScatterChart, ScatterPanels, Series, View, scatter,
};
use crate::attacks::{Adversarial, RobustAccuracy};
use crate::datasets::{Dataset, Rings, Torus};
use crate::error::{Error, Result};
use crate::metrics::Answer;
use crate::models::History;

/// Shows each type by its `figure()`, or in words why there is none; by its `table()` after `table:`.
/// After `words:` come words that take the place of a figure, too.
macro_rules! drawn {
    (words: $type:ty, $words:expr) => {
        impl $crate::display::Show for $type {
            fn bundle(&self) -> $crate::display::Bundle {
                let words: fn(&Self) -> String = $words;
                match self.figure() {
                    Ok(figure) => $crate::display::Show::bundle(&figure),
                    Err(error) => {
                        let words = words(self);
                        $crate::display::Bundle::text(&format!("{words}\n(no figure: {error})"))
                    }
                }
            }
        }

        impl $type {
            /// Shows the figure, or words where there is none, as the value of a cell.
            pub fn evcxr_display(&self) {
                $crate::display::value(self);
            }
        }
    };
    (table: $($type:ty),* $(,)?) => { $(
        impl $crate::display::Show for $type {
            fn bundle(&self) -> $crate::display::Bundle {
                $crate::display::Show::bundle(&self.table())
            }
        }

        impl $type {
            /// Shows the table as the value of a cell.
            pub fn evcxr_display(&self) {
                $crate::display::value(self);
            }
        }
    )* };
    ($($type:ty),* $(,)?) => { $(
        impl $crate::display::Show for $type {
            fn bundle(&self) -> $crate::display::Bundle {
                match self.figure() {
                    Ok(figure) => $crate::display::Show::bundle(&figure),
                    Err(error) => $crate::display::Bundle::text(&format!("no figure: {error}")),
                }
            }
        }

        impl $type {
            /// Shows the figure as the value of a cell.
            pub fn evcxr_display(&self) {
                $crate::display::value(self);
            }
        }
    )* };
}
pub(crate) use drawn;

drawn!(LineChart, Panels, BarChart, HistogramChart, HistogramPanels);
drawn!(ScatterChart, ScatterPanels, ImageGrid, Filmstrip);
drawn!(History, Rings, Torus, RobustAccuracy);
drawn!(words: Dataset, |data| format!("{data:?}"));
drawn!(words: Adversarial, Adversarial::to_string);

/// Images of a data set, or of an attack, that are shown.
const SHOWN: usize = 10;
/// Epochs that are drawn of a history.
const POINTS: usize = 300;
/// Histories longer than this are drawn over a logarithmic axis.
const LONG: usize = 200;

impl History {
    /// Charts the loss over the epochs, and its terms where it has any.
    pub fn chart(&self) -> LineChart {
        let sampled = self.sampled(POINTS);
        let scale = if self.epochs.len() > LONG {
            AxisScale::Log
        } else {
            AxisScale::Linear
        };
        let epochs: Vec<f64> = sampled.iter().map(|(number, _)| *number as f64).collect();
        let mut series = Vec::new();
        let terms = sampled.iter().map(|(_, epoch)| epoch);
        let cross_entropy: Option<Vec<f64>> = terms.clone().map(|e| e.cross_entropy).collect();
        let isometric: Option<Vec<f64>> = terms.clone().map(|e| e.isometric).collect();
        if let Some(values) = &cross_entropy {
            series.push(Series::line("L_CE", &epochs, values));
        }
        if let Some(values) = &isometric {
            series.push(Series::line("L_ISO", &epochs, values));
        }
        if series.is_empty() {
            let loss: Vec<f64> = terms.map(|epoch| epoch.loss).collect();
            series.push(Series::line("loss", &epochs, &loss));
        }
        // A single line has no legend.
        let y_label = match &series[..] {
            [one] => format!("{}, mean over the epoch", one.name),
            _ => "mean over the epoch".to_string(),
        };
        LineChart {
            title: "Training".into(),
            x_label: "epoch".into(),
            y_label,
            x_scale: scale,
            y_scale: scale,
            series,
            ..LineChart::default()
        }
    }

    /// Draws [`History::chart`] as a figure.
    ///
    /// # Errors
    /// No epoch, or a loss that is not finite.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}

impl Dataset {
    /// Draws the first inputs with their labels: images as a grid; points of two or three
    /// coordinates, all of them, as a cloud.
    ///
    /// Images are (N, C, H, W), or (N, side²) of grey pixels, as MNIST's.
    ///
    /// # Errors
    /// Inputs that are neither.
    pub fn figure(&self) -> Result<Figure> {
        match *self.inputs.dims() {
            [_, 2 | 3] => self.cloud().and_then(|chart| chart.figure()),
            _ => self.grid(SHOWN).and_then(|grid| grid.figure()),
        }
    }

    /// Arranges the first `count` inputs as images, their labels below.
    ///
    /// # Errors
    /// Inputs that are no images, or `count` 0.
    pub fn grid(&self, count: usize) -> Result<ImageGrid> {
        let first = self.first(count)?;
        let names = first.names()?.into_iter().map(|name| (name, Mark::None));
        let captions: Vec<(String, Mark)> = names.collect();
        let mut grid = ImageGrid {
            title: format!("{} of {} images", first.len(), self.len()),
            ..ImageGrid::default()
        };
        grid.push("", &first.inputs, Pixels::Intensity, &captions)?;
        Ok(grid)
    }

    /// Charts all points, (N, 2) or (N, 3), coloured by their labels.
    ///
    /// # Errors
    /// Inputs that are no such points.
    pub fn cloud(&self) -> Result<ScatterChart> {
        let axes = match *self.inputs.dims() {
            [_, count @ (2 | 3)] => ["x", "y", "z"][..count].iter().map(|axis| axis.to_string()),
            _ => {
                let dims = self.inputs.dims();
                return Err(Error::shape("cloud", "inputs", "(N, 2) or (N, 3)", dims));
            }
        };
        Ok(ScatterChart {
            title: format!("{} points", self.len()),
            points: scatter::points(&self.inputs)?,
            labels: self.labels.to_vec1()?,
            classes: self.classes.to_vec(),
            axes: axes.collect(),
            ..ScatterChart::default()
        })
    }

    /// The name of each input's class.
    fn names(&self) -> Result<Vec<String>> {
        let labels = self.labels.to_vec1::<u32>()?;
        Ok(labels
            .into_iter()
            .map(|label| self.class_name(label))
            .collect())
    }

    /// The name of a class, its number where it has none.
    pub(crate) fn class_name(&self, class: u32) -> String {
        self.classes
            .get(class as usize)
            .cloned()
            .unwrap_or_else(|| class.to_string())
    }
}

impl Rings {
    /// Draws the points, coloured by their rings.
    ///
    /// # Errors
    /// As [`Rings::dataset`].
    pub fn figure(&self) -> Result<Figure> {
        self.dataset()?.figure()
    }
}

impl Torus {
    /// Charts the points at every resolution, coloured by their regions.
    ///
    /// # Errors
    /// The torus is yours, and its points or labels are not of the shapes that its fields say.
    pub fn panels(&self) -> Result<ScatterPanels> {
        let mut charts = Vec::new();
        for labels in &self.labels {
            let labels = labels.to_vec1::<u32>()?;
            let regions = labels.iter().max().map_or(0, |last| last + 1);
            charts.push(ScatterChart {
                title: format!("{regions} regions"),
                points: scatter::points(&self.points)?,
                labels,
                view: View {
                    elevation: 50.,
                    ..View::default()
                },
                ..ScatterChart::default()
            });
        }
        Ok(ScatterPanels {
            title: format!("A torus at {} resolutions", charts.len()),
            columns: charts.len(),
            charts,
            note: format!("{} points.", self.points.dim(0)?),
        })
    }

    /// Draws [`Torus::panels`] as a figure.
    ///
    /// # Errors
    /// As [`Torus::panels`].
    pub fn figure(&self) -> Result<Figure> {
        self.panels()?.figure()
    }
}

impl Adversarial {
    /// Arranges the first images before and after the attack, with the network's answers, and what
    /// the attack changed.
    ///
    /// # Errors
    /// Inputs that are no images.
    pub fn grid(&self) -> Result<ImageGrid> {
        let (before, after) = (self.original.first(SHOWN)?, self.data.first(SHOWN)?);
        let change = (&after.inputs - &before.inputs)?;
        let labels = before.labels.to_vec1::<u32>()?;
        let answers = |answers: &[Answer]| -> Vec<(String, bool)> {
            let words = |(answer, label): (&Answer, &u32)| {
                let name = before.class_name(answer.class);
                let words = format!("{name} · {:.0} %", 100. * answer.probability);
                (words, answer.class == *label)
            };
            answers.iter().zip(&labels).map(words).collect()
        };
        // What L∞ allows; the largest change of a pixel in another norm.
        let limit = change
            .abs()?
            .flatten_all()?
            .max(0)?
            .to_dtype(candle_core::DType::F64)?;
        let limit = limit.to_scalar::<f64>()?.max(f64::from(f32::MIN_POSITIVE));
        let mut grid = ImageGrid {
            title: format!("{}, ε = {}", self.attack, self.eps),
            note: self.to_string(),
            ..ImageGrid::default()
        };
        grid.push_answers("before", &before.inputs, &answers(&self.before))?;
        let label = format!("change, blue −{limit:.2}, red +{limit:.2}");
        grid.push_differences(label, &change, limit)?;
        grid.push_answers("after", &after.inputs, &answers(&self.after))?;
        Ok(grid)
    }

    /// Draws [`Adversarial::grid`] as a figure.
    ///
    /// # Errors
    /// As [`Adversarial::grid`].
    pub fn figure(&self) -> Result<Figure> {
        self.grid()?.figure()
    }
}

impl RobustAccuracy {
    /// Charts the robust accuracy over the radius or the step size, whichever differs.
    pub fn chart(&self) -> LineChart {
        let positive = self.step_size.iter().all(|step| *step > 0.);
        let note = match self.zero_gradients {
            0 => String::new(),
            zero => format!(
                "{zero} of {} images have a gradient of exactly 0, which gives the attack no direction.",
                self.images
            ),
        };
        let same_steps = self.step_size.windows(2).all(|pair| pair[0] == pair[1]);
        let (x_label, x) = if self.step_size == self.eps {
            ("radius and step size ε (pixel units)", &self.eps)
        } else if same_steps && self.eps.len() > 1 {
            ("radius ε (pixel units)", &self.eps)
        } else {
            ("step size α (pixel units)", &self.step_size)
        };
        LineChart {
            title: format!("Accuracy under {}", self.attack),
            x_label: x_label.into(),
            y_label: "accuracy".into(),
            x_scale: if positive {
                AxisScale::Log
            } else {
                AxisScale::Linear
            },
            y_range: Some((0., 1.)),
            series: vec![Series::line(self.attack.as_str(), x, &self.accuracy)],
            note,
            ..LineChart::default()
        }
    }

    /// Draws [`RobustAccuracy::chart`] as a figure.
    ///
    /// # Errors
    /// Numbers that are not finite.
    pub fn figure(&self) -> Result<Figure> {
        self.chart().figure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Epoch;

    #[test]
    fn a_history_of_one_term_names_it_beside_the_axis() {
        let history = |isometric| History {
            epochs: vec![Epoch {
                loss: 1.,
                cross_entropy: Some(1.),
                isometric,
                accuracy: None,
                seconds: 0.,
            }],
        };
        assert_eq!(history(None).chart().y_label, "L_CE, mean over the epoch");
        let both = history(Some(2.)).chart();
        assert_eq!(
            (both.series.len(), &both.y_label[..]),
            (2, "mean over the epoch")
        );
    }
}
