//! Groups of bars or dots with error bars.

use plotters::element::Rectangle;

use super::arrange::{Arrangement, Panel, headed};
use super::axes::{Axis, AxisScale, number};
use super::canvas::{Anchor, Canvas, Rect, fill};
use super::figure::Figure;
use super::legend::{Key, Legend};
use super::palette::{Colors, INK, Style};
use super::plane::{BELOW, Plane, left_room};
use super::spread::Spread;
use super::text::{LABEL, Paragraph, TICK, cut, largest, text_width};
use crate::error::{Error, Result};

const PLOT_HEIGHT: f64 = 260.;

/// The way in which a bar chart draws its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BarStyle {
    /// Bars from zero, for amounts.
    #[default]
    Bars,
    /// Dots, for values far from zero, which the axis then need not show.
    Dots,
}

/// One value for each group of a chart, with error bars if `low` and `high` are not empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarSeries {
    /// The name in the legend.
    pub name: String,
    /// The values, one a group.
    pub values: Vec<f64>,
    /// The lower ends of the error bars: one a group, or empty.
    pub low: Vec<f64>,
    /// The upper ends of the error bars: one a group, or empty.
    pub high: Vec<f64>,
}

impl BarSeries {
    /// The mean of each group's runs, with mean ± standard deviation (divided by n − 1) as the
    /// error bar; no error bars if every group has a single run.
    ///
    /// # Errors
    /// A group without a run.
    pub fn over_runs(name: impl Into<String>, groups: &[Vec<f64>]) -> Result<Self> {
        let mut series = Self {
            name: name.into(),
            ..Self::default()
        };
        let several = groups.iter().any(|runs| runs.len() > 1);
        for runs in groups {
            if runs.is_empty() {
                return Err(Error::argument(
                    "runs",
                    "at least one run in every group",
                    "empty",
                ));
            }
            let (mean, std) = crate::statistics::mean_std(runs);
            series.values.push(mean);
            if several {
                series.low.push(mean - std);
                series.high.push(mean + std);
            }
        }
        Ok(series)
    }

    fn spread(&self) -> Spread<'_> {
        let (name, owner, values) = ("values", &self.name, &self.values);
        Spread {
            name,
            owner,
            values,
            low: &self.low,
            high: &self.high,
        }
    }
}

/// A chart of groups, each with a bar or a dot for every series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarChart {
    /// The title above the chart; may be empty.
    pub title: String,
    /// The name of the x axis: what the groups are.
    pub x_label: String,
    /// The name of the y axis: what the values are, with their unit.
    pub y_label: String,
    /// The names of the groups.
    pub groups: Vec<String>,
    /// The series, each with a finite value for each group.
    pub series: Vec<BarSeries>,
    /// Whether values are drawn as bars or as dots.
    pub style: BarStyle,
    /// The scale of the y axis; bars, which start at zero, need equal steps.
    pub y_scale: AxisScale,
    /// The range that the y axis spans at least.
    pub y_range: Option<(f64, f64)>,
    /// Whether the series are classes or the values of a parameter.
    pub colors: Colors,
    /// The heading of the legend.
    pub legend: String,
    /// A horizontal line at a value, with its name.
    pub reference: Option<(String, f64)>,
    /// The small print below the chart; may be empty.
    pub note: String,
}

impl BarChart {
    /// Draws the chart, its legend on the right or, where its names are many or long, below.
    ///
    /// # Errors
    /// No group, no series, a series that has not one value a group, a number that is not finite,
    /// or one ≤ 0 on a logarithmic axis; an error bar that reaches below one is cut there.
    pub fn figure(&self) -> Result<Figure> {
        self.check()?;
        let y = Axis::spanning("value", self.y_scale, self.y_values(), self.y_range)?;
        let styles = self.colors.styles(self.series.len());
        let named = self.names().into_iter().zip(styles.iter().copied());
        let key = match self.style {
            BarStyle::Bars => Key::Block,
            BarStyle::Dots => Key::Dot,
        };
        let arrangement = Arrangement {
            title: &self.title,
            note: &self.note,
            columns: 1,
            left: left_room(&y),
            panels: vec![(self, y)],
            widest: f64::INFINITY,
            gap: 0.,
            legend: Legend::new(&self.legend, named, key, self.reference.as_ref()),
        };
        let labels = |width: f64| GroupLabels::new(&self.groups, width);
        arrangement.draw(
            |width| (PLOT_HEIGHT, BELOW - TICK.size + labels(width).height),
            |canvas, (_, y), _, rect| {
                let labels = labels(rect.width());
                labels.draw(canvas, rect)?;
                let (x, bottom) = (rect.middle().0, rect.bottom + 24. + labels.height);
                canvas.text((x, bottom), &self.x_label, LABEL, Anchor::Center)?;
                let axes = [Axis::places(self.groups.len()), y.clone()];
                let mut plane = Plane::new(canvas, rect, axes)?;
                plane.mesh("", Some(&self.y_label))?;
                let pixel = self.groups.len() as f64 / rect.width();
                for (index, style) in styles.iter().enumerate() {
                    self.paint(&mut plane, index, *style, pixel)?;
                }
                let mut rule = self.reference.iter();
                rule.try_for_each(|(_, value)| plane.reference(*value))
            },
        )
    }

    fn check(&self) -> Result<()> {
        if self.groups.is_empty() {
            return Err(Error::argument("groups", "at least one group", "empty"));
        }
        if self.series.is_empty() {
            return Err(Error::argument("series", "at least one series", "empty"));
        }
        let n = self.groups.len();
        self.series.iter().try_for_each(|series| {
            let expected = || format!("{n} numbers in {:?}, one a group", series.name);
            series.spread().check(n, expected)
        })
    }

    /// What the y axis must reach.
    fn y_values(&self) -> impl Iterator<Item = f64> {
        let zero = (self.style == BarStyle::Bars).then_some(0.);
        let spreads = self.series.iter().map(BarSeries::spread);
        let values = spreads.flat_map(|spread| spread.reach(self.y_scale));
        let reference = self.reference.iter().map(|(_, value)| *value);
        values.chain(reference).chain(zero)
    }

    /// The bars or dots of one series, its error bars on them; `pixel` is one on the x axis.
    ///
    /// plotters' `ErrorBar` draws a circle at the value, and a cap where the axis cuts the bar.
    fn paint(&self, plane: &mut Plane, index: usize, style: Style, pixel: f64) -> Result<()> {
        let series = &self.series[index];
        let slot = (0.76 / self.series.len() as f64).min(64. * pixel);
        let first = 0.5 - slot * self.series.len() as f64 / 2.;
        let middle = |group: usize| group as f64 + first + slot * (index as f64 + 0.5);
        let values = series.values.iter().enumerate();
        match self.style {
            BarStyle::Bars => plane.draw(values.map(|(group, value)| {
                let [left, right] = [-0.44, 0.44].map(|share| middle(group) + share * slot);
                let corners = [(left, value.max(0.)), (right, value.min(0.))];
                Rectangle::new(corners, fill(style.color, 1.))
            }))?,
            BarStyle::Dots => {
                let dots = values.map(|(group, value)| (middle(group), *value));
                plane.marks(dots, style, [4.5, 1.2])?;
            }
        }
        // Error bars lie on the dots: a short one is smaller than its dot.
        let cap = (0.2 * slot).min(5. * pixel);
        for (group, (low, high)) in series.low.iter().zip(&series.high).enumerate() {
            let x = middle(group);
            let end = |y: f64| [(x - cap, y), (x + cap, y), (x, y)];
            // No cap where the axis cuts the bar.
            let below = if self.y_scale.cuts(*low) { 2 } else { 0 };
            let (low, high) = (end(*low), end(*high));
            let bar = low[below..].iter().chain(high.iter().rev());
            plane.line(bar.copied().collect(), Style::plain(INK), 1.2)?;
        }
        Ok(())
    }
}

impl Panel for BarChart {
    fn title(&self) -> &str {
        ""
    }

    fn names(&self) -> Vec<&str> {
        self.series.iter().map(|s| s.name.as_str()).collect()
    }

    /// Every value.
    fn words(&self) -> String {
        let mut words = headed("", &self.y_label);
        for series in &self.series {
            let values = self.groups.iter().zip(&series.values);
            let values = values.map(|(group, value)| format!("{group} {}", number(*value)));
            let values = values.collect::<Vec<_>>().join(", ");
            words.push_str(&format!("\n  {}: {values}", series.name));
        }
        words
    }
}

/// The groups' names below the x axis, broken into lines, or turned where a word is too wide.
///
/// plotters' own labels have one line.
struct GroupLabels {
    labels: Vec<Paragraph>,
    turned: bool,
    height: f64,
}

impl GroupLabels {
    /// The longest turned name in pixels.
    const LONGEST: f64 = 120.;

    fn new(groups: &[String], width: f64) -> Self {
        let room = width / groups.len() as f64 - 8.;
        let mut words = groups.iter().flat_map(|name| name.split_whitespace());
        let turned = words.any(|word| text_width(word, TICK.size) > room);
        let labels = groups.iter().map(|name| match turned {
            true => Paragraph::new(&cut(name, TICK.size, Self::LONGEST), TICK, f64::INFINITY),
            false => Paragraph::new(name, TICK, room),
        });
        let labels: Vec<Paragraph> = labels.collect();
        let extent = if turned {
            Paragraph::width
        } else {
            Paragraph::height
        };
        let height = largest(labels.iter().map(extent));
        Self {
            labels,
            turned,
            height,
        }
    }

    fn draw(&self, canvas: &mut Canvas, rect: Rect) -> Result<()> {
        let width = rect.width() / self.labels.len() as f64;
        for (group, label) in self.labels.iter().enumerate() {
            let x = rect.left + (group as f64 + 0.5) * width;
            for (index, line) in label.lines.iter().enumerate() {
                if self.turned {
                    canvas.text_upwards((x, rect.bottom + 7.), line, TICK)?;
                } else {
                    let y = rect.bottom + 6. + (index as f64 + 0.5) * label.line();
                    canvas.text((x, y), line, TICK, Anchor::Center)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_well_formed, sample};
    use super::*;

    fn chart() -> BarChart {
        let runs = |shift: f64| -> Vec<Vec<f64>> {
            (0..6)
                .map(|beta| {
                    vec![
                        0.05 + shift * f64::from(beta) / 7.,
                        0.09 + shift * f64::from(beta) / 7.,
                    ]
                })
                .collect()
        };
        BarChart {
            title: "Robust accuracy by attack".into(),
            x_label: "weight β of the isometric loss".into(),
            y_label: "accuracy".into(),
            groups: ["0", "0.001", "0.01", "0.1", "1", "10"]
                .map(String::from)
                .to_vec(),
            series: vec![
                BarSeries::over_runs("follows <L_CE>", &runs(0.1)).unwrap(),
                BarSeries::over_runs("follows L & β", &runs(0.9)).unwrap(),
                BarSeries::over_runs("transferred from β = 0", &runs(0.6)).unwrap(),
            ],
            y_range: Some((0., 1.)),
            reference: Some(("chance".into(), 0.1)),
            note: "Mean and standard deviation of two seeds.".into(),
            ..BarChart::default()
        }
    }

    #[test]
    fn a_chart_carries_its_texts_and_is_the_same_twice() {
        let figure = chart().figure().unwrap();
        assert_well_formed(&figure);
        for text in [
            "Robust accuracy",
            "weight β",
            "follows &lt;L_CE&gt;",
            "follows L &amp; β",
            "chance",
        ] {
            assert!(figure.svg.contains(text), "{text}");
        }
        assert!(
            figure.alt.contains("follows <L_CE>: 0 0.07, 0.001 0.08429"),
            "{}",
            figure.alt
        );
        assert_eq!(figure, chart().figure().unwrap());
        sample("bars", &figure);
        let dots = BarChart {
            style: BarStyle::Dots,
            y_range: None,
            colors: Colors::Ordered,
            legend: "attack".into(),
            ..chart()
        };
        sample("dots", &dots.figure().unwrap());
        sample(
            "dots_log",
            &BarChart {
                y_scale: AxisScale::Log,
                ..dots
            }
            .figure()
            .unwrap(),
        );
    }

    #[test]
    fn bars_start_at_zero_and_dots_need_not() {
        let with = |style| BarChart {
            groups: vec!["a".into()],
            series: vec![BarSeries {
                values: vec![-100.],
                ..BarSeries::default()
            }],
            style,
            ..BarChart::default()
        };
        assert!(
            with(BarStyle::Bars)
                .figure()
                .unwrap()
                .svg
                .contains(">\n0\n<")
        );
        assert!(
            !with(BarStyle::Dots)
                .figure()
                .unwrap()
                .svg
                .contains(">\n0\n<")
        );
    }

    #[test]
    fn bad_values_are_refused() {
        let message = |change: fn(&mut BarChart)| {
            let mut chart = chart();
            change(&mut chart);
            chart.figure().unwrap_err().to_string()
        };
        assert_eq!(
            message(|c| c.groups.clear()),
            "groups is empty; expected at least one group"
        );
        assert_eq!(
            message(|c| c.series.clear()),
            "series is empty; expected at least one series"
        );
        assert!(
            message(|c| {
                c.groups.pop();
            })
            .starts_with("values is 6 numbers; expected 5 numbers")
        );
        assert!(message(|c| c.series[0].high[2] = f64::INFINITY).starts_with("value is inf"));
        assert!(
            message(|c| {
                c.series[1].low.pop();
            })
            .starts_with("low is 5")
        );
        assert!(BarSeries::over_runs("a", &[vec![]]).is_err());
        // Bars start at zero.
        let log = message(|c| c.y_scale = AxisScale::Log);
        assert_eq!(
            log,
            "value is 0; expected numbers > 0 on a logarithmic axis"
        );
    }

    #[test]
    fn an_error_bar_that_reaches_zero_is_cut_at_a_logarithmic_axis() {
        let chart = BarChart {
            groups: vec!["a".into(), "b".into()],
            series: vec![BarSeries {
                name: "0.05 ± 0.07".into(),
                values: vec![0.05, 0.05],
                low: vec![-0.02, 0.02],
                high: vec![0.12, 0.08],
            }],
            style: BarStyle::Dots,
            y_scale: AxisScale::Log,
            ..BarChart::default()
        };
        let figure = chart.figure().unwrap();
        assert_well_formed(&figure);
        sample("cut_bars", &figure);
        // Both ends have a cap, or none at the axis: six points, or four.
        let bars = figure
            .svg
            .split("<polyline")
            .filter(|tag| tag.contains("stroke-width=\"12\""));
        let points = bars.map(|tag| tag.split_once("points=\"").unwrap().1.matches(',').count());
        assert_eq!(points.collect::<Vec<_>>(), [4, 6]);
    }

    #[test]
    fn no_dot_hides_its_error_bar() {
        let chart = BarChart {
            groups: vec!["a".into(), "b".into()],
            series: vec![BarSeries {
                values: vec![0.98, 1.],
                low: vec![0.97, 0.99],
                high: vec![0.99, 1.],
                ..BarSeries::default()
            }],
            style: BarStyle::Dots,
            y_range: Some((0., 1.)),
            ..BarChart::default()
        };
        let svg = chart.figure().unwrap().svg;
        let bar = svg.find("stroke-width=\"12\"").unwrap();
        assert!(svg.rfind("<circle").unwrap() < bar);
        assert_eq!(svg.matches("stroke-width=\"12\"").count(), 2);
    }

    #[test]
    fn names_of_groups_are_broken_or_turned() {
        let with = |groups: Vec<String>| BarChart {
            series: vec![BarSeries {
                values: vec![1.; groups.len()],
                ..BarSeries::default()
            }],
            groups,
            x_label: "groups".into(),
            ..BarChart::default()
        };
        let turned = |figure: &Figure| figure.svg.matches("rotate(270").count();
        let broken = with(vec![
            "a name of many words that has to be broken into lines"
                .into();
            4
        ]);
        let broken = broken.figure().unwrap();
        assert_well_formed(&broken);
        assert_eq!(turned(&broken), 0);
        sample("groups_broken", &broken);
        let many = with((0..30).map(|at| format!("transferred {at}")).collect());
        let many = many.figure().unwrap();
        assert_well_formed(&many);
        assert_eq!(turned(&many), 30);
        sample("groups_turned", &many);
    }
}
