//! The kernel's program: the package in `src/kernel`, which holds evcxr_jupyter, compiled once.

use std::path::{Path, PathBuf};
use std::time::Instant;

use isopath::io::digest::of_file;
use isopath::io::files::write_whole;

use super::super::command::{command, run};
use super::super::files::{at, entries};
use super::super::project::Project;
use super::super::{Failure, Result};

/// The version of evcxr_jupyter that the package asks for, and that the kernel folders are made
/// for: they rely on how it calls cargo.
pub const EVCXR: &str = "0.22.0";

/// Names another program than the one that `setup` builds.
const OTHER: &str = "ISOPATH_KERNEL_PROGRAM";

/// Where the program is, whether it is there or not.
pub fn path(project: &Project) -> PathBuf {
    std::env::var_os(OTHER).map_or_else(
        || project.target.join("kernel/isopath-kernel"),
        PathBuf::from,
    )
}

/// The program that runs the cells: compiled with the library, by the same compiler.
pub fn cells(project: &Project) -> PathBuf {
    project
        .seed()
        .join("target")
        .join(&project.triple)
        .join("debug/cells")
}

/// The source of [`cells`].
pub fn cells_source(project: &Project) -> PathBuf {
    package(project).join("src/cells/main.rs")
}

/// The program, if it was compiled from the sources as they are now.
pub fn find(project: &Project) -> Option<PathBuf> {
    let program = path(project);
    if std::env::var_os(OTHER).is_some() {
        return program.is_file().then_some(program);
    }
    let record = std::fs::read_to_string(record(project)).ok()?;
    (program.is_file() && record == sources(project).ok()?).then_some(program)
}

/// Finds the program, or compiles it. An interrupted build goes on where it stopped.
///
/// # Errors
/// cargo cannot build it.
pub fn find_or_build(project: &Project) -> Result<PathBuf> {
    if let Some(program) = find(project) {
        return Ok(program);
    }
    let sources = sources(project)?;
    println!(
        "compiling the Rust kernel with evcxr_jupyter {EVCXR}; this happens once and takes 5 to 20 minutes on two cores"
    );
    let start = Instant::now();
    let build = project.target.join("kernel/build");
    // From the root folder: the flags of this project's .cargo/config.toml are not for a program of
    // its own.
    run(
        command("cargo")
            .current_dir("/")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("RUSTFLAGS")
            .args([
                "build",
                "--release",
                "--locked",
                "--quiet",
                "--bin",
                "isopath-kernel",
                "--manifest-path",
            ])
            .arg(package(project).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&build),
        "run the command again: it continues where it stopped",
    )?;
    let built = build.join("release/isopath-kernel");
    let program = path(project);
    // A new file in the old one's place: running kernels keep theirs.
    let copy = program.with_extension("new");
    std::fs::copy(&built, &copy).map_err(at(&built))?;
    std::fs::rename(&copy, &program).map_err(at(&program))?;
    write_whole(&record(project), sources.as_bytes())?;
    println!("compiled in {:.0} s", start.elapsed().as_secs_f64());
    Ok(program)
}

fn package(project: &Project) -> PathBuf {
    project.root.join("src/kernel")
}

fn record(project: &Project) -> PathBuf {
    path(project).with_extension("sources")
}

/// All sources, each with its digest.
fn sources(project: &Project) -> Result<String> {
    let package = package(project);
    let mut files = vec![package.join("Cargo.toml"), package.join("Cargo.lock")];
    collect(&package.join("src"), &mut files)?;
    files.sort();
    let line = |file: &PathBuf| {
        let name = file.strip_prefix(&package).unwrap_or(file).display();
        Ok(format!("{} {name}\n", of_file(file)?))
    };
    files.iter().map(line).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let found = entries(folder)?;
    if found.is_empty() {
        return Err(Failure(format!(
            "{} is empty; expected the kernel's sources: check the repository out again",
            folder.display()
        )));
    }
    for path in found {
        if path.is_dir() {
            collect(&path, files)?
        } else {
            files.push(path)
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_asks_for_the_version_that_the_folders_are_made_for() {
        let manifest = include_str!("../../kernel/Cargo.toml");
        assert!(
            manifest.contains(&format!("evcxr_jupyter = {{ version = \"={EVCXR}\"")),
            "{manifest}"
        );
    }
}
