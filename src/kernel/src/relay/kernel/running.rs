//! One cell after the other: begun, finished, failed, stopped.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::super::cell::Cell;
use super::super::failure::Failure;
use super::super::limits::Meter;
use super::super::message::news;
use super::super::sockets::Channel;
use super::{EngineState, Kernel, ON_THE_WAY};
use crate::names;

impl Kernel {
    pub(super) fn next_cell(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(request) = self.queue.pop_front() else {
            return;
        };
        self.state(&request, "busy");
        let code = request.text("code").to_owned();
        let silent = request.flag("silent", false);
        if !silent && !code.trim().is_empty() {
            // A cell that is not kept in the history still has a number: the one that comes next.
            if request.flag("store_history", true) {
                self.count += 1;
                self.history.add(self.count, &code);
            }
            let input = json!({"code": code, "execution_count": self.count});
            self.sockets.publish(request.news("execute_input", input));
        }
        self.parent = Some(request.clone());
        self.last_errors.clear();
        self.meter = Meter::default();
        let _ = std::fs::remove_file(&self.interrupt);
        let mut cell = Cell::new(request, String::new(), self.count);
        if let EngineState::Ended(words) = &self.engine_state {
            let failure = Failure::new("KernelEnded", &format!("restart the kernel: {words}"));
            self.running = Some(cell);
            self.failed = Some((failure, Instant::now() + ON_THE_WAY));
        } else if code.trim().is_empty() {
            (cell.answered, cell.told) = (Some("ok".to_owned()), true);
            self.running = Some(cell);
            self.finish_if_over();
        } else {
            let code = with_library_as_loaded(&code);
            cell.id = self.engine.ask(
                "execute_request",
                json!({
                    "code": code, "silent": false, "store_history": true, "user_expressions": {},
                    "allow_stdin": false, "stop_on_error": false,
                }),
            );
            self.running = Some(cell);
        }
    }

    pub(super) fn finish_if_over(&mut self) {
        let Some(cell) = self
            .running
            .as_ref()
            .filter(|cell| cell.is_over() && self.failed.is_none())
        else {
            return;
        };
        let said = if cell.said.is_empty() {
            &self.last_errors
        } else {
            &cell.said
        };
        match cell.failure(said, &package(), &self.limits) {
            Some(failure) => {
                // Where something worse came after the error, the error is not the failure.
                let is_said = failure.value == Failure::error(&cell.said).value;
                let unsaid = if is_said || cell.overtime {
                    None
                } else {
                    Some(cell.said.clone())
                };
                self.flush();
                if let Some(text) = unsaid.filter(|text| !text.is_empty()) {
                    let content = json!({"name": "stderr", "text": text});
                    self.sockets
                        .publish(news("stream", content, self.parent.as_ref()));
                }
                self.failed = Some((failure, Instant::now() + ON_THE_WAY));
            }
            None => {
                self.flush_text();
                let Some(cell) = self.running.take() else {
                    return;
                };
                let silent = cell.request.flag("silent", false);
                let value = self.value.take().map(|(value, _)| value.into_forms());
                if let Some(value) = value.filter(|value| !silent && !is_nothing(value)) {
                    let content =
                        json!({"execution_count": cell.count, "data": value, "metadata": {}});
                    self.sockets
                        .publish(cell.request.news("execute_result", content));
                }
                let reply = json!({
                    "status": "ok", "execution_count": cell.count, "user_expressions": {}, "payload": [],
                });
                self.sockets
                    .answer(Channel::Shell, cell.request.reply(reply));
                self.finished(&cell);
            }
        }
    }

    /// Tells of a failure, and aborts the cells that were sent before it was known.
    pub(super) fn fail(&mut self, failure: &Failure) {
        let Some(cell) = self.running.take() else {
            return;
        };
        self.sockets
            .publish(cell.request.news("error", failure.content()));
        let mut reply = failure.content();
        reply["status"] = json!("error");
        reply["execution_count"] = json!(cell.count);
        reply["user_expressions"] = json!({});
        reply["payload"] = json!([]);
        self.sockets
            .answer(Channel::Shell, cell.request.reply(reply));
        let aborts = cell.request.flag("stop_on_error", true);
        let waiting = if aborts {
            std::mem::take(&mut self.queue)
        } else {
            VecDeque::new()
        };
        self.state(&cell.request, "idle");
        for request in waiting {
            self.state(&request, "busy");
            let reply = json!({"status": "aborted"});
            self.sockets.answer(Channel::Shell, request.reply(reply));
            self.state(&request, "idle");
        }
        let _ = std::fs::remove_file(&self.interrupt);
        self.next_cell();
    }

    pub(super) fn finished(&mut self, cell: &Cell) {
        self.state(&cell.request, "idle");
        let _ = std::fs::remove_file(&self.interrupt);
        self.next_cell();
    }

    /// Asks the running cell to stop; if it was told to the user that it does not listen, ends its
    /// process.
    pub fn interrupt(&mut self) {
        let Some(cell) = &mut self.running else {
            return;
        };
        if cell.interrupted.is_none() {
            cell.interrupted = Some(Instant::now());
            if let Err(error) = std::fs::write(&self.interrupt, "") {
                eprintln!("{}: {error}", self.interrupt.display());
            }
        } else if cell.warned
            && let Some((_, pair)) = &self.pair
        {
            cell.killed = true;
            pair.kill();
        }
    }
}

/// Whether a value is `()`: what a cell ends with that ends with a loop or a print.
fn is_nothing(value: &Map<String, Value>) -> bool {
    value.len() == 1 && value.get("text/plain").is_some_and(|text| text == "()")
}

/// The package in which evcxr compiles the cells.
fn package() -> PathBuf {
    std::env::var_os("EVCXR_TMPDIR")
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// A cell's `:dep` of the library, in the words in which the engine has loaded it already, so that
/// nothing is to be done: with its absolute path, and without the command line.
fn with_library_as_loaded(code: &str) -> String {
    let Some(library) = std::env::var_os(names::LIBRARY).map(PathBuf::from) else {
        return code.to_owned();
    };
    let lines: Vec<String> = code
        .split('\n')
        .map(|line| as_loaded(line, &library).unwrap_or(line.to_owned()))
        .collect();
    lines.join("\n")
}

fn as_loaded(line: &str, library: &Path) -> Option<String> {
    let rest = line.trim_start().strip_prefix(":dep ")?;
    let (before, after) = rest
        .split_once("path = \"")
        .or_else(|| rest.split_once("path=\""))?;
    let (path, after) = after.split_once('"')?;
    let is_library = Path::new(path).canonicalize().ok()? == library.canonicalize().ok()?;
    let features = if rest.contains("default-features") {
        ""
    } else {
        ", default-features = false"
    };
    // JSON's strings are TOML's.
    is_library.then(|| {
        format!(
            ":dep {before}path = {}{features}{after}",
            Value::from(library.to_string_lossy())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_asked_for_as_it_is_loaded() {
        let here = std::env::current_dir().unwrap();
        let path = Value::from(here.to_string_lossy());
        for (asked, loaded) in [
            (
                ":dep isopath = { path = \".\" }".to_owned(),
                format!(":dep isopath = {{ path = {path}, default-features = false }}"),
            ),
            (
                format!(":dep isopath = {{ path = {path}, features = [\"cuda\"] }}"),
                format!(
                    ":dep isopath = {{ path = {path}, default-features = false, features = [\"cuda\"] }}"
                ),
            ),
            (
                ":dep isopath = { path = \".\", default-features = true }".to_owned(),
                format!(":dep isopath = {{ path = {path}, default-features = true }}"),
            ),
        ] {
            assert_eq!(as_loaded(&asked, &here), Some(loaded));
        }
        assert!(as_loaded(":dep isopath = { path = \"..\" }", &here).is_none());
        assert!(as_loaded("let path = \".\";", &here).is_none());
    }
}
