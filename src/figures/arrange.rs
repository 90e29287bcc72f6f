//! Charts in rows and columns, with one title, one legend and one note.

use super::canvas::{Canvas, Rect};
use super::figure::{Figure, with_note};
use super::legend::{Block, Legend};
use super::sheet::{MARGIN, Sheet, WIDTH};
use super::text::{PANEL_TITLE, Paragraph, largest};
use crate::checks::at_least_one;
use crate::error::{Error, Result};

/// Pixels between rows of panels.
const ROW_GAP: f64 = 14.;
/// Pixels between the plots and the legend.
const LEGEND_GAP: f64 = 18.;
/// Pixels that the x axis' last number reaches over the plot's end.
const END: f64 = 6.;
/// The least width of a plot: a figure of many columns becomes wider.
const NARROWEST: f64 = 60.;

/// A chart that can stand beside others.
pub trait Panel {
    /// Above the panel; may be empty.
    fn title(&self) -> &str;
    /// The names in the legend.
    fn names(&self) -> Vec<&str>;
    /// The chart in words.
    fn words(&self) -> String;
}

/// Panels of equal size, row by row, each with what has been found for it, and what stands around
/// them.
pub struct Arrangement<'a, C, X> {
    pub title: &'a str,
    pub note: &'a str,
    /// How many panels stand in a row.
    pub columns: usize,
    pub panels: Vec<(&'a C, X)>,
    /// The most that a plot may take of the figure's width.
    pub widest: f64,
    /// Pixels left of the first column's plots.
    pub left: f64,
    /// Pixels between two columns' plots.
    pub gap: f64,
    pub legend: Legend<'a>,
}

/// The size of a figure and of its panels in pixels.
struct Layout {
    total: f64,
    width: f64,
    height: f64,
    /// Room for the panels' titles.
    above: f64,
    row: f64,
    titles: Vec<Paragraph>,
}

impl<C: Panel, X> Arrangement<'_, C, X> {
    /// Draws the panels; `size` makes of a plot's width its height and the room below it, and
    /// `paint` gets each panel's column and plot.
    ///
    /// The legend stands on the right, or below where its names are too many or too long for that.
    ///
    /// # Errors
    /// No panel, no column, or an error of `paint`.
    pub fn draw(
        self,
        size: impl Fn(f64) -> (f64, f64),
        mut paint: impl FnMut(&mut Canvas, &(&C, X), usize, Rect) -> Result<()>,
    ) -> Result<Figure> {
        if self.panels.is_empty() {
            return Err(Error::argument("charts", "at least one chart", "empty"));
        }
        at_least_one("columns", self.columns)?;
        let columns = self.columns.min(self.panels.len());
        let rows = self.panels.len().div_ceil(columns) as f64;
        let with_legend = !self.legend.entries.is_empty();
        let mut legend = Block::new(&self.legend, f64::INFINITY, 1);
        let room = if with_legend {
            LEGEND_GAP + legend.width
        } else {
            0.
        };
        let mut layout = self.layout(columns, room, &size);
        let mut height = rows * layout.row - ROW_GAP;
        let aside = legend.width <= WIDTH / 3. && layout.above + legend.height() <= height;
        let mut corner = (layout.total - MARGIN - legend.width, layout.above);
        if with_legend && !aside {
            layout = self.layout(columns, 0., &size);
            legend = Block::new(&self.legend, layout.total - 2. * MARGIN, usize::MAX);
            height = rows * layout.row - ROW_GAP;
            corner = (MARGIN, height + 8.);
            height += legend.height() + ROW_GAP;
        }
        let (title, note, alt) = (self.title, self.note, self.words());
        Sheet { title, note, alt }.draw((layout.total, height), |canvas, top| {
            for (index, (panel, title)) in self.panels.iter().zip(&layout.titles).enumerate() {
                let (row, column) = (index / columns, index % columns);
                let left = MARGIN + self.left + column as f64 * (layout.width + self.gap);
                let top = top + row as f64 * layout.row + layout.above;
                canvas.paragraph((left, top - 7. - title.height()), title)?;
                let rect = Rect::new((left, top), layout.width, layout.height);
                paint(canvas, panel, column, rect)?;
            }
            if with_legend {
                legend.draw(canvas, (corner.0, top + corner.1))?;
            }
            Ok(())
        })
    }

    /// The layout with so many pixels for a legend on the right.
    fn layout(&self, columns: usize, room: f64, size: impl Fn(f64) -> (f64, f64)) -> Layout {
        let around = self.left + room + 2. * MARGIN + END + self.gap * (columns - 1) as f64;
        let width = ((WIDTH - around) / columns as f64).clamp(NARROWEST, self.widest);
        let (height, below) = size(width);
        let title = |(chart, _): &(&C, X)| Paragraph::new(chart.title(), PANEL_TITLE, width);
        let titles: Vec<Paragraph> = self.panels.iter().map(title).collect();
        let title = largest(titles.iter().map(Paragraph::height));
        let above = if title > 0. { title + 7. } else { 10. };
        let row = above + height + below + ROW_GAP;
        let total = around + width * columns as f64;
        Layout {
            total,
            width,
            height,
            above,
            row,
            titles,
        }
    }

    /// The title, the charts' words, and the note.
    fn words(&self) -> String {
        let title = (!self.title.is_empty()).then(|| self.title.to_string());
        let charts = self.panels.iter().map(|(chart, _)| chart.words());
        let lines: Vec<String> = title.into_iter().chain(charts).collect();
        with_note(lines.join("\n"), self.note)
    }
}

/// The names that every chart has.
///
/// # Errors
/// A chart with other names than the first.
pub fn shared_names<'a, C: Panel>(charts: &'a [C], what: &'static str) -> Result<Vec<&'a str>> {
    let first = charts.first().map(C::names).unwrap_or_default();
    match charts.iter().find(|chart| chart.names() != first) {
        Some(other) => {
            let got = format!("{:?} in panel {:?}", other.names(), other.title());
            let expected = format!("the same names in every panel, {first:?}");
            Err(Error::argument(what, expected, got))
        }
        None => Ok(first),
    }
}

/// "title: what.", or what alone.
pub fn headed(title: &str, what: &str) -> String {
    let colon = if title.is_empty() { "" } else { ": " };
    format!("{title}{colon}{what}.")
}
