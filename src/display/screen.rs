//! The output that displays are written to.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

use super::bundle::{Bundle, PLAIN};

/// The environment variable by which a kernel says that it listens: 1 if so.
pub const VARIABLE: &str = "ISOPATH_KERNEL";

/// What a line of the protocol does.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Display,
    Update,
    Clear,
}

/// A kernel that shows and changes displays, or a stream of text.
#[derive(Clone)]
pub(crate) struct Screen {
    live: bool,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl Screen {
    /// The standard output, and whoever reads it.
    pub fn of_process() -> &'static Self {
        static SCREEN: LazyLock<Screen> = LazyLock::new(|| Screen {
            live: std::env::var_os(VARIABLE).is_some_and(|value| value == "1"),
            out: Arc::new(Mutex::new(std::io::stdout())),
        });
        &SCREEN
    }

    pub fn is_live(&self) -> bool {
        self.live
    }

    pub fn display(&self, kind: Kind, id: Option<&str>, bundle: &Bundle) {
        if self.live {
            self.write(&line(kind, id, bundle, false));
        } else if let Some(text) = bundle.get(PLAIN) {
            self.write(&format!("{}\n", text.trim_end_matches('\n')));
        }
    }

    pub fn clear(&self, wait: bool) {
        if self.live {
            self.write(&line(Kind::Clear, None, &Bundle::default(), wait));
        }
    }

    /// In one piece. Where the stream is closed, nobody is there to be told.
    fn write(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // The standard output holds its own lock for all of `write_all`, so that no print comes in
        // between.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// A line of the protocol. JSON has neither a newline nor the byte 0x1e inside: both are escaped in
/// its strings.
fn line(kind: Kind, id: Option<&str>, bundle: &Bundle, wait: bool) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        kind: Kind,
        id: Option<&'a str>,
        data: Map<String, Value>,
        metadata: &'a Map<String, Value>,
        wait: bool,
    }
    let data = bundle
        .data
        .iter()
        .map(|(mime, content)| (mime.clone(), content.as_str().into()))
        .collect();
    let message = Message {
        kind,
        id,
        data,
        metadata: &bundle.metadata,
        wait,
    };
    // Strings and maps of strings always have a JSON form.
    let json = serde_json::to_string(&message).unwrap_or_default();
    format!("\u{1e}ISOPATH_DISPLAY {json}\n")
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// What was written to a screen.
    pub struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        pub fn lines(&self) -> Vec<String> {
            self.text().lines().map(str::to_owned).collect()
        }
    }

    impl Screen {
        /// One that keeps what is written.
        pub fn in_memory(live: bool) -> (Self, Written) {
            let out: Arc<Mutex<Vec<u8>>> = Arc::default();
            (
                Self {
                    live,
                    out: out.clone(),
                },
                Written(out),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_one_line() {
        let bundle = Bundle::new([
            ("image/svg+xml", "<svg a=\"1\">\n</svg>"),
            (PLAIN, "β\r\n\u{1e}\"\\"),
        ]);
        let text = line(Kind::Update, Some("a-1"), &bundle, false);
        assert_eq!(
            text,
            "\u{1e}ISOPATH_DISPLAY {\"kind\":\"update\",\"id\":\"a-1\",\"data\":{\
             \"image/svg+xml\":\"<svg a=\\\"1\\\">\\n</svg>\",\"text/plain\":\"β\\r\\n\\u001e\\\"\\\\\"},\
             \"metadata\":{},\"wait\":false}\n"
        );
        let text = line(Kind::Clear, None, &Bundle::default(), true);
        let expected = "\u{1e}ISOPATH_DISPLAY {\"kind\":\"clear\",\"id\":null,\"data\":{},\"metadata\":{},\"wait\":true}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_stream_of_text_gets_the_text() {
        let (screen, out) = Screen::in_memory(false);
        screen.display(
            Kind::Display,
            None,
            &Bundle::new([("text/html", "<b>a</b>"), (PLAIN, "a\n\n")]),
        );
        screen.display(
            Kind::Display,
            None,
            &Bundle::new([("text/html", "<b>no text</b>")]),
        );
        screen.clear(false);
        assert_eq!(out.text(), "a\n");
        let (screen, out) = Screen::in_memory(true);
        screen.clear(true);
        assert!(out.text().contains("\"wait\":true"));
    }
}
