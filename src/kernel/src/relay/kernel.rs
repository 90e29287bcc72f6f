//! The kernel's state, and what changes it: requests of clients, the engine, the process of the cells, time.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::cell::{Bundle, Cell};
use super::cells::{CellsEvent, Pair, Stream};
use super::completeness;
use super::engine::{Engine, EngineEvent};
use super::failure::Failure;
use super::history::History;
use super::marks::{Display, DisplayKind, Panic, Piece, Reader};
use super::message::{Message, news};
use super::sockets::{Channel, Sockets};
use crate::names;

/// How long text is gathered before it is sent.
const GATHER: Duration = Duration::from_millis(25);
/// How much text is sent at once.
const MOST_TEXT: usize = 1 << 16;
/// How long a value waits for the end of its cell, to be the cell's result.
const RESULT: Duration = Duration::from_millis(200);
/// After how long the user is told that a cell does not listen.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long requests that are on their way may take to arrive, to be aborted after a failure.
const ON_THE_WAY: Duration = Duration::from_millis(20);
/// No deadline.
const FAR: Duration = Duration::from_secs(3600);

/// The relay's state.
pub struct Kernel {
    sockets: Sockets,
    engine: Engine,
    engine_state: EngineState,
    pair: Option<(u64, Pair)>,
    process: Process,
    queue: VecDeque<Message>,
    running: Option<Cell>,
    /// A failed cell's failure, and when it is told.
    failed: Option<(Failure, Instant)>,
    /// Completions and explanations that the engine is asked for.
    asked: HashMap<String, Message>,
    /// What output belongs to: the cell that runs, else the last one.
    parent: Option<Message>,
    text: Option<Text>,
    value: Option<(Bundle, Instant)>,
    /// The last that was sent of standard error in this cell.
    last_errors: String,
    count: u32,
    history: History,
    interrupt: PathBuf,
    rustc: String,
    over: bool,
}

enum EngineState {
    Starting,
    Ready,
    Ended(String),
}

/// What is known of the running process.
#[derive(Default)]
struct Process {
    readers: [Reader; 2],
    /// Whether the end of the cell was seen, on each stream.
    ends: [bool; 2],
    for_evcxr: Vec<String>,
    is_running: bool,
}

struct Text {
    stream: Stream,
    text: String,
    since: Instant,
}

impl Kernel {
    /// A kernel to which nothing has happened. `interrupt` is the file that asks cells to stop.
    pub fn new(sockets: Sockets, engine: Engine, interrupt: PathBuf) -> Self {
        sockets.publish(news("status", json!({"execution_state": "starting"}), None));
        Self {
            sockets,
            engine,
            engine_state: EngineState::Starting,
            pair: None,
            process: Process::default(),
            queue: VecDeque::new(),
            running: None,
            failed: None,
            asked: HashMap::new(),
            parent: None,
            text: None,
            value: None,
            last_errors: String::new(),
            count: 0,
            history: History::default(),
            interrupt,
            rustc: rustc_version(),
            over: false,
        }
    }

    /// Whether a client has shut it down.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// How many messages have not gone out.
    pub fn waiting(&self) -> Arc<AtomicUsize> {
        self.sockets.waiting()
    }

    /// Ends the process of the cells.
    pub fn end(&mut self) {
        self.flush();
        if let Some((_, pair)) = self.pair.take() {
            pair.kill();
        }
    }

    // ---- requests

    /// A request that does not wait for cells.
    pub fn control(&mut self, request: Message) {
        if request.kind() == "interrupt_request" {
            self.interrupt();
            self.sockets.answer(Channel::Control, request.reply(json!({"status": "ok"})));
        } else {
            self.simple(Channel::Control, request);
        }
    }

    /// A request of the shell: cells one after the other, the rest at once.
    pub fn shell(&mut self, request: Message) {
        match request.kind() {
            "execute_request" => {
                self.queue.push_back(request);
                self.next_cell();
            }
            "complete_request" | "inspect_request" => self.ask_engine(request),
            _ => self.simple(Channel::Shell, request),
        }
    }

    /// What the relay answers by itself.
    fn simple(&mut self, channel: Channel, request: Message) {
        self.state(&request, "busy");
        let answer = match request.kind() {
            "kernel_info_request" => Some(self.kernel_info()),
            "is_complete_request" => Some(completeness::of(request.text("code"))),
            "history_request" => Some(self.history.answer(&request)),
            "comm_info_request" => Some(json!({"status": "ok", "comms": {}})),
            "comm_open" => {
                // There is nothing to talk to.
                let closed = json!({"comm_id": request.text("comm_id"), "data": {}});
                self.sockets.publish(request.news("comm_close", closed));
                None
            }
            "shutdown_request" => {
                self.over = true;
                let answer = json!({"status": "ok", "restart": request.flag("restart", false)});
                self.sockets.publish(request.news("shutdown_reply", answer.clone()));
                Some(answer)
            }
            "comm_msg" | "comm_close" => None,
            unknown => {
                eprintln!("a request is not known: {unknown}");
                None
            }
        };
        if let Some(answer) = answer {
            self.sockets.answer(channel, request.reply(answer));
        }
        self.state(&request, "idle");
    }

    fn kernel_info(&self) -> Value {
        json!({
            "status": "ok",
            "protocol_version": "5.4",
            "implementation": "isopath",
            "implementation_version": env!("CARGO_PKG_VERSION"),
            "language_info": {
                "name": "rust",
                "version": self.rustc,
                "mimetype": "text/x-rustsrc",
                "file_extension": ".rs",
                "pygments_lexer": "rust",
                "codemirror_mode": "rust",
                "nbconvert_exporter": "",
            },
            "banner": format!("Rust {}, in isopath's kernel around evcxr_jupyter", self.rustc),
            "debugger": false,
            "help_links": [
                {"text": "Rust's standard library", "url": "https://doc.rust-lang.org/stable/std/"},
                {"text": "evcxr", "url": "https://github.com/evcxr/evcxr"},
            ],
            "supported_features": [],
        })
    }

    /// Completions and explanations. While a cell runs the engine cannot answer, and nobody waits so long for them.
    fn ask_engine(&mut self, request: Message) {
        self.state(&request, "busy");
        if matches!(self.engine_state, EngineState::Ready) && self.running.is_none() {
            let id = self.engine.ask(request.kind(), request.content.clone());
            self.asked.insert(id, request);
        } else {
            self.answer_without_engine(&request);
        }
    }

    fn answer_without_engine(&mut self, request: &Message) {
        let at = &request.content["cursor_pos"];
        let nothing = match request.kind() {
            "complete_request" => {
                json!({"status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {}})
            }
            _ => json!({"status": "ok", "found": false, "data": {}, "metadata": {}}),
        };
        self.sockets.answer(Channel::Shell, request.reply(nothing));
        self.state(request, "idle");
    }

    fn state(&self, about: &Message, state: &str) {
        self.sockets.publish(about.news("status", json!({"execution_state": state})));
    }

    // ---- cells

    fn next_cell(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(request) = self.queue.pop_front() else { return };
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
            let code = with_absolute_path(&code);
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

    fn finish_if_over(&mut self) {
        let Some(cell) = self.running.as_ref().filter(|cell| cell.is_over() && self.failed.is_none()) else { return };
        let said = match &self.text {
            Some(text) if text.stream == Stream::Errors => text.text.clone(),
            _ => self.last_errors.clone(),
        };
        match cell.failure(&said, &package()) {
            Some(failure) => {
                if cell.refused && self.text.as_ref().is_some_and(|text| text.stream == Stream::Errors) {
                    // It is the error's own text.
                    self.text = None;
                }
                self.flush();
                self.failed = Some((failure, Instant::now() + ON_THE_WAY));
            }
            None => {
                self.flush_text();
                let Some(cell) = self.running.take() else { return };
                let silent = cell.request.flag("silent", false);
                let value = self.value.take().map(|(value, _)| value.into_forms());
                if let Some(value) = value.filter(|value| !silent && !is_nothing(value)) {
                    let content = json!({"execution_count": cell.count, "data": value, "metadata": {}});
                    self.sockets.publish(cell.request.news("execute_result", content));
                }
                let reply = json!({
                    "status": "ok", "execution_count": cell.count, "user_expressions": {}, "payload": [],
                });
                self.sockets.answer(Channel::Shell, cell.request.reply(reply));
                self.finished(&cell);
            }
        }
    }

    /// Tells of a failure, and aborts the cells that were sent before it was known.
    fn fail(&mut self, failure: &Failure) {
        let Some(cell) = self.running.take() else { return };
        self.sockets.publish(cell.request.news("error", failure.content()));
        let mut reply = failure.content();
        reply["status"] = json!("error");
        reply["execution_count"] = json!(cell.count);
        reply["user_expressions"] = json!({});
        reply["payload"] = json!([]);
        self.sockets.answer(Channel::Shell, cell.request.reply(reply));
        let aborts = cell.request.flag("stop_on_error", true);
        let waiting = if aborts { std::mem::take(&mut self.queue) } else { VecDeque::new() };
        self.state(&cell.request, "idle");
        for request in waiting {
            self.state(&request, "busy");
            let reply = json!({"status": "aborted", "execution_count": self.count});
            self.sockets.answer(Channel::Shell, request.reply(reply));
            self.state(&request, "idle");
        }
        let _ = std::fs::remove_file(&self.interrupt);
        self.next_cell();
    }

    fn finished(&mut self, cell: &Cell) {
        self.state(&cell.request, "idle");
        let _ = std::fs::remove_file(&self.interrupt);
        self.next_cell();
    }

    /// Asks the running cell to stop; if it was told to the user that it does not listen, ends its process.
    pub fn interrupt(&mut self) {
        let Some(cell) = &mut self.running else { return };
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

    // ---- the engine

    /// Something has happened in the engine.
    pub fn engine(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Ready => {
                self.engine_state = EngineState::Ready;
                // What is compiled from now on is a reader's.
                if let Some(folder) = std::env::var_os(names::FOLDER) {
                    let _ = std::fs::write(Path::new(&folder).join(names::READY), "");
                }
            }
            EngineEvent::Reply(reply) => {
                if let Some(request) = self.asked.remove(&reply.parent) {
                    if reply.text("status") == "ok" {
                        self.sockets.answer(Channel::Shell, request.reply(reply.content));
                        self.state(&request, "idle");
                    } else {
                        self.answer_without_engine(&request);
                    }
                } else if let Some(cell) = self.running.as_mut().filter(|cell| cell.id == reply.parent) {
                    cell.answered = Some(reply.text("status").to_owned());
                    self.finish_if_over();
                }
            }
            EngineEvent::News(message) => self.engine_news(&message),
            EngineEvent::Ended(words) => {
                for (_, request) in std::mem::take(&mut self.asked) {
                    self.answer_without_engine(&request);
                }
                if self.running.is_some() {
                    self.flush();
                    let failure = Failure::new("KernelEnded", &format!("restart the kernel: {words}"));
                    self.failed = Some((failure, Instant::now() + ON_THE_WAY));
                }
                self.engine_state = EngineState::Ended(words);
            }
        }
    }

    fn engine_news(&mut self, message: &Message) {
        let Some(cell) = self.running.as_mut().filter(|cell| cell.id == message.parent) else { return };
        match message.kind() {
            "status" if message.text("execution_state") == "idle" => {
                cell.told = true;
                self.finish_if_over();
            }
            "error" => cell.reported.push(message.content.clone()),
            // What a command answers: `:vars`, `:help`.
            "execute_result" => {
                self.flush();
                let mut bundle = Bundle::default();
                for (mime, content) in message.content["data"].as_object().into_iter().flatten() {
                    let content = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
                    bundle.add(mime.clone(), content);
                }
                self.value = Some((bundle, Instant::now()));
            }
            "stream" => {
                let stream = if message.text("name") == "stderr" { Stream::Errors } else { Stream::Output };
                self.print(stream, message.text("text"));
            }
            _ => {}
        }
    }

    // ---- the process of the cells

    /// Something has happened in the process of the cells.
    pub fn cells(&mut self, number: u64, event: CellsEvent) {
        if let CellsEvent::Began(pair) = event {
            self.pair = Some((number, pair));
            self.process = Process::default();
            return;
        }
        if let CellsEvent::Refused(reason) = event {
            self.print(Stream::Errors, &format!("{reason}\n"));
            return;
        }
        if self.pair.as_ref().is_none_or(|(current, _)| *current != number) {
            return;
        }
        match event {
            CellsEvent::Began(_) | CellsEvent::Refused(_) => {}
            CellsEvent::Asked(line) => self.run(&line),
            CellsEvent::Printed(stream, bytes) => {
                for piece in self.process.readers[stream as usize].push(&bytes) {
                    self.piece(stream, piece);
                }
            }
            CellsEvent::Ended(status) => {
                for stream in [Stream::Output, Stream::Errors] {
                    for piece in self.process.readers[stream as usize].finish() {
                        self.piece(stream, piece);
                    }
                }
                // evcxr sees it by the end of the bridge.
                self.pair = None;
                match &mut self.running {
                    Some(cell) => cell.ended = Some(status),
                    None => {
                        let said = Failure::ended(status, "").value;
                        self.print(Stream::Errors, &format!("{said}\n"));
                    }
                }
            }
            CellsEvent::Left => {
                if let Some((_, pair)) = self.pair.take() {
                    pair.kill();
                }
            }
        }
    }

    fn run(&mut self, request: &str) {
        let Some((_, pair)) = &self.pair else { return };
        if let Some(cell) = self.running.as_mut().filter(|cell| cell.interrupted.is_some()) {
            cell.skipped = true;
            // So evcxr does not expect the variables that it would have made.
            pair.tell_evcxr("EVCXR_ERROR_OCCURRED");
            pair.tell_evcxr("EVCXR_EXECUTION_COMPLETE");
        } else {
            self.process.ends = [false; 2];
            self.process.is_running = true;
            if let Some(cell) = &mut self.running {
                cell.ran = true;
            }
            pair.run(request);
        }
    }

    fn piece(&mut self, stream: Stream, piece: Piece) {
        match piece {
            Piece::Text(text) => self.print(stream, &text),
            Piece::Panic(panic) => self.panic(panic),
            Piece::CaughtPanic => {
                self.process.for_evcxr.push("EVCXR_PANIC_NOTIFICATION".to_owned());
                if let Some(cell) = &mut self.running {
                    cell.panicked = true;
                }
            }
            Piece::UserError => {
                self.process.for_evcxr.push("EVCXR_ERROR_OCCURRED".to_owned());
                if let Some(cell) = &mut self.running {
                    cell.refused = true;
                }
            }
            Piece::ForEvcxr(line) => self.process.for_evcxr.push(line),
            Piece::Content(mime, content) => self.form(mime, content),
            Piece::Display(display) => self.display(display),
            Piece::End => {
                self.process.ends[stream as usize] = true;
                if self.process.ends == [true; 2] && self.process.is_running {
                    self.process.is_running = false;
                    let lines = std::mem::take(&mut self.process.for_evcxr);
                    // It came before the value that the cell ends with.
                    let value = self.value.take();
                    self.tell_caught_panic();
                    if value.is_some() {
                        self.flush_text();
                        self.value = value;
                    }
                    if let Some((_, pair)) = &self.pair {
                        lines.iter().for_each(|line| pair.tell_evcxr(line));
                        pair.tell_evcxr("EVCXR_EXECUTION_COMPLETE");
                    }
                }
            }
        }
    }

    /// A panic of the main thread is held back, since it may end the cell; any other is shown at once.
    fn panic(&mut self, panic: Panic) {
        self.tell_caught_panic();
        if panic.thread != "main" || !self.process.is_running {
            self.print(Stream::Errors, &words(&panic));
        }
        if let Some(cell) = &mut self.running {
            cell.panic = Some(panic);
        }
    }

    /// A panic of the main thread that the cell itself caught: shown as Rust shows it.
    fn tell_caught_panic(&mut self) {
        if let Some(cell) = self.running.as_mut().filter(|cell| !cell.panicked)
            && let Some(panic) = cell.panic.take_if(|panic| panic.thread == "main")
        {
            self.print(Stream::Errors, &words(&panic));
        }
    }

    // ---- output

    fn print(&mut self, stream: Stream, text: &str) {
        if self.is_starting() {
            eprintln!("{}: {text}", stream.name());
            return;
        }
        self.flush_value();
        if self.text.as_ref().is_some_and(|waiting| waiting.stream != stream || waiting.text.len() > MOST_TEXT) {
            self.flush_text();
        }
        match &mut self.text {
            Some(waiting) => waiting.text.push_str(text),
            None => self.text = Some(Text { stream, text: text.to_owned(), since: Instant::now() }),
        }
    }

    /// What evcxr runs while it starts is nobody's.
    fn is_starting(&self) -> bool {
        matches!(self.engine_state, EngineState::Starting)
    }

    fn form(&mut self, mime: String, content: String) {
        if self.is_starting() {
            return;
        }
        self.flush_text();
        let (bundle, _) = self.value.get_or_insert_with(|| (Bundle::default(), Instant::now()));
        if let Some((mime, content)) = bundle.add(mime, content) {
            self.flush_value();
            self.form(mime, content);
        }
    }

    fn display(&mut self, display: Display) {
        self.flush();
        let transient = display.id.map_or_else(|| json!({}), |id| json!({"display_id": id}));
        let content = json!({"data": display.data, "metadata": display.metadata, "transient": transient});
        let (kind, content) = match display.kind {
            DisplayKind::Display => ("display_data", content),
            DisplayKind::Update => ("update_display_data", content),
            DisplayKind::Clear => ("clear_output", json!({"wait": display.wait})),
        };
        self.sockets.publish(news(kind, content, self.parent.as_ref()));
    }

    fn flush(&mut self) {
        self.flush_value();
        self.flush_text();
    }

    fn flush_text(&mut self) {
        let Some(Text { stream, text, .. }) = self.text.take() else { return };
        let content = json!({"name": stream.name(), "text": text});
        self.sockets.publish(news("stream", content, self.parent.as_ref()));
        if stream == Stream::Errors {
            self.last_errors = text;
        }
    }

    /// A value that is not the cell's result after all.
    fn flush_value(&mut self) {
        let Some((value, _)) = self.value.take() else { return };
        let content = json!({"data": value.into_forms(), "metadata": {}, "transient": {}});
        self.sockets.publish(news("display_data", content, self.parent.as_ref()));
    }

    // ---- time

    /// When there is something to do.
    pub fn deadline(&self) -> Instant {
        let text = self.text.as_ref().filter(|text| !self.holds(text)).map(|text| text.since + GATHER);
        let value = self.value.as_ref().map(|(_, since)| *since + RESULT);
        let can_be_warned = |cell: &&Cell| !cell.warned && !self.is_starting();
        let warning = self.running.as_ref().filter(can_be_warned).and_then(|cell| cell.interrupted);
        let failed = self.failed.as_ref().map(|(_, at)| *at);
        let deadlines = [text, value, warning.map(|at| at + PATIENCE), failed];
        deadlines.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + FAR)
    }

    /// Does what is due.
    pub fn tick(&mut self) {
        let now = Instant::now();
        if self.text.as_ref().is_some_and(|text| !self.holds(text) && text.since + GATHER <= now) {
            self.flush_text();
        }
        if self.value.as_ref().is_some_and(|(_, since)| *since + RESULT <= now) {
            self.flush_value();
        }
        // While the engine starts, a cell waits for it, and will not run once it was stopped.
        let is_starting = self.is_starting();
        let is_deaf = |at: Instant| !is_starting && at + PATIENCE <= now;
        if let Some(cell) = self.running.as_mut().filter(|cell| !cell.warned && cell.interrupted.is_some_and(is_deaf)) {
            cell.warned = true;
            self.print(
                Stream::Errors,
                "The cell has not stopped yet. Press stop again to end its process; all variables will be lost.\n",
            );
            self.flush_text();
        }
        if let Some((failure, _)) = self.failed.take_if(|(_, at)| *at <= now) {
            self.fail(&failure);
        }
    }

    /// Text that may be an error's own, which is told once, with the failure.
    fn holds(&self, text: &Text) -> bool {
        text.stream == Stream::Errors && self.running.as_ref().is_some_and(|cell| cell.refused)
    }
}

/// Whether a value is `()`: what a cell ends with that ends with a loop or a print.
fn is_nothing(value: &Map<String, Value>) -> bool {
    value.len() == 1 && value.get("text/plain").is_some_and(|text| text == "()")
}

/// A panic as Rust's own hook writes it.
fn words(panic: &Panic) -> String {
    let thread = if panic.thread.is_empty() { "<unnamed>" } else { &panic.thread };
    format!("thread '{thread}' panicked at {}:{}:{}:\n{}\n", panic.file, panic.line, panic.column, panic.message)
}

/// The package in which evcxr compiles the cells.
fn package() -> PathBuf {
    std::env::var_os("EVCXR_TMPDIR").map(PathBuf::from).unwrap_or_default()
}

/// A cell whose `:dep` names the library by a relative path gets the absolute one, under which the engine has loaded it
/// already: then nothing is to be done.
fn with_absolute_path(code: &str) -> String {
    let Some(library) = std::env::var_os(names::LIBRARY).map(PathBuf::from) else { return code.to_owned() };
    let lines: Vec<String> = code.split('\n').map(|line| absolute(line, &library).unwrap_or(line.to_owned())).collect();
    lines.join("\n")
}

fn absolute(line: &str, library: &Path) -> Option<String> {
    let rest = line.trim_start().strip_prefix(":dep ")?;
    let (before, after) = rest.split_once("path = \"").or_else(|| rest.split_once("path=\""))?;
    let (path, after) = after.split_once('"')?;
    let path = Path::new(path);
    let is_library = path.is_relative() && path.canonicalize().ok()? == library.canonicalize().ok()?;
    // JSON's strings are TOML's.
    is_library.then(|| format!(":dep {before}path = {}{after}", Value::from(library.to_string_lossy())))
}

/// `1.95.0`, empty if rustc does not say.
fn rustc_version() -> String {
    let rustc = std::env::var_os(names::RUSTC).unwrap_or("rustc".into());
    let output = std::process::Command::new(rustc).arg("--version").output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_to_the_library_becomes_the_absolute_one() {
        let here = std::env::current_dir().unwrap();
        let line = absolute(":dep isopath = { path = \".\", features = [\"cuda\"] }", &here).unwrap();
        let path = Value::from(here.to_string_lossy());
        assert_eq!(line, format!(":dep isopath = {{ path = {path}, features = [\"cuda\"] }}"));
        assert!(absolute(":dep isopath = { path = \"..\" }", &here).is_none());
        assert!(absolute("let path = \".\";", &here).is_none());
    }
}
