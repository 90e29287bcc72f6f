//! Charts in rows and columns, with one title, one legend and one note.

use super::canvas::{Canvas, Point, Rect, draw};
use super::figure::{Figure, with_note};
use super::palette::{REFERENCE, Style};
use super::text::{HEADING, LABEL, NOTE, PANEL_TITLE, Paragraph, TITLE};
use crate::error::{Error, Result};

/// The width of a figure in pixels.
pub const WIDTH: f64 = 900.;
/// Pixels between a figure's edge and what is drawn.
pub const MARGIN: f64 = 14.;
/// Pixels between rows of panels.
const ROW_GAP: f64 = 14.;
/// Pixels between the plots and the legend.
const LEGEND_GAP: f64 = 18.;
/// Pixels that the x axis' last number reaches over the plot's end.
const END: f64 = 6.;
/// The least width of a plot: a figure of many columns becomes wider.
const NARROWEST: f64 = 60.;

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
    pub legend: Legend<'a>,
}

/// What a legend shows beside a name.
#[derive(Clone, Copy)]
pub enum Key {
    Rule,
    Line,
    Dot,
    Block,
}

/// Names beside their marks, under a heading that may be empty; none if there are no entries.
pub struct Legend<'a> {
    pub title: &'a str,
    pub entries: Vec<(&'a str, Style, Key)>,
}

impl<'a> Legend<'a> {
    /// Names and a reference line; without entries if a single name has neither heading nor line
    /// beside it, since it then needs no legend.
    pub fn new(
        title: &'a str,
        names: impl IntoIterator<Item = (&'a str, Style)>,
        key: Key,
        reference: Option<&'a (String, f64)>,
    ) -> Self {
        let names = names.into_iter().map(|(name, style)| (name, style, key));
        let rule = reference.map(|(name, _)| (name.as_str(), REFERENCE, Key::Rule));
        let mut entries: Vec<_> = names.chain(rule).collect();
        if entries.len() == 1 && title.is_empty() {
            entries.clear();
        }
        Self { title, entries }
    }
}

/// A legend in columns, each name in lines that fit its column.
struct Block {
    heading: Paragraph,
    columns: Vec<Vec<(Paragraph, Style, Key)>>,
    /// The width of a column, and of all.
    column: f64,
    width: f64,
}

impl Block {
    /// Pixels for the mark beside a name.
    const KEY: f64 = 34.;
    /// The least height of an entry.
    const ENTRY: f64 = 20.;

    /// As many columns as `room` has place for, at most `most`.
    fn new(legend: &Legend, room: f64, most: usize) -> Self {
        let width = |text: &str| Paragraph::new(text, LABEL, f64::INFINITY).width();
        let names = legend
            .entries
            .iter()
            .map(|(name, ..)| Self::KEY + 6. + width(name));
        let column = names.fold(0., f64::max).min(room);
        let count = ((room / column.max(1.)) as usize).clamp(1, most.max(1));
        let entries = legend.entries.iter().map(|(name, style, key)| {
            (
                Paragraph::new(name, LABEL, column - Self::KEY - 4.),
                *style,
                *key,
            )
        });
        let entries: Vec<_> = entries.collect();
        let rows = entries.len().div_ceil(count).max(1);
        let columns: Vec<Vec<_>> = entries.chunks(rows).map(<[_]>::to_vec).collect();
        let heading = Paragraph::new(legend.title, HEADING, room);
        let width = (column * columns.len() as f64).max(heading.width() + 4.);
        Self {
            heading,
            columns,
            column,
            width,
        }
    }

    fn entry_height((name, ..): &(Paragraph, Style, Key)) -> f64 {
        (name.height() + 2.).max(Self::ENTRY)
    }

    fn height(&self) -> f64 {
        let columns = self
            .columns
            .iter()
            .map(|column| column.iter().map(Self::entry_height).sum());
        self.heading.height() + columns.fold(0., f64::max)
    }

    /// Draws the legend from `at`, its upper left corner.
    fn draw(&self, canvas: &mut Canvas, at: Point) -> Result<()> {
        canvas.paragraph(at, &self.heading)?;
        for (index, column) in self.columns.iter().enumerate() {
            let left = at.0 + index as f64 * self.column;
            let mut top = at.1 + self.heading.height();
            for entry in column {
                let (name, style, key) = entry;
                let y = top + Self::ENTRY / 2.;
                let line = [(left, y), (left + 26., y)];
                match key {
                    Key::Rule => canvas.path(&line, *style, 1.2)?,
                    Key::Line => {
                        canvas.path(&line, *style, 2.)?;
                        canvas.marker((left + 13., y), *style, 4.)?;
                    }
                    Key::Dot => canvas.marker((left + 13., y), *style, 4.5)?,
                    Key::Block => {
                        canvas.rect(Rect::new((left + 6., y - 6.), 16., 12.), style.color)?;
                    }
                }
                canvas.paragraph((left + Self::KEY, y - name.line() / 2.), name)?;
                top += Self::entry_height(entry);
            }
        }
        Ok(())
    }
}

/// Where panels and legend lie, in pixels.
struct Layout {
    /// The figure's width.
    total: f64,
    /// The size of a plot.
    width: f64,
    height: f64,
    /// Room for the panels' titles.
    above: f64,
    row: f64,
    titles: Vec<Paragraph>,
}

impl Arrangement<'_> {
    /// Draws the panels; `size` makes of a plot's width its height and the room below it, and
    /// `paint` gets each panel's plot.
    ///
    /// The legend stands on the right, or below where its names are too many or too long for that.
    ///
    /// # Errors
    /// No panel, no column, or an error of `paint`.
    pub fn draw(
        &self,
        alt: String,
        size: impl Fn(f64) -> (f64, f64),
        mut paint: impl FnMut(&mut Canvas, usize, Rect) -> Result<()>,
    ) -> Result<Figure> {
        if self.panel_titles.is_empty() {
            return Err(Error::argument("charts", "at least one chart", "empty"));
        }
        if self.columns == 0 {
            return Err(Error::argument("columns", "at least 1", 0));
        }
        let columns = self.columns.min(self.panel_titles.len());
        let rows = self.panel_titles.len().div_ceil(columns) as f64;
        let mut block = Block::new(&self.legend, f64::INFINITY, 1);
        let without = self.legend.entries.is_empty();
        let room = if without {
            0.
        } else {
            LEGEND_GAP + block.width
        };
        let mut layout = self.layout(columns, room, &size);
        let aside = block.width <= WIDTH / 3. && block.height() <= rows * layout.row - ROW_GAP;
        if !(without || aside) {
            layout = self.layout(columns, 0., &size);
            block = Block::new(&self.legend, layout.total - 2. * MARGIN, usize::MAX);
        }
        let title = Paragraph::new(self.title, TITLE, layout.total - 2. * MARGIN);
        let note = Paragraph::new(self.note, NOTE, layout.total - 2. * MARGIN);
        let top = MARGIN + title.height();
        let foot = top + rows * layout.row - ROW_GAP;
        let (legend, foot) = if aside {
            (
                (layout.total - MARGIN - block.width, top + layout.above),
                foot,
            )
        } else {
            (
                (MARGIN, foot + 8.),
                foot + if without { 0. } else { block.height() + 14. },
            )
        };

        draw(
            (layout.total, foot + note.height() + MARGIN),
            alt,
            |canvas| {
                canvas.paragraph((MARGIN, MARGIN), &title)?;
                for (index, panel_title) in layout.titles.iter().enumerate() {
                    let (row, column) = (index / columns, index % columns);
                    let left = MARGIN + self.left + column as f64 * (layout.width + self.gap);
                    let top = top + row as f64 * layout.row + layout.above;
                    canvas.paragraph((left, top - 7. - panel_title.height()), panel_title)?;
                    paint(
                        canvas,
                        index,
                        Rect::new((left, top), layout.width, layout.height),
                    )?;
                }
                block.draw(canvas, legend)?;
                canvas.paragraph((MARGIN, foot), &note)
            },
        )
    }

    /// The layout with so many pixels for a legend on the right.
    fn layout(&self, columns: usize, room: f64, size: impl Fn(f64) -> (f64, f64)) -> Layout {
        let around = self.left + room + 2. * MARGIN + END + self.gap * (columns - 1) as f64;
        let width = ((WIDTH - around) / columns as f64).clamp(NARROWEST, self.widest);
        let (height, below) = size(width);
        let titles = self.panel_titles.iter();
        let titles: Vec<_> = titles
            .map(|title| Paragraph::new(title, PANEL_TITLE, width))
            .collect();
        let title = titles.iter().map(Paragraph::height).fold(0., f64::max);
        let above = if title > 0. { title + 7. } else { 10. };
        let total = around + width * columns as f64;
        Layout {
            total,
            width,
            height,
            above,
            row: above + height + below + ROW_GAP,
            titles,
        }
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
    with_note(lines.collect::<Vec<_>>().join("\n"), note)
}

/// "title: what.", or what alone.
pub fn headed(title: &str, what: &str) -> String {
    let colon = if title.is_empty() { "" } else { ": " };
    format!("{title}{colon}{what}.")
}
