//! A folder that replaces cargo's home for evcxr and rust-analyzer.
//!
//! rust-analyzer asks `$CARGO_HOME/bin/cargo` first, evcxr asks `rustup`. Here both are the
//! kernel's program, which describes only the packages that a cell can name; everything else is a
//! link to what the user has.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::Result;
use super::super::files::{at, entries};

/// How many answers of the program are kept; a start needs about twenty.
const MOST_ANSWERS: usize = 120;

/// Brings the folder up to date; gives it back.
///
/// # Errors
/// A link cannot be made.
pub fn prepare(home: &Path, program: &Path) -> Result<PathBuf> {
    let bin = home.join("bin");
    std::fs::create_dir_all(&bin).map_err(at(&bin))?;
    for name in ["cargo", "rustup"] {
        link(program, &bin.join(name))?;
    }
    // Answers to questions that nobody asks any more.
    let answers = home.join("answers");
    if entries(&answers)?.len() > MOST_ANSWERS {
        std::fs::remove_dir_all(&answers).map_err(at(&answers))?;
    }
    if let Some(real) = real() {
        for path in entries(&real)? {
            if let Some(name) = path
                .file_name()
                .filter(|name| *name != "bin" && *name != "answers")
            {
                link(&path, &home.join(name))?;
            }
        }
    }
    Ok(home.to_path_buf())
}

/// The user's own.
fn real() -> Option<PathBuf> {
    let default = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(default)
}

fn link(to: &Path, from: &Path) -> Result<()> {
    match std::fs::read_link(from) {
        Ok(found) if found == to => return Ok(()),
        Ok(_) => std::fs::remove_file(from).map_err(at(from))?,
        // cargo has written a file of its own here.
        Err(_) if from.exists() => return Ok(()),
        Err(_) => {}
    }
    symlink(to, from).map_err(at(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_the_program_and_a_link_follows_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        for program in ["/one", "/two", "/two"] {
            prepare(&home, Path::new(program)).unwrap();
            assert_eq!(
                std::fs::read_link(home.join("bin/cargo")).unwrap(),
                Path::new(program)
            );
        }
    }
}
