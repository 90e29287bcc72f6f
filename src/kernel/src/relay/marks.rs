//! Finding, in what the cells' process prints, the lines that are meant for the kernel.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Begins our own lines; no text has it.
const MARK: u8 = 0x1e;
/// Begins evcxr's lines.
const EVCXR: &[u8] = b"EVCXR_";
/// evcxr's own requests for input, which `evcxr_input` prints.
const INPUT: &str = "EVCXR_INPUT_REQUEST";

/// A piece of what was printed, in order.
#[derive(Debug, PartialEq)]
pub enum Piece {
    /// For the reader.
    Text(String),
    /// The cell has ended; everything that it printed to this stream came before.
    End,
    /// Some thread has panicked.
    Panic(Panic),
    /// A panic has ended the cell.
    CaughtPanic,
    /// An error reached `?` and has ended the cell.
    UserError,
    /// A line that evcxr needs: a variable whose type has changed.
    ForEvcxr(String),
    /// One form of a value: its MIME type and content.
    Content(String, String),
    /// The library shows something.
    Display(Display),
}

/// A panic, as the cells' process reports it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Panic {
    /// What it says.
    pub message: String,
    /// The source file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The thread's name, empty if it has none.
    pub thread: String,
}

/// What `isopath::display` sends.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Display {
    /// Whether something is shown, changed or cleared.
    pub kind: DisplayKind,
    /// By what it can be changed later.
    #[serde(default)]
    pub id: Option<String>,
    /// Its forms by MIME type.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Jupyter's metadata.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// For `clear`: not before something new comes.
    #[serde(default)]
    pub wait: bool,
}

/// What a [`Display`] does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum DisplayKind {
    Display,
    Update,
    Clear,
}

/// Takes the bytes of one stream apart, in whatever chunks they come.
#[derive(Default)]
pub struct Reader {
    rest: Vec<u8>,
    /// The MIME type and the text so far of a value whose end has not come.
    content: Option<(String, Vec<u8>)>,
}

impl Reader {
    /// The pieces that `bytes` completes. A line that may still become a mark, and a character that
    /// is not whole, wait.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut pieces = vec![];
        let mut from = 0;
        loop {
            let rest = &all[from..];
            if self.content.is_some() {
                let Some(length) = line_length(rest) else {
                    break;
                };
                let line = &rest[..length];
                from += length;
                self.content_line(line, &mut pieces);
                continue;
            }
            let Some(start) = mark_start(rest) else {
                let whole = whole_characters(rest);
                text(&rest[..whole], &mut pieces);
                from += whole;
                break;
            };
            text(&rest[..start], &mut pieces);
            from += start;
            let rest = &all[from..];
            match marked_length(rest) {
                Some(length) => {
                    let line = &rest[..length];
                    from += length;
                    self.marked_line(line, &mut pieces);
                }
                None if could_be_mark(rest) => break,
                None => {
                    text(&rest[..1], &mut pieces);
                    from += 1;
                }
            }
        }
        self.rest = all.split_off(from);
        pieces
    }

    /// What is left when the stream ends.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = vec![];
        if let Some((_, content)) = self.content.take() {
            text(&content, &mut pieces);
        }
        text(&std::mem::take(&mut self.rest), &mut pieces);
        pieces
    }

    fn marked_line(&mut self, line: &[u8], pieces: &mut Vec<Piece>) {
        let whole = String::from_utf8_lossy(line);
        let shown = whole.strip_suffix('\n').unwrap_or(&whole);
        let json = |name: &str| {
            shown
                .strip_prefix(char::from(MARK))
                .and_then(|rest| rest.strip_prefix(name))
        };
        let piece = if json("ISOPATH_END") == Some("") {
            Some(Piece::End)
        } else if let Some(panic) =
            json("ISOPATH_PANIC ").and_then(|json| serde_json::from_str(json).ok())
        {
            Some(Piece::Panic(panic))
        } else if let Some(display) =
            json("ISOPATH_DISPLAY ").and_then(|json| serde_json::from_str(json).ok())
        {
            Some(Piece::Display(display))
        } else if shown == "EVCXR_PANIC_NOTIFICATION" {
            Some(Piece::CaughtPanic)
        } else if shown == "EVCXR_ERROR_OCCURRED" {
            Some(Piece::UserError)
        } else if shown.starts_with("EVCXR_VARIABLE_CHANGED_TYPE:") {
            Some(Piece::ForEvcxr(shown.to_owned()))
        } else if let Some(request) = shown.strip_prefix(INPUT) {
            // It reads an empty standard input, so the question is only text.
            request
                .split_once(':')
                .map(|(_, prompt)| Piece::Text(format!("{prompt}\n")))
        } else {
            None
        };
        if let Some(mime) = shown.strip_prefix("EVCXR_BEGIN_CONTENT ") {
            self.content = Some((mime.trim().to_owned(), vec![]));
        } else if let Some(piece) = piece {
            pieces.push(piece);
        } else {
            text(line, pieces);
        }
    }

    fn content_line(&mut self, line: &[u8], pieces: &mut Vec<Piece>) {
        let shown = line.strip_suffix(b"\n").unwrap_or(line);
        let ends = |mark: &[u8]| shown.strip_suffix(mark);
        let panicked = ends(b"EVCXR_PANIC_NOTIFICATION");
        if let Some(last) = ends(b"EVCXR_END_CONTENT").or(panicked) {
            let Some((mime, mut content)) = self.content.take() else {
                return;
            };
            content.extend_from_slice(last);
            let content = String::from_utf8_lossy(&content);
            let content = content.strip_suffix('\n').unwrap_or(&content);
            // A value without any text would be a broken picture.
            if !content.is_empty() {
                pieces.push(Piece::Content(mime, content.to_owned()));
            }
            if panicked.is_some() {
                pieces.push(Piece::CaughtPanic);
            }
        } else if shown.contains(&MARK) {
            // The cell ended inside: what began was no value.
            let Some((_, content)) = self.content.take() else {
                return;
            };
            text(&content, pieces);
            let start = shown.iter().position(|byte| *byte == MARK).unwrap_or(0);
            text(&line[..start], pieces);
            self.marked_line(&line[start..], pieces);
        } else if let Some((_, content)) = &mut self.content {
            content.extend_from_slice(line);
        }
    }
}

/// Adds text, without breaking it into more pieces than need be. Bytes that are no UTF-8 are shown
/// as U+FFFD.
fn text(bytes: &[u8], pieces: &mut Vec<Piece>) {
    if bytes.is_empty() {
        return;
    }
    let more = String::from_utf8_lossy(bytes);
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push_str(&more),
        _ => pieces.push(Piece::Text(more.into_owned())),
    }
}

/// The length of the first line with its newline, if its end is there.
fn line_length(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| at + 1)
}

/// The length of a line that begins with a mark: to its newline, or to the next mark, since text
/// without a newline may come before that.
fn marked_length(bytes: &[u8]) -> Option<usize> {
    let next = bytes
        .iter()
        .skip(1)
        .position(|byte| *byte == MARK)
        .map(|at| at + 1);
    match (line_length(bytes), next) {
        (Some(line), Some(next)) => Some(line.min(next)),
        (line, next) => line.or(next),
    }
}

/// Where a mark begins, or may begin: at our byte, or at evcxr's word or the part of it that has
/// come.
fn mark_start(bytes: &[u8]) -> Option<usize> {
    let ours = bytes.iter().position(|byte| *byte == MARK);
    let evcxrs = (0..bytes.len())
        .filter(|at| bytes[*at] == EVCXR[0])
        .find(|at| {
            let length = EVCXR.len().min(bytes.len() - at);
            bytes[*at..at + length] == EVCXR[..length]
        });
    [ours, evcxrs].into_iter().flatten().min()
}

/// Whether a line whose end has not come may still be a mark.
fn could_be_mark(line: &[u8]) -> bool {
    const MARKS: [&str; 5] = [
        "EVCXR_PANIC_NOTIFICATION",
        "EVCXR_ERROR_OCCURRED",
        "EVCXR_VARIABLE_CHANGED_TYPE:",
        "EVCXR_BEGIN_CONTENT ",
        INPUT,
    ];
    line.first() == Some(&MARK)
        || MARKS.iter().any(|mark| {
            let length = mark.len().min(line.len());
            line[..length] == mark.as_bytes()[..length]
        })
}

/// How many bytes there are before a character whose end has not come.
fn whole_characters(bytes: &[u8]) -> usize {
    for back in 1..=3.min(bytes.len()) {
        let at = bytes.len() - back;
        let length = match bytes[at] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => break,
        };
        return if length > back { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a text that comes in chunks of `size` bytes, neighbouring texts joined.
    fn pieces(bytes: &[u8], size: usize) -> Vec<Piece> {
        let mut reader = Reader::default();
        let found = bytes
            .chunks(size)
            .flat_map(|chunk| reader.push(chunk))
            .collect::<Vec<_>>();
        let mut joined: Vec<Piece> = vec![];
        for piece in found.into_iter().chain(reader.finish()) {
            match (joined.last_mut(), piece) {
                (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
                (_, piece) => joined.push(piece),
            }
        }
        joined
    }

    fn t(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn any_chunks_give_the_same_pieces() {
        let printed = "one\ntwo EVCXRü EVCXR_ELSE\nthreeEVCXR_ERROR_OCCURRED\n\
            EVCXR_BEGIN_CONTENT image/svg+xml\n<svg>\n</svg>\nEVCXR_END_CONTENT\nlast\u{1e}ISOPATH_END\n";
        let expected = [
            t("one\ntwo EVCXRü EVCXR_ELSE\nthree"),
            Piece::UserError,
            Piece::Content("image/svg+xml".into(), "<svg>\n</svg>".into()),
            t("last"),
            Piece::End,
        ];
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(
                pieces(printed.as_bytes(), size),
                expected,
                "in chunks of {size}"
            );
        }
    }

    #[test]
    fn text_is_given_before_its_newline_and_waits_only_where_it_must() {
        let mut reader = Reader::default();
        assert_eq!(reader.push(b"now"), [t("now")]);
        assert_eq!(reader.push("ü".as_bytes().split_at(1).0), []);
        assert_eq!(reader.push("ü".as_bytes().split_at(1).1), [t("ü")]);
        assert_eq!(reader.push(b"an EV"), [t("an ")]);
        assert_eq!(reader.push(b"ENT"), [t("EVENT")]);
        assert_eq!(reader.push(b"EVCXR_"), []);
        assert_eq!(reader.push(b"OTHER"), [t("EVCXR_OTHER")]);
    }

    #[test]
    fn a_line_that_looks_like_a_mark_hides_none() {
        let end = "\u{1e}ISOPATH_END\n";
        for text in [
            "EVCXR_",
            "EVCXR_BEGIN",
            "\u{1e}",
            "\u{1e}x",
            "a EVCXR_ERROR_OCCURRE",
        ] {
            for size in [1, 3, 1000] {
                assert_eq!(
                    pieces(format!("{text}{end}").as_bytes(), size),
                    [t(text), Piece::End],
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        assert_eq!(
            pieces(b"a\xff\xfeb\xc3", 2),
            [t("a\u{fffd}\u{fffd}b\u{fffd}")]
        );
    }

    #[test]
    fn panics_and_displays_are_read() {
        let line = "\u{1e}ISOPATH_PANIC {\"message\":\"no\\nway\",\"file\":\"src/lib.rs\",\"line\":3,\"column\":1,\"thread\":\"main\"}\n";
        let [Piece::Panic(panic)] = &pieces(line.as_bytes(), 9)[..] else {
            panic!("no panic")
        };
        assert_eq!((panic.message.as_str(), panic.line), ("no\nway", 3));
        let line = "x\u{1e}ISOPATH_DISPLAY {\"kind\":\"update\",\"id\":\"7\",\"data\":{\"text/plain\":\"a\\nb\"}}\n";
        let [_, Piece::Display(display)] = &pieces(line.as_bytes(), 9)[..] else {
            panic!("no display")
        };
        assert_eq!(
            (display.kind, display.id.as_deref()),
            (DisplayKind::Update, Some("7"))
        );
        assert_eq!(display.data["text/plain"], "a\nb");
        // One that cannot be read is text, not lost.
        assert_eq!(
            pieces("\u{1e}ISOPATH_DISPLAY {\n".as_bytes(), 9),
            [t("\u{1e}ISOPATH_DISPLAY {\n")]
        );
    }

    #[test]
    fn a_value_without_content_is_nothing_and_one_cut_off_is_text() {
        assert_eq!(
            pieces(b"EVCXR_BEGIN_CONTENT text/html\nEVCXR_END_CONTENT\n", 5),
            []
        );
        assert_eq!(
            pieces(b"EVCXR_BEGIN_CONTENT text/html\n\nEVCXR_END_CONTENT\n", 5),
            []
        );
        let cut = "EVCXR_BEGIN_CONTENT text/html\nhalf\n\u{1e}ISOPATH_END\n";
        assert_eq!(pieces(cut.as_bytes(), 5), [t("half\n"), Piece::End]);
        let panicked = "EVCXR_BEGIN_CONTENT text/html\nhalf\nEVCXR_PANIC_NOTIFICATION\n";
        assert_eq!(
            pieces(panicked.as_bytes(), 5),
            [
                Piece::Content("text/html".into(), "half".into()),
                Piece::CaughtPanic
            ]
        );
    }
}
