//! The events that `execute.py` prints, one JSON object per line.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// The kernel is ready.
    Ready { seconds: f64, cells: usize },
    /// A cell has finished, well or not.
    Cell(Cell),
    /// There was no kernel, or no notebook.
    Failed { message: String },
    /// Every cell is fine and the executed notebook is written.
    Done { seconds: f64 },
}

#[derive(Debug, Deserialize)]
pub struct Cell {
    /// The number of the cell, from 1, among the code cells.
    pub number: usize,
    pub label: String,
    pub seconds: f64,
    pub broken: Option<Broken>,
}

#[derive(Debug, Deserialize)]
pub struct Broken {
    pub kind: Kind,
    /// The reason of the failure, in one line.
    pub reason: String,
    pub message: String,
    pub source: String,
}

/// The kind of a cell's failure.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The kernel said so: it does not compile, panicked or returned an error.
    Error,
    Timeout,
    /// The kernel's process is gone.
    Died,
}
