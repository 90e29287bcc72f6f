//! A set's folder on the disk: what is there, what is right, and how a file gets in whole or not at
//! all.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use super::set::DataFile;
use super::source::Report;
use crate::io::digest;
use crate::error::{Error, Result};
use crate::io::files::{self, UNFINISHED};
use crate::interrupt;

/// The files of `files` that are missing from `folder` or whose size or SHA-256 is wrong. Uses no
/// network.
///
/// # Errors
/// A file is there and cannot be read.
pub fn missing(files: &[DataFile], folder: &Path) -> Result<Vec<DataFile>> {
    files
        .iter()
        .filter_map(|file| {
            fault(file, folder)
                .map(|fault| fault.map(|_| *file))
                .transpose()
        })
        .collect()
}

/// What is wrong with a file, if anything.
pub(super) fn fault(file: &DataFile, folder: &Path) -> Result<Option<String>> {
    let path = folder.join(file.name);
    interrupt::check()?;
    let bytes = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some("missing".into())),
        Err(error) => return Err(Error::io(path)(error)),
    };
    if bytes != file.bytes {
        return Ok(Some(format!("{bytes} bytes; expected {}", file.bytes)));
    }
    let found = digest::of_file(&path)?;
    Ok((found != file.sha256).then(|| wrong_sha256(&found, file)))
}

fn wrong_sha256(found: &str, file: &DataFile) -> String {
    format!("SHA-256 {found}; expected {}", file.sha256)
}

/// Refuses bytes that are not those of the file.
pub(super) fn verify(file: &DataFile, bytes: &[u8]) -> Result<()> {
    let found = digest::of_bytes(bytes).map_err(Error::io(file.name))?;
    if found == file.sha256 {
        return Ok(());
    }
    Err(Error::file(
        file.name,
        format!("{} bytes with SHA-256 {}", file.bytes, file.sha256),
        format!("{} bytes with SHA-256 {found}", bytes.len()),
    ))
}

/// A set's folder, which no other process writes as long as this lives.
pub(super) struct Store<'a> {
    folder: &'a Path,
    _lock: File,
}

impl<'a> Store<'a> {
    /// Makes the folder if need be, waits for the process that holds it, and removes what killed
    /// ones left.
    pub(super) fn lock(folder: &'a Path, report: Report<'_>) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join(".lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                report(&format!(
                    "{}: another process is fetching; waiting for it",
                    folder.display()
                ));
                wait_for(&lock, &path)?;
            }
            Err(TryLockError::Error(error)) => return Err(Error::io(path)(error)),
        }
        let store = Self {
            folder,
            _lock: lock,
        };
        store.remove_unfinished().map_err(Error::io(folder))?;
        Ok(store)
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Refuses to begin what the disk has no room for.
    pub(super) fn require_space(&self, needed: u64) -> Result<()> {
        let disk = rustix::fs::statvfs(self.folder)
            .map_err(|error| Error::io(self.folder)(error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= needed {
            return Ok(());
        }
        let reason = format!(
            "{} MB free on the disk; expected at least {} MB",
            free / 1_000_000,
            needed / 1_000_000
        );
        Err(Error::io(self.folder)(io::Error::new(
            ErrorKind::StorageFull,
            reason,
        )))
    }

    /// A folder for a source's downloads, removed when dropped.
    pub(super) fn scratch(&self) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(self.folder)
            .map_err(Error::io(self.folder))
    }

    /// Writes a file of the set, whole or not at all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        files::write_whole(&self.folder.join(name), bytes)
    }
}

/// Takes a lock as soon as it is free.
fn wait_for(lock: &File, path: &Path) -> Result<()> {
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => interrupt::check()?,
            Err(TryLockError::Error(error)) => return Err(Error::io(path)(error)),
        }
        thread::sleep(interrupt::PAUSE);
    }
}

/// The bytes of a set's file; one that is missing names the command that brings it.
pub(super) fn read(folder: &Path, name: &str, set: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    fs::read(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::file(
            &path,
            format!("the file that `isopath data {set}` brings"),
            "missing",
        ),
        _ => Error::io(&path)(error),
    })
}
