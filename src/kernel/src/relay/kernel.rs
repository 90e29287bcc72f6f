//! The kernel's state, and what changes it: requests of clients, the engine, the process of the
//! cells, time.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cell::{Bundle, Cell};
use super::cells::{Pair, Stream};
use super::completeness;
use super::cursor;
use super::engine::{Engine, EngineEvent};
use super::failure::Failure;
use super::history::History;
use super::limits::{Limits, Meter};
use super::message::{Message, news};
use super::sockets::{Channel, Sockets};
use crate::names;

mod output;
mod process;
mod running;
mod time;

use output::Text;
use process::Process;

/// How long requests that are on their way may take to arrive, to be aborted after a failure.
const ON_THE_WAY: Duration = Duration::from_millis(20);

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
    /// Those that came while it started.
    early: Vec<Message>,
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
    limits: Limits,
    /// How much this cell has shown.
    meter: Meter,
    over: bool,
}

enum EngineState {
    Starting,
    Ready,
    Ended(String),
}

impl Kernel {
    /// A kernel to which nothing has happened. `interrupt` is the file that asks cells to stop.
    pub fn new(sockets: Sockets, engine: Engine, interrupt: PathBuf, limits: Limits) -> Self {
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
            early: vec![],
            parent: None,
            text: None,
            value: None,
            last_errors: String::new(),
            count: 0,
            history: History::default(),
            interrupt,
            rustc: rustc_version(),
            limits,
            meter: Meter::default(),
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

    /// A request that does not wait for cells.
    pub fn control(&mut self, request: Message) {
        if request.kind() == "interrupt_request" {
            self.interrupt();
            self.sockets
                .answer(Channel::Control, request.reply(json!({"status": "ok"})));
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
                self.sockets
                    .publish(request.news("shutdown_reply", answer.clone()));
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

    /// Completions and explanations. While a cell runs the engine cannot answer, and nobody waits
    /// so long for them.
    fn ask_engine(&mut self, request: Message) {
        self.state(&request, "busy");
        match self.engine_state {
            EngineState::Ready if self.running.is_none() => {
                let is_inspection = request.kind() == "inspect_request";
                let id = self.engine.ask(
                    request.kind(),
                    cursor::for_evcxr(&request.content, is_inspection),
                );
                self.asked.insert(id, request);
            }
            EngineState::Starting if self.running.is_none() => self.early.push(request),
            _ => self.answer_without_engine(&request),
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
        self.sockets
            .publish(about.news("status", json!({"execution_state": state})));
    }

    /// Something has happened in the engine.
    pub fn engine(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Ready => {
                self.engine_state = EngineState::Ready;
                // The start is not on its account.
                if let Some(cell) = &mut self.running {
                    cell.begun = Instant::now();
                }
                // What is compiled from now on is a reader's.
                if let Some(folder) = std::env::var_os(names::FOLDER) {
                    let _ = std::fs::write(Path::new(&folder).join(names::READY), "");
                }
                for request in std::mem::take(&mut self.early) {
                    self.ask_engine(request);
                }
            }
            EngineEvent::Reply(reply) => {
                if let Some(request) = self.asked.remove(&reply.parent) {
                    if reply.text("status") == "ok" {
                        let content = match request.kind() {
                            "complete_request" => {
                                cursor::for_jupyter(reply.content, request.text("code"))
                            }
                            _ => reply.content,
                        };
                        self.sockets.answer(Channel::Shell, request.reply(content));
                        self.state(&request, "idle");
                    } else {
                        self.answer_without_engine(&request);
                    }
                } else if let Some(cell) =
                    self.running.as_mut().filter(|cell| cell.id == reply.parent)
                {
                    cell.answered = Some(reply.text("status").to_owned());
                    self.finish_if_over();
                }
            }
            EngineEvent::News(message) => self.engine_news(&message),
            EngineEvent::Ended(words) => {
                let early = std::mem::take(&mut self.early);
                for request in std::mem::take(&mut self.asked).into_values().chain(early) {
                    self.answer_without_engine(&request);
                }
                if self.running.is_some() {
                    self.flush();
                    let failure =
                        Failure::new("KernelEnded", &format!("restart the kernel: {words}"));
                    self.failed = Some((failure, Instant::now() + ON_THE_WAY));
                }
                self.engine_state = EngineState::Ended(words);
            }
        }
    }

    fn engine_news(&mut self, message: &Message) {
        let Some(cell) = self
            .running
            .as_mut()
            .filter(|cell| cell.id == message.parent)
        else {
            return;
        };
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
                    let content = content
                        .as_str()
                        .map_or_else(|| content.to_string(), str::to_owned);
                    bundle.add(mime.clone(), content);
                }
                self.value = Some((bundle, Instant::now()));
            }
            "stream" => {
                let stream = if message.text("name") == "stderr" {
                    Stream::Errors
                } else {
                    Stream::Output
                };
                self.print(stream, message.text("text"));
            }
            _ => {}
        }
    }
}

/// `1.95.0`, empty if rustc does not say.
fn rustc_version() -> String {
    let rustc = std::env::var_os(names::RUSTC).unwrap_or("rustc".into());
    let output = std::process::Command::new(rustc).arg("--version").output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output)
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned()
}
