//! Compiling a cell.
//!
//! What evcxr compiles before the first cell is the same at every start, so its outcome is kept: what cargo said, and the
//! library. A cell's own code goes to cargo.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::write_whole;
use crate::names;

/// Between two looks at whether cargo has ended.
const LOOK: Duration = Duration::from_millis(4);

/// Runs cargo, or gives what came of the same build at an earlier start, if `kept` names it.
///
/// # Errors
/// cargo cannot be started.
pub fn run(cargo: &mut Command, kept: Option<PathBuf>) -> Result<(), String> {
    let folder = PathBuf::from(std::env::var_os(names::FOLDER).unwrap_or_default());
    let kept = kept.filter(|_| !folder.join(names::READY).exists());
    if let Some(Ok(said)) = kept.as_deref().map(std::fs::read)
        && let Some((first, said)) = said.split_first()
        && kept.as_deref().is_some_and(|kept| restore(kept, said))
    {
        return say(said, i32::from(*first));
    }
    // While this file is away, a build is on its way: one that is cut off would leave the folder to be compiled anew.
    let good = folder.join(names::GOOD);
    let _ = std::fs::remove_file(&good);
    // What the engine needs to start is not the reader's to stop.
    let interrupt =
        std::env::var_os(names::INTERRUPT).map(PathBuf::from).filter(|_| folder.join(names::READY).exists());
    let Some((code, said)) =
        until_stopped(cargo, interrupt.as_deref()).map_err(|error| format!("cargo cannot be started: {error}"))?
    else {
        return Err("stopped".to_owned());
    };
    let _ = std::fs::write(&good, "");
    if let Some(kept) = kept
        && let Ok(first) = u8::try_from(code)
        && keep_library(&kept, &said).is_ok()
    {
        let _ = write_whole(&kept, &[&[first], &said[..]].concat());
    }
    say(&said, code)
}

/// Runs cargo to its end and gives its status and what it said; none if the file `interrupt` has come in the meantime, and
/// then everything that cargo started is ended.
fn until_stopped(cargo: &mut Command, interrupt: Option<&Path>) -> std::io::Result<Option<(i32, Vec<u8>)>> {
    let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn()?;
    let mut output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut said = vec![];
        output.as_mut().map(|output| output.read_to_end(&mut said));
        said
    });
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some((status.code().unwrap_or(101), reader.join().unwrap_or_default())));
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

fn say(said: &[u8], code: i32) -> Result<(), String> {
    std::io::stdout().write_all(said).and_then(|()| std::io::stdout().flush()).map_err(|error| error.to_string())?;
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
    let messages = said.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    messages
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == "ctx")
        .filter_map(|message| {
            let files = message["filenames"].as_array()?;
            files.iter().filter_map(Value::as_str).find(|file| file.ends_with("libctx.so")).map(PathBuf::from)
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_the_one_of_the_cells() {
        let said = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"isopath\"},\"filenames\":[\"/libisopath.so\"]}\n",
            "no json\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"ctx\"},\"filenames\":[\"/a/libctx.so\"]}\n",
        );
        assert_eq!(library(said.as_bytes()), Some(PathBuf::from("/a/libctx.so")));
        assert_eq!(library(b"{\"reason\":\"build-finished\",\"success\":false}\n"), None);
    }
}
