//! The process of the cells, and the bridge by which evcxr runs cells in it.
//!
//! evcxr starts the bridge and takes it for the process. When a bridge connects, a process is
//! started for it; when either ends, the other one is ended. So there is one pair at a time, and a
//! number tells its events from those of the pair before.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{
    Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel,
};

use super::limits::Limits;
use crate::names;

/// How long a new process may take to connect.
const START: Duration = Duration::from_secs(30);
/// How long the streams of a process that has ended are read: what it started may hold them open
/// for ever.
const DRAIN: Duration = Duration::from_millis(500);
/// From how many messages on that have not gone out the process has to wait with more.
const MOST_WAITING: usize = 200;

/// Which of its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Output,
    Errors,
}

impl Stream {
    /// Jupyter's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Output => "stdout",
            Self::Errors => "stderr",
        }
    }
}

/// What happens to a pair.
pub enum CellsEvent {
    /// evcxr has started a bridge; the process has been started.
    Began(Pair),
    /// The process could not be started.
    Refused(String),
    /// evcxr wants this to be done: `LOAD_AND_RUN …`.
    Asked(String),
    /// The process has printed.
    Printed(Stream, Vec<u8>),
    /// The process has ended, and everything that it printed has been told.
    Ended(Option<ExitStatus>),
    /// evcxr has ended the bridge.
    Left,
}

/// An event with the number of its pair.
pub type Numbered = (u64, CellsEvent);

/// The ways to a pair. Without them it ends.
pub struct Pair {
    to_bridge: UnboundedSender<String>,
    to_process: UnboundedSender<String>,
    process: Option<u32>,
}

impl Pair {
    /// Tells evcxr a line.
    pub fn tell_evcxr(&self, line: &str) {
        let _ = self.to_bridge.send(format!("{line}\n"));
    }

    /// Makes the process run a cell.
    pub fn run(&self, request: &str) {
        let _ = self.to_process.send(format!("{request}\n"));
    }

    /// Ends the process, and what it started.
    pub fn kill(&self) {
        if let Some(group) = self
            .process
            .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
        {
            // It may have ended in the meantime.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// Where bridges connect.
pub fn bridge_socket(folder: &Path) -> PathBuf {
    folder.join("bridge")
}

/// What the process of the cells is started in.
pub struct Surroundings {
    /// The file by which cells are asked to stop.
    pub interrupt: PathBuf,
    /// The number of messages that have not gone out.
    pub waiting: Arc<AtomicUsize>,
    /// How much it may use.
    pub limits: Limits,
}

/// Waits for bridges, for as long as the kernel lives.
///
/// # Errors
/// A socket cannot be made.
pub fn serve(
    folder: &Path,
    surroundings: Surroundings,
    events: Sender<Numbered>,
) -> Result<(), String> {
    let listen = |path: PathBuf| {
        UnixListener::bind(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let bridges = listen(bridge_socket(folder))?;
    let place = folder.join("cells");
    let processes = listen(place.clone())?;
    tokio::spawn(async move {
        let mut number = 0;
        while let Ok((bridge, _)) = bridges.accept().await {
            number += 1;
            let teller = Teller {
                number,
                events: events.clone(),
                waiting: Arc::clone(&surroundings.waiting),
            };
            match start(&place, &surroundings, &processes).await {
                Ok((child, socket)) => pair(bridge, child, socket, teller).await,
                Err(reason) => teller.tell(CellsEvent::Refused(reason)).await,
            }
        }
    });
    Ok(())
}

/// Tells what happens to one pair.
#[derive(Clone)]
struct Teller {
    number: u64,
    events: Sender<Numbered>,
    waiting: Arc<AtomicUsize>,
}

impl Teller {
    async fn tell(&self, event: CellsEvent) {
        let _ = self.events.send((self.number, event)).await;
    }
}

async fn start(
    place: &Path,
    surroundings: &Surroundings,
    processes: &UnixListener,
) -> Result<(Child, UnixStream), String> {
    let program = std::env::var_os(names::CELLS).ok_or(format!("{} is not set", names::CELLS))?;
    let mut command = Command::new(&program);
    command
        .env(names::CELLS_SOCKET, place)
        .env(names::PARENT, std::process::id().to_string())
        .env(names::KERNEL, "1")
        .env(names::INTERRUPT, &surroundings.interrupt)
        .env(names::EVCXR_IS_RUNTIME, "1")
        // An error's message is what a reader wants of it, not the frames of the runtime.
        .env(
            "RUST_LIB_BACKTRACE",
            std::env::var_os("RUST_LIB_BACKTRACE").unwrap_or("0".into()),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        format!(
            "{} cannot be started: {error}",
            Path::new(&program).display()
        )
    })?;
    surroundings.limits.limit_memory(child.id());
    let accepted = tokio::select! {
        accepted = processes.accept() => accepted.map(|(socket, _)| socket).map_err(|error| error.to_string()),
        status = child.wait() => Err(format!("it ended at once ({})", status.map_or("?".into(), |status| status.to_string()))),
        () = tokio::time::sleep(START) => Err("it does not connect".into()),
    };
    match accepted {
        Ok(socket) => Ok((child, socket)),
        Err(reason) => {
            let _ = child.kill().await;
            let mut said = String::new();
            if let Some(mut errors) = child.stderr.take() {
                let _ = tokio::time::timeout(DRAIN, errors.read_to_string(&mut said)).await;
            }
            Err(format!(
                "the process of the cells cannot be started: {reason} {}",
                said.trim()
            ))
        }
    }
}

async fn pair(bridge: UnixStream, mut child: Child, socket: UnixStream, teller: Teller) {
    let (from_bridge, mut bridge) = bridge.into_split();
    let (to_bridge, mut lines_to_bridge) = unbounded_channel::<String>();
    let (to_process, lines_to_process) = unbounded_channel::<String>();
    teller
        .tell(CellsEvent::Began(Pair {
            to_bridge,
            to_process,
            process: child.id(),
        }))
        .await;
    tokio::spawn(write(socket, lines_to_process));
    let asked = teller.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(from_bridge).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            asked.tell(CellsEvent::Asked(line)).await;
        }
        asked.tell(CellsEvent::Left).await;
    });
    tokio::spawn(async move {
        while let Some(line) = lines_to_bridge.recv().await {
            if bridge.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
        // Dropped: evcxr sees the end.
    });
    let readers = [
        child
            .stdout
            .take()
            .map(|stream| tokio::spawn(copy(Stream::Output, stream, teller.clone()))),
        child
            .stderr
            .take()
            .map(|stream| tokio::spawn(copy(Stream::Errors, stream, teller.clone()))),
    ];
    tokio::spawn(async move {
        let status = child.wait().await.ok();
        for reader in readers.into_iter().flatten() {
            let stop = reader.abort_handle();
            if tokio::time::timeout(DRAIN, reader).await.is_err() {
                stop.abort();
            }
        }
        teller.tell(CellsEvent::Ended(status)).await;
    });
}

async fn write(mut socket: UnixStream, mut lines: UnboundedReceiver<String>) {
    while let Some(line) = lines.recv().await {
        if socket.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn copy(name: Stream, mut stream: impl AsyncRead + Unpin, teller: Teller) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        teller
            .tell(CellsEvent::Printed(name, buffer[..length].to_vec()))
            .await;
        while teller.waiting.load(Ordering::Relaxed) > MOST_WAITING {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A channel for the events, short so that a process that prints much has to wait.
pub fn events() -> (Sender<Numbered>, Receiver<Numbered>) {
    channel(16)
}
