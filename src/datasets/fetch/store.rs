//! The folder of a data set on the disk. A file is written to it whole or not at all.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use super::source::Report;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::io::files::{self, UNFINISHED};

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
