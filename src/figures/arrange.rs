//! Charts in rows and columns, with one title, one legend and one note.

use super::Figure;
use super::axes::{Key, MARGIN, NOTE, PANEL_TITLE, Paragraph, TITLE, legend, legend_width};
use super::canvas::{Anchor, Canvas, Rect, draw};
use super::palette::Style;
use crate::error::{Error, Result};

/// The width of a figure in pixels.
pub const WIDTH: f64 = 900.;
/// Pixels between rows of panels.
const ROW_GAP: f64 = 14.;

/// Panels of equal size, row by row, and what stands around them.
pub struct Arrangement<'a> {
    pub title: &'a str,
    pub note: &'a str,
    /// Panels in a row.
    pub columns: usize,
    /// One a panel; may be empty.
    pub panel_titles: Vec<&'a str>,
    /// The most that a plot may take of the figure's width.
    pub widest: f64,
    /// Pixels left of the first column's plots.
    pub left: f64,
    /// Pixels between two columns' plots.
    pub gap: f64,
    /// Pixels below each plot.
    pub below: f64,
    pub legend: Option<Legend<'a>>,
}

/// Names beside their marks, under a heading that may be empty.
pub struct Legend<'a> {
    pub title: &'a str,
    pub entries: Vec<(&'a str, Style, Key)>,
}

impl Arrangement<'_> {
    /// Draws the panels; `height` makes of a plot's width its height, and `paint` gets each panel's
    /// plot.
    ///
    /// # Errors
    /// No panel, no column, or an error of `paint`.
    pub fn draw(
        &self,
        alt: String,
        height: impl FnOnce(f64) -> f64,
        mut paint: impl FnMut(&mut Canvas, usize, Rect) -> Result<()>,
    ) -> Result<Figure> {
        if self.panel_titles.is_empty() {
            return Err(Error::argument("charts", "at least one chart", "empty"));
        }
        if self.columns == 0 {
            return Err(Error::argument("columns", "at least 1", 0));
        }
        let legend_room = self.legend.as_ref().map_or(0., |legend| {
            legend_width(legend.title, legend.entries.iter().map(|(name, ..)| *name))
                .min(WIDTH / 3.)
                + 18.
        });
        let columns = self.columns.min(self.panel_titles.len());
        let rows = self.panel_titles.len().div_ceil(columns);
        let left = MARGIN + self.left;
        let free = WIDTH - left - legend_room - MARGIN - 6. - self.gap * (columns - 1) as f64;
        let width = (free / columns as f64).min(self.widest);
        let plot_height = height(width);
        let figure_width = WIDTH - free + width * columns as f64;
        let title = Paragraph::new(self.title, TITLE, figure_width - 2. * MARGIN);
        let note = Paragraph::new(self.note, NOTE, figure_width - 2. * MARGIN);
        let above = if self.panel_titles.iter().any(|title| !title.is_empty()) {
            26.
        } else {
            10.
        };
        let row_height = above + plot_height + self.below + ROW_GAP;
        let top = MARGIN + title.height();
        let height = top + rows as f64 * row_height - ROW_GAP + note.height() + MARGIN;

        draw((figure_width, height), alt, |canvas| {
            title.draw(canvas, (MARGIN, MARGIN))?;
            for (index, panel_title) in self.panel_titles.iter().enumerate() {
                let (row, column) = (index / columns, index % columns);
                let left = left + column as f64 * (width + self.gap);
                let top = top + row as f64 * row_height + above;
                canvas.text((left, top - 14.), panel_title, PANEL_TITLE, Anchor::Start)?;
                paint(
                    canvas,
                    index,
                    Rect {
                        left,
                        top,
                        right: left + width,
                        bottom: top + plot_height,
                    },
                )?;
            }
            if let Some(names) = &self.legend {
                let left = figure_width - MARGIN - legend_room + 18.;
                legend(canvas, (left, top + above), names.title, &names.entries)?;
            }
            note.draw(canvas, (MARGIN, height - MARGIN - note.height()))
        })
    }
}

/// The names that every chart has, as (chart's title, its names).
///
/// # Errors
/// A chart with other names than the first.
pub fn shared_names<'a>(
    mut charts: impl Iterator<Item = (&'a str, Vec<&'a str>)>,
    what: &'static str,
) -> Result<Vec<&'a str>> {
    let first = charts.next().map(|(_, names)| names).unwrap_or_default();
    match charts.find(|(_, names)| *names != first) {
        Some((title, names)) => {
            let got = format!("{names:?} in panel {title:?}");
            Err(Error::argument(
                what,
                format!("the same names in every panel, {first:?}"),
                got,
            ))
        }
        None => Ok(first),
    }
}

/// A title, the charts' words, and a note: a figure of several charts in words.
pub fn words(title: &str, charts: impl IntoIterator<Item = String>, note: &str) -> String {
    let lines = std::iter::once(title.to_string())
        .filter(|title| !title.is_empty())
        .chain(charts);
    super::with_note(lines.collect::<Vec<_>>().join("\n"), note)
}
