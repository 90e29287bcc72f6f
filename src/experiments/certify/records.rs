//! The records of a folder, or of a file that holds several.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::record::{Asked, ExactRecord};
use crate::error::{Error, Result};
use crate::experiments::connectivity::Pair;
use crate::experiments::connectivity_cifar10::Space;
use crate::io::{digest, files};

/// Some records, in order: pairs before trees, space by space, class by class for trees, by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExactRecords {
    /// The records.
    pub records: Vec<ExactRecord>,
}

/// Reads the records of a folder, or those that [`ExactRecords::write`] has written to a file, and
/// sees that they are of the network whose weights are in the file `weights`.
///
/// # Errors
/// No such folder or file, one that is not of records, or records of other weights.
pub fn exact_records(path: impl AsRef<Path>, weights: impl AsRef<Path>) -> Result<ExactRecords> {
    let sha256 = digest::of_file(weights.as_ref())?;
    let records = ExactRecords::read(path)?;
    for record in &records.records {
        if record.weights_sha256 != sha256 {
            let expected = format!(
                "records of {} (SHA-256 {sha256}); `isopath certify` makes them",
                weights.as_ref().display()
            );
            let got = format!("a record of weights with SHA-256 {}", record.weights_sha256);
            return Err(Error::argument("record", expected, got));
        }
    }
    Ok(records)
}

impl ExactRecords {
    /// Reads the records of a folder, or of a file that [`ExactRecords::write`] has written, of
    /// whatever network.
    ///
    /// # Errors
    /// No such folder or file, or one that is not of records.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut records = match path.is_dir() {
            true => {
                let files = record_files(path)?;
                files.iter().map(|file| read(file)).collect::<Result<_>>()?
            }
            false => read::<Vec<ExactRecord>>(path)?,
        };
        records.sort_by_key(|record| {
            let tree = match record.settings {
                Asked::Pairs { .. } => None,
                Asked::Tree { .. } => Some(record.class),
            };
            (tree.is_some(), record.space, tree, record.number)
        });
        Ok(Self { records })
    }

    /// Writes the records to one file, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &self.records)
    }

    /// Writes each record to a file of its own, as [`certify`](super::certify()) does; files that are
    /// there already are kept.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write_to_folder(&self, folder: impl AsRef<Path>) -> Result<()> {
        self.records.iter().try_for_each(|record| {
            let index = record.test_index;
            let (class, space) = (record.class, record.space);
            let file = file(
                folder.as_ref(),
                (&record.settings, space, Pair { class, index }),
            );
            match file.exists() {
                true => Ok(()),
                false => write(&file, record),
            }
        })
    }

    /// Those in one space.
    pub fn in_space(&self, space: Space) -> Self {
        let own = self.records.iter().filter(|record| record.space == space);
        Self {
            records: own.cloned().collect(),
        }
    }
}

/// The file of the record of a path in a folder.
pub(super) fn file(folder: &Path, (asked, space, pair): (&Asked, Space, Pair)) -> PathBuf {
    let kind = match asked {
        Asked::Pairs { .. } => "pair",
        Asked::Tree { .. } => "edge",
    };
    let ([i, j], space) = (pair.index, space.name());
    folder.join(format!("{kind}_{space}_{i}_{j}.json"))
}

/// The record of a file.
///
/// # Errors
/// It cannot be read, or is none.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = std::fs::read_to_string(file).map_err(Error::io(file))?;
    serde_json::from_str(&text).map_err(|error| {
        let expected = "exact verdicts as `isopath certify` writes them; delete the file, or choose \
                        another folder";
        Error::file(file, expected, format!("no record ({error})"))
    })
}

/// # Errors
/// The file cannot be written.
pub(super) fn write(file: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::file(file, "a value with a JSON form", error))?;
    files::write_whole(file, format!("{text}\n").as_bytes())
}

/// All but what a killed program has left unfinished.
fn record_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".json") && !name.starts_with(files::UNFINISHED) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
