//! Compiling a cell.
//!
//! What evcxr compiles before the first cell is the same at every start, so its outcome is kept:
//! what cargo said, and the library. A cell's own code is compiled as cargo has compiled the one
//! before.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::direct::{self, Call};
use super::write_whole;
use crate::names;

/// Between two looks at whether a compilation has ended.
const LOOK: Duration = Duration::from_millis(4);

/// Where what is known of a build is kept.
pub struct Kept {
    /// What came of this very code, with this very library.
    pub outcome: Option<PathBuf>,
    /// How any code is compiled, with this very library.
    pub call: Option<PathBuf>,
}

/// Runs cargo, or gives what came of the same build at an earlier start, or calls the compiler as
/// cargo does.
///
/// # Errors
/// cargo cannot be started.
pub fn run(cargo: &mut Command, kept: Kept) -> Result<(), String> {
    let folder = PathBuf::from(std::env::var_os(names::FOLDER).unwrap_or_default());
    let is_ready = folder.join(names::READY).exists();
    let outcome = kept.outcome.filter(|_| !is_ready);
    if let Some(Ok(said)) = outcome.as_deref().map(std::fs::read)
        && let Some((first, said)) = said.split_first()
        && outcome.as_deref().is_some_and(|kept| restore(kept, said))
    {
        return say(said, i32::from(*first));
    }
    // What the engine needs to start is not the reader's to stop.
    let interrupt = std::env::var_os(names::INTERRUPT)
        .map(PathBuf::from)
        .filter(|_| is_ready);
    let call = kept
        .call
        .as_ref()
        .and_then(|path| serde_json::from_slice::<Call>(&std::fs::read(path).ok()?).ok());
    if let Some(call) = call.filter(|_| is_ready) {
        let mut compiler = call.command(&folder);
        compiler.stderr(Stdio::inherit());
        match until_stopped(&mut compiler, interrupt.as_deref()) {
            Ok(None) => return Err("stopped".to_owned()),
            Ok(Some(Ended { code: 0, .. })) => {
                if let Ok(said) = call.finish() {
                    return say(said.as_bytes(), 0);
                }
            }
            // As cargo does; the compiler has said why, in lines of JSON.
            Ok(Some(Ended { code: 1, .. })) => return say(b"", 101),
            // It crashed, or is gone: cargo will say so.
            Ok(Some(_)) | Err(_) => {}
        }
    }
    // While this file is away, a build is on its way: one that is cut off would leave the folder to
    // be compiled anew.
    let good = folder.join(names::GOOD);
    let _ = std::fs::remove_file(&good);
    cargo.arg("-vv").stderr(Stdio::piped());
    let ended = until_stopped(cargo, interrupt.as_deref())
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let Some(Ended {
        code,
        output: said,
        errors,
    }) = ended
    else {
        return Err("stopped".to_owned());
    };
    let _ = std::fs::write(&good, "");
    let errors = String::from_utf8_lossy(&errors);
    if let (Some(path), Some(call)) = (
        kept.call,
        Call::read(&errors, &String::from_utf8_lossy(&said)),
    ) {
        // Only a convenience, as what follows.
        let _ = serde_json::to_vec(&call).map(|call| write_whole(&path, &call));
    }
    if let Some(kept) = outcome
        && let Ok(first) = u8::try_from(code)
        && keep_library(&kept, &said).is_ok()
    {
        let _ = write_whole(&kept, &[&[first], &said[..]].concat());
    }
    // Without what `-vv` adds.
    let added = ["Fresh ", "Running `", "Dirty "];
    let words = errors.lines().filter(|line| {
        !added
            .iter()
            .any(|added| line.trim_start().starts_with(added))
    });
    words.for_each(|line| eprintln!("{line}"));
    say(&said, code)
}

/// How a command has ended.
struct Ended {
    /// Its status, -1 if a signal has ended it.
    code: i32,
    output: Vec<u8>,
    errors: Vec<u8>,
}

/// Runs a command to its end and gives its status and what it printed, of standard error only what
/// is piped; none if the file `interrupt` has come in the meantime, and then everything that it
/// started is ended.
fn until_stopped(
    command: &mut Command,
    interrupt: Option<&Path>,
) -> std::io::Result<Option<Ended>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let output = child
        .stdout
        .take()
        .map(|stream| std::thread::spawn(|| read_all(stream)));
    let errors = child
        .stderr
        .take()
        .map(|stream| std::thread::spawn(|| read_all(stream)));
    loop {
        if let Some(status) = child.try_wait()? {
            let read = |reader: Option<std::thread::JoinHandle<Vec<u8>>>| {
                reader
                    .and_then(|reader| reader.join().ok())
                    .unwrap_or_default()
            };
            let code = status.code().unwrap_or(-1);
            return Ok(Some(Ended {
                code,
                output: read(output),
                errors: read(errors),
            }));
        }
        if interrupt.is_some_and(Path::exists) {
            if let Some(group) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                // It may have ended in the meantime.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
            }
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = vec![];
    // What was read before a fault is still worth something.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

fn say(said: &[u8], code: i32) -> Result<(), String> {
    std::io::stdout()
        .write_all(said)
        .and_then(|()| std::io::stdout().flush())
        .map_err(|error| error.to_string())?;
    std::process::exit(code)
}

/// Puts the kept library where cargo would have put it. A build that failed has none.
fn restore(kept: &Path, said: &[u8]) -> bool {
    library(said).is_none_or(|library| std::fs::copy(kept.with_extension("so"), library).is_ok())
}

fn keep_library(kept: &Path, said: &[u8]) -> std::io::Result<()> {
    match library(said) {
        Some(library) => write_whole(&kept.with_extension("so"), &std::fs::read(library)?),
        None => Ok(()),
    }
}

/// The library that cargo says it has made of the cells' package.
fn library(said: &[u8]) -> Option<PathBuf> {
    String::from_utf8_lossy(said)
        .lines()
        .find_map(direct::artifact)
}
