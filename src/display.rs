//! Figures, tables and texts that are shown while a cell runs: several in one cell, in order with
//! its prints, and updated in place.
//!
//! A cell's last expression is shown by the notebook itself. [`display`] shows more than that one,
//! and [`updatable`] gives a [`Handle`] by which what was shown can change:
//!
//! ```
//! use isopath::display::{self, Markdown};
//!
//! isopath::display(&Markdown("**Before** training"));
//! let state = display::updatable("epoch 0");
//! for epoch in 1..=3 {
//!     state.update(&format!("epoch {epoch}"));
//! }
//! ```
//!
//! What is shown is a [`Bundle`] of one content in several forms; the reader's program takes the
//! richest that it knows.
//!
//! # Without the kernel of isopath
//!
//! evcxr_jupyter's own kernel, a terminal or a file cannot change what they have shown. There
//! [`display`] and [`updatable`] print the text form; [`Handle::update`] prints nothing, but a
//! handle that was changed prints its last state when it is dropped; [`clear`] does nothing.
//! [`is_live`] says which it is.
//!
//! # The protocol
//!
//! A kernel that listens sets the environment variable `ISOPATH_KERNEL` to 1. A display is then one
//! line on the standard output, written in one piece and flushed: the byte 0x1e,
//! `ISOPATH_DISPLAY `, JSON, a newline. The line may come after text that has no newline yet.
//!
//! ```text
//! {"kind":"display"|"update"|"clear","id":"…"|null,"data":{"<MIME type>":"<text>", …},"metadata":{},"wait":false}
//! ```
//!
//! `display` is Jupyter's `display_data`; with an id, its `transient.display_id`. `update` is
//! `update_display_data` for that id. `clear` is `clear_output` with its `wait`. Ids are unique in
//! a process and between the processes of a session.
//!
//! The value of a cell's last expression goes evcxr's way, by a method `evcxr_display` ([`value`]):
//! for each form a line `EVCXR_BEGIN_CONTENT <MIME type>`, the content, and a line
//! `EVCXR_END_CONTENT`.

mod bundle;
mod screen;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bundle::PLAIN;
pub use bundle::{Bundle, Show};
pub use screen::VARIABLE;
#[cfg(test)]
pub(crate) use screen::testing::Written;
pub(crate) use screen::{Kind, Screen};

/// HTML, shown as it is; its source where HTML cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Html<S>(pub S);

impl<S: AsRef<str>> Show for Html<S> {
    fn bundle(&self) -> Bundle {
        Bundle::new([("text/html", self.0.as_ref()), (PLAIN, self.0.as_ref())])
    }
}

impl<S: AsRef<str>> Html<S> {
    /// Shows the HTML as the value of a cell.
    pub fn evcxr_display(&self) {
        value(self);
    }
}

/// Markdown, with formulas between dollar signs; its source where it cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Markdown<S>(pub S);

impl<S: AsRef<str>> Show for Markdown<S> {
    fn bundle(&self) -> Bundle {
        Bundle::new([("text/markdown", self.0.as_ref()), (PLAIN, self.0.as_ref())])
    }
}

impl<S: AsRef<str>> Markdown<S> {
    /// Shows the Markdown as the value of a cell.
    pub fn evcxr_display(&self) {
        value(self);
    }
}

/// Shows `x` now, below all that the cell has printed and shown so far.
pub fn display<S: Show + ?Sized>(x: &S) {
    Screen::of_process().display(Kind::Display, None, &x.bundle());
}

/// Shows `x` now, and gives the handle by which it can change.
pub fn updatable<S: Show + ?Sized>(x: &S) -> Handle {
    Handle::new(Screen::of_process().clone(), &x.bundle())
}

/// Removes all that the cell has printed and shown so far.
pub fn clear() {
    Screen::of_process().clear(false);
}

/// Clears what the cell shows, as [`clear`] does, but only when something new is shown, so that the
/// page does not jump.
pub fn clear_with_next() {
    Screen::of_process().clear(true);
}

/// Whether a kernel listens that can change what was shown.
pub fn is_live() -> bool {
    Screen::of_process().is_live()
}

/// Shows `x` as the value of the cell's last expression: what a type's `evcxr_display` calls.
pub fn value<S: Show + ?Sized>(x: &S) {
    // `println!`, not a lock on stdout: evcxr reads whole lines, and tests capture them.
    for (mime, content) in x.bundle().data {
        println!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT");
    }
}

/// A handle of something shown, by which it can change. It may be kept for later cells, and used by
/// several threads.
pub struct Handle {
    screen: Screen,
    id: String,
    /// The last state, where it could not be shown.
    unseen: Mutex<Option<Bundle>>,
}

impl Handle {
    pub(crate) fn new(screen: Screen, bundle: &Bundle) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = format!(
            "isopath-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        screen.display(Kind::Display, Some(&id), bundle);
        Self {
            screen,
            id,
            unseen: Mutex::new(None),
        }
    }

    /// Shows `x` in the place of what was shown.
    pub fn update<S: Show + ?Sized>(&self, x: &S) {
        if self.screen.is_live() {
            self.screen
                .display(Kind::Update, Some(&self.id), &x.bundle());
        } else {
            *self.unseen.lock().unwrap_or_else(PoisonError::into_inner) = Some(x.bundle());
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(last) = self
            .unseen
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            self.screen.display(Kind::Display, None, &last);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.id).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn forms_are_found_by_their_type() {
        let bundle = Html("<b>a</b>").bundle();
        assert_eq!(
            (bundle.get("text/html"), bundle.get(PLAIN)),
            (Some("<b>a</b>"), Some("<b>a</b>"))
        );
        assert_eq!(
            Markdown(String::from("*a*")).bundle().get("text/markdown"),
            Some("*a*")
        );
        assert_eq!(bundle.get("image/png"), None);
        assert_eq!((&"a").bundle(), String::from("a").bundle());
    }

    #[test]
    fn a_kernel_gets_every_change_under_one_id() {
        let (screen, out) = Screen::in_memory(true);
        let handle = Handle::new(screen.clone(), &"one".bundle());
        handle.update("two");
        drop(handle);
        let other = Handle::new(screen, &"three".bundle());
        let lines = out.lines();
        let message = |line: &str| -> Value {
            serde_json::from_str(
                line.strip_prefix("\u{1e}ISOPATH_DISPLAY ")
                    .expect("a display"),
            )
            .unwrap()
        };
        let messages: Vec<Value> = lines.iter().map(|line| message(line)).collect();
        let kinds: Vec<&str> = messages
            .iter()
            .filter_map(|message| message["kind"].as_str())
            .collect();
        assert_eq!(kinds, ["display", "update", "display"]);
        assert_eq!(messages[0]["id"], messages[1]["id"]);
        assert_ne!(messages[0]["id"], messages[2]["id"]);
        assert_eq!(messages[1]["data"]["text/plain"], "two");
        assert_eq!(
            format!("{other:?}"),
            format!("Handle({})", messages[2]["id"])
        );
    }

    #[test]
    fn a_file_gets_the_first_state_and_the_last() {
        let (screen, out) = Screen::in_memory(false);
        let handle = Handle::new(screen.clone(), &"one".bundle());
        handle.update("two");
        handle.update("three");
        assert_eq!(out.lines(), ["one"]);
        drop(handle);
        drop(Handle::new(screen, &"unchanged".bundle()));
        assert_eq!(out.lines(), ["one", "three", "unchanged"]);
    }
}
