//! Compiling a cell.
//!
//! What evcxr compiles before the first cell is the same at every start, so its outcome is kept: what cargo said, and the
//! library. A cell's own code goes to cargo.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::write_whole;
use crate::names;

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
    let output = cargo
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let _ = std::fs::write(&good, "");
    let code = output.status.code().unwrap_or(101);
    if let Some(kept) = kept
        && let Ok(first) = u8::try_from(code)
        && keep_library(&kept, &output.stdout).is_ok()
    {
        let _ = write_whole(&kept, &[&[first], &output.stdout[..]].concat());
    }
    say(&output.stdout, code)
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
