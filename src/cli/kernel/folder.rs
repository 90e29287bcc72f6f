//! A pool of build folders, each used by one kernel at a time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::super::files::{at, entries, write_if_changed};
use super::super::package::{copy_lock_file, dependency, profile, write_package};
use super::super::project::Project;
use super::super::{Failure, Result};
use super::toolchain::Toolchain;
use super::units::{Files, Own, bring_units};

/// What makes the folder a workspace, before the crate's own `[profile.dev]`: cargo takes the
/// profile from here, not from the package that evcxr writes, so that code in a cell is as fast as
/// in a release binary and nothing is compiled twice.
const WORKSPACE: &str = "[workspace]\nmembers = [\"ctx\", \"pins\"]\nresolver = \"3\"\n\n";

/// Lies in a folder in which no build was cut off: the kernel's program takes it away while it
/// builds.
const GOOD: &str = "good";
/// Lies in a folder whose kernel is ready for cells.
const READY: &str = "ready";

/// A build folder, claimed: its lock is held until this value, and every process that inherits it,
/// is gone. A killed kernel therefore leaves no stale lock behind.
///
/// It is a workspace of two packages: that of the cells, which evcxr writes, and `pins`, which
/// depends on the library from the start. Without it the first compilation, before any cell asks
/// for the library, would drop all of its dependencies from Cargo.lock, and the second take, and
/// compile, whatever has been published since.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Claims the first folder of the pool that no process holds.
    ///
    /// # Errors
    /// The pool cannot be written.
    pub fn claim(pool: &Path) -> Result<Self> {
        Self::claim_by(pool, File::try_lock)
    }

    fn claim_by(
        pool: &Path,
        try_lock: impl Fn(&File) -> std::result::Result<(), TryLockError>,
    ) -> Result<Self> {
        std::fs::create_dir_all(pool).map_err(at(pool))?;
        for number in 0.. {
            let path = pool.join(number.to_string());
            let lock_path = path.with_extension("lock");
            let lock = File::create(&lock_path).map_err(at(&lock_path))?;
            match try_lock(&lock) {
                Ok(()) => return Ok(Self { path, lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error))
                    if error.kind() == std::io::ErrorKind::Unsupported =>
                {
                    return Err(Failure(format!(
                        "{} is on a file system without locks; set ISOPATH_KERNELS to a folder on a local disk",
                        pool.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(at(&lock_path)(error)),
            }
        }
        unreachable!("the numbers do not end")
    }

    /// The path of the package of the cells, evcxr's `tmpdir`.
    pub fn cells(&self) -> PathBuf {
        self.path.join("ctx")
    }

    /// The path of the folder of evcxr's start-up commands.
    pub fn config(&self) -> PathBuf {
        self.path.join("config")
    }

    /// The path of the build folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes everything that earlier kernels left.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn clear(&self) -> Result<()> {
        if self.path.exists() {
            std::fs::remove_dir_all(&self.path).map_err(at(&self.path))?;
        }
        Ok(())
    }

    /// Brings what `setup` compiled since the last time, and clears what the last kernel left. A
    /// build that was cut off, or that another compiler made, is replaced: cargo would compile
    /// everything in it, for a quarter of an hour.
    ///
    /// `is_stock` leaves everything to evcxr: the library comes with the first cell that asks for
    /// it.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn prepare(
        &self,
        project: &Project,
        toolchain: &Toolchain,
        is_stock: bool,
        files: Files,
    ) -> Result<()> {
        let target = self.cells().join("target");
        let good = self.path.join(GOOD);
        if !(good.is_file() && toolchain.made(&self.path)?) && target.exists() {
            std::fs::remove_dir_all(&target).map_err(at(&target))?;
        }
        toolchain.note(&self.path)?;
        let ready = self.path.join(READY);
        if ready.exists() {
            std::fs::remove_file(&ready).map_err(at(&ready))?;
        }
        let cells = target.join(&project.triple).join("debug");
        remove(&cells, "libcode_", |cell| std::fs::remove_file(cell))?;
        // Else a cell of the last kernel, compiled with a library older than the one brought now,
        // could pass for fresh.
        remove(&cells.join(".fingerprint"), "ctx-", |cell| {
            std::fs::remove_dir_all(cell)
        })?;
        bring_units(
            &project.seed().join("target"),
            &target,
            &project.triple,
            Own::Bring,
            files,
        )?;
        let init = if is_stock {
            init("")
        } else {
            init(&dependency(project)?)
        };
        write_if_changed(&self.config().join("init.evcxr"), &init)?;
        write_if_changed(
            &self.path.join("Cargo.toml"),
            &format!("{WORKSPACE}{}", profile(&project.root)?),
        )?;
        write_package(project, &self.path.join("pins"), "")?;
        copy_lock_file(project, &self.path)?;
        write_if_changed(&good, "")
    }

    /// Leaves the lock open in the program that this process becomes.
    ///
    /// # Errors
    /// The system refused.
    pub fn keep_lock_across_exec(&self) -> Result<()> {
        rustix::io::fcntl_setfd(&self.lock, rustix::io::FdFlags::empty()).map_err(|error| {
            Failure(format!(
                "the lock of {} cannot be kept: {error}",
                self.path.display()
            ))
        })
    }
}

/// What evcxr does before the first cell. It would link with lld where it finds it, which changes
/// the flags and so compiles everything again. The library is loaded ahead, and so is evcxr's way
/// to understand `?`: it would else show the first value that comes by `?` in its `Debug` form.
fn init(dependency: &str) -> String {
    let mut init = ":linker system\n".to_owned();
    if !dependency.is_empty() {
        init.push_str(&format!(
            ":dep {dependency}\nOk::<(), std::fmt::Error>(())?;\n"
        ));
    }
    init
}

/// Removes what begins with `prefix` in `folder`.
fn remove(
    folder: &Path,
    prefix: &str,
    remove: impl Fn(&Path) -> std::io::Result<()>,
) -> Result<()> {
    let matches = |path: &&PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    entries(folder)?
        .iter()
        .filter(matches)
        .try_for_each(|path| remove(path).map_err(at(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_named() {
        let pool = tempfile::tempdir().unwrap();
        let unsupported =
            |_: &File| Err(TryLockError::Error(std::io::ErrorKind::Unsupported.into()));
        let refusal = Folder::claim_by(pool.path(), unsupported)
            .unwrap_err()
            .to_string();
        assert!(
            refusal.contains("without locks; set ISOPATH_KERNELS"),
            "{refusal}"
        );
    }

    #[test]
    fn two_claims_never_share_and_a_freed_folder_is_used_again() {
        let pool = tempfile::tempdir().unwrap();
        let first = Folder::claim(pool.path()).unwrap();
        let second = Folder::claim(pool.path()).unwrap();
        assert_ne!(first.cells(), second.cells());
        let freed = first.cells();
        drop(first);
        // Another test's child process has the lock too, between its fork and its exec.
        let start = std::time::Instant::now();
        while Folder::claim(pool.path()).unwrap().cells() != freed {
            assert!(start.elapsed().as_secs() < 10, "the folder stays locked");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
