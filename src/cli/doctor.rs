//! The command `doctor`: checks what is installed, and says how to mend what is missing.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use isopath::datasets::{self, Set};
use isopath::scale::Scale;
use serde_json::json;

use super::command::{command, find, output};
use super::environment::{Environment, required_packages, system_python};
use super::files::{entries, free_gigabytes, write_if_changed};
use super::kernel::toolchain::Toolchain;
use super::kernel::{program, sandbox};
use super::package::quoted;
use super::project::Project;
use super::setup::{DISK_NEEDED_GB, KERNEL_NAME, kernelspec, kernelspec_text};
use super::{Failure, Result, render};

/// The remedy for most of what is missing.
const SETUP: &str = "run `cargo run -- setup`";

/// What a check found: a description, or what is wrong and the remedy.
type Finding = std::result::Result<String, Problem>;

/// What is wrong. What only some need is no reason to fail.
struct Problem {
    what: String,
    remedy: String,
    matters: bool,
}

impl Problem {
    fn new(what: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self {
            what: what.to_string(),
            remedy: remedy.into(),
            matters: true,
        }
    }

    fn optional(what: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self {
            matters: false,
            ..Self::new(what, remedy)
        }
    }
}

/// Checks everything, one line each.
///
/// # Errors
/// Something that the notebooks need is missing.
pub fn doctor(project: &Project) -> Result<()> {
    let environment = Environment::locate(project);
    let checks: [(&str, Finding); 12] = [
        ("rust", rust()),
        ("rust-src", rust_src()),
        ("python", python()),
        ("jupyter", jupyter(project, &environment)),
        ("evcxr", evcxr_jupyter(project)),
        ("kernelspec", spec(project, &environment)),
        ("kernels", kernels(project)),
        ("disk", disk(&project.target)),
        ("npm", npm()),
        ("course", course(project, &environment)),
        ("sandbox", sandbox()),
        ("cuda", cuda()),
    ];
    let mut missing = 0;
    for (name, finding) in &checks {
        missing += usize::from(!report(name, finding));
    }
    for set in Set::OF_NOTEBOOKS {
        report("data", &data(set));
    }
    if missing == 0 {
        missing += usize::from(!report("notebook", &notebook(project, &environment)));
    }
    if missing == 0 {
        Ok(())
    } else {
        Err(Failure(format!(
            "{missing} of the checks failed; each line marked MISSING ends with what to do"
        )))
    }
}

fn report(name: &str, finding: &Finding) -> bool {
    match finding {
        Ok(found) => println!("ok       {name:<11}{found}"),
        Err(Problem {
            what,
            remedy,
            matters: true,
        }) => println!("MISSING  {name:<11}{what}; {remedy}"),
        Err(Problem {
            what,
            remedy,
            matters: false,
        }) => println!("without  {name:<11}{what}; {remedy}"),
    }
    finding
        .as_ref()
        .map_or_else(|problem| !problem.matters, |_| true)
}

fn rust() -> Finding {
    const NEEDED: &str = env!("CARGO_PKG_RUST_VERSION");
    let remedy = format!("install Rust {NEEDED} or newer with rustup");
    let version =
        output(command("rustc").arg("--version")).map_err(|error| Problem::new(error, &*remedy))?;
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    if parts(number) >= parts(NEEDED) {
        Ok(version)
    } else {
        Err(Problem::new(version, remedy))
    }
}

/// `1.95.0-nightly` → `[1, 95, 0]`.
fn parts(version: &str) -> Vec<u32> {
    version
        .split(['.', '-'])
        .map_while(|part| part.parse().ok())
        .collect()
}

fn rust_src() -> Finding {
    let toolchain = Toolchain::locate().map_err(|error| Problem::new(error, SETUP))?;
    match toolchain.source() {
        Some(source) => Ok(source.display().to_string()),
        None => Err(Problem::new(
            "not installed: evcxr needs it to tell the types of variables",
            SETUP,
        )),
    }
}

fn python() -> Finding {
    match system_python() {
        Ok(python) => Ok(python.display().to_string()),
        Err(error) => Err(Problem::new(error, SETUP)),
    }
}

fn jupyter(project: &Project, environment: &Environment) -> Finding {
    let missing = required_packages(&project.root)
        .and_then(|required| environment.missing(&required))
        .map_err(|error| Problem::new(error, SETUP))?;
    if missing.is_empty() {
        return Ok(environment.prefix.display().to_string());
    }
    Err(Problem::new(
        format!(
            "{} lacks {}",
            environment.prefix.display(),
            missing.join(", ")
        ),
        SETUP,
    ))
}

fn evcxr_jupyter(project: &Project) -> Finding {
    match program::find(project) {
        Some(program) => Ok(format!("{} in {}", program::EVCXR, program.display())),
        None => Err(Problem::new(
            "the kernel is not compiled, or its sources have changed since",
            SETUP,
        )),
    }
}

fn spec(project: &Project, environment: &Environment) -> Finding {
    let path = kernelspec(environment);
    match std::fs::read_to_string(&path) {
        Ok(text) if text == kernelspec_text(project) => Ok(path.display().to_string()),
        Ok(_) => Err(Problem::new(
            format!("{} starts the binary of another checkout", path.display()),
            SETUP,
        )),
        Err(error) => Err(Problem::new(format!("{}: {error}", path.display()), SETUP)),
    }
}

/// The library as kernels take it, and the folders that it goes to.
fn kernels(project: &Project) -> Finding {
    let library = project
        .seed()
        .join("target")
        .join(&project.triple)
        .join("debug/deps");
    let compiled = entries(&library).map_err(|error| Problem::new(error, SETUP))?;
    if !compiled
        .iter()
        .any(|path| path.file_stem().is_some_and(|stem| stem == "libisopath"))
    {
        return Err(Problem::new(
            format!(
                "the crate is not compiled for the notebooks in {}",
                library.display()
            ),
            SETUP,
        ));
    }
    let broken = |error| Problem::new(error, SETUP);
    if !Toolchain::locate()
        .and_then(|toolchain| toolchain.made(&project.seed()))
        .map_err(broken)?
    {
        return Err(Problem::new(
            "the crate was compiled for the notebooks by another compiler",
            SETUP,
        ));
    }
    let pool = project.kernels();
    let folders =
        entries(&pool).map_err(|error| Problem::new(error, "check the folder's permissions"))?;
    let number = folders
        .iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "lock")
        })
        .count();
    Ok(format!(
        "crate compiled for the notebooks; {number} build folders in {}",
        pool.display()
    ))
}

fn disk(target: &Path) -> Finding {
    let free =
        free_gigabytes(target).map_err(|error| Problem::optional(error, "check the folder"))?;
    let found = format!("{free:.0} GB free for {}", target.display());
    if free >= DISK_NEEDED_GB {
        return Ok(found);
    }
    Err(Problem::new(
        found,
        format!("free {DISK_NEEDED_GB} GB, or set CARGO_TARGET_DIR to a folder on a larger disk"),
    ))
}

fn npm() -> Finding {
    match find("npm") {
        Some(npm) => Ok(npm.display().to_string()),
        None => Err(Problem::optional(
            "not on PATH",
            "the npm registry cannot be used as a source of data; install Node.js to get npm",
        )),
    }
}

/// What `course` needs.
fn course(project: &Project, environment: &Environment) -> Finding {
    match super::course::check(project, environment) {
        Ok(version) => Ok(format!("nbgrader {version}")),
        Err(Failure(reason)) => Err(Problem::optional(
            reason,
            "assignments cannot be handed out or graded",
        )),
    }
}

/// What `course grade --sandbox` needs.
fn sandbox() -> Finding {
    sandbox::check()
        .map_err(|Failure(reason)| Problem::optional(reason, "submissions are graded without one"))
}

fn cuda() -> Finding {
    let device = isopath::device::best();
    if device.is_cuda() {
        return Ok("a CUDA device will be used".to_owned());
    }
    let remedy = "the CPU is used; the README says how to use a CUDA device";
    if cfg!(feature = "cuda") {
        Err(Problem::optional(
            "built with CUDA, but no CUDA device was found",
            remedy,
        ))
    } else {
        Err(Problem::optional("built without CUDA", remedy))
    }
}

fn data(set: Set) -> Finding {
    let folder = set.folder(&datasets::root());
    let remedy = format!("run `cargo run -- data {set}`; `render` does it too");
    match datasets::missing(set.files(), &folder) {
        Ok(missing) if missing.is_empty() => Ok(format!("{set} complete in {}", folder.display())),
        Ok(missing) => {
            let names: Vec<&str> = missing.iter().map(|file| file.name).collect();
            Err(Problem::optional(
                format!("{set} lacks {}", names.join(", ")),
                remedy,
            ))
        }
        Err(error) => Err(Problem::optional(error, remedy)),
    }
}

/// Runs a notebook of one cell that uses the crate, as `render` would.
fn notebook(project: &Project, environment: &Environment) -> Finding {
    let broken = |error: &dyn fmt::Display| Problem::new(error, SETUP);
    let folder = tempfile::tempdir().map_err(|error| broken(&error))?;
    let path = folder.path().join("doctor.ipynb");
    let root = quoted(&project.root).map_err(|error| broken(&error))?;
    let cell = format!(":dep isopath = {{ path = {root} }}\nisopath::scale::Scale::from_env()?");
    let notebook = json!({
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": KERNEL_NAME, "display_name": "Rust (isopath)", "language": "rust"}},
        "cells": [{"cell_type": "code", "id": "one", "metadata": {}, "source": cell, "outputs": [], "execution_count": null}],
    });
    write_if_changed(&path, &notebook.to_string()).map_err(|error| broken(&error))?;
    let start = Instant::now();
    let report = render::render(&render::Options {
        notebooks: vec![path],
        scale: Scale::Quick,
        jobs: 1,
        python: environment.python(),
        kernel: KERNEL_NAME.to_owned(),
        notebooks_dir: folder.path().to_path_buf(),
        site_dir: folder.path().join("site"),
        cell_timeout: Duration::from_secs(600),
    })
    .map_err(|error| broken(&error))?;
    match report.failures.first() {
        None => Ok(format!(
            "a notebook of one cell ran in {:.0} s",
            start.elapsed().as_secs_f64()
        )),
        Some(failure) => Err(broken(&failure.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parts("1.100.0") > parts("1.95"));
        assert!(parts("1.95.0-nightly") >= parts("1.95"));
        assert!(parts("1.94.1") < parts("1.95"));
    }

    #[test]
    fn only_what_matters_fails() {
        assert!(report("a", &Ok("fine".into())));
        assert!(report("b", &Err(Problem::optional("none", "nothing"))));
        assert!(!report("c", &Err(Problem::new("none", SETUP))));
    }
}
