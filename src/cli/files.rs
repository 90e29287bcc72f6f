//! Reads and writes files. An error names the path.

use std::path::{Path, PathBuf};

use isopath::io::files::write_whole;

use super::{Failure, Result};

/// Makes a failure of a system's error at a path, for `map_err`.
pub fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Failure + use<> {
    let path = path.to_path_buf();
    move |error| Failure(format!("{}: {error}", path.display()))
}

/// Writes a file unless it holds the text already, so that its time tells when it changed.
pub fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    Ok(write_whole(path, text.as_bytes())?)
}

/// The paths in a folder, none if there is no folder.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry.map_err(at(folder))?.path()))
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(at(folder)(error)),
    }
}

/// The free space of the disk that holds `folder`, or the nearest folder above it that exists, in
/// GB.
///
/// # Errors
/// The system does not say.
pub fn free_gigabytes(folder: &Path) -> Result<f64> {
    let existing = folder
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    let status = rustix::fs::statvfs(existing)
        .map_err(|error| Failure(format!("{}: {error}", existing.display())))?;
    Ok(status.f_bavail as f64 * status.f_frsize as f64 / 1e9)
}
