//! Fonts, and the size of a text.

use super::palette::{Color, INK, MUTED};

/// Size, colour and weight of a text.
#[derive(Clone, Copy, Debug)]
pub struct Font {
    pub size: f64,
    pub color: Color,
    pub bold: bool,
}

impl Font {
    pub const fn new(size: f64, color: Color, bold: bool) -> Self {
        Self { size, color, bold }
    }
}

pub const TITLE: Font = Font::new(15., INK, true);
pub const PANEL_TITLE: Font = Font::new(13., INK, true);
pub const LABEL: Font = Font::new(12.5, INK, false);
pub const HEADING: Font = Font::new(12.5, INK, true);
pub const TICK: Font = Font::new(11.5, MUTED, false);
pub const NOTE: Font = Font::new(11., MUTED, false);

/// The height of a line of text per font size.
const LINE: f64 = 1.45;

/// An estimate of a text's width in pixels: the crate reads no fonts, and plotters without them
/// counts 0.7 em for every byte.
pub fn text_width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | 't' | 'f' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' '
            | '(' | ')' => 0.33,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.92,
            'A'..='Z' => 0.70,
            // From Hangul on: scripts whose characters fill a square.
            '\u{1100}'.. => 1.,
            _ => 0.585,
        })
        .sum();
    em * size
}

/// `text` in lines of at most `width` pixels, broken at spaces, and within a word that is longer
/// than a line.
fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let fits = |line: &str| text_width(line, size) <= width;
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if fits(&format!("{line} {word}")) => *line = format!("{line} {word}"),
            _ if fits(word) => lines.push(word.to_string()),
            _ => {
                let mut line = String::new();
                for character in word.chars() {
                    if !line.is_empty() && !fits(&format!("{line}{character}")) {
                        lines.push(std::mem::take(&mut line));
                    }
                    line.push(character);
                }
                lines.push(line);
            }
        }
    }
    lines
}

/// `text`, cut off with "…" where it is wider than `width` pixels.
pub fn cut(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_string();
    }
    let mut kept = String::new();
    for character in text.chars() {
        if text_width(&format!("{kept}{character}…"), size) > width {
            break;
        }
        kept.push(character);
    }
    format!("{}…", kept.trim_end())
}

/// The largest of lengths; 0 of none.
pub fn largest(lengths: impl Iterator<Item = f64>) -> f64 {
    lengths.fold(0., f64::max)
}

/// Lines of text and the height they take; none for an empty text.
#[derive(Clone, Debug)]
pub struct Paragraph {
    pub lines: Vec<String>,
    pub font: Font,
}

impl Paragraph {
    /// `text` in lines of at most `width` pixels.
    pub fn new(text: &str, font: Font, width: f64) -> Self {
        let lines = wrap(text, font.size, width);
        Self { lines, font }
    }

    /// The height of one line in pixels.
    pub fn line(&self) -> f64 {
        self.font.size * LINE
    }

    pub fn height(&self) -> f64 {
        self.lines.len() as f64 * self.line()
    }

    /// The width of the widest line in pixels.
    pub fn width(&self) -> f64 {
        let width = |line: &String| text_width(line, self.font.size);
        largest(self.lines.iter().map(width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_asked() {
        let long = "x".repeat(80);
        for text in [
            "one two three four five six",
            &long,
            &format!("a {long} b"),
            "漢字かな交じり文を折り返す",
        ] {
            let lines = wrap(text, 12., 100.);
            assert!(lines.len() > 1 && lines.iter().all(|line| !line.is_empty()));
            assert!(
                lines.iter().all(|line| text_width(line, 12.) <= 100.),
                "{lines:?}"
            );
            let kept = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(kept(&lines.concat()), kept(text));
            let cut = cut(text, 12., 100.);
            assert!(cut.ends_with('…') && text_width(&cut, 12.) <= 100., "{cut}");
        }
        assert!(wrap("  ", 12., 100.).is_empty());
        assert_eq!(wrap("ab", 12., 0.), ["a", "b"]);
        assert_eq!(cut("short", 12., 100.), "short");
        assert_eq!(cut("short", 12., 0.), "…");
    }
}
