//! The frame of every figure: title, note and margins.

use super::canvas::{Canvas, draw};
use super::figure::Figure;
use super::text::{NOTE, Paragraph, TITLE};
use crate::error::Result;

/// The width of a figure in pixels.
pub const WIDTH: f64 = 900.;
/// Pixels between a figure's edge and what is drawn.
pub const MARGIN: f64 = 14.;

/// The texts of a figure.
pub struct Sheet<'a> {
    /// The title above everything; may be empty.
    pub title: &'a str,
    /// The small print below everything; may be empty.
    pub note: &'a str,
    /// The figure in words.
    pub alt: String,
}

impl Sheet<'_> {
    /// Draws a figure `width` pixels wide; `paint` gets the height at which `height` pixels begin.
    pub fn draw(
        self,
        (width, height): (f64, f64),
        paint: impl FnOnce(&mut Canvas, f64) -> Result<()>,
    ) -> Result<Figure> {
        let title = Paragraph::new(self.title, TITLE, width - 2. * MARGIN);
        let note = Paragraph::new(self.note, NOTE, width - 2. * MARGIN);
        let top = MARGIN + title.height();
        let size = (width, top + height + note.height() + MARGIN);
        draw(size, self.alt, |canvas| {
            canvas.paragraph((MARGIN, MARGIN), &title)?;
            paint(canvas, top)?;
            canvas.paragraph((MARGIN, top + height), &note)
        })
    }
}
