//! Copies cargo's compiled units from one target folder to another.
//!
//! A unit is one crate compiled in one way; cargo marks all its files with the same hash:
//! `.fingerprint/<crate>-<hash>/`, `build/<crate>-<hash>/`, `deps/*-<hash>.*`. Only our own
//! library, being a dylib, goes without: `deps/libisopath.so`. Times are kept, since cargo compares
//! them. Files whose name has a hash and which compilers replace, never write into, are hard links;
//! everything else is a copy.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use super::super::Result;
use super::super::files::{at, entries};

/// The library whose file names have no hash, so that only one state of it fits into a folder.
const OWN: &str = "isopath";

/// Whether the compiled form of our own library is brought too.
#[derive(Clone, Copy, PartialEq)]
pub enum Own {
    /// It is left: where it goes, it is compiled in another way, as a dependency and not as the
    /// package itself.
    Leave,
    /// It is brought: where it goes, it is compiled in the same way.
    Bring,
}

/// How a file that is never written into comes to its place.
#[derive(Clone, Copy, PartialEq)]
pub enum Files {
    /// It is one file in both places.
    Linked,
    /// It is another file, for code that nobody trusts.
    Copied,
}

/// Brings every unit of the target folder `from`, for the host and for `triple`, that `to` lacks or
/// has in an older state.
///
/// # Errors
/// A file cannot be read or written.
pub fn bring_units(from: &Path, to: &Path, triple: &str, own: Own, files: Files) -> Result<()> {
    for build in ["debug".into(), format!("{triple}/debug")] {
        // No cargo may be half-way through a unit that is copied.
        let _quiet = wait_for_cargo(&from.join(&build))?;
        bring_build(&from.join(&build), &to.join(&build), own, files)?;
    }
    Ok(())
}

/// Waits until no cargo writes to a build folder, and keeps it so while the returned lock is held.
fn wait_for_cargo(build: &Path) -> Result<Option<File>> {
    let path = build.join(".cargo-lock");
    match File::open(&path) {
        Ok(lock) => lock.lock_shared().map(|()| Some(lock)).map_err(at(&path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&path)(error)),
    }
}

fn bring_build(from: &Path, to: &Path, own: Own, files: Files) -> Result<()> {
    let (mut brought, mut with_own) = (HashSet::new(), false);
    for fingerprint in entries(&from.join(".fingerprint"))? {
        let Some(name) = fingerprint.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let Some((unit, hash)) = name.rsplit_once('-') else {
            continue;
        };
        if unit == OWN && own == Own::Leave {
            continue;
        }
        if newest(&fingerprint)? > newest(&to.join(".fingerprint").join(name))? {
            brought.insert(hash.to_owned());
            with_own |= unit == OWN;
        }
    }
    if brought.is_empty() {
        return Ok(());
    }
    for part in ["deps", "build", ".fingerprint"] {
        for path in entries(&from.join(part))? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let wanted = match hash_of(name) {
                Some(hash) => brought.contains(hash),
                None => {
                    with_own
                        && path
                            .file_stem()
                            .is_some_and(|stem| *stem == *format!("lib{OWN}"))
                }
            };
            if wanted {
                bring(&path, &to.join(part).join(name), files)?;
            }
        }
    }
    Ok(())
}

/// `libserde-0123456789abcdef.rmeta` → `0123456789abcdef`.
fn hash_of(name: &str) -> Option<&str> {
    let (_, tail) = name.rsplit_once('-')?;
    Some(tail.split_once('.').map_or(tail, |(hash, _)| hash))
}

/// When a folder's newest file was written; the beginning of time if there is none.
fn newest(folder: &Path) -> Result<SystemTime> {
    let mut time = SystemTime::UNIX_EPOCH;
    for path in entries(folder)? {
        time = time.max(
            path.metadata()
                .and_then(|metadata| metadata.modified())
                .map_err(at(&path))?,
        );
    }
    Ok(time)
}

fn bring(from: &Path, to: &Path, files: Files) -> Result<()> {
    if from.is_dir() {
        for path in entries(from)? {
            if let Some(name) = path.file_name() {
                bring(&path, &to.join(name), files)?;
            }
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
    }
    if to.exists() {
        std::fs::remove_file(to).map_err(at(to))?;
    }
    let is_library = |extension| {
        ["rlib", "rmeta", "so", "dylib"]
            .iter()
            .any(|library| *library == extension)
    };
    let is_marked = from
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| hash_of(name).is_some());
    if files == Files::Linked
        && is_marked
        && from.extension().is_some_and(is_library)
        && std::fs::hard_link(from, to).is_ok()
    {
        return Ok(());
    }
    let copy = || -> std::io::Result<()> {
        let modified = from.metadata()?.modified()?;
        std::fs::copy(from, to)?;
        std::fs::File::options()
            .write(true)
            .open(to)?
            .set_modified(modified)
    };
    copy().map_err(at(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes() {
        assert_eq!(hash_of("libserde-0123.rmeta"), Some("0123"));
        assert_eq!(hash_of("serde-derive-0123"), Some("0123"));
        assert_eq!(hash_of("serde"), None);
    }

    #[test]
    fn units_are_brought_once_and_again_when_newer() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let own = [".fingerprint/isopath-03"];
        for part in [".fingerprint/a-01", "deps", "build/a-01/out"]
            .iter()
            .chain(&own)
        {
            std::fs::create_dir_all(from.join("debug").join(part)).unwrap();
        }
        let write =
            |path: &str, text: &str| std::fs::write(from.join("debug").join(path), text).unwrap();
        write(".fingerprint/a-01/lib-a", "1");
        write("deps/liba-01.rlib", "library");
        write("deps/other-02.d", "no fingerprint");
        write("build/a-01/out/generated.rs", "generated");
        write(".fingerprint/isopath-03/lib-isopath", "3");
        write("deps/libisopath.so", "own");
        let bring = |own| bring_units(&from, &to, "triple", own, Files::Linked).unwrap();
        let read = |path: &str| std::fs::read_to_string(to.join("debug").join(path)).ok();
        bring(Own::Leave);
        assert_eq!(read("deps/liba-01.rlib").as_deref(), Some("library"));
        assert_eq!(
            read("build/a-01/out/generated.rs").as_deref(),
            Some("generated")
        );
        assert_eq!(read("deps/other-02.d"), None);
        assert_eq!(read("deps/libisopath.so"), None);
        let modified = |path: &Path| path.metadata().unwrap().modified().unwrap();
        let fingerprint = Path::new("debug/.fingerprint/a-01/lib-a");
        assert_eq!(
            modified(&from.join(fingerprint)),
            modified(&to.join(fingerprint))
        );
        bring(Own::Bring);
        assert_eq!(read("deps/libisopath.so").as_deref(), Some("own"));

        // What a kernel compiled itself stays until the crate's own is newer.
        std::fs::remove_file(to.join("debug/deps/liba-01.rlib")).unwrap();
        bring(Own::Bring);
        assert_eq!(read("deps/liba-01.rlib"), None);
        let later = modified(&from.join(fingerprint)) + std::time::Duration::from_secs(5);
        std::fs::File::options()
            .write(true)
            .open(from.join(fingerprint))
            .unwrap()
            .set_modified(later)
            .unwrap();
        bring(Own::Bring);
        assert_eq!(read("deps/liba-01.rlib").as_deref(), Some("library"));
    }
}
