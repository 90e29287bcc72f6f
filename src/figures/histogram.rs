//! How numbers are distributed.

use super::Figure;
use super::arrange::{Arrangement, Legend, shared_names, words};
use super::axes::{Axis, AxisScale, BELOW, Key, MARGIN, Plot, left_room, number};
use super::canvas::{Canvas, Dash, Point, Rect};
use super::palette::{Colors, Style};
use crate::error::{Error, Result};

const PLOT_HEIGHT: f64 = 220.;
const BINS: usize = 50;

/// Numbers with a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The name in the legend.
    pub name: String,
    /// The numbers: at least one, each finite, and positive on a logarithmic x axis.
    pub values: Vec<f64>,
}

impl Sample {
    /// `values` under a name.
    pub fn new(name: impl Into<String>, values: &[f64]) -> Self {
        Self {
            name: name.into(),
            values: values.to_vec(),
        }
    }
}

/// The share of each sample's numbers in bins that all samples have in common; either axis may be
/// logarithmic.
///
/// ```
/// use isopath::figures::{AxisScale, HistogramChart, Sample};
/// # fn main() -> isopath::Result<()> {
/// let chart = HistogramChart {
///     x_label: "distance".into(),
///     y_label: "share of the pairs".into(),
///     y_scale: AxisScale::Log,
///     samples: vec![Sample::new("before", &[0.1, 0.2, 0.2]), Sample::new("after", &[0.3, 0.9])],
///     ..HistogramChart::default()
/// };
/// assert!(chart.figure()?.svg.contains("before"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramChart {
    /// Above the chart; may be empty.
    pub title: String,
    /// What the numbers are, with their unit.
    pub x_label: String,
    /// What a bar is: a share of what.
    pub y_label: String,
    /// How x is spread; bins are equally wide on it.
    pub x_scale: AxisScale,
    /// How the shares are spread. A logarithmic axis begins at half of the smallest share that is
    /// not 0.
    pub y_scale: AxisScale,
    /// What the x axis spans at least.
    pub x_range: Option<(f64, f64)>,
    /// At least 1; 50 by default.
    pub bins: usize,
    /// The samples.
    pub samples: Vec<Sample>,
    /// Whether the samples are classes or the values of a parameter.
    pub colors: Colors,
    /// The legend's heading.
    pub legend: String,
    /// Small print below.
    pub note: String,
}

impl Default for HistogramChart {
    fn default() -> Self {
        Self {
            title: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            x_scale: AxisScale::Linear,
            y_scale: AxisScale::Linear,
            x_range: None,
            bins: BINS,
            samples: Vec::new(),
            colors: Colors::default(),
            legend: String::new(),
            note: String::new(),
        }
    }
}

impl HistogramChart {
    /// Draws the chart, its legend on the right.
    ///
    /// # Errors
    /// No sample, an empty one, a number that is not finite or, on a logarithmic x axis, not
    /// positive; no bin.
    pub fn figure(&self) -> Result<Figure> {
        let chart = Self {
            title: String::new(),
            note: String::new(),
            ..self.clone()
        };
        let (title, note) = (self.title.clone(), self.note.clone());
        HistogramPanels {
            title,
            columns: 1,
            charts: vec![chart],
            note,
        }
        .figure()
    }

    fn check(&self) -> Result<()> {
        if self.samples.is_empty() {
            return Err(Error::argument("samples", "at least one sample", "empty"));
        }
        if let Some(empty) = self.samples.iter().find(|sample| sample.values.is_empty()) {
            return Err(Error::argument(
                "values",
                "at least one number",
                format!("none in {:?}", empty.name),
            ));
        }
        if self.bins == 0 {
            return Err(Error::argument("bins", "at least 1", 0));
        }
        Ok(())
    }

    fn x_axis(&self) -> Result<Axis> {
        let values = || {
            self.samples
                .iter()
                .flat_map(|sample| sample.values.iter().copied())
        };
        // From the least to the largest number and no farther, as the bins.
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        let (from, to) = self.x_range.unwrap_or((low, high));
        Axis::spanning("values", self.x_scale, values(), Some((from, to)))
    }

    /// The share of the sample in each bin; together 1.
    fn shares(&self, sample: &Sample, x: &Axis) -> Vec<f64> {
        let mut shares = vec![0.; self.bins];
        for value in &sample.values {
            let bin = (x.share(*value) * self.bins as f64).max(0.) as usize;
            shares[bin.min(self.bins - 1)] += 1. / sample.values.len() as f64;
        }
        shares
    }

    fn y_axis(&self, shares: &[Vec<f64>]) -> Result<Axis> {
        let filled = shares.iter().flatten().copied().filter(|share| *share > 0.);
        let (low, high) = filled.fold((1., 0.), |(low, high): (f64, f64), share| {
            (low.min(share), high.max(share))
        });
        let range = match self.y_scale {
            AxisScale::Linear => (0., 1.05 * high),
            AxisScale::Log => (low / 2., 1.5 * high),
        };
        Axis::spanning("share", self.y_scale, [], Some(range))
    }

    fn paint(
        &self,
        canvas: &mut Canvas,
        plot: &Plot,
        shares: &[Vec<f64>],
        styles: &[Style],
    ) -> Result<()> {
        let Rect {
            left,
            right,
            bottom,
            ..
        } = plot.rect;
        let edge = |bin: usize| left + (right - left) * bin as f64 / self.bins as f64;
        let outlines: Vec<Vec<Point>> = shares
            .iter()
            .map(|shares| {
                let height = |share: f64| {
                    if share > 0. {
                        plot.at(0., share).1.min(bottom)
                    } else {
                        bottom
                    }
                };
                let steps = shares.iter().enumerate();
                let steps = steps.flat_map(|(bin, share)| {
                    [edge(bin), edge(bin + 1)].map(|x| (x, height(*share)))
                });
                std::iter::once((left, bottom))
                    .chain(steps)
                    .chain([(right, bottom)])
                    .collect()
            })
            .collect();
        for (outline, style) in outlines.iter().zip(styles) {
            canvas.polygon(outline, style.color, 0.3)?;
        }
        for (outline, style) in outlines.iter().zip(styles) {
            canvas.path(outline, style.color, 1.4, Dash::Solid)?;
        }
        Ok(())
    }

    /// The chart in words: each sample's size, extremes and median.
    fn words(&self) -> String {
        let title = if self.title.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.title)
        };
        let mut words = format!("{title}{} of {}.", self.y_label, self.x_label);
        for sample in &self.samples {
            let mut values = sample.values.clone();
            values.sort_by(f64::total_cmp);
            if let (Some(low), Some(high)) = (values.first(), values.last()) {
                let [low, middle, high] = [*low, values[values.len() / 2], *high].map(number);
                let count = values.len();
                words.push_str(&format!(
                    "\n  {}: {count} from {low} to {high}, half below {middle}",
                    sample.name
                ));
            }
        }
        words
    }
}

/// Several histograms in rows and columns with one legend; each has its own axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramPanels {
    /// Above everything; may be empty.
    pub title: String,
    /// Charts in a row; at least 1.
    pub columns: usize,
    /// The charts, row by row, with the same names of samples.
    pub charts: Vec<HistogramChart>,
    /// Small print below everything.
    pub note: String,
}

impl HistogramPanels {
    /// Draws the charts; the legend, which the first chart gives, stands on the right.
    ///
    /// # Errors
    /// No chart, `columns` 0, charts whose samples' names differ, or an error of
    /// [`HistogramChart::figure`].
    pub fn figure(&self) -> Result<Figure> {
        let names = |chart: &HistogramChart| -> Result<Axis> {
            chart.check()?;
            chart.x_axis()
        };
        let x = self
            .charts
            .iter()
            .map(names)
            .collect::<Result<Vec<Axis>>>()?;
        let names = self.charts.iter().map(|chart| {
            (
                chart.title.as_str(),
                chart
                    .samples
                    .iter()
                    .map(|sample| sample.name.as_str())
                    .collect(),
            )
        });
        let names = shared_names(names, "samples")?;
        let (colors, heading) = self
            .charts
            .first()
            .map_or((Colors::default(), ""), |chart| {
                (chart.colors, chart.legend.as_str())
            });
        let styles: Vec<Style> = (0..names.len())
            .map(|index| colors.style(index, names.len()))
            .collect();
        let shares: Vec<Vec<Vec<f64>>> = self
            .charts
            .iter()
            .zip(&x)
            .map(|(chart, x)| {
                chart
                    .samples
                    .iter()
                    .map(|sample| chart.shares(sample, x))
                    .collect()
            })
            .collect();
        let y = self
            .charts
            .iter()
            .zip(&shares)
            .map(|(chart, shares)| chart.y_axis(shares));
        let y = y.collect::<Result<Vec<Axis>>>()?;
        // One sample with a title of its own needs no legend.
        let with_legend = names.len() > 1 || !heading.is_empty();
        let entries = names
            .iter()
            .zip(&styles)
            .map(|(name, style)| (*name, *style, Key::Block))
            .collect();
        let left = y.iter().map(left_room).fold(0., f64::max);
        let arrangement = Arrangement {
            title: &self.title,
            note: &self.note,
            columns: self.columns,
            panel_titles: self
                .charts
                .iter()
                .map(|chart| chart.title.as_str())
                .collect(),
            widest: f64::INFINITY,
            left,
            gap: MARGIN + left,
            below: BELOW,
            legend: with_legend.then_some(Legend {
                title: heading,
                entries,
            }),
        };
        let alt = words(
            &self.title,
            self.charts.iter().map(HistogramChart::words),
            &self.note,
        );
        arrangement.draw(
            alt,
            |_| PLOT_HEIGHT,
            |canvas, index, rect| {
                let panel = (
                    self.charts.get(index),
                    x.get(index),
                    y.get(index),
                    shares.get(index),
                );
                let (Some(chart), Some(x), Some(y), Some(shares)) = panel else {
                    return Ok(());
                };
                let plot = Plot {
                    rect,
                    x: Some(x),
                    y,
                };
                plot.axes(canvas, &chart.x_label, &chart.y_label, true)?;
                chart.paint(canvas, &plot, shares, &styles)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_well_formed, sample};
    use super::*;

    /// The distances on a ring, and numbers that decay exponentially.
    fn chart() -> HistogramChart {
        let share = |i: usize| (i as f64 + 0.5) / 2000.;
        let ring: Vec<f64> = (0..2000)
            .map(|i| 2. * (std::f64::consts::FRAC_PI_2 * share(i)).sin())
            .collect();
        let decay: Vec<f64> = (0..2000).map(|i| -0.2 * share(i).ln()).collect();
        HistogramChart {
            title: "Distances <within> & without".into(),
            x_label: "distance".into(),
            y_label: "share of the pairs".into(),
            samples: vec![Sample::new("ring", &ring), Sample::new("decay", &decay)],
            note: "Pairs of one class.".into(),
            ..HistogramChart::default()
        }
    }

    #[test]
    fn a_chart_carries_its_texts_and_is_the_same_twice() {
        let figure = chart().figure().unwrap();
        assert_well_formed(&figure);
        for text in [
            "Distances &lt;within&gt; &amp; without",
            "share of the pairs",
            "decay",
            "Pairs of one class.",
        ] {
            assert!(figure.svg.contains(text), "{text}");
        }
        assert!(
            figure
                .alt
                .contains("ring: 2000 from 0.0007854 to 2, half below 1.415"),
            "{}",
            figure.alt
        );
        assert_eq!(figure, chart().figure().unwrap());
        sample("histogram", &figure);
    }

    #[test]
    fn panels_show_both_scales_with_one_legend() {
        let log = HistogramChart {
            title: "logarithmic".into(),
            y_scale: AxisScale::Log,
            ..chart()
        };
        let both = HistogramChart {
            title: "both axes".into(),
            x_scale: AxisScale::Log,
            ..log.clone()
        };
        let panels = HistogramPanels {
            title: "Figure 2B".into(),
            columns: 2,
            charts: vec![chart(), log, both],
            note: String::new(),
        };
        let figure = panels.figure().unwrap();
        assert_well_formed(&figure);
        assert_eq!(figure.svg.matches(">\ndecay\n<").count(), 1);
        sample("histogram_panels", &figure);
        let mut other = panels.clone();
        other.charts[1].samples[0].name = "torus".into();
        assert!(
            other
                .figure()
                .unwrap_err()
                .to_string()
                .contains("in panel \"logarithmic\"")
        );
        assert!(
            HistogramPanels {
                columns: 0,
                ..panels.clone()
            }
            .figure()
            .is_err()
        );
        assert!(
            HistogramPanels {
                charts: vec![],
                ..panels
            }
            .figure()
            .is_err()
        );
    }

    #[test]
    fn shares_are_those_of_the_bins() {
        // numpy 2: np.histogram([0, 1, 1, 2.5, 4], bins=4, range=(0, 4))[0] / 5 == [0.2, 0.4, 0.2,
        // 0.2]
        let values = [0., 1., 1., 2.5, 4.];
        let chart = HistogramChart {
            bins: 4,
            x_range: Some((0., 4.)),
            samples: vec![Sample::new("a", &values)],
            ..chart()
        };
        let shares = chart.shares(&chart.samples[0], &chart.x_axis().unwrap());
        for (found, expected) in shares.iter().zip([0.2, 0.4, 0.2, 0.2]) {
            assert!((found - expected).abs() < 1e-12, "{shares:?}");
        }
        // Bins of equal factors: 1 to 10 and 10 to 100.
        let values = [1., 2., 9., 11., 100.];
        let samples = vec![Sample::new("a", &values)];
        let log = HistogramChart {
            bins: 2,
            x_scale: AxisScale::Log,
            x_range: None,
            samples,
            ..chart
        };
        let shares = log.shares(&log.samples[0], &log.x_axis().unwrap());
        assert!(
            (shares[0] - 0.6).abs() < 1e-12 && (shares[1] - 0.4).abs() < 1e-12,
            "{shares:?}"
        );
    }

    #[test]
    fn bad_values_are_refused() {
        let message = |change: fn(&mut HistogramChart)| {
            let mut chart = chart();
            change(&mut chart);
            chart.figure().unwrap_err().to_string()
        };
        assert_eq!(
            message(|c| c.samples.clear()),
            "samples is empty; expected at least one sample"
        );
        assert_eq!(
            message(|c| c.samples[1].values.clear()),
            "values is none in \"decay\"; expected at least one number"
        );
        assert_eq!(
            message(|c| c.samples[0].values[7] = f64::NAN),
            "values is NaN; expected finite numbers"
        );
        assert_eq!(message(|c| c.bins = 0), "bins is 0; expected at least 1");
        let log = message(|c| {
            c.x_scale = AxisScale::Log;
            c.samples[0].values[0] = 0.;
        });
        assert_eq!(
            log,
            "values is 0; expected numbers > 0 on a logarithmic axis"
        );
        // One number, or equal ones, still have bins.
        let equal = HistogramChart {
            samples: vec![Sample::new("a", &[2.; 5])],
            ..chart()
        };
        assert_well_formed(&equal.figure().unwrap());
        assert_well_formed(
            &HistogramChart {
                y_scale: AxisScale::Log,
                ..equal
            }
            .figure()
            .unwrap(),
        );
    }
}
