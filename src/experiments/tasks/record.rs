//! The file of a finished task: a line of JSON that says what it is, then the output.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::machine::Machine;
use super::output::Output;
use crate::error::{Error, Result};
use crate::io::digest;

/// The record of a finished task: the first line of its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The digest of the plan.
    pub plan: String,
    /// The number of the task.
    pub task: usize,
    /// The version of this crate.
    pub version: String,
    /// The settings.
    pub settings: Value,
    /// The seed of what was drawn.
    pub seed: u64,
    /// The machine.
    pub machine: Machine,
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// The time from the start of the process to the beginning of the work, in seconds; of a later
    /// task of the same process, the time to load what it reads.
    pub startup_seconds: f64,
    /// The time that the work took, in seconds.
    pub seconds: f64,
    /// The largest memory of its process until it ended, in megabytes.
    pub peak_memory_mb: u64,
    /// The number of tasks that could run in the process at the same time.
    pub side_by_side: usize,
    /// The number of bytes after this line.
    pub bytes: usize,
    /// The SHA-256 digest of those bytes.
    pub sha256: String,
}

/// The record of a task that ended with an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The number of the task.
    pub task: usize,
    /// The error.
    pub error: String,
    /// The machine.
    pub machine: Machine,
    /// When it ended, in seconds since 1970.
    pub ended: u64,
}

impl Record {
    /// The whole file.
    pub(super) fn file(&mut self, path: &Path, output: &Output) -> Result<Vec<u8>> {
        let payload = output.to_bytes(path)?;
        self.bytes = payload.len();
        self.sha256 = digest::of_bytes(payload.as_slice()).map_err(Error::io(path))?;
        let mut bytes = serde_json::to_vec(self)
            .map_err(|error| Error::file(path, "a record with a JSON form", error))?;
        bytes.push(b'\n');
        bytes.extend(payload);
        Ok(bytes)
    }

    /// The record of a file, and what follows it.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub(super) fn open(path: &Path) -> Result<(Self, BufReader<File>)> {
        let mut file = BufReader::new(File::open(path).map_err(Error::io(path))?);
        match Self::next(path, &mut file)? {
            Some((record, _)) => Ok((record, file)),
            None => Err(Error::file(path, WHOLE, "no record (empty)")),
        }
    }

    /// The next record, with the length of its line; none at the end.
    pub(super) fn next(path: &Path, file: &mut BufReader<File>) -> Result<Option<(Self, usize)>> {
        let mut line = Vec::new();
        let length = file.read_until(b'\n', &mut line).map_err(Error::io(path))?;
        if length == 0 {
            return Ok(None);
        }
        let record = serde_json::from_slice(&line)
            .map_err(|error| Error::file(path, WHOLE, format!("no record ({error})")))?;
        Ok(Some((record, length)))
    }

    /// The bytes that follow the record, which must be its own.
    pub(super) fn payload(&self, path: &Path, file: &mut BufReader<File>) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.bytes);
        file.take(self.bytes as u64)
            .read_to_end(&mut bytes)
            .map_err(Error::io(path))?;
        if bytes.len() != self.bytes {
            let got = format!("{} of {} bytes", bytes.len(), self.bytes);
            return Err(Error::file(path, WHOLE, got));
        }
        let found = digest::of_bytes(bytes.as_slice()).map_err(Error::io(path))?;
        match found == self.sha256 {
            true => Ok(bytes),
            false => Err(Error::file(
                path,
                WHOLE,
                format!("an output with SHA-256 {found}"),
            )),
        }
    }
}

/// What is expected of a task's file.
const WHOLE: &str = "a whole file of a task; delete it, and run the task again";
