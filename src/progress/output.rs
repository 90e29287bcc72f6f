//! The output that a progress bar is written to.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::line::cut;
use crate::display::{Bundle, Handle, Kind, Screen};

/// The place of one line.
pub(super) enum Output {
    /// A kernel that can change a display; none before the first state. And what it shows.
    Live {
        screen: Screen,
        handle: Option<Handle>,
        shown: String,
    },
    /// A terminal, and the line's number there.
    Terminal { terminal: Terminal, number: u64 },
    /// A file or another kernel: only the end is printed.
    Stream(Screen),
    /// Never shown.
    Nowhere,
}

impl Output {
    pub fn of_process() -> Self {
        static TERMINAL: LazyLock<Option<Terminal>> = LazyLock::new(|| {
            let columns = std::env::var("COLUMNS")
                .ok()
                .and_then(|columns| columns.parse().ok());
            std::io::stderr()
                .is_terminal()
                .then(|| Terminal::new(std::io::stderr(), columns.unwrap_or(80)))
        });
        let screen = Screen::of_process();
        match &*TERMINAL {
            Some(terminal) if !screen.is_live() => terminal.line(),
            _ => Self::on(screen.clone()),
        }
    }

    pub fn on(screen: Screen) -> Self {
        if screen.is_live() {
            Self::Live {
                screen,
                handle: None,
                shown: String::new(),
            }
        } else {
            Self::Stream(screen)
        }
    }

    /// Whether states before the last are shown.
    pub fn moves(&self) -> bool {
        matches!(self, Self::Live { .. } | Self::Terminal { .. })
    }

    /// Shows a state in the place of the one before.
    pub fn show(&mut self, text: &str) {
        match self {
            Self::Live { shown, .. } if shown == text => {}
            Self::Live {
                screen,
                handle,
                shown,
            } => {
                match handle {
                    Some(handle) => handle.update(text),
                    None => *handle = Some(Handle::new(screen.clone(), &Bundle::text(text))),
                }
                text.clone_into(shown);
            }
            Self::Terminal { terminal, number } => terminal.show(*number, text),
            Self::Stream(_) | Self::Nowhere => {}
        }
    }

    /// Shows the last state.
    pub fn finish(&mut self, text: &str) {
        match self {
            Self::Live { .. } => self.show(text),
            Self::Terminal { terminal, number } => terminal.finish(*number, text),
            Self::Stream(screen) => screen.display(Kind::Display, None, &Bundle::text(text)),
            Self::Nowhere => {}
        }
    }

    /// Makes room for other lines; the next state is shown below them.
    pub fn hide(&self) {
        if let Self::Terminal { terminal, .. } = self {
            terminal.write("");
        }
    }
}

/// A terminal, whose last line one progress bar has at a time.
#[derive(Clone)]
pub(super) struct Terminal(Arc<Mutex<Inside>>);

struct Inside {
    out: Box<dyn Write + Send>,
    columns: usize,
    /// The number of the line that moves.
    moving: Option<u64>,
}

/// Back to the beginning of the line, and erase it.
const AGAIN: &str = "\r\u{1b}[K";

impl Terminal {
    fn new(out: impl Write + Send + 'static, columns: usize) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            out: Box::new(out),
            columns,
            moving: None,
        })))
    }

    /// A new line on it.
    fn line(&self) -> Output {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Output::Terminal {
            terminal: self.clone(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Shows a line that moves, unless another one does.
    fn show(&self, number: u64, text: &str) {
        let columns = {
            let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if *inside.moving.get_or_insert(number) != number {
                return;
            }
            inside.columns
        };
        // A line that wraps could not be erased.
        self.write(&cut(text, columns.saturating_sub(1)));
    }

    /// Leaves a line as it is; what moves comes below.
    fn finish(&self, number: u64, text: &str) {
        self.write(&format!("{text}\n"));
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.moving.take_if(|moving| *moving == number);
    }

    /// Writes over the line that moves. Where the stream is closed, nobody is there to be told.
    fn write(&self, text: &str) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = inside
            .out
            .write_all(format!("{AGAIN}{text}").as_bytes())
            .and_then(|()| inside.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_line_moves_on_a_terminal_and_the_others_appear_when_they_end() {
        let written = Written::default();
        let terminal = Terminal::new(written.clone(), 8);
        let text = || String::from_utf8(std::mem::take(&mut *written.0.lock().unwrap())).unwrap();
        let (mut a, mut b) = (terminal.line(), terminal.line());
        assert!(a.moves());
        a.show("a 1 and more");
        b.show("b 1");
        assert_eq!(text(), format!("{AGAIN}a 1 an…"));
        b.finish("b 2 and more");
        a.show("a 2");
        assert_eq!(text(), format!("{AGAIN}b 2 and more\n{AGAIN}a 2"));
        a.hide();
        a.finish("a 3");
        assert_eq!(text(), format!("{AGAIN}{AGAIN}a 3\n"));
        // The place is free again.
        let mut c = terminal.line();
        c.show("c 1");
        assert_eq!(text(), format!("{AGAIN}c 1"));
    }
}
