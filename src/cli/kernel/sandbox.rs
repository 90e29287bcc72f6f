//! A sandbox around a kernel, for code of strangers: bubblewrap.
//!
//! Inside there is no network, and no other process is seen. Nothing can be written but the folder
//! that the kernel was started in, its build folder, a `/tmp` of its own and the folder of its
//! sockets. The home folder and a folder that [`HIDE`] names are empty, but for what compiling
//! needs to read: the checkout, the target folder, the toolchain, cargo's registry, the data.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use isopath::datasets;

use super::super::command::{command, find, output};
use super::super::project::Project;
use super::super::{Failure, Result};
use super::folder::Folder;
use super::toolchain::Toolchain;

/// The sandbox that the kernel is started in: [`NAME`], or none.
const SANDBOX: &str = "ISOPATH_SANDBOX";
/// The only value of the variable.
const NAME: &str = "bubblewrap";
/// A folder whose content is not seen inside.
const HIDE: &str = "ISOPATH_SANDBOX_HIDE";
/// Makes a course's configuration start kernels so.
pub const OF_COURSE: &str = "ISOPATH_COURSE_SANDBOX";
/// bubblewrap's program.
const PROGRAM: &str = "bwrap";
/// What to do where it is not installed.
const MISSING: &str = "bubblewrap is not installed, so there is no sandbox; on Debian and Ubuntu: apt-get install bubblewrap";
/// How every sandbox begins: no network, no other process, nothing that can be written.
const BEGIN: [&str; 14] = [
    "--die-with-parent",
    "--new-session",
    "--unshare-all",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--tmpfs",
    "/tmp",
    // The sockets of the system's services: one that nobody can write to still takes connections.
    "--tmpfs",
    "/run",
];

/// Whether the kernel is to be started in a sandbox.
///
/// # Errors
/// The variable names an unknown one.
pub fn is_wanted() -> Result<bool> {
    match std::env::var_os(SANDBOX) {
        None => Ok(false),
        Some(name) if name == NAME => Ok(true),
        Some(name) => Err(Failure(format!(
            "{SANDBOX} is {name:?}; expected {NAME}, or not to be set"
        ))),
    }
}

/// Checks that a sandbox can be made here: runs nothing in one. Returns bubblewrap's version.
///
/// # Errors
/// bubblewrap is not installed, or the system does not let it.
pub fn check() -> Result<String> {
    if find(PROGRAM).is_none() {
        return Err(Failure(MISSING.into()));
    }
    let version = output(command(PROGRAM).arg("--version"))?;
    output(command(PROGRAM).args(BEGIN).args(["--", "true"]))
        .map_err(|Failure(reason)| Failure(format!("no sandbox can be made here: {reason}")))?;
    Ok(version)
}

/// A command that starts `program` inside, for a kernel with the build folder `folder`.
///
/// # Errors
/// bubblewrap is not installed, or the working folder is gone.
pub fn around(
    program: &Path,
    project: &Project,
    folder: &Folder,
    connection_file: &Path,
) -> Result<Command> {
    if find(PROGRAM).is_none() {
        return Err(Failure(MISSING.into()));
    }
    let here = std::env::current_dir()
        .map_err(|error| Failure(format!("the working folder cannot be read: {error}")))?;
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = variable("HOME");
    let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
    let toolchain = Toolchain::locate()?;
    let hidden = [home.clone(), variable(HIDE)];
    let read = [
        Some(project.root.clone()),
        Some(project.target.clone()),
        Some(datasets::root()),
        variable("CARGO_HOME").or_else(|| in_home(".cargo")),
        variable("RUSTUP_HOME").or_else(|| in_home(".rustup")),
        toolchain
            .rustc
            .parent()
            .and_then(Path::parent)
            .map(Path::to_path_buf),
    ];
    let sockets = connection_file.parent().map(Path::to_path_buf);
    let written = [
        Some(folder.path().to_path_buf()),
        Some(here.clone()),
        sockets,
    ];
    let mut sandbox = command(PROGRAM);
    // Processes have other numbers inside. bubblewrap ends everything with Jupyter.
    sandbox.env_remove("JPY_PARENT_PID");
    sandbox.args(BEGIN);
    let mut mount = |how: &str, path: PathBuf| {
        // What is not there needs no place.
        if let Ok(path) = path.canonicalize() {
            let path: OsString = path.into();
            sandbox.arg(how);
            if how != "--tmpfs" {
                sandbox.arg(&path);
            }
            sandbox.arg(path);
        }
    };
    hidden
        .into_iter()
        .flatten()
        .for_each(|path| mount("--tmpfs", path));
    read.into_iter()
        .flatten()
        .for_each(|path| mount("--ro-bind", path));
    written
        .into_iter()
        .flatten()
        .for_each(|path| mount("--bind", path));
    sandbox.arg("--chdir").arg(here).arg("--").arg(program);
    Ok(sandbox)
}
