//! Curves of one or several series, alone or in panels side by side.

use std::mem::take;

use ndarray::{Array3, ArrayView2};

use super::arrange::{Arrangement, Panel, headed, shared_names};
pub use super::axes::AxisScale;
use super::axes::{Axis, number};
use super::canvas::Point;
use super::figure::Figure;
use super::legend::{Key, Legend};
use super::palette::Colors;
use super::plane::{BELOW, Plane, left_room};
use super::sheet::MARGIN;
use super::spread::Spread;
use super::text::largest;
use crate::error::{Error, Result};

/// The least height of a panel's plot.
const PLOT_HEIGHT: f64 = 250.;
/// Curves of at most so many points carry a marker at each, longer ones at about this many.
const MARKERS: usize = 24;

/// One curve, with a spread if `low` and `high` are not empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// Where the points lie.
    pub x: Vec<f64>,
    /// The curve; as long as `x`.
    pub mean: Vec<f64>,
    /// The lower edge of the spread: as long as `x`, or empty.
    pub low: Vec<f64>,
    /// The upper edge of the spread: as long as `x`, or empty.
    pub high: Vec<f64>,
}

impl Series {
    /// A curve without a spread.
    pub fn line(name: impl Into<String>, x: &[f64], y: &[f64]) -> Self {
        Self {
            name: name.into(),
            x: x.to_vec(),
            mean: y.to_vec(),
            ..Self::default()
        }
    }

    /// The mean of several runs, an array (run, point), with mean ± standard deviation (divided by
    /// n − 1) as its spread; a single run has none.
    ///
    /// # Errors
    /// No run, or runs that are not as long as `x`.
    pub fn over_runs(name: impl Into<String>, x: &[f64], runs: ArrayView2<f64>) -> Result<Self> {
        if runs.ncols() != x.len() {
            let expected = format!("{} points, as many as x", x.len());
            return Err(Error::argument("runs", expected, runs.ncols()));
        }
        let mean = runs
            .mean_axis(ndarray::Axis(0))
            .ok_or_else(|| Error::argument("runs", "at least one run", "none"))?;
        let mut series = Self::line(name, x, &mean.to_vec());
        if runs.nrows() > 1 {
            let std = runs.std_axis(ndarray::Axis(0), 1.);
            series.low = (&mean - &std).to_vec();
            series.high = (&mean + &std).to_vec();
        }
        Ok(series)
    }

    /// One curve for each value of a parameter, from an array (value, run, point); see
    /// [`Series::over_runs`].
    ///
    /// # Errors
    /// Not as many names as values, or an error of [`Series::over_runs`].
    pub fn family(names: &[String], x: &[f64], runs: &Array3<f64>) -> Result<Vec<Self>> {
        let curves = runs.outer_iter();
        if names.len() != curves.len() {
            let expected = format!("{}, one a curve", curves.len());
            return Err(Error::argument("names", expected, names.len()));
        }
        let curves = names.iter().zip(curves);
        curves
            .map(|(name, runs)| Self::over_runs(name, x, runs))
            .collect()
    }

    fn check(&self) -> Result<()> {
        let n = self.x.len();
        if n == 0 {
            let got = format!("{:?} without a point", self.name);
            return Err(Error::argument("series", "at least one point", got));
        }
        self.spread().check(n, || {
            format!("{n} numbers, as many as x of {:?}", self.name)
        })
    }

    fn spread(&self) -> Spread<'_> {
        let (name, owner, values) = ("mean", &self.name, &self.mean);
        Spread {
            name,
            owner,
            values,
            low: &self.low,
            high: &self.high,
        }
    }
}

/// A chart of curves.
///
/// ```
/// use isopath::figures::{AxisScale, LineChart, Series};
/// # fn main() -> isopath::Result<()> {
/// let chart = LineChart {
///     title: "Accuracy under attack".into(),
///     x_label: "step size α (pixel units)".into(),
///     y_label: "accuracy".into(),
///     x_scale: AxisScale::Log,
///     y_range: Some((0., 1.)),
///     series: vec![Series::line("β = 0", &[0.01, 0.1, 1.], &[0.9, 0.3, 0.05])],
///     reference: Some(("chance".into(), 0.1)),
///     ..LineChart::default()
/// };
/// let figure = chart.figure()?;
/// assert!(figure.svg.contains("step size"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineChart {
    /// Above the chart; may be empty.
    pub title: String,
    /// What x is, with its unit.
    pub x_label: String,
    /// What y is, with its unit.
    pub y_label: String,
    /// How x is spread.
    pub x_scale: AxisScale,
    /// How y is spread.
    pub y_scale: AxisScale,
    /// What the y axis spans at least.
    pub y_range: Option<(f64, f64)>,
    /// The curves; each point's x and y finite, and positive on a logarithmic axis.
    pub series: Vec<Series>,
    /// Whether the series are classes or the values of a parameter.
    pub colors: Colors,
    /// The legend's heading, such as the parameter's name.
    pub legend: String,
    /// A horizontal line with a name, such as the accuracy of chance.
    pub reference: Option<(String, f64)>,
    /// Small print below: what the shading is, how many seeds.
    pub note: String,
}

impl LineChart {
    /// Draws the chart, its legend on the right or, where its names are many or long, below.
    ///
    /// # Errors
    /// No series, a series whose lengths differ, a number that is not finite, or one ≤ 0 on a
    /// logarithmic axis; a spread that reaches below one is cut there.
    pub fn figure(&self) -> Result<Figure> {
        let mut chart = self.clone();
        let (title, note) = (take(&mut chart.title), take(&mut chart.note));
        let charts = vec![chart];
        Panels {
            title,
            columns: 1,
            charts,
            note,
        }
        .figure()
    }

    fn check(&self) -> Result<()> {
        if self.series.is_empty() {
            return Err(Error::argument("series", "at least one series", "empty"));
        }
        self.series.iter().try_for_each(Series::check)
    }

    fn x_axis(&self) -> Result<Axis> {
        let series = self.series.iter();
        let values = series.flat_map(|series| series.x.iter().copied());
        Axis::spanning("x", self.x_scale, values, None)
    }

    /// What the y axis must reach.
    fn y_values(&self) -> impl Iterator<Item = f64> {
        let spreads = self.series.iter().map(Series::spread);
        let values = spreads.flat_map(|spread| spread.reach(self.y_scale));
        values.chain(self.reference.iter().map(|(_, value)| *value))
    }

    fn paint(&self, plane: &mut Plane) -> Result<()> {
        if let Some((_, value)) = &self.reference {
            plane.reference(*value)?;
        }
        let styles = self.colors.styles(self.series.len());
        let points = |x: &[f64], y: &[f64]| x.iter().copied().zip(y.iter().copied()).collect();
        // All shadings first, so that none hides a curve.
        for (series, style) in self.series.iter().zip(&styles) {
            if !series.low.is_empty() {
                let [low, high] = [&series.low, &series.high].map(|y| points(&series.x, y));
                plane.band(low, high, style.color)?;
            }
        }
        for (series, style) in self.series.iter().zip(&styles) {
            plane.line(points(&series.x, &series.mean), *style, 2.)?;
        }
        for (index, (series, style)) in self.series.iter().zip(&styles).enumerate() {
            let every = series.x.len().div_ceil(MARKERS);
            // Staggered, so that curves on top of each other show more than the last one's markers.
            let points: Vec<Point> = points(&series.x, &series.mean);
            let points = points.into_iter().skip(index % every).step_by(every);
            plane.marks(points, *style, [3.2, 1.2])?;
        }
        Ok(())
    }
}

impl Panel for LineChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn names(&self) -> Vec<&str> {
        self.series.iter().map(|s| s.name.as_str()).collect()
    }

    /// Axes, and each curve's first and last values.
    fn words(&self) -> String {
        let scale = match self.x_scale {
            AxisScale::Linear => "",
            AxisScale::Log => " (logarithmic)",
        };
        let what = format!("{} against {}{scale}", self.y_label, self.x_label);
        let mut words = headed(&self.title, &what);
        for series in &self.series {
            let ends = |values: &[f64]| Some((number(*values.first()?), number(*values.last()?)));
            if let (Some((x0, x1)), Some((y0, y1))) = (ends(&series.x), ends(&series.mean)) {
                words.push_str(&format!("\n  {}: {y0} at {x0}, {y1} at {x1}", series.name));
            }
        }
        words
    }
}

/// Several charts in rows and columns with one legend and, when their y labels agree, one y axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panels {
    /// Above everything; may be empty.
    pub title: String,
    /// Charts in a row; at least 1.
    pub columns: usize,
    /// The charts, row by row, with the same names of series.
    pub charts: Vec<LineChart>,
    /// Small print below everything.
    pub note: String,
}

impl Panels {
    /// Draws the charts with the legend of the first, on the right or, where its names are many or
    /// long, below.
    ///
    /// # Errors
    /// No chart, `columns` 0, charts whose series' names differ, or an error of
    /// [`LineChart::figure`].
    pub fn figure(&self) -> Result<Figure> {
        let Some(first) = self.charts.first() else {
            return Err(Error::argument("charts", "at least one chart", "empty"));
        };
        self.charts.iter().try_for_each(LineChart::check)?;
        let names = shared_names(&self.charts, "series")?;
        let styles = first.colors.styles(names.len());
        let named = names.into_iter().zip(styles);
        let alike = |c: &LineChart| c.y_label == first.y_label && c.y_scale == first.y_scale;
        let shared = self.charts.iter().all(alike);
        let axes = |chart: &LineChart| -> Result<[Axis; 2]> {
            Ok([chart.x_axis()?, self.y_axis(chart, shared)?])
        };
        let panel = |chart| Ok((chart, axes(chart)?));
        let panels = self.charts.iter().map(panel).collect::<Result<Vec<_>>>()?;
        let left = largest(panels.iter().map(|(_, [_, y])| left_room(y)));
        let arrangement = Arrangement {
            title: &self.title,
            note: &self.note,
            columns: self.columns,
            panels,
            widest: f64::INFINITY,
            left,
            gap: if shared { 30. } else { MARGIN + left },
            legend: Legend::new(&first.legend, named, Key::Line, first.reference.as_ref()),
        };
        arrangement.draw(
            |_| (PLOT_HEIGHT, BELOW),
            |canvas, (chart, axes), column, rect| {
                let mut plane = Plane::new(canvas, rect, axes.clone())?;
                let with_y = column == 0 || !shared;
                plane.mesh(&chart.x_label, with_y.then_some(&chart.y_label))?;
                chart.paint(&mut plane)
            },
        )
    }

    /// A chart's own y axis, or the one that spans all charts.
    fn y_axis(&self, chart: &LineChart, shared: bool) -> Result<Axis> {
        if !shared {
            return Axis::spanning("y", chart.y_scale, chart.y_values(), chart.y_range);
        }
        let ranges = self.charts.iter().filter_map(|chart| chart.y_range);
        let range = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let values = self.charts.iter().flat_map(LineChart::y_values);
        Axis::spanning("y", chart.y_scale, values, range)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_well_formed, sample, texts};
    use super::*;
    use crate::statistics::mean_std;

    fn chart() -> LineChart {
        let x: Vec<f64> = (0..20)
            .map(|i| 10f64.powf(-2. + 2. * f64::from(i) / 19.))
            .collect();
        let value = |(beta, seed, point): (usize, usize, usize)| -> f64 {
            0.06 + 0.9 / (1. + (x[point] * 12. / (1. + beta as f64)).powi(2)) - 0.02 * seed as f64
        };
        let names = ["0", "0.001", "0.01", "0.1", "1", "10"].map(|beta| format!("β = {beta}"));
        let series = Series::family(&names, &x, &Array3::from_shape_fn((6, 3, 20), value)).unwrap();
        LineChart {
            title: "FGSM <follows> the cross-entropy & more".into(),
            x_label: "step size α (pixel values in [0, 1])".into(),
            y_label: "accuracy".into(),
            x_scale: AxisScale::Log,
            y_range: Some((0., 1.)),
            series,
            colors: Colors::Ordered,
            legend: "weight β".into(),
            reference: Some(("chance".into(), 0.1)),
            note: "Lines: mean of three seeds. Shading: ± one standard deviation.".into(),
            ..LineChart::default()
        }
    }

    #[test]
    fn markers_at_the_edges_of_a_plot_are_whole() {
        let x = [0.01, 0.1, 1.];
        let chart = LineChart {
            x_scale: AxisScale::Log,
            y_range: Some((0., 1.)),
            series: vec![
                Series::line("circles", &x, &[0.5; 3]),
                Series::line("squares", &x, &[0., 0.5, 1.]),
            ],
            ..LineChart::default()
        };
        let figure = chart.figure().unwrap();
        assert_well_formed(&figure);
        let extent = |tag: &str| -> (i32, i32) {
            let points = tag.split_once("points=\"").unwrap().1;
            let points = points.split_once('"').unwrap().0;
            let pairs = points
                .split_whitespace()
                .map(|pair| pair.split_once(',').unwrap());
            let (x, y): (Vec<i32>, Vec<i32>) = pairs
                .map(|(x, y)| (x.parse::<i32>().unwrap(), y.parse::<i32>().unwrap()))
                .unzip();
            let length = |v: &[i32]| v.iter().max().unwrap() - v.iter().min().unwrap();
            (length(&x), length(&y))
        };
        let sizes: Vec<_> = figure.svg.split("<polygon").skip(1).map(extent).collect();
        // Of each square its white rim and itself, three in the plot and one in the legend.
        assert!(sizes.len() >= 6, "{sizes:?}");
        for pair in sizes[..6].chunks(2) {
            assert_eq!(pair, &sizes[2..4], "{sizes:?}");
            assert_eq!((pair[0].0, pair[1].0), (pair[0].1, pair[1].1), "{sizes:?}");
        }
    }

    #[test]
    fn a_chart_carries_its_texts_and_is_the_same_twice() {
        let figure = chart().figure().unwrap();
        assert_well_formed(&figure);
        for text in [
            "FGSM &lt;follows&gt; the cross-entropy &amp; more",
            "step size α",
            "accuracy",
            "β = 0.001",
            "chance",
            "Shading",
        ] {
            assert!(figure.svg.contains(text), "{text}");
        }
        assert!(
            figure.alt.contains("β = 10: 0.9396 at 0.01"),
            "{}",
            figure.alt
        );
        assert_eq!(figure, chart().figure().unwrap());
        sample("lines", &figure);
    }

    #[test]
    fn classes_differ_in_dashes_and_linear_axes_hold_every_point() {
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        let series = (0..5).map(|c| {
            let y: Vec<f64> = x
                .iter()
                .map(|x| (x / 15. + f64::from(c)).sin() * 40. - 3.)
                .collect();
            Series::line(format!("class {c}"), &x, &y)
        });
        let chart = LineChart {
            x_label: "epoch".into(),
            y_label: "loss (nats)".into(),
            series: series.collect(),
            ..LineChart::default()
        };
        let figure = chart.figure().unwrap();
        assert_well_formed(&figure);
        sample("classes", &figure);
        let single = LineChart {
            series: vec![Series::line("only", &[2.], &[0.5])],
            title: "One point".into(),
            ..chart
        };
        sample("single", &single.figure().unwrap());
    }

    #[test]
    fn panels_share_one_axis_and_one_legend() {
        let panel = |title: &str| LineChart {
            title: title.into(),
            note: String::new(),
            ..chart()
        };
        let panels = Panels {
            title: "Figure 3".into(),
            columns: 2,
            charts: [
                "FGSM, cross-entropy",
                "FGSM, training loss",
                "PGD, cross-entropy",
                "PGD, training loss",
            ]
            .map(panel)
            .to_vec(),
            note: "Three seeds.".into(),
        };
        let figure = panels.figure().unwrap();
        assert_well_formed(&figure);
        assert_eq!(figure.svg.matches(">\nβ = 0.1\n<").count(), 1);
        // One y label a row.
        assert_eq!(figure.svg.matches(">\naccuracy\n<").count(), 2);
        sample("panels", &figure);
        assert!(
            Panels {
                columns: 0,
                ..panels.clone()
            }
            .figure()
            .is_err()
        );
        let mut other = panels.clone();
        other.charts[3].series.pop();
        assert!(
            other
                .figure()
                .unwrap_err()
                .to_string()
                .contains("PGD, training loss")
        );
        assert!(
            Panels {
                charts: vec![],
                ..panels
            }
            .figure()
            .is_err()
        );
    }

    #[test]
    fn bad_series_are_refused() {
        let with = |series: Series| LineChart {
            series: vec![series],
            ..LineChart::default()
        };
        let good = Series::line("a", &[1., 2.], &[1., 2.]);
        assert!(with(good.clone()).figure().is_ok());
        let message = |chart: LineChart| chart.figure().unwrap_err().to_string();
        assert_eq!(
            message(LineChart::default()),
            "series is empty; expected at least one series"
        );
        assert_eq!(
            message(with(Series::line("a", &[1., 2.], &[1.]))),
            "mean is 1; expected 2 numbers, as many as x of \"a\""
        );
        assert_eq!(
            message(with(Series::line("a", &[], &[]))),
            "series is \"a\" without a point; expected at least one point"
        );
        assert_eq!(
            message(with(Series::line("a", &[1.], &[f64::NAN]))),
            "y is NaN; expected finite numbers"
        );
        assert!(
            message(with(Series {
                low: vec![0.; 2],
                ..good.clone()
            }))
            .starts_with("low is one in")
        );
        let log = LineChart {
            x_scale: AxisScale::Log,
            ..with(Series::line("a", &[0., 1.], &[1., 1.]))
        };
        assert_eq!(
            message(log),
            "x is 0; expected numbers > 0 on a logarithmic axis"
        );
        let runs = |shape| Array3::<f64>::zeros(shape);
        assert!(
            Series::over_runs("a", &[1.], runs((1, 0, 1)).index_axis(ndarray::Axis(0), 0)).is_err()
        );
        assert!(
            Series::over_runs("a", &[1.], runs((1, 1, 2)).index_axis(ndarray::Axis(0), 0)).is_err()
        );
        assert!(Series::family(&["a".into()], &[1.], &runs((0, 1, 1))).is_err());
    }

    #[test]
    fn spread_is_the_sample_standard_deviation() {
        // numpy 2: np.std([1, 2, 4], ddof=1) == 1.5275252316519468
        let (mean, std) = mean_std(&[1., 2., 4.]);
        assert!((mean - 7. / 3.).abs() < 1e-15 && (std - 1.527_525_231_651_946_8).abs() < 1e-15);
        assert_eq!(mean_std(&[3.]), (3., 0.));
        let runs = ndarray::arr2(&[[1.], [2.], [4.]]);
        let series = Series::over_runs("a", &[0.], runs.view()).unwrap();
        assert!(
            (series.mean[0] - mean).abs() < 1e-15 && (series.high[0] - mean - std).abs() < 1e-15
        );
    }

    #[test]
    fn a_spread_that_reaches_zero_is_cut_at_a_logarithmic_axis() {
        let series = Series {
            low: vec![-0.02, 0.01, 0.],
            high: vec![0.12, 0.03, 0.2],
            ..Series::line("0.05 ± 0.07", &[1., 2., 3.], &[0.05, 0.02, 0.1])
        };
        let chart = LineChart {
            y_scale: AxisScale::Log,
            y_label: "loss".into(),
            series: vec![series],
            ..LineChart::default()
        };
        let figure = chart.figure().unwrap();
        assert_well_formed(&figure);
        sample("cut_band", &figure);
        let texts: Vec<String> = texts(&figure)
            .into_iter()
            .map(|placed| placed.text)
            .collect();
        assert!(
            texts.contains(&"0.01".into()) && texts.contains(&"0.1".into()),
            "{texts:?}"
        );
        // The band's lower edge lies on the axis: in the picture, below every other point of it.
        let band = figure.svg.split("<polygon").nth(1).unwrap();
        let points = band
            .split_once("points=\"")
            .unwrap()
            .1
            .split_once('"')
            .unwrap()
            .0;
        let heights: Vec<i32> = points
            .split_whitespace()
            .map(|point| point.split_once(',').unwrap().1.parse().unwrap())
            .collect();
        assert_eq!((heights.len(), heights[0]), (6, heights[2]), "{heights:?}");
        assert!(
            heights[3..]
                .iter()
                .chain(&heights[1..2])
                .all(|y| *y < heights[0]),
            "{heights:?}"
        );
        // Values themselves, and edges that are no numbers, are refused as before.
        for change in [
            |s: &mut Series| s.mean[1] = 0.,
            |s: &mut Series| s.low[0] = f64::NEG_INFINITY,
        ] {
            let mut chart = chart.clone();
            change(&mut chart.series[0]);
            assert!(chart.figure().is_err());
        }
    }

    #[test]
    fn every_logarithmic_axis_has_numbers() {
        for values in [&[0.62, 0.95][..], &[6., 7., 9.], &[0.03]] {
            let chart = LineChart {
                x_scale: AxisScale::Log,
                y_scale: AxisScale::Log,
                series: vec![Series::line("a", values, values)],
                ..LineChart::default()
            };
            let texts = texts(&chart.figure().unwrap());
            // On both axes at least two.
            assert!(texts.len() >= 4, "{values:?}: {}", texts.len());
        }
    }
}
