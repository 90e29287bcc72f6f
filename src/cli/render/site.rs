//! The folder of pages.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use isopath::error::{Error, Result};

use super::assets::Assets;
use super::notebooks::Notebook;
use super::run::{last_line, python};
use super::{Failure, Options};

/// Reads the words of a notebook that is to be executed as its page will; what cannot be shown as
/// it is meant.
pub fn check_words(
    notebook: &Notebook,
    options: &Options,
    assets: &Assets,
) -> Result<Vec<String>, String> {
    let mut command = python(options, assets, "page.py");
    command
        .arg("check")
        .arg(&notebook.path)
        .arg(folder(notebook));
    finish(command)
}

/// Where the executed notebook lies until its page is written, and for ever if a cell breaks.
pub fn failed_path(notebook: &Notebook, options: &Options) -> PathBuf {
    options
        .site_dir
        .join(format!("{}.failed.ipynb", notebook.name))
}

/// Where the notebook's images lie.
fn folder(notebook: &Notebook) -> &Path {
    notebook.path.parent().unwrap_or(Path::new("."))
}

/// Writes the page of an executed notebook, which moves beside it; returns where the page is, and
/// what it cannot show as it is meant.
///
/// # Errors
/// In one line, why there is no page. The executed notebook stays where it is.
pub fn write_page(
    notebook: &Notebook,
    executed: &Path,
    options: &Options,
    assets: &Assets,
) -> Result<(PathBuf, Vec<String>), String> {
    let mut command = python(options, assets, "page.py");
    command
        .arg("page")
        .arg(executed)
        .arg(&notebook.name)
        .arg(folder(notebook))
        .arg(&options.site_dir);
    let warnings =
        finish(command).map_err(|reason| format!("the page cannot be written: {reason}"))?;
    Ok((
        options.site_dir.join(format!("{}.html", notebook.name)),
        warnings,
    ))
}

/// Removes the page of an earlier run, so that it does not pass for this run's.
pub fn remove_page(name: &str, options: &Options) -> Result<()> {
    ["html", "ipynb"]
        .iter()
        .try_for_each(|ending| remove(&options.site_dir.join(format!("{name}.{ending}"))))
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}

/// Writes the list of all pages, those of earlier runs too, each with its own date and scale.
pub fn write_index(options: &Options, assets: &Assets, failures: &[Failure]) -> Result<()> {
    let mut command = python(options, assets, "page.py");
    command
        .arg("index")
        .arg(&options.site_dir)
        .arg(&options.notebooks_dir);
    for failure in failures {
        command
            .arg(&failure.notebook)
            .arg(format!("failed: {}", failure.reason));
    }
    let index = options.site_dir.join("index.html");
    finish(command)
        .map(|_| ())
        .map_err(|reason| Error::file(index, "a list of all pages", reason))
}

/// Runs `page.py`; its warnings, or the last line of its error.
fn finish(mut command: Command) -> Result<Vec<String>, String> {
    match command.output() {
        Ok(output) if output.status.success() => {
            let lines = String::from_utf8_lossy(&output.stdout);
            Ok(lines
                .lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect())
        }
        Ok(output) => Err(last_line(&output.stderr)),
        Err(error) => Err(error.to_string()),
    }
}
