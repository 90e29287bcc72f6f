//! Figures and tables of connections.

use candle_core::Tensor;

use super::{Connection, Connections, Shown, Summary};
use crate::checks::Bounds;
use crate::error::{Error, Result};
use crate::figures::{
    Figure, Filmstrip, Image, ImageGrid, LineChart, Mark, Pixels, Series, Strip, Table, drawn,
};
use crate::models::{Network, evaluation};
use crate::paths::{Profile, Verdict};
use crate::statistics::Proportion;

drawn!(Connection);
drawn!(table: Connections);

/// Below this cross-entropy the class has more than half of the probability.
fn certain() -> (String, f64) {
    ("certainly right below".into(), 2f64.ln())
}

impl Profile {
    /// The energy along a path as a curve, from 0 at its start to 1 at its end.
    pub fn series(&self, name: impl Into<String>) -> Series {
        let length = self.length();
        let share: Vec<f64> = self.distance.iter().map(|d| d / length).collect();
        Series::line(name, &share, &self.energy)
    }
}

impl Connection {
    /// Charts the energy along the straight line and along the band.
    pub fn profile(&self) -> LineChart {
        let mut series = vec![self.line.series("straight line")];
        if self.verdict != Verdict::Linear {
            series.push(self.path.series("band"));
        }
        LineChart {
            title: format!("From one {0} to another", self.class()),
            x_label: "share of the way".into(),
            y_label: "cross-entropy of the class".into(),
            series,
            reference: Some(certain()),
            ..LineChart::default()
        }
    }

    /// Shows the images of line and band in input space, with the network's answer to each.
    ///
    /// # Errors
    /// Points that are no images in [0, 1]: hidden ones, which [`Connection::decoded`] shows, or
    /// others; or a path that was not kept.
    pub fn filmstrip(&self) -> Result<Filmstrip> {
        self.strips_of(images).map(|strips| self.film(strips))
    }

    /// Shows the points of line and band in a hidden space as images from `decoder`, with the
    /// network's answers to the points themselves.
    ///
    /// # Errors
    /// Points that the decoder does not take, or a path that was not kept.
    pub fn decoded(&self, decoder: &dyn Network) -> Result<Filmstrip> {
        let decoder = evaluation(decoder)?;
        let strips = self.strips_of(|points| images(&decoder.forward(points)?))?;
        Ok(self.film(strips))
    }

    /// Draws the filmstrip if the points are images, else the profile.
    ///
    /// # Errors
    /// An energy or a probability that is not a number.
    pub fn figure(&self) -> Result<Figure> {
        match self.shown.as_ref().map(|shown| images(&shown.info.path)) {
            Some(Ok(_)) => self.filmstrip()?.figure(),
            _ => {
                let mut chart = self.profile();
                chart.title = self.to_string();
                chart.figure()
            }
        }
    }

    fn film(&self, strips: Vec<Strip>) -> Filmstrip {
        Filmstrip {
            title: self.to_string(),
            classes: self.class_names(&strips),
            strips,
            note: "Bars: the softmax probabilities, the target class in red.".into(),
        }
    }

    /// The classes' names; numbers for those of the network that have none.
    fn class_names(&self, strips: &[Strip]) -> Vec<String> {
        let probabilities = strips.iter().flat_map(|strip| &strip.probabilities);
        let count = probabilities.map(Vec::len).max().unwrap_or(0);
        let name = |class: usize| self.classes.get(class).cloned();
        let names = (0..count).map(|class| name(class).unwrap_or_else(|| class.to_string()));
        names.collect()
    }

    /// The straight line, and the band if there is one.
    fn strips_of(&self, images: impl Fn(&Tensor) -> Result<Vec<Image>>) -> Result<Vec<Strip>> {
        let Shown {
            info,
            on_line,
            on_path,
        } = self.shown()?;
        let strip = |label: &str, points: &Tensor, said: &[Vec<f64>]| -> Result<Strip> {
            Ok(Strip {
                label: format!("{}, {label}", self.class()),
                images: images(points)?,
                probabilities: said.to_vec(),
                target: self.pair.class as usize,
            })
        };
        let mut strips = vec![strip("line", &info.line()?, on_line)?];
        if self.verdict != Verdict::Linear {
            strips.push(strip("band", &info.path, on_path)?);
        }
        Ok(strips)
    }
}

/// The images that points (N, …) are.
///
/// # Errors
/// Not images (N, C, H, W) or (N, side²), or not in [0, 1].
fn images(points: &Tensor) -> Result<Vec<Image>> {
    Bounds::default().check("points", "the pixels of images", points)?;
    Image::batch(points, Pixels::Intensity)
}

impl Connections {
    /// Tabulates how many pairs are connected, and how, with Wilson's 95 % intervals.
    pub fn table(&self) -> Table {
        let caption = format!("{} pairs: share and Wilson's 95 % interval", self.len());
        let Summary {
            linear,
            nonlinear,
            none,
            ..
        } = self.summary();
        let mut table = Table::new(caption, ["a path exists", "pairs", "share"]);
        for (name, share) in rows(&[linear, nonlinear, none]) {
            table.push([name.to_string(), share.count.to_string(), share.to_string()]);
        }
        table
    }

    /// Shows line and band of the `count` [hardest](Connections::hardest) pairs, as images.
    ///
    /// # Errors
    /// As [`Connection::filmstrip`], or a line connects every pair.
    pub fn filmstrip(&self, count: usize) -> Result<Filmstrip> {
        let hardest = self.hardest_ones(count)?;
        let films = hardest.iter().map(|connection| connection.filmstrip());
        let mut films = films.collect::<Result<Vec<_>>>()?.into_iter();
        let mut whole = films.next().unwrap_or_default();
        whole.strips.extend(films.flat_map(|film| film.strips));
        whole.title = "The pairs that are hardest for a straight line".into();
        Ok(whole)
    }

    /// Charts the [profiles](Connection::profile) of the `count` [hardest](Connections::hardest)
    /// pairs.
    pub fn profiles(&self, count: usize) -> Vec<LineChart> {
        let hardest = self.hardest(count);
        hardest
            .iter()
            .map(|connection| connection.profile())
            .collect()
    }

    /// Shows what the band changes at the middle of the line, for the `count`
    /// [hardest](Connections::hardest) pairs: the image on the line, that on the band, and between
    /// them their difference, blue at −`limit` and red at `limit`.
    ///
    /// # Errors
    /// As [`Connections::filmstrip`], or a `limit` that is not positive.
    pub fn differences(&self, count: usize, limit: f64) -> Result<ImageGrid> {
        let (mut on_line, mut on_path) = (Vec::new(), Vec::new());
        for connection in self.hardest_ones(count)? {
            let info = &connection.shown()?.info;
            let middle = (info.path.dim(0)? - 1) / 2;
            on_line.push(info.line()?.narrow(0, middle, 1)?);
            on_path.push(info.path.narrow(0, middle, 1)?);
        }
        let (on_line, on_path) = (Tensor::cat(&on_line, 0)?, Tensor::cat(&on_path, 0)?);
        let none = vec![(String::new(), Mark::None); on_line.dim(0)?];
        let mut grid = ImageGrid {
            title: "What the band changes: path minus line, at the middle of the line".into(),
            note: format!("Blue −{limit}, red +{limit}, the average of the channels."),
            ..ImageGrid::default()
        };
        grid.push("line", &on_line, Pixels::Intensity, &none)?;
        grid.push_differences("difference", &(&on_path - &on_line)?, limit)?;
        grid.push("band", &on_path, Pixels::Intensity, &none)?;
        Ok(grid)
    }

    /// [`Connections::hardest`], at least one.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn hardest_ones(&self, count: usize) -> Result<Vec<&Connection>> {
        let hardest = self.hardest(count);
        match hardest.is_empty() {
            true => {
                let expected = "some that no line connects, with their paths kept, to be drawn";
                let got = format!("{} that a line connects, or without paths", self.len());
                Err(Error::argument("pairs", expected, got))
            }
            false => Ok(hardest),
        }
    }
}

/// Table 1's rows by name.
fn rows<T: Copy>(verdicts: &[T; 3]) -> impl Iterator<Item = (&'static str, T)> {
    ["linear", "nonlinear", "none found"]
        .into_iter()
        .zip(*verdicts)
}

/// Tabulates several summaries side by side, a named column each: the shares of verdicts with their
/// intervals.
pub fn verdict_table(caption: impl Into<String>, columns: &[(&str, &Summary)]) -> Table {
    let names = columns.iter().map(|(name, _)| *name);
    let mut table = Table::new(caption, std::iter::once("a path exists").chain(names));
    let shares: [fn(&Summary) -> Proportion; 3] = [|s| s.linear, |s| s.nonlinear, |s| s.none];
    for (name, share) in rows(&shares) {
        let shares = columns
            .iter()
            .map(|(_, summary)| share(summary).to_string());
        table.push(std::iter::once(name.to_string()).chain(shares));
    }
    table
}

/// Tabulates how far bands went, a named row for each summary.
///
/// The columns are how many iterations the pairs took that only a band connects, and over these
/// pairs the medians of length, departure and change ([`Summary::median_length_ratio`] and those
/// after it).
pub fn steps_table(rows: &[(&str, &Summary)]) -> Table {
    let mut table = Table::new(
        "Pairs that only a band connects: steps taken, and medians over the pairs",
        [
            "",
            "pairs",
            "1 step",
            "2–3",
            "more",
            "length",
            "departure",
            "change",
        ],
    );
    for (name, summary) in rows {
        let steps = |range: std::ops::RangeInclusive<usize>| {
            let within = summary.iterations.range(range);
            within.map(|(_, count)| count).sum::<usize>().to_string()
        };
        let number = |value: Option<f64>, digits: usize| {
            value.map_or("–".to_string(), |value| format!("{value:.digits$}"))
        };
        table.push([
            name.to_string(),
            summary.nonlinear.count.to_string(),
            steps(1..=1),
            steps(2..=3),
            steps(4..=usize::MAX),
            number(summary.median_length_ratio, 3),
            number(summary.median_departure, 3),
            number(summary.median_largest_change, 4),
        ]);
    }
    table
}
