//! Legends, in as many columns as fit.
//!
//! plotters has legends, but none that several charts share, and it lays them out by measuring text.

use super::canvas::{Canvas, Point, Rect};
use super::palette::{REFERENCE, Style};
use super::text::{HEADING, LABEL, Paragraph, largest};
use crate::error::Result;

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
pub struct Block {
    heading: Paragraph,
    columns: Vec<Vec<(Paragraph, Style, Key)>>,
    /// The width of a column, and of all.
    column: f64,
    pub width: f64,
}

impl Block {
    /// Pixels for the mark beside a name.
    const KEY: f64 = 34.;
    /// The least height of an entry.
    const ENTRY: f64 = 20.;

    /// As many columns as `room` has place for, at most `most`.
    pub fn new(legend: &Legend, room: f64, most: usize) -> Self {
        let width = |text: &str| Paragraph::new(text, LABEL, f64::INFINITY).width();
        let names = legend.entries.iter().map(|(name, ..)| width(name));
        let column = (Self::KEY + 6. + largest(names)).min(room);
        let count = ((room / column.max(1.)) as usize).clamp(1, most.max(1));
        let entries = legend.entries.iter().map(|(name, style, key)| {
            let name = Paragraph::new(name, LABEL, column - Self::KEY - 4.);
            (name, *style, *key)
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

    pub fn height(&self) -> f64 {
        let height = |column: &Vec<_>| column.iter().map(Self::entry_height).sum();
        self.heading.height() + largest(self.columns.iter().map(height))
    }

    /// Draws the legend from `at`, its upper left corner.
    pub fn draw(&self, canvas: &mut Canvas, at: Point) -> Result<()> {
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
