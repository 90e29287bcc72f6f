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
//! | [`table`] | a table ([`Table`]) |
//! | [`palette`] | the colours and marks they share |

mod arrange;
mod axes;
pub mod bars;
mod canvas;
mod drawn;
pub mod filmstrip;
pub mod histogram;
pub mod images;
pub mod lines;
mod live;
pub mod palette;
pub mod scatter;
mod space;
pub mod table;

use std::fmt;
use std::path::Path;

pub(crate) use drawn::{drawn, image_size};

pub use bars::{BarChart, BarSeries, BarStyle};
pub use filmstrip::{Filmstrip, Strip};
pub use histogram::{HistogramChart, HistogramPanels, Sample};
pub use images::{Image, ImageGrid, Mark, Pixels, Tile};
pub use lines::{AxisScale, LineChart, Panels, Series};
pub use live::live_loss;
pub use palette::Colors;
pub use scatter::{ScatterChart, ScatterPanels, View};
pub use table::{Table, plus_minus};

use crate::display::{self, Bundle, Show};
use crate::error::Result;

/// A drawn figure: an SVG document and the text that stands for it where no image can be seen.
///
/// A notebook shows it when a cell ends with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Figure {
    /// The document, from `<svg` to `</svg>`; scales down to the width of the page.
    pub svg: String,
    /// What the figure shows, in words and numbers.
    pub alt: String,
}

impl Figure {
    /// Shows the figure as the value of a cell; [`display`](crate::display()) shows it at any place
    /// of one.
    pub fn evcxr_display(&self) {
        display::value(self);
    }

    /// Writes the SVG document, whole or not at all; missing folders are made.
    ///
    /// # Errors
    /// The folder cannot be made or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        crate::io::files::write_whole(path.as_ref(), self.svg.as_bytes())
    }
}

/// `image/svg+xml` and `text/plain`.
impl Show for Figure {
    fn bundle(&self) -> Bundle {
        Bundle::new([
            ("image/svg+xml", self.svg.as_str()),
            ("text/plain", &self.alt),
        ])
    }
}

/// The words alone: the document would flood a terminal.
impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.alt)
    }
}

/// Text with the characters that HTML and XML reserve replaced; control characters, which XML
/// forbids, become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A figure in words, its note on a line of its own.
fn with_note(mut words: String, note: &str) -> String {
    if !note.is_empty() {
        words.push('\n');
        words.push_str(note);
    }
    words
}

#[cfg(test)]
mod testing {
    //! What every kind of figure is checked for.

    use super::Figure;

    /// Each tag closed in order, no bare `&`, alternative text present.
    pub fn assert_well_formed(figure: &Figure) {
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
    use super::*;

    #[test]
    fn saving_writes_the_document_and_makes_the_folder() -> Result<()> {
        let folder = tempfile::tempdir().map_err(crate::Error::io("temporary folder"))?;
        let path = folder.path().join("deeper/figure.svg");
        let figure = Figure {
            svg: "<svg></svg>".into(),
            alt: "nothing".into(),
        };
        figure.save(&path)?;
        assert_eq!(
            std::fs::read_to_string(&path).map_err(crate::Error::io(&path))?,
            figure.svg
        );
        // A path that cannot be a file: nothing is left behind.
        assert!(figure.save(folder.path().join("deeper")).is_err());
        assert_eq!(
            std::fs::read_dir(folder.path())
                .map_err(crate::Error::io(folder.path()))?
                .count(),
            1
        );
        Ok(())
    }

    #[test]
    fn a_figure_is_its_document_and_its_words() {
        let figure = Figure {
            svg: "<svg></svg>".into(),
            alt: "nothing".into(),
        };
        let expected = Bundle::new([("image/svg+xml", "<svg></svg>"), ("text/plain", "nothing")]);
        assert_eq!(figure.bundle(), expected);
    }

    #[test]
    fn reserved_characters_are_replaced() {
        assert_eq!(escape("a<b & \"c\"\u{7}"), "a&lt;b &amp; &quot;c&quot; ");
    }
}
