//! Copies cargo's compiled units from one target folder to another.
//!
//! A unit is one crate compiled in one way; cargo marks all its files with the same hash: `.fingerprint/<crate>-<hash>/`,
//! `build/<crate>-<hash>/`, `deps/*-<hash>.*`. Times are kept, since cargo compares them. Libraries, which compilers
//! replace and never write into, are hard links; everything else is a copy.

use std::collections::HashSet;
use std::path::Path;
use std::time::SystemTime;

use super::super::Result;
use super::super::files::{at, entries};

/// Brings every unit of `from` that `to` lacks or has in an older state.
pub fn bring_units(from: &Path, to: &Path) -> Result<()> {
    let mut brought = HashSet::new();
    for fingerprint in entries(&from.join(".fingerprint"))? {
        let Some(name) = fingerprint.file_name().and_then(|name| name.to_str()) else { continue };
        let Some((_, hash)) = name.rsplit_once('-') else { continue };
        if newest(&fingerprint)? > newest(&to.join(".fingerprint").join(name))? {
            brought.insert(hash.to_owned());
        }
    }
    if brought.is_empty() {
        return Ok(());
    }
    for part in ["deps", "build", ".fingerprint"] {
        for path in entries(&from.join(part))? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if hash_of(name).is_some_and(|hash| brought.contains(hash)) {
                bring(&path, &to.join(part).join(name))?;
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
        time = time.max(path.metadata().and_then(|metadata| metadata.modified()).map_err(at(&path))?);
    }
    Ok(time)
}

fn bring(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        for path in entries(from)? {
            if let Some(name) = path.file_name() {
                bring(&path, &to.join(name))?;
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
    let is_library =
        from.extension().is_some_and(|extension| ["rlib", "rmeta", "so", "dylib"].iter().any(|e| extension == *e));
    if is_library && std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let copy = || -> std::io::Result<()> {
        let modified = from.metadata()?.modified()?;
        std::fs::copy(from, to)?;
        std::fs::File::options().write(true).open(to)?.set_modified(modified)
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
        for part in [".fingerprint/a-01", "deps", "build/a-01/out"] {
            std::fs::create_dir_all(from.join(part)).unwrap();
        }
        std::fs::write(from.join(".fingerprint/a-01/lib-a"), "1").unwrap();
        std::fs::write(from.join("deps/liba-01.rlib"), "library").unwrap();
        std::fs::write(from.join("deps/other-02.d"), "no fingerprint").unwrap();
        std::fs::write(from.join("build/a-01/out/generated.rs"), "generated").unwrap();
        bring_units(&from, &to).unwrap();
        let read = |path: &str| std::fs::read_to_string(to.join(path)).ok();
        assert_eq!(read("deps/liba-01.rlib").as_deref(), Some("library"));
        assert_eq!(read("build/a-01/out/generated.rs").as_deref(), Some("generated"));
        assert_eq!(read("deps/other-02.d"), None);
        let modified = |path: &Path| path.metadata().unwrap().modified().unwrap();
        let fingerprint = Path::new(".fingerprint/a-01/lib-a");
        assert_eq!(modified(&from.join(fingerprint)), modified(&to.join(fingerprint)));

        // What a kernel compiled itself stays until the crate's own is newer.
        std::fs::remove_file(to.join("deps/liba-01.rlib")).unwrap();
        bring_units(&from, &to).unwrap();
        assert_eq!(read("deps/liba-01.rlib"), None);
        let later = modified(&from.join(fingerprint)) + std::time::Duration::from_secs(5);
        std::fs::File::options().write(true).open(from.join(fingerprint)).unwrap().set_modified(later).unwrap();
        bring_units(&from, &to).unwrap();
        assert_eq!(read("deps/liba-01.rlib").as_deref(), Some("library"));
    }
}
