//! Groups of bars or dots with error bars.

use super::Figure;
use super::axes::{
    Axis, AxisScale, BELOW, Key, LABEL, MARGIN, NOTE, Paragraph, Plot, REFERENCE, TICK, TITLE,
    left_room, legend, legend_width, number,
};
use super::canvas::{Anchor, Canvas, Dash, Rect, draw, wrap};
use super::palette::{Colors, INK, Style};
use crate::error::{Error, Result};

const WIDTH: f64 = 900.;
const PLOT_HEIGHT: f64 = 260.;

/// How a value is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BarStyle {
    /// A bar from zero: for amounts.
    #[default]
    Bars,
    /// A dot: for values far from zero, which the axis then need not show.
    Dots,
}

/// One value for each group, with error bars if `low` and `high` are not empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarSeries {
    /// The name in the legend.
    pub name: String,
    /// One value a group.
    pub values: Vec<f64>,
    /// The error bars' lower ends: one a group, or empty.
    pub low: Vec<f64>,
    /// The error bars' upper ends: one a group, or empty.
    pub high: Vec<f64>,
}

impl BarSeries {
    /// The mean of each group's runs, with mean ± standard deviation as the error bar; no bars if
    /// all have a single run.
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
            let (mean, std) = super::lines::mean_std(runs);
            series.values.push(mean);
            if several {
                series.low.push(mean - std);
                series.high.push(mean + std);
            }
        }
        Ok(series)
    }
}

/// A chart of groups, each with a bar or dot for every series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarChart {
    /// Above the chart; may be empty.
    pub title: String,
    /// What the groups are.
    pub x_label: String,
    /// What the values are, with their unit.
    pub y_label: String,
    /// The groups' names.
    pub groups: Vec<String>,
    /// A value for each group, finite.
    pub series: Vec<BarSeries>,
    /// Bars or dots.
    pub style: BarStyle,
    /// How y is spread; bars, which start at zero, need equal steps.
    pub y_scale: AxisScale,
    /// What the y axis spans at least.
    pub y_range: Option<(f64, f64)>,
    /// Whether the series are classes or the values of a parameter.
    pub colors: Colors,
    /// The legend's heading.
    pub legend: String,
    /// A horizontal line with a name.
    pub reference: Option<(String, f64)>,
    /// Small print below.
    pub note: String,
}

impl BarChart {
    /// Draws the chart, its legend on the right.
    ///
    /// # Errors
    /// No group, no series, a series that has not one value a group, a number that is not finite,
    /// or one ≤ 0 on a logarithmic axis.
    pub fn figure(&self) -> Result<Figure> {
        self.check()?;
        let zero = (self.style == BarStyle::Bars).then_some(0.);
        let values = self
            .series
            .iter()
            .flat_map(|s| s.values.iter().chain(&s.low).chain(&s.high).copied());
        let values = values
            .chain(self.reference.iter().map(|(_, value)| *value))
            .chain(zero);
        let y = Axis::spanning("value", self.y_scale, values, self.y_range)?;

        let names: Vec<&str> = self
            .series
            .iter()
            .map(|series| series.name.as_str())
            .collect();
        let styles: Vec<Style> = (0..names.len())
            .map(|i| self.colors.style(i, names.len()))
            .collect();
        let with_legend = names.len() > 1 || !self.legend.is_empty() || self.reference.is_some();
        let key = if self.style == BarStyle::Bars {
            Key::Block
        } else {
            Key::Dot
        };
        let mut entries: Vec<_> = names
            .iter()
            .zip(&styles)
            .map(|(name, style)| (*name, *style, key))
            .collect();
        entries.extend(
            self.reference
                .iter()
                .map(|(name, _)| (name.as_str(), REFERENCE, Key::Rule)),
        );
        let legend_room = if with_legend {
            legend_width(&self.legend, entries.iter().map(|(name, ..)| *name)).min(WIDTH / 3.) + 18.
        } else {
            0.
        };
        let title = Paragraph::new(&self.title, TITLE, WIDTH - 2. * MARGIN);
        let note = Paragraph::new(&self.note, NOTE, WIDTH - 2. * MARGIN);
        let left = MARGIN + left_room(&y);
        let right = WIDTH - MARGIN - legend_room;
        let group_width = (right - left) / self.groups.len() as f64;
        let labels: Vec<Vec<String>> = self
            .groups
            .iter()
            .map(|name| wrap(name, TICK.size, group_width - 8.))
            .collect();
        let label_lines = labels.iter().map(Vec::len).max().unwrap_or(1).max(1) as f64;
        let top = MARGIN + title.height() + 10.;
        let bottom = top + PLOT_HEIGHT;
        let below = BELOW + (label_lines - 1.) * 15.;
        let height = bottom + below + note.height() + MARGIN;

        draw((WIDTH, height), self.words(), |canvas| {
            title.draw(canvas, (MARGIN, MARGIN))?;
            let plot = Plot {
                rect: Rect {
                    left,
                    top,
                    right,
                    bottom,
                },
                x: None,
                y: &y,
            };
            plot.axes(canvas, "", &self.y_label, true)?;
            for (group, lines) in labels.iter().enumerate() {
                let start = left + group as f64 * group_width;
                for (line, text) in lines.iter().enumerate() {
                    let at = (start + group_width / 2., bottom + 15. + line as f64 * 15.);
                    canvas.text(at, text, TICK, Anchor::Middle)?;
                }
                self.group(canvas, &plot, &styles, group, (start, group_width))?;
            }
            if let Some((_, value)) = &self.reference {
                plot.reference(canvas, *value)?;
            }
            canvas.text(
                ((left + right) / 2., bottom + below - 10.),
                &self.x_label,
                LABEL,
                Anchor::Middle,
            )?;
            if with_legend {
                legend(canvas, (right + 18., top), &self.legend, &entries)?;
            }
            note.draw(canvas, (MARGIN, height - MARGIN - note.height()))
        })
    }

    fn check(&self) -> Result<()> {
        if self.groups.is_empty() {
            return Err(Error::argument("groups", "at least one group", "empty"));
        }
        if self.series.is_empty() {
            return Err(Error::argument("series", "at least one series", "empty"));
        }
        let n = self.groups.len();
        for series in &self.series {
            for (name, values, may_be_empty) in [
                ("values", &series.values, false),
                ("low", &series.low, true),
                ("high", &series.high, true),
            ] {
                if values.len() != n && !(may_be_empty && values.is_empty()) {
                    let expected = format!("{n} numbers in {:?}, one a group", series.name);
                    return Err(Error::argument(name, expected, values.len()));
                }
            }
        }
        Ok(())
    }

    /// The bars or dots of one group, which takes the pixels from `start` on.
    fn group(
        &self,
        canvas: &mut Canvas,
        plot: &Plot,
        styles: &[Style],
        group: usize,
        (start, width): (f64, f64),
    ) -> Result<()> {
        let slot = (0.76 * width / self.series.len() as f64).min(64.);
        let first = start + (width - slot * self.series.len() as f64) / 2.;
        for (index, (series, style)) in self.series.iter().zip(styles).enumerate() {
            let Some(value) = series.values.get(group) else {
                continue;
            };
            let (left, right) = (
                first + slot * index as f64 + 0.06 * slot,
                first + slot * (index + 1) as f64 - 0.06 * slot,
            );
            let middle = (left + right) / 2.;
            let y = plot.at(0., *value).1;
            if self.style == BarStyle::Bars {
                let zero = plot.at(0., 0.).1;
                canvas.rect(
                    Rect {
                        left,
                        top: y.min(zero),
                        right,
                        bottom: y.max(zero),
                    },
                    style.color,
                )?;
            }
            if let (Some(low), Some(high)) = (series.low.get(group), series.high.get(group)) {
                let (low, high) = (plot.at(0., *low).1, plot.at(0., *high).1);
                let cap = (0.2 * slot).min(5.);
                for line in [
                    [(middle, low), (middle, high)],
                    [(middle - cap, low), (middle + cap, low)],
                    [(middle - cap, high), (middle + cap, high)],
                ] {
                    canvas.path(&line, INK, 1.2, Dash::Solid)?;
                }
            }
            if self.style == BarStyle::Dots {
                canvas.marker((middle, y), style.marker, 4.5, style.color)?;
            }
        }
        Ok(())
    }

    /// The chart in words: every value.
    fn words(&self) -> String {
        let mut words = if self.title.is_empty() {
            format!("{}.", self.y_label)
        } else {
            format!("{}: {}.", self.title, self.y_label)
        };
        for series in &self.series {
            let values: Vec<String> = self
                .groups
                .iter()
                .zip(&series.values)
                .map(|(group, value)| format!("{group} {}", number(*value)))
                .collect();
            words.push_str(&format!("\n  {}: {}", series.name, values.join(", ")));
        }
        super::with_note(words, &self.note)
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
            .starts_with("values is 6; expected 5 numbers")
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
}
