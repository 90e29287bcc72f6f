//! The relay: what Jupyter's clients take for the kernel.
//!
//! It answers by itself whatever needs no compiler, passes cells to the engine, and owns the
//! process in which they run. So it sees each end of a cell for what it is (evcxr reports a panic,
//! and an error at `?`, as success), gives every output to the right cell, and can stop a cell
//! without ending its process.

mod cell;
mod cells;
mod completeness;
mod cursor;
mod engine;
mod failure;
mod history;
mod kernel;
mod limits;
mod marks;
mod message;
mod sockets;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jupyter_protocol::ConnectionInfo;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;

use kernel::Kernel;
use limits::Limits;
use sockets::{Channel, Sockets};

use crate::{names, watch};

/// A socket's path has to fit into 108 bytes.
const LONGEST_FOLDER: usize = 80;
/// How long the last messages may take to go out.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves the clients of a connection file until they shut the kernel down, or until who started it
/// is gone.
///
/// # Errors
/// The connection file cannot be read, its ports are taken, or the engine cannot be started.
pub fn run(connection_file: &Path) -> Result<(), String> {
    let failed = |reason: String| format!("{}: {reason}", connection_file.display());
    let text =
        std::fs::read_to_string(connection_file).map_err(|error| failed(error.to_string()))?;
    let info: ConnectionInfo =
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the relay cannot be started: {error}"))?;
    runtime.block_on(serve(info))
}

async fn serve(info: ConnectionInfo) -> Result<(), String> {
    let folder = Folder::new()?;
    let (requests_in, mut requests) = unbounded_channel();
    let sockets = Sockets::open(
        &info,
        &message::request("session", serde_json::json!({}))
            .header
            .msg_id,
        requests_in,
    )
    .await?;
    let interrupt = folder.path().join("interrupt");
    let limits = Limits::of_environment();
    let refusal = std::env::var(names::REFUSAL).ok();
    let refusal = refusal.or_else(|| limits.as_ref().err().cloned());
    let limits = limits.unwrap_or_default();
    let (cell_events_in, mut cell_events) = cells::events();
    let surroundings = cells::Surroundings {
        interrupt: interrupt.clone(),
        waiting: sockets.waiting(),
        limits: limits.clone(),
    };
    cells::serve(folder.path(), surroundings, cell_events_in)?;
    let (engine_events_in, mut engine_events) = unbounded_channel();
    let engine = match refusal {
        Some(reason) => engine::Engine::refused(reason, &engine_events_in),
        None => engine::Engine::start(
            folder.path(),
            &cells::bridge_socket(folder.path()),
            &interrupt,
            engine_events_in,
        )?,
    };
    let mut kernel = Kernel::new(sockets, engine, interrupt, limits);

    let (gone_in, mut gone) = unbounded_channel();
    for kind in [SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).map_err(|error| error.to_string())?;
        let gone = gone_in.clone();
        tokio::spawn(async move {
            signals.recv().await;
            let _ = gone.send(());
        });
    }
    // Jupyter names itself, so that a kernel whose server was killed does not stay for ever.
    watch::parent("JPY_PARENT_PID", move || {
        let _ = gone_in.send(());
    });
    let mut interrupts = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;

    while !kernel.is_over() {
        tokio::select! {
            biased;
            _ = gone.recv() => break,
            _ = interrupts.recv() => kernel.interrupt(),
            () = tokio::time::sleep_until(kernel.deadline().into()) => kernel.tick(),
            Some((channel, request)) = requests.recv() => match channel {
                Channel::Control => kernel.control(request),
                Channel::Shell => kernel.shell(request),
            },
            Some((pair, event)) = cell_events.recv() => kernel.cells(pair, event),
            Some(event) = engine_events.recv() => kernel.engine(event),
        }
    }
    kernel.end();
    let waiting = kernel.waiting();
    let sent = async {
        while waiting.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // What was given to the sockets is written by tasks of their own.
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let _ = tokio::time::timeout(FAREWELL, sent).await;
    Ok(())
}

/// A folder of this kernel's own for its sockets: in its build folder, where the next kernel clears
/// what a killed one has left, or, where that path is too long, a temporary one.
enum Folder {
    Own(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn new() -> Result<Self, String> {
        let own = std::env::var_os(names::FOLDER).map(|folder| Path::new(&folder).join("run"));
        if let Some(own) = own.filter(|own| own.as_os_str().len() < LONGEST_FOLDER) {
            let _ = std::fs::remove_dir_all(&own);
            // For nobody else: who can write to the sockets can run code.
            if std::fs::DirBuilder::new().mode(0o700).create(&own).is_ok() {
                return Ok(Self::Own(own));
            }
        }
        let temporary = std::env::temp_dir();
        let is_short = temporary.as_os_str().len() < LONGEST_FOLDER;
        let place = if is_short { temporary } else { "/tmp".into() };
        let folder = tempfile::Builder::new()
            .prefix("isopath-kernel-")
            .tempdir_in(&place);
        folder
            .map(Self::Temporary)
            .map_err(|error| format!("{}: {error}", place.display()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Self::Own(path) = self {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}
