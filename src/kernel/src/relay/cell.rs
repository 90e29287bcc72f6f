//! The cell that runs, from its request to its reply.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Instant;

use serde_json::{Map, Value};

use super::failure::Failure;
use super::limits::Limits;
use super::marks::Panic;
use super::message::Message;

/// What is known so far of the cell that runs.
pub struct Cell {
    /// Its request.
    pub request: Message,
    /// The id of our own request to the engine.
    pub id: String,
    /// Its number, as `In [3]`.
    pub count: u32,
    /// The engine has answered, with this status.
    pub answered: Option<String>,
    /// The engine has told everything about it.
    pub told: bool,
    /// What the engine reports: `error` messages.
    pub reported: Vec<Value>,
    /// The last panic; one of the main thread has not been shown, since it may be the failure.
    pub panic: Option<Panic>,
    /// A panic has ended it.
    pub panicked: bool,
    /// An error at `?` has ended it.
    pub refused: bool,
    /// What was written to standard error of that error.
    pub said: String,
    /// Its process has ended.
    pub ended: Option<Option<ExitStatus>>,
    /// When the user asked it to stop.
    pub interrupted: Option<Instant>,
    /// The user was told that it does not listen.
    pub warned: bool,
    /// The user has ended its process.
    pub killed: bool,
    /// It was compiled, and has begun.
    pub ran: bool,
    /// It was stopped before it ran.
    pub skipped: bool,
    /// Since when it may use its time.
    pub begun: Instant,
    /// It was stopped since its time is over.
    pub overtime: bool,
    /// It was refused memory.
    pub starved: bool,
}

impl Cell {
    /// A cell that has just been passed on to the engine.
    pub fn new(request: Message, id: String, count: u32) -> Self {
        Self {
            request,
            id,
            count,
            answered: None,
            told: false,
            reported: vec![],
            panic: None,
            panicked: false,
            refused: false,
            said: String::new(),
            ended: None,
            interrupted: None,
            warned: false,
            killed: false,
            ran: false,
            skipped: false,
            begun: Instant::now(),
            overtime: false,
            starved: false,
        }
    }

    /// Its code.
    pub fn code(&self) -> &str {
        self.request.text("code")
    }

    /// Whether nothing more can come of it.
    pub fn is_over(&self) -> bool {
        self.answered.is_some() && self.told
    }

    /// Why it failed, if it did. `said` is what it wrote last to standard error, `package` the
    /// folder it was compiled in.
    pub fn failure(&self, said: &str, package: &Path, limits: &Limits) -> Option<Failure> {
        let failure = self.own_failure(said, package)?;
        let has_ended = self.ended.is_some();
        if self.overtime {
            return Some(Failure::limit(
                "TimeLimit",
                &limits.time_in_words(),
                has_ended,
            ));
        }
        if self.starved && has_ended {
            return Some(Failure::limit(
                "MemoryLimit",
                &limits.memory_in_words(),
                true,
            ));
        }
        Some(failure)
    }

    fn own_failure(&self, said: &str, package: &Path) -> Option<Failure> {
        if self.killed {
            return Some(Failure::interrupted(
                "stopped by the user; the process was ended and its variables are lost",
            ));
        }
        if let Some(status) = self.ended {
            return Some(Failure::ended(status, ""));
        }
        if self.skipped {
            return Some(Failure::interrupted(
                "stopped by the user before it ran; everything from earlier cells is kept",
            ));
        }
        if self.panicked {
            let unknown = Panic {
                message: "no message".into(),
                ..Panic::default()
            };
            return Some(Failure::panic(
                self.panic.as_ref().unwrap_or(&unknown),
                self.code(),
                package,
            ));
        }
        if self.refused {
            let failure = Failure::error(said);
            return Some(if self.interrupted.is_some() {
                Failure::interrupted(&failure.value)
            } else {
                failure
            });
        }
        let is_reported = !self.reported.is_empty();
        if is_reported && self.interrupted.is_some() && !self.ran {
            return Some(Failure::interrupted(
                "stopped by the user while it was compiled; everything from earlier cells is kept",
            ));
        }
        if is_reported
            || self
                .answered
                .as_deref()
                .is_some_and(|status| status != "ok")
        {
            return Some(Failure::reported(&self.reported));
        }
        None
    }
}

/// The forms of one value, as evcxr's blocks bring them one after the other.
#[derive(Default)]
pub struct Bundle {
    forms: Map<String, Value>,
}

impl Bundle {
    /// Adds a form; gives it back if there is one of its MIME type, so that it belongs to the next
    /// value.
    pub fn add(&mut self, mime: String, content: String) -> Option<(String, String)> {
        if self.forms.contains_key(&mime) {
            return Some((mime, content));
        }
        let parsed = if mime.contains("json") {
            serde_json::from_str(&content).ok()
        } else {
            None
        };
        self.forms
            .insert(mime, parsed.unwrap_or(Value::String(content)));
        None
    }

    /// All forms.
    pub fn into_forms(self) -> Map<String, Value> {
        self.forms
    }
}
