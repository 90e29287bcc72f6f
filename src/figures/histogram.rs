//! Histograms.

use std::mem::take;

use plotters::series::AreaSeries;

use super::arrange::{Arrangement, Panel, headed, shared_names};
use super::axes::{Axis, AxisScale, ends, number};
use super::canvas::{Point, fill};
use super::figure::Figure;
use super::legend::{Key, Legend};
use super::palette::{Colors, Style};
use super::plane::{BELOW, Plane, left_room};
use super::sheet::MARGIN;
use super::text::largest;
use crate::checks::at_least_one;
use crate::error::{Error, Result};

const PLOT_HEIGHT: f64 = 220.;
const BINS: usize = 50;

/// Numbers with a name, whose distribution a histogram shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The name in the legend.
    pub name: String,
    /// The numbers: at least one, each finite, and positive on a logarithmic x axis.
    pub values: Vec<f64>,
}

impl Sample {
    /// Gives some numbers a name.
    pub fn new(name: impl Into<String>, values: &[f64]) -> Self {
        Self {
            name: name.into(),
            values: values.to_vec(),
        }
    }
}

/// A histogram of one or more samples: the share of each sample's numbers in bins that all samples
/// have in common. Either axis may be logarithmic.
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
    /// The title above the chart; may be empty.
    pub title: String,
    /// The name of the x axis: what the numbers are, with their unit.
    pub x_label: String,
    /// The name of the y axis: what the shares are of.
    pub y_label: String,
    /// The scale of the x axis; bins are equally wide on it.
    pub x_scale: AxisScale,
    /// The scale of the y axis. A logarithmic axis begins at half of the smallest share that is not
    /// 0.
    pub y_scale: AxisScale,
    /// The range that the x axis spans at least.
    pub x_range: Option<(f64, f64)>,
    /// The number of bins, at least 1; 50 by default.
    pub bins: usize,
    /// The samples, at least one.
    pub samples: Vec<Sample>,
    /// Whether the samples are classes or the values of a parameter.
    pub colors: Colors,
    /// The heading of the legend.
    pub legend: String,
    /// The small print below the chart; may be empty.
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
    /// Draws the chart, its legend on the right or, where its names are many or long, below.
    ///
    /// # Errors
    /// No sample, an empty one, a number that is not finite or, on a logarithmic x axis, not
    /// positive; no bin.
    pub fn figure(&self) -> Result<Figure> {
        let mut chart = self.clone();
        let (title, note) = (take(&mut chart.title), take(&mut chart.note));
        let charts = vec![chart];
        HistogramPanels {
            title,
            columns: 1,
            charts,
            note,
        }
        .figure()
    }

    fn check(&self) -> Result<()> {
        if self.samples.is_empty() {
            return Err(Error::argument("samples", "at least one sample", "empty"));
        }
        if let Some(empty) = self.samples.iter().find(|sample| sample.values.is_empty()) {
            let got = format!("none in {:?}", empty.name);
            return Err(Error::argument("values", "at least one number", got));
        }
        at_least_one("bins", self.bins)?;
        Ok(())
    }

    fn x_axis(&self) -> Result<Axis> {
        let samples = self.samples.iter();
        let values = samples.flat_map(|sample| sample.values.iter().copied());
        // From the least to the largest number and no farther, as the bins.
        let range = self.x_range.unwrap_or_else(|| ends(values.clone()));
        Axis::spanning("values", self.x_scale, values, Some(range))
    }

    /// The share of the sample in each bin; together 1.
    fn shares(&self, sample: &Sample, x: &Axis) -> Vec<f64> {
        let mut shares = vec![0.; self.bins];
        for value in &sample.values {
            let bin = (x.share(*value) * self.bins as f64) as usize;
            shares[bin.min(self.bins - 1)] += 1. / sample.values.len() as f64;
        }
        shares
    }

    fn y_axis(&self, shares: &[Vec<f64>]) -> Result<Axis> {
        let (low, high) = ends(shares.iter().flatten().copied().filter(|share| *share > 0.));
        let range = match self.y_scale {
            AxisScale::Linear => (0., 1.05 * high),
            AxisScale::Log => (low / 2., 1.5 * high),
        };
        Axis::spanning("share", self.y_scale, [], Some(range))
    }

    /// Draws the outline of each sample's bins.
    ///
    /// plotters' `Histogram` gives bars in the order of a hash map, another one each time.
    fn paint(&self, plane: &mut Plane, x: &Axis, shares: &[Vec<f64>]) -> Result<()> {
        let edge = |bin: usize| x.at(bin as f64 / self.bins as f64);
        let outlines = shares.iter().map(|shares| {
            let steps = shares.iter().enumerate();
            let steps = steps.flat_map(|(bin, share)| [bin, bin + 1].map(|at| (edge(at), *share)));
            let (start, end) = ((edge(0), 0.), (edge(self.bins), 0.));
            std::iter::once(start).chain(steps).chain([end]).collect()
        });
        let outlines: Vec<Vec<Point>> = outlines.collect();
        let styled = || outlines.iter().zip(self.colors.styles(shares.len()));
        for (outline, style) in styled() {
            plane.draw(AreaSeries::new(outline.clone(), 0., fill(style.color, 0.3)))?;
        }
        for (outline, style) in styled() {
            plane.line(outline.clone(), Style::plain(style.color), 1.4)?;
        }
        Ok(())
    }
}

impl Panel for HistogramChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn names(&self) -> Vec<&str> {
        self.samples.iter().map(|s| s.name.as_str()).collect()
    }

    /// Each sample's size, extremes and median.
    fn words(&self) -> String {
        let mut words = headed(
            &self.title,
            &format!("{} of {}", self.y_label, self.x_label),
        );
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
    /// The title above everything; may be empty.
    pub title: String,
    /// How many charts stand in a row; at least 1.
    pub columns: usize,
    /// The charts, row by row, with the same names of samples.
    pub charts: Vec<HistogramChart>,
    /// The small print below everything; may be empty.
    pub note: String,
}

impl HistogramPanels {
    /// Draws the charts with the legend of the first, on the right or, where its names are many or
    /// long, below.
    ///
    /// # Errors
    /// No chart, `columns` 0, charts whose samples' names differ, or an error of
    /// [`HistogramChart::figure`].
    pub fn figure(&self) -> Result<Figure> {
        let Some(first) = self.charts.first() else {
            return Err(Error::argument("charts", "at least one chart", "empty"));
        };
        let panel = |chart| {
            HistogramChart::check(chart)?;
            let x = chart.x_axis()?;
            let shares = chart.samples.iter().map(|sample| chart.shares(sample, &x));
            let shares: Vec<Vec<f64>> = shares.collect();
            let y = chart.y_axis(&shares)?;
            Ok((chart, ([x, y], shares)))
        };
        let panels = self.charts.iter().map(panel).collect::<Result<Vec<_>>>()?;
        let names = shared_names(&self.charts, "samples")?;
        let styles = first.colors.styles(names.len());
        let left = largest(panels.iter().map(|(_, ([_, y], _))| left_room(y)));
        let named = names.into_iter().zip(styles);
        let arrangement = Arrangement {
            title: &self.title,
            note: &self.note,
            columns: self.columns,
            panels,
            widest: f64::INFINITY,
            left,
            gap: MARGIN + left,
            legend: Legend::new(&first.legend, named, Key::Block, None),
        };
        arrangement.draw(
            |_| (PLOT_HEIGHT, BELOW),
            |canvas, (chart, (axes, shares)), _, rect| {
                let mut plane = Plane::new(canvas, rect, axes.clone())?;
                plane.mesh(&chart.x_label, Some(&chart.y_label))?;
                chart.paint(&mut plane, &axes[0], shares)
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
