//! What readers see: text, values, displays.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::cell::Bundle;
use super::super::cells::Stream;
use super::super::marks::{Display, DisplayKind};
use super::super::message::news;
use super::{EngineState, Kernel};

/// How long text is gathered before it is sent.
pub const GATHER: Duration = Duration::from_millis(25);
/// How much text is sent at once.
const MOST_TEXT: usize = 1 << 16;
/// How long a value waits for the end of its cell, to be the cell's result.
pub const RESULT: Duration = Duration::from_millis(200);

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
        self.flush_value();
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
        let (kind, content) = match display.kind {
            DisplayKind::Display => ("display_data", content),
            DisplayKind::Update => ("update_display_data", content),
            DisplayKind::Clear => ("clear_output", json!({"wait": display.wait})),
        };
        self.sockets
            .publish(news(kind, content, self.parent.as_ref()));
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
