//! What readers see: text, values, displays.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::cell::Bundle;
use super::super::cells::Stream;
use super::super::limits::Pass;
use super::super::marks::{Display, DisplayKind};
use super::super::message::news;
use super::{EngineState, Kernel};

/// How long text is gathered before it is sent.
pub const GATHER: Duration = Duration::from_millis(25);
/// How much text is sent at once.
const MOST_TEXT: usize = 1 << 16;
/// How long a value that comes while no cell runs waits for its other forms.
pub const RESULT: Duration = Duration::from_millis(200);

/// What stands in place of what is more than a cell may show.
const LEFT_OUT: &str = "… the rest of the output is left out: it is more than is allowed here\n";
/// How Rust says that it got no memory, before it ends the process.
const NO_MEMORY: &str = "memory allocation of ";

/// Text of one stream that waits for more.
pub struct Text {
    pub stream: Stream,
    pub text: String,
    pub since: Instant,
}

impl Kernel {
    pub(super) fn print(&mut self, stream: Stream, text: &str) {
        if self.is_starting() {
            eprintln!("{}: {text}", stream.name());
            return;
        }
        if stream == Stream::Errors
            && let Some(cell) = self.running.as_mut().filter(|cell| cell.refused)
        {
            cell.said.push_str(text);
            return;
        }
        match (stream, &mut self.running) {
            // With limits, the last value is the result, whatever a stranger's thread prints behind it.
            (Stream::Output, Some(_)) if self.limits.output.is_some() => {}
            (Stream::Output, _) => self.flush_value(),
            // It came by another way than the value, so it may well have been written before.
            (Stream::Errors, Some(cell)) => {
                cell.starved |= text.contains(NO_MEMORY) && self.limits.memory.is_some();
            }
            (Stream::Errors, None) => {}
        }
        let (text, rest) = match self.meter.count(text.len(), &self.limits) {
            Pass::Whole => (text, ""),
            Pass::Cut(length) => (&text[..text.floor_char_boundary(length)], LEFT_OUT),
            Pass::Nothing => return,
        };
        if self
            .text
            .as_ref()
            .is_some_and(|waiting| waiting.stream != stream || waiting.text.len() > MOST_TEXT)
        {
            self.flush_text();
        }
        match &mut self.text {
            Some(waiting) => waiting.text.push_str(text),
            None => {
                self.text = Some(Text {
                    stream,
                    text: text.to_owned(),
                    since: Instant::now(),
                })
            }
        }
        if !rest.is_empty()
            && let Some(waiting) = &mut self.text
        {
            if !waiting.text.is_empty() && !waiting.text.ends_with('\n') {
                waiting.text.push('\n');
            }
            waiting.text.push_str(rest);
        }
    }

    /// What evcxr runs while it starts is nobody's.
    pub(super) fn is_starting(&self) -> bool {
        matches!(self.engine_state, EngineState::Starting)
    }

    pub(super) fn form(&mut self, mime: String, content: String) {
        if self.is_starting() {
            return;
        }
        self.flush_text();
        if self.limits.output.is_some_and(|most| content.len() > most) {
            return self.form("text/plain".to_owned(), LEFT_OUT.trim_end().to_owned());
        }
        let (bundle, _) = self
            .value
            .get_or_insert_with(|| (Bundle::default(), Instant::now()));
        if let Some((mime, content)) = bundle.add(mime, content) {
            self.flush_value();
            self.form(mime, content);
        }
    }

    pub(super) fn display(&mut self, display: Display) {
        self.flush();
        let transient = display
            .id
            .map_or_else(|| json!({}), |id| json!({"display_id": id}));
        let content =
            json!({"data": display.data, "metadata": display.metadata, "transient": transient});
        if self.limits.output.is_some() {
            match self.meter.count(content.to_string().len(), &self.limits) {
                Pass::Whole => {}
                Pass::Cut(_) => return self.note(LEFT_OUT),
                Pass::Nothing => return,
            }
        }
        let (kind, content) = match display.kind {
            DisplayKind::Display => ("display_data", content),
            DisplayKind::Update => ("update_display_data", content),
            DisplayKind::Clear => ("clear_output", json!({"wait": display.wait})),
        };
        self.sockets
            .publish(news(kind, content, self.parent.as_ref()));
    }

    /// A text of the kernel's own, which counts for nothing.
    fn note(&mut self, text: &str) {
        let content = json!({"name": Stream::Output.name(), "text": text});
        self.sockets
            .publish(news("stream", content, self.parent.as_ref()));
    }

    pub(super) fn flush(&mut self) {
        self.flush_value();
        self.flush_text();
    }

    pub(super) fn flush_text(&mut self) {
        let Some(Text { stream, text, .. }) = self.text.take() else {
            return;
        };
        let content = json!({"name": stream.name(), "text": text});
        self.sockets
            .publish(news("stream", content, self.parent.as_ref()));
        if stream == Stream::Errors {
            self.last_errors = text;
        }
    }

    /// A value that is not the cell's result after all.
    pub(super) fn flush_value(&mut self) {
        let Some((value, _)) = self.value.take() else {
            return;
        };
        let content = json!({"data": value.into_forms(), "metadata": {}, "transient": {}});
        self.sockets
            .publish(news("display_data", content, self.parent.as_ref()));
    }
}
