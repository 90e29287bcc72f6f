//! The folder of pages.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use isopath::error::{Error, Result};

use super::assets::Assets;
use super::notebooks::Notebook;
use super::run::{last_line, python};
use super::{Failure, Options};

/// Reads the words of a notebook that is to be executed as its page will; in one line what is wrong with them.
pub fn check_words(notebook: &Notebook, options: &Options, assets: &Assets) -> Result<(), String> {
    let mut command = python(options, assets, "page.py");
    command.arg("check").arg(&notebook.path).arg("--folder").arg(folder(notebook));
    finish(command).map_err(|reason| format!("its page cannot be written: {reason}"))
}

/// Where the notebook's images lie.
fn folder(notebook: &Notebook) -> &Path {
    notebook.path.parent().unwrap_or(Path::new("."))
}

/// Writes the page of an executed notebook; returns where it is, or in one line why there is none.
pub fn write_page(notebook: &Notebook, executed: &Path, options: &Options, assets: &Assets) -> Result<PathBuf, String> {
    let mut command = python(options, assets, "page.py");
    command.arg("notebook").arg(executed).arg(format!("--name={}", notebook.name));
    command.arg("--folder").arg(folder(notebook)).arg("--site").arg(&options.site_dir);
    finish(command).map_err(|reason| format!("its page cannot be written: {reason}"))?;
    Ok(options.site_dir.join(format!("{}.html", notebook.name)))
}

/// Removes the page of an earlier run, so that it does not pass for this run's.
pub fn remove_page(name: &str, options: &Options) -> Result<()> {
    for ending in ["html", "ipynb"] {
        let path = options.site_dir.join(format!("{name}.{ending}"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Writes the list of all pages, those of earlier runs too, each with its own date and scale.
pub fn write_index(options: &Options, assets: &Assets, failures: &[Failure]) -> Result<()> {
    let mut command = python(options, assets, "page.py");
    command.arg("index").arg("--site").arg(&options.site_dir).arg("--notebooks").arg(&options.notebooks_dir);
    for failure in failures {
        command.arg("--failed").arg(&failure.notebook).arg(format!("failed: {}", failure.reason));
    }
    let index = options.site_dir.join("index.html");
    finish(command).map_err(|reason| Error::file(index, "a list of all pages", reason))
}

fn finish(mut command: Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(last_line(&output.stderr)),
        Err(error) => Err(error.to_string()),
    }
}
