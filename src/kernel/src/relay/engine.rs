//! evcxr_jupyter, in a process of its own: started, asked, and listened to.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jupyter_protocol::messaging::JupyterMessage;
use jupyter_zmq_client::Connection;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zeromq::{DealerSocket, Socket, SubSocket};

use super::message::{Message, request};
use super::sockets::read;
use crate::names;

/// Its sockets are files, so that no other process can be given their addresses.
const SOCKETS: [(&str, u16); 5] = [
    ("shell_port", 1),
    ("iopub_port", 2),
    ("stdin_port", 3),
    ("control_port", 4),
    ("hb_port", 5),
];
const RETRY: Duration = Duration::from_millis(20);
/// How much of what it says on its own standard error is kept for the day that it ends.
const LAST_LINES: usize = 30;

/// What happens in it.
pub enum EngineEvent {
    /// It answers.
    Ready,
    /// An answer to a request of ours.
    Reply(Message),
    /// News about a request of ours.
    News(Message),
    /// It has ended, with its last words.
    Ended(String),
}

/// The way to it.
pub struct Engine {
    requests: UnboundedSender<JupyterMessage>,
}

impl Engine {
    /// Starts it; it is ready when [`EngineEvent::Ready`] comes. `folder` is for its sockets,
    /// `bridge` the socket where what it starts for the cells finds the relay, `interrupt` the file
    /// by which a build is asked to stop.
    ///
    /// # Errors
    /// Its process cannot be started.
    pub fn start(
        folder: &Path,
        bridge: &Path,
        interrupt: &Path,
        events: UnboundedSender<EngineEvent>,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the engine cannot be started: {error}");
        let place = folder.join("engine");
        let key = uuid();
        let mut connection = json!({
            "transport": "ipc", "ip": place, "key": key, "signature_scheme": "hmac-sha256",
        });
        for (name, number) in SOCKETS {
            connection[name] = json!(number);
        }
        let file = folder.join("engine.json");
        std::fs::write(&file, connection.to_string()).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .arg("--control_file")
            .arg(&file)
            .env(names::BRIDGE_SOCKET, bridge)
            .env(names::INTERRUPT, interrupt)
            .env(names::PARENT, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(home) = std::env::var_os(names::ANALYSIS_HOME) {
            command.env("CARGO_HOME", &home);
            let own = std::path::PathBuf::from(home).join("bin");
            let path = std::env::var_os("PATH").unwrap_or_default();
            let all = std::iter::once(own).chain(std::env::split_paths(&path));
            command.env(
                "PATH",
                std::env::join_paths(all).map_err(|error| error.to_string())?,
            );
        }
        if let Some(rustc) = std::env::var_os(names::RUSTC) {
            command.env("RUSTC", rustc);
        }
        let child = command.spawn().map_err(failed)?;
        let (requests, outgoing) = unbounded_channel();
        tokio::spawn(talk(place, key, outgoing, events.clone()));
        tokio::spawn(wait(child, events));
        Ok(Self { requests })
    }

    /// One that runs nothing, for a reason.
    pub fn refused(reason: String, events: &UnboundedSender<EngineEvent>) -> Self {
        let _ = events.send(EngineEvent::Ended(reason));
        Self {
            requests: unbounded_channel().0,
        }
    }

    /// Asks for something; returns the id that answers and news refer to.
    pub fn ask(&self, kind: &str, content: serde_json::Value) -> String {
        let message = request(kind, content);
        let id = message.header.msg_id.clone();
        // Once it has ended, its end is told.
        let _ = self.requests.send(message);
        id
    }
}

fn uuid() -> String {
    request("key", json!({})).header.msg_id
}

async fn wait(mut child: Child, events: UnboundedSender<EngineEvent>) {
    let output = child
        .stdout
        .take()
        .map(|stream| tokio::spawn(last_lines(stream, false)));
    let errors = child
        .stderr
        .take()
        .map(|stream| tokio::spawn(last_lines(stream, true)));
    let status = child.wait().await;
    let mut words = match status {
        Ok(status) => format!("evcxr_jupyter has ended ({status})"),
        Err(error) => format!("evcxr_jupyter has ended ({error})"),
    };
    for stream in [output, errors].into_iter().flatten() {
        // What it started may keep its streams open.
        if let Ok(Ok(lines)) = tokio::time::timeout(Duration::from_secs(1), stream).await {
            for line in lines {
                words.push('\n');
                words.push_str(&line);
            }
        }
    }
    let _ = events.send(EngineEvent::Ended(words));
}

/// Reads a stream to its end; with `is_logged`, for the log of who started the kernel, too.
async fn last_lines(stream: impl AsyncRead + Unpin, is_logged: bool) -> VecDeque<String> {
    let mut lines = BufReader::new(stream).lines();
    let mut last = VecDeque::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if is_logged {
            eprintln!("engine: {line}");
        }
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    last
}

/// Connects, tells when it answers, and passes messages on, both ways.
async fn talk(
    place: PathBuf,
    key: String,
    mut outgoing: UnboundedReceiver<JupyterMessage>,
    events: UnboundedSender<EngineEvent>,
) {
    let session = uuid();
    let endpoint = |number: u16| format!("ipc://{}:{number}", place.display());
    let mut news: Connection<SubSocket> =
        Connection::new(connected(&endpoint(2), true).await, &key, &session);
    let shell: Connection<DealerSocket> =
        Connection::new(connected(&endpoint(1), false).await, &key, &session);
    let (mut to_engine, mut from_engine) = shell.split();

    // Its news are heard only once our subscription has reached it, so ask until one comes.
    let hear = events.clone();
    let (heard, mut is_heard) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        while let Ok(message) = read(&mut news).await {
            let _ = heard.send(true);
            let _ = hear.send(EngineEvent::News(message));
        }
    });
    let mut answered = false;
    while !answered || !*is_heard.borrow() {
        if to_engine
            .send(request("kernel_info_request", json!({})))
            .await
            .is_err()
        {
            return;
        }
        answered |= read(&mut from_engine).await.is_ok();
        let _ = tokio::time::timeout(Duration::from_millis(200), is_heard.changed()).await;
    }
    let _ = events.send(EngineEvent::Ready);
    tokio::spawn(async move {
        while let Ok(message) = read(&mut from_engine).await {
            let _ = events.send(EngineEvent::Reply(message));
        }
    });
    while let Some(message) = outgoing.recv().await {
        if to_engine.send(message).await.is_err() {
            return;
        }
    }
}

/// A socket that is connected, as soon as the engine has opened its side.
async fn connected<S: Socket + Subscribe>(endpoint: &str, subscribe: bool) -> S {
    loop {
        let mut socket = S::new();
        let subscribed = !subscribe || socket.subscribe_all().await;
        if subscribed && socket.connect(endpoint).await.is_ok() {
            return socket;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// What only one kind of socket can do.
trait Subscribe {
    async fn subscribe_all(&mut self) -> bool;
}

impl Subscribe for SubSocket {
    async fn subscribe_all(&mut self) -> bool {
        self.subscribe("").await.is_ok()
    }
}

impl Subscribe for DealerSocket {
    async fn subscribe_all(&mut self) -> bool {
        true
    }
}
