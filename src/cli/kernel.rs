//! The command `kernel`, which Jupyter starts as the kernelspec says.
//!
//! evcxr's own kernel would compile candle anew for every notebook, and let rust-analyzer load the
//! source of every package in its tree. This one gives the kernel's program (`src/kernel`) a build
//! folder that is kept, that holds the dependencies as cargo compiled them for the crate, and that
//! no other running kernel uses.

mod folder;
mod home;
pub mod program;
pub mod sandbox;
pub mod toolchain;
pub mod units;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::command::command;
use super::project::Project;
use super::{Failure, Result, processors};

use folder::Folder;
use toolchain::Toolchain;
use units::Files;

/// How the C library keeps memory: as for `cargo run`, for the reason that `.cargo/config.toml`
/// gives.
const MEMORY: [(&str, &str); 4] = [
    ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
    ("MALLOC_TRIM_THRESHOLD_", "1073741824"),
    ("MALLOC_TOP_PAD_", "67108864"),
    ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
];

/// The packages whose types a cell can name; rust-analyzer loads no others. Besides those that a
/// cell asks for itself.
const PACKAGES: [&str; 8] = [
    "isopath",
    "candle-core",
    "candle-nn",
    "ndarray",
    "half",
    "num-traits",
    "num-complex",
    "float8",
];

/// Starts evcxr_jupyter bare, in the same folder, to compare with.
const STOCK: &str = "ISOPATH_KERNEL_STOCK";

/// Becomes the kernel's program, in a folder of the pool. Where no folder can be prepared the
/// program is told why, and so is whoever runs a cell.
///
/// # Errors
/// The program is not there. On success it does not return.
pub fn kernel(project: &Project, connection_file: &Path) -> Result<()> {
    let program = program::path(project);
    if !program.is_file() {
        return Err(Failure(format!(
            "{} is not there; run `cargo run -- setup`",
            program.display()
        )));
    }
    let (mut kernel, folder) = match prepare(project, &program, connection_file) {
        Ok((kernel, folder)) => (kernel, Some(folder)),
        Err(Failure(reason)) => {
            let mut kernel = command(&program);
            kernel.env("ISOPATH_KERNEL_REFUSAL", reason);
            (kernel, None)
        }
    };
    if std::env::var_os(STOCK).is_some() {
        kernel.arg("--control_file");
    }
    let error = kernel
        .arg(connection_file)
        .envs(processors::variables())
        .envs(
            MEMORY
                .into_iter()
                .filter(|(name, _)| std::env::var_os(name).is_none()),
        )
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET_DIR")
        .exec();
    drop(folder);
    Err(Failure(format!(
        "{} cannot be started: {error}",
        program.display()
    )))
}

/// Claims and prepares a folder; gives it with the command that starts the program in it.
fn prepare(project: &Project, program: &Path, connection_file: &Path) -> Result<(Command, Folder)> {
    const SETUP: &str = "run `cargo run -- setup`";
    let toolchain = Toolchain::locate()?;
    let cells = program::cells(project);
    if !cells.is_file() {
        return Err(Failure(format!(
            "the crate is not compiled for the notebooks; {SETUP}, then restart the kernel"
        )));
    }
    if !toolchain.made(&project.seed())? {
        return Err(Failure(format!(
            "the crate was not compiled by {}; {SETUP}, then restart the kernel",
            toolchain.rustc.display()
        )));
    }
    if toolchain.source().is_none() {
        return Err(Failure(format!(
            "the source of the standard library is not installed; {SETUP}, then restart the kernel"
        )));
    }
    let is_sandboxed = sandbox::is_wanted()?;
    let folder = if is_sandboxed {
        // What a stranger's code leaves is for nobody: a folder of its own, made of copies.
        let folder = Folder::claim(&project.kernels().join("sandboxed"))?;
        folder.clear()?;
        folder
    } else {
        Folder::claim(&project.kernels())?
    };
    let files = if is_sandboxed {
        Files::Copied
    } else {
        Files::Linked
    };
    let is_stock = std::env::var_os(STOCK).is_some();
    folder.prepare(project, &toolchain, is_stock, files)?;
    folder.keep_lock_across_exec()?;
    let home = home::prepare(&folder.path().join("home"), program)?;
    let mut kernel = if is_sandboxed {
        sandbox::around(program, project, &folder, connection_file)?
    } else {
        command(program)
    };
    let variables: Vec<(&str, OsString)> = vec![
        ("EVCXR_TMPDIR", folder.cells().into()),
        ("EVCXR_CONFIG_DIR", folder.config().into()),
        ("ISOPATH_KERNEL_CELLS", cells.into()),
        ("ISOPATH_KERNEL_ANALYSIS_HOME", home.into()),
        ("ISOPATH_KERNEL_CARGO", toolchain.cargo.into()),
        ("ISOPATH_KERNEL_RUSTC", toolchain.rustc.into()),
        (
            "ISOPATH_KERNEL_CARGO_HOME",
            std::env::var_os("CARGO_HOME").unwrap_or_default(),
        ),
        ("ISOPATH_KERNEL_PACKAGES", PACKAGES.join(",").into()),
        ("ISOPATH_KERNEL_LIBRARY", project.root.clone().into()),
        ("ISOPATH_KERNEL_FOLDER", folder.path().into()),
    ];
    kernel.envs(variables);
    Ok((kernel, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_as_for_cargo_run() {
        let config = include_str!("../../.cargo/config.toml");
        for (name, value) in MEMORY {
            assert!(config.contains(&format!("{name} = \"{value}\"")), "{name}");
        }
    }
}
