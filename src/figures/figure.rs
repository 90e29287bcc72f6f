//! A drawn chart: an SVG document and its text alternative.

use std::fmt;
use std::path::Path;

use crate::display::{self, Bundle, Show};
use crate::error::Result;

/// A drawn figure: an SVG document and the text that stands for it where no image can be seen.
///
/// A notebook shows it when a cell ends with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Figure {
    /// The SVG document, from `<svg` to `</svg>`; it scales down to the width of the page.
    pub svg: String,
    /// The words and numbers that say what the figure shows.
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

/// Shown as `image/svg+xml` and `text/plain`.
impl Show for Figure {
    fn bundle(&self) -> Bundle {
        Bundle::new([
            ("image/svg+xml", self.svg.as_str()),
            ("text/plain", &self.alt),
        ])
    }
}

/// The figure's words alone: the document would flood a terminal.
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
pub(super) fn escape(text: &str) -> String {
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
pub(super) fn with_note(mut words: String, note: &str) -> String {
    if !note.is_empty() {
        words.push('\n');
        words.push_str(note);
    }
    words
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
