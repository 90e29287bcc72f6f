//! The command `setup`: makes the Jupyter environment, and compiles the kernel and the crate for the
//! notebooks.

use std::path::PathBuf;
use std::thread;

use serde_json::json;

use super::command::{command, run};
use super::environment::{Environment, required_packages, system_python};
use super::files::{free_gigabytes, write_if_changed};
use super::kernel::program;
use super::kernel::toolchain::Toolchain;
use super::kernel::units::{Files, Own, bring_units};
use super::package::{copy_lock_file, profile, quoted, write_package};
use super::project::Project;
use super::{Failure, Result};

/// The kernelspec's name, which the notebooks ask for.
pub const KERNEL_NAME: &str = "isopath";

/// The disk space that the kernel, the compiled dependencies and the kernels' folders want, with
/// room for the data.
pub const DISK_NEEDED_GB: f64 = 6.;

/// Sets up what is missing and prints what it found.
///
/// # Errors
/// A step that failed, with its remedy.
pub fn setup(project: &Project) -> Result<Environment> {
    let environment = Environment::locate(project);
    let free = free_gigabytes(&project.target)?;
    if program::find(project).is_none() && free < DISK_NEEDED_GB {
        return Err(Failure(format!(
            "{free:.1} GB are free for {}; expected at least {DISK_NEEDED_GB} GB: free some space, or set CARGO_TARGET_DIR to a folder on a larger disk",
            project.target.display()
        )));
    }
    let required = required_packages(&project.root)?;
    if !environment.python().is_file() {
        system_python()?;
    }
    // Packages come over the network while the processors compile.
    thread::scope(|scope| {
        let packages = scope.spawn(|| complete(&environment, &required));
        let compiled = compile_all(project);
        let completed = packages.join().unwrap_or_else(|_| {
            let what = "the Python packages could not be installed; run the command again";
            Err(Failure(what.into()))
        });
        completed.and(compiled)
    })?;
    let spec = register(project, &environment)?;
    println!("kernel   {}", spec.display());
    Ok(environment)
}

/// Installs the Python packages that are missing. A failure is told at once, since what compiles
/// beside it may take long.
fn complete(environment: &Environment, required: &[String]) -> Result<()> {
    let installed = environment
        .complete(required)
        .inspect_err(|failure| eprintln!("jupyter  {failure}"))?;
    let news = if installed.is_empty() {
        "complete"
    } else {
        "completed"
    };
    println!("jupyter  {} ({news})", environment.prefix.display());
    Ok(())
}

/// Compiles the kernel, and the crate for the notebooks.
fn compile_all(project: &Project) -> Result<()> {
    println!(
        "rust-src {}",
        Toolchain::locate()?.find_or_install_source()?.display()
    );
    let program = program::find_or_build(project)?;
    println!("evcxr    {} in {}", program::EVCXR, program.display());
    compile(project)?;
    println!("crate    compiled for the notebooks");
    Ok(())
}

/// The path of the kernelspec of an environment.
pub fn kernelspec(environment: &Environment) -> PathBuf {
    environment
        .prefix
        .join("share/jupyter/kernels")
        .join(KERNEL_NAME)
        .join("kernel.json")
}

/// The text that the kernelspec must hold for this checkout.
pub fn kernelspec_text(project: &Project) -> String {
    let spec = json!({
        "argv": [project.binary, "kernel", "{connection_file}"],
        "display_name": "Rust (isopath)",
        "language": "rust",
        "interrupt_mode": "message",
    });
    format!("{spec:#}\n")
}

fn register(project: &Project, environment: &Environment) -> Result<PathBuf> {
    let path = kernelspec(environment);
    let text = kernelspec_text(project);
    write_if_changed(&path, &text)?;
    Ok(path)
}

/// Compiles the library as a cell's dependency, so that a kernel only has to link it: a crate is
/// another unit to cargo as a dependency than as the package it is called in. In a folder of its
/// own, since both would be `libisopath.so`.
fn compile(project: &Project) -> Result<()> {
    let seed = project.seed();
    let target = seed.join("target");
    let toolchain = Toolchain::locate()?;
    let triple = &project.triple;
    bring_units(&project.target, &target, triple, Own::Leave, Files::Linked)?;
    let cells = quoted(&program::cells_source(project))?;
    let sections = format!(
        "[[bin]]\nname = \"cells\"\npath = {cells}\n\n{}",
        profile(&project.root)?
    );
    write_package(project, &seed, &sections)?;
    copy_lock_file(project, &seed)?;
    run(
        command("cargo")
            .current_dir(&seed)
            .env("RUSTFLAGS", "-Cprefer-dynamic")
            .args([
                "build",
                "--quiet",
                "--target",
                &project.triple,
                "--target-dir",
            ])
            .arg(&target),
        "see the compiler's message above",
    )?;
    toolchain.note(&seed)
}
