//! Executes one notebook in a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use isopath::scale::Scale;

use super::Options;
use super::assets::Assets;
use super::events::Event;
use super::notebooks::Notebook;
use super::tell;

/// Runs the notebook's cells and tells how each went. The notebook lies at `executed` afterwards,
/// as far as it ran.
///
/// # Errors
/// In one line, why not every cell ran well.
pub fn execute(
    notebook: &Notebook,
    executed: &Path,
    options: &Options,
    assets: &Assets,
) -> Result<(), String> {
    let stderr_path = assets.path(&format!("{}.stderr", notebook.name));
    let stderr = File::create(&stderr_path)
        .map_err(|error| format!("{}: {error}", stderr_path.display()))?;
    let mut process = python(options, assets, "execute.py")
        .arg(&notebook.path)
        .arg(executed)
        .arg(format!("--kernel={}", options.kernel))
        .arg(format!("--scale={}", options.scale))
        .arg(format!("--cell-timeout={}", options.cell_timeout.as_secs()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(|error| format!("{}: {error}", options.python.display()))?;
    tell::line(&notebook.name, "starting the kernel");

    let (mut outcome, mut cells) = (None, 0);
    let lines = process
        .stdout
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines);
    // A line that is no event was printed by a library, and is nobody's business.
    for event in lines
        .map_while(|line| line.ok())
        .filter_map(|line| serde_json::from_str(&line).ok())
    {
        match event {
            Event::Ready {
                seconds,
                cells: number,
            } => {
                cells = number;
                tell::line(
                    &notebook.name,
                    &format!(
                        "kernel ready after {}, {}",
                        tell::duration(seconds),
                        tell::count(cells, "cell")
                    ),
                );
            }
            Event::Cell(cell) => {
                tell::cell(&notebook.name, &cell, cells);
                if let Some(broken) = &cell.broken {
                    outcome = Some(Err(format!(
                        "cell {} of {cells}: {}",
                        cell.number, broken.reason
                    )));
                }
            }
            Event::Failed { message } => {
                tell::line(&notebook.name, &message);
                outcome = Some(Err(tell::brief(&message).to_owned()));
            }
            Event::Done { seconds } => {
                tell::line(
                    &notebook.name,
                    &format!("done in {}", tell::duration(seconds)),
                );
                outcome = Some(Ok(()));
            }
        }
    }
    let status = process.wait().map_err(|error| error.to_string())?;
    outcome.unwrap_or_else(|| {
        let said = std::fs::read(&stderr_path).unwrap_or_default();
        Err(format!(
            "the program that runs the notebook ended early ({status}): {}",
            last_line(&said)
        ))
    })
}

/// One of our Python programs, ready for its arguments.
pub fn python(options: &Options, assets: &Assets, program: &str) -> Command {
    let mut command = Command::new(&options.python);
    command
        .arg(assets.path(program))
        .env(Scale::VARIABLE, options.scale.to_string())
        .env("PYTHONUTF8", "1");
    command
}

/// The last line that says something: in Python's case, the error.
pub fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no reason given")
        .to_string()
}
