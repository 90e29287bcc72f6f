//! Figures and tables of results, shown inline in a notebook.
//!
//! Charts are plain structs with public fields: fill them in, call `figure()`, and end the cell
//! with the result, a [`Figure`] that owns its SVG; or show several in one cell, each by
//! [`display`](crate::display()). Everything is deterministic: the same values give the same bytes.
//!
//! | module | shows |
//! |---|---|
//! | [`lines`] | curves with spread, alone ([`LineChart`]) or side by side ([`Panels`]) |
//! | [`live_loss`] | a loss, drawn while a network is trained |
//! | [`bars`] | groups of bars or dots with error bars ([`BarChart`]) |
//! | [`scatter`] | points coloured by class, in the plane or in space ([`ScatterChart`], [`ScatterPanels`]) |
//! | [`histogram`] | how numbers are distributed ([`HistogramChart`], [`HistogramPanels`]) |
//! | [`images`] | a grid of images, each with its caption ([`ImageGrid`]) |
//! | [`filmstrip`] | images along paths with a network's answers ([`Filmstrip`]) |
//! | [`surface`] | an energy over the plane, with paths on it ([`SurfaceChart`]) |
//! | [`table`] | a table ([`Table`]) |
//! | [`palette`] | the colours and marks they share |

mod arrange;
mod axes;
mod band;
pub mod bars;
mod canvas;
mod contours;
mod drawn;
mod figure;
pub mod filmstrip;
pub mod histogram;
pub mod images;
mod legend;
pub mod lines;
mod live;
pub mod palette;
mod pieces;
mod plane;
pub mod scatter;
mod sheet;
mod space;
mod spread;
pub mod surface;
pub mod table;
mod text;

pub(crate) use drawn::drawn;

pub use bars::{BarChart, BarSeries, BarStyle};
pub use figure::Figure;
pub use filmstrip::{Filmstrip, Strip};
pub use histogram::{HistogramChart, HistogramPanels, Sample};
pub use images::{Image, ImageGrid, Mark, Pixels, Tile};
pub use lines::{AxisScale, LineChart, Panels, Series};
pub use live::live_loss;
pub use palette::Colors;
pub use scatter::{ScatterChart, ScatterPanels, View};
pub use surface::SurfaceChart;
pub use table::{Table, plus_minus};

#[cfg(test)]
mod testing {
    //! What every kind of figure is checked for.

    use super::Figure;
    use super::text::text_width;

    /// One text of a figure, with the pixels that it takes if `text_width` is right.
    pub struct Placed {
        pub text: String,
        /// Left, top, right and bottom.
        pub ends: [f64; 4],
    }

    fn attribute<'t>(tag: &'t str, name: &str) -> &'t str {
        let value = tag
            .split_once(&format!(" {name}=\""))
            .expect("the attribute is there")
            .1;
        value.split_once('"').expect("the attribute ends").0
    }

    /// Every text of a figure, in the order of the document.
    pub fn texts(figure: &Figure) -> Vec<Placed> {
        let texts = figure.svg.split("<text").skip(1).map(|part| {
            let (tag, rest) = part.split_once('>').expect("the tag ends");
            let text = rest.split_once('<').expect("the text ends").0.trim();
            let text = [
                ("&lt;", "<"),
                ("&gt;", ">"),
                ("&quot;", "\""),
                ("&apos;", "'"),
            ]
            .iter()
            .fold(text.to_string(), |text, (from, to)| text.replace(from, to))
            .replace("&amp;", "&");
            let number = |name| attribute(tag, name).parse::<f64>().expect("a number") / 10.;
            let (x, y, size) = (number("x"), number("y"), number("font-size"));
            let width = text_width(&text, size);
            let before = match attribute(tag, "text-anchor") {
                "start" => 0.,
                "middle" => width / 2.,
                _ => width,
            };
            let half = size / 2.;
            let ends = if tag.contains("rotate(270") {
                [x - half, y - width + before, x + half, y + before]
            } else {
                [x - before, y - half, x - before + width, y + half]
            };
            Placed { text, ends }
        });
        texts.collect()
    }

    /// Every text inside the picture, as far as its width can be estimated.
    pub fn assert_inside(figure: &Figure) {
        let size = |name| {
            attribute(&figure.svg, name)
                .parse::<f64>()
                .expect("a number")
        };
        let (width, height) = (size("width"), size("height"));
        for Placed {
            text,
            ends: [left, top, right, bottom],
        } in texts(figure)
        {
            let inside = left >= 0. && top >= 0. && right <= width && bottom <= height;
            assert!(
                inside,
                "{text:?} from {left}, {top} to {right}, {bottom} of {width} × {height}"
            );
        }
    }

    /// Each tag closed in order, no bare `&`, alternative text present, every text inside.
    pub fn assert_well_formed(figure: &Figure) {
        assert_inside(figure);
        let svg = &figure.svg;
        assert!(
            svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"),
            "{svg}"
        );
        assert!(
            svg.contains("role=\"img\"") && svg.contains("<title>") && svg.contains("aria-label="),
            "{svg}"
        );
        assert!(!figure.alt.is_empty());
        let mut open: Vec<&str> = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').expect("a tag ends");
            for part in [tag, text] {
                for entity in part.split('&').skip(1) {
                    let name = entity.split(';').next().unwrap_or_default();
                    assert!(
                        ["amp", "lt", "gt", "quot", "apos"].contains(&name),
                        "bare & before {entity:?}"
                    );
                }
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split_whitespace().next().unwrap_or_default();
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    /// Writes a sample where `ISOPATH_FIGURE_SAMPLES` names a folder, to be looked at.
    pub fn sample(name: &str, figure: &Figure) {
        if let Some(folder) = std::env::var_os("ISOPATH_FIGURE_SAMPLES") {
            figure
                .save(std::path::Path::new(&folder).join(format!("{name}.svg")))
                .expect("the sample is written");
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::testing::{assert_well_formed, sample, texts};
    use super::*;

    /// Every kind of chart with a legend, alone and side by side, with these names in it.
    fn charts(names: &[String]) -> Vec<(&'static str, Figure)> {
        let series = names
            .iter()
            .enumerate()
            .map(|(at, name)| Series::line(name, &[0.1, 1., 10.], &[1., 2. + at as f64, 3.]));
        let lines = LineChart {
            title: "Curves".into(),
            x_label: "x".into(),
            y_label: "y".into(),
            series: series.collect(),
            legend: "legend".into(),
            reference: Some(("reference".into(), 2.5)),
            note: "A note.".into(),
            ..LineChart::default()
        };
        let series = names.iter().enumerate().map(|(at, name)| BarSeries {
            name: name.clone(),
            values: vec![1., 1. + at as f64],
            ..BarSeries::default()
        });
        let bars = BarChart {
            title: "Bars".into(),
            y_label: "y".into(),
            groups: vec!["first".into(), "second".into()],
            series: series.collect(),
            note: "A note.".into(),
            ..BarChart::default()
        };
        let samples = names.iter().enumerate();
        let histogram = HistogramChart {
            title: "Histogram".into(),
            samples: samples
                .map(|(at, name)| Sample::new(name, &[0., 1., at as f64]))
                .collect(),
            note: "A note.".into(),
            ..HistogramChart::default()
        };
        let scatter = |dimensions: usize| ScatterChart {
            title: "Points".into(),
            points: Array2::from_shape_fn((names.len(), dimensions), |(i, j)| (i * j) as f64),
            labels: (0..names.len() as u32).collect(),
            classes: names.to_vec(),
            axes: ["x", "y", "z"][..dimensions]
                .iter()
                .map(ToString::to_string)
                .collect(),
            note: "A note.".into(),
            ..ScatterChart::default()
        };
        let (title, note) = ("Panels".to_string(), "A note.".to_string());
        let panels = Panels {
            title: title.clone(),
            columns: 3,
            charts: vec![lines.clone(); 5],
            note: note.clone(),
        };
        let histograms = HistogramPanels {
            title: title.clone(),
            columns: 2,
            charts: vec![histogram.clone(); 2],
            note: note.clone(),
        };
        let (columns, charts) = (2, vec![scatter(2), scatter(3)]);
        let scatters = ScatterPanels {
            title,
            columns,
            charts,
            note,
        };
        vec![
            ("lines", lines.figure().unwrap()),
            ("bars", bars.figure().unwrap()),
            (
                "dots",
                BarChart {
                    style: BarStyle::Dots,
                    ..bars
                }
                .figure()
                .unwrap(),
            ),
            ("histogram", histogram.figure().unwrap()),
            ("plane", scatter(2).figure().unwrap()),
            ("space", scatter(3).figure().unwrap()),
            ("line panels", panels.figure().unwrap()),
            ("histogram panels", histograms.figure().unwrap()),
            ("scatter panels", scatters.figure().unwrap()),
        ]
    }

    #[test]
    fn legends_of_many_and_long_names_stay_inside_the_picture() {
        let many: Vec<String> = (0..24).map(|at| format!("#{at:02} series")).collect();
        let pad = |at: usize, with: &str| {
            format!("#{at:02} {}", with.repeat(80))
                .chars()
                .take(80)
                .collect()
        };
        let words: Vec<String> = (0..3).map(|at| pad(at, "long name ")).collect();
        let unbroken: Vec<String> = (0..3).map(|at| pad(at, "m")).collect();
        let both: Vec<String> = (0..24).map(|at| pad(at, "long name ")).collect();
        for (case, names) in [
            ("many", many),
            ("words", words),
            ("unbroken", unbroken),
            ("both", both),
        ] {
            for (kind, figure) in charts(&names) {
                sample(&format!("legend {case} {kind}"), &figure);
                assert_well_formed(&figure);
                let legend = |name: &String| {
                    let placed = texts(&figure).into_iter().map(|placed| placed.text);
                    let start: String = name.chars().take(3).collect();
                    placed.filter(|text| text.starts_with(&start)).count()
                };
                for name in &names {
                    assert_eq!(legend(name), 1, "{name:?} in {kind}");
                }
            }
        }
    }

    #[test]
    fn short_names_stand_beside_the_plot() {
        let names = ["one", "two"].map(String::from);
        for (kind, figure) in charts(&names) {
            let texts = texts(&figure);
            let name = texts.iter().find(|placed| placed.text == "two").unwrap();
            let note = texts
                .iter()
                .find(|placed| placed.text == "A note.")
                .unwrap();
            assert!(
                name.ends[0] > 300. && name.ends[3] < note.ends[1] - 100.,
                "{kind}"
            );
        }
    }

    #[test]
    fn long_labels_are_cut_at_the_plot() {
        let long = "a label that goes on and on ".repeat(9);
        let chart = LineChart {
            title: long.clone(),
            x_label: long.clone(),
            y_label: long.clone(),
            series: vec![Series::line(
                "a",
                &[1.000_000_01, 1.000_000_05],
                &[1e-7, 2e9],
            )],
            note: long.clone(),
            ..LineChart::default()
        };
        let figure = chart.figure().unwrap();
        assert_well_formed(&figure);
        sample("long labels", &figure);
        assert!(figure.alt.contains(&long));
        let panels = Panels {
            columns: 4,
            charts: vec![chart; 6],
            ..Panels::default()
        };
        let figure = panels.figure().unwrap();
        assert_well_formed(&figure);
        sample("long labels panels", &figure);
    }
}
