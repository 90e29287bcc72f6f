//! Starts other programs. An error names the program and says what to do.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Failure, Result};

/// The file that a program's name starts, looked up on `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// A command whose environment is that of the shell, without what `cargo run` adds: its variables
/// would look to the next cargo like a changed environment, and its library path would make a
/// notebook's cells load the package's own library instead of theirs.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in LIBRARY_PATHS {
        if let Some(path) = std::env::var_os(name) {
            command.env(name, without_build_folders(&path));
        }
    }
    for (name, _) in std::env::vars_os() {
        if is_added_by_cargo_run(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

/// Where the loaders of Linux and macOS look for libraries first.
const LIBRARY_PATHS: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"];

/// The library path without the folders that cargo builds into: those inside the folder of this
/// binary's profile.
fn without_build_folders(path: &OsStr) -> OsString {
    let binary = std::env::current_exe().unwrap_or_default();
    let build = binary.parent().unwrap_or(Path::new(""));
    let kept = std::env::split_paths(path).filter(|folder| !folder.starts_with(build));
    std::env::join_paths(kept).unwrap_or_default()
}

fn is_added_by_cargo_run(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || matches!(
            name,
            "CARGO"
                | "CARGO_MANIFEST_DIR"
                | "CARGO_MANIFEST_PATH"
                | "CARGO_PRIMARY_PACKAGE"
                | "OUT_DIR"
        )
}

/// Runs a command whose output the user sees.
///
/// # Errors
/// It cannot be started (the message names `remedy`), or it fails.
pub fn run(command: &mut Command, remedy: &str) -> Result<()> {
    let name = describe(command);
    let status = command
        .status()
        .map_err(|error| Failure(format!("{name} cannot be started ({error}); {remedy}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure(format!("{name} failed ({status}); {remedy}")))
    }
}

/// Runs a command and gives what it prints on standard output, trimmed.
///
/// # Errors
/// It cannot be started, or it fails: with the last line that it wrote on standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure(format!("{name} cannot be started ({error})")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no message");
    Err(Failure(format!(
        "{name} failed ({}): {}",
        output.status,
        last.trim()
    )))
}

/// The command line that started this program, as a record names it.
pub fn line() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let features = if cfg!(feature = "cuda") {
        "--features cuda "
    } else {
        ""
    };
    format!("cargo run {features}-- {}", arguments.join(" "))
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy();
    match command
        .get_args()
        .find(|argument| !argument.to_string_lossy().starts_with('-'))
    {
        Some(argument) if argument.len() < 40 && !argument.to_string_lossy().contains('\n') => {
            format!("`{program} {}`", argument.to_string_lossy())
        }
        _ => format!("`{program}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-as-this").is_none());
    }

    #[test]
    fn cargo_s_build_folders_leave_the_library_path() {
        let build = std::env::current_exe()
            .unwrap()
            .parent()
            .unwrap()
            .to_path_buf();
        let path = std::env::join_paths([build.join("deps"), "/opt/cuda".into(), build]).unwrap();
        assert_eq!(without_build_folders(&path), "/opt/cuda");
    }

    #[test]
    fn output_and_failure() {
        assert_eq!(
            output(Command::new("sh").args(["-c", "echo one"])).unwrap(),
            "one"
        );
        let failure =
            output(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 3"]))
                .unwrap_err();
        assert!(failure.to_string().ends_with("last"), "{failure}");
        let failure = run(&mut Command::new("/no/such/program"), "install it").unwrap_err();
        assert!(failure.to_string().ends_with("install it"), "{failure}");
    }
}
