//! The download: tries the sources in order.

use std::path::{Path, PathBuf};

use super::by_hand::ByHand;
use super::file::DataFile;
use super::source::{Report, Source};
use super::store::Store;
use crate::error::{Error, Result, first_line};
use crate::interrupt;
use crate::progress::Bar;

/// The files of a set that are missing from `folder` or whose size or SHA-256 is wrong, and that no
/// archive in the folder holds. Uses no network.
///
/// # Errors
/// A file is there and cannot be read, or the user asks to stop.
pub fn missing(files: &[DataFile], folder: &Path) -> Result<Vec<DataFile>> {
    let wrong: Vec<DataFile> = faults(files, folder)?
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    match ByHand::find(&wrong, folder)? {
        Some(by_hand) => by_hand.lacks(),
        None => Ok(wrong),
    }
}

/// The files that are not in `folder` as they should be, each with what is wrong.
fn faults(files: &[DataFile], folder: &Path) -> Result<Vec<(DataFile, String)>> {
    let faults = files
        .iter()
        .map(|file| Ok(file.fault(folder)?.map(|fault| (*file, fault))));
    faults.filter_map(Result::transpose).collect()
}

/// The result of [`fetch_from`]: the folder, and the files that were added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The set's folder, now complete.
    pub folder: PathBuf,
    /// The files that were added, each with the name of its source; empty if none was missing.
    pub added: Vec<(&'static str, String)>,
}

/// Makes `folder` hold `files`: keeps those whose SHA-256 is right, unpacks archives in the folder
/// that hold others (`NAME.gz`; `.tar.gz` or `.tgz` with the file anywhere inside), and asks
/// `sources` in their order for the rest.
///
/// A file is taken from any source that has the right bytes, and appears whole or not at all. A
/// wrong file stays until the right one replaces it.
///
/// # Errors
/// No source had all that is missing ([`Error::Fetch`], one line a source), the folder cannot be
/// written or has too little space ([`Error::Io`]), or the user asks to stop
/// ([`Error::Interrupted`]); whole files that were added stay.
pub fn fetch_from(
    set: &'static str,
    files: &[DataFile],
    folder: &Path,
    sources: &[&dyn Source],
    report: Report<'_>,
) -> Result<Fetched> {
    download(set, files, folder, sources, &Bar::hidden(), report)
}

/// [`fetch_from`]; `bar` counts the bytes.
pub(crate) fn download(
    set: &'static str,
    files: &[DataFile],
    folder: &Path,
    sources: &[&dyn Source],
    bar: &Bar,
    report: Report<'_>,
) -> Result<Fetched> {
    let mut report = |line: &str| {
        bar.make_room();
        report(line);
    };
    let mut fetched = Fetched {
        folder: folder.to_path_buf(),
        added: Vec::new(),
    };
    // Without the lock first: a complete folder may be read-only.
    if faults(files, folder)?.is_empty() {
        return Ok(fetched);
    }
    let store = Store::lock(folder, &mut report)?;
    let mut missing = Vec::new();
    for (file, fault) in faults(files, folder)? {
        report(&format!("{set}: {}: {fault}", file.name));
        missing.push(file);
    }
    let bytes_of = |files: &[DataFile]| {
        files
            .iter()
            .map(|file| file.bytes)
            .fold(0, u64::saturating_add)
    };
    // The files and a download of at most their size.
    store.require_space(bytes_of(&missing).saturating_mul(2))?;

    bar.begin_bytes(bytes_of(&missing));
    let mut attempts = Vec::new();
    let by_hand = ByHand::find(&missing, folder)?;
    let by_hand = by_hand.iter().map(|source| source as &dyn Source);
    for source in by_hand.chain(sources.iter().copied()) {
        if missing.is_empty() {
            break;
        }
        let name = source.name();
        let megabytes = bytes_of(&missing).div_ceil(1_000_000);
        report(&format!(
            "{set}: asking {name} for {} files, {megabytes} MB",
            missing.len()
        ));
        bar.note(name.as_str());
        let scratch = store.scratch()?;
        let mut disk_failed = false;
        let result = source.download(scratch.path(), &mut |file_name, bytes| {
            interrupt::check()?;
            let Some(index) = missing.iter().position(|file| file.name == file_name) else {
                return Ok(());
            };
            let file = missing[index];
            file.verify(bytes)?;
            store
                .write(file.name, bytes)
                .inspect_err(|_| disk_failed = true)?;
            missing.remove(index);
            bar.add(file.bytes as f64);
            fetched.added.push((file.name, name.clone()));
            report(&format!(
                "{set}: {}: {} bytes, SHA-256 right",
                file.name, file.bytes
            ));
            Ok(())
        });
        let reason = match result {
            // No other source would do better, or none is wanted.
            Err(error) if disk_failed || matches!(error, Error::Interrupted) => return Err(error),
            Err(error) => first_line(&error),
            Ok(()) => "did not have every file".to_string(),
        };
        if !missing.is_empty() {
            let line = format!("{name}: {reason}");
            report(&format!("{set}: {line}"));
            attempts.push(line);
        }
    }
    if missing.is_empty() {
        Ok(fetched)
    } else {
        Err(Error::Fetch {
            set,
            attempts,
            folder: folder.to_path_buf(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::fetch::source::FileCallback;

    struct Shelf;

    impl Source for Shelf {
        fn name(&self) -> String {
            "a shelf".into()
        }

        fn download(&self, _scratch: &Path, on_file: FileCallback<'_>) -> Result<()> {
            on_file("a", &[0; 2_500_000])
        }
    }

    #[test]
    fn a_bar_counts_the_bytes_that_are_right() -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::io("temporary folder"))?;
        let sha256 = crate::io::digest::of_bytes(&[0; 2_500_000][..])
            .map_err(Error::io("a"))?
            .leak();
        let file = DataFile {
            name: "a",
            bytes: 2_500_000,
            sha256,
        };
        let (bar, written) = Bar::in_memory("tiny");
        download("tiny", &[file], folder.path(), &[&Shelf], &bar, &mut |_| ())?;
        drop(bar);
        let text = written.text();
        assert!(
            text.starts_with("tiny: 100 %|██████████| 2/2 MB [0:0"),
            "{text}"
        );
        assert!(text.ends_with(" MB/s] a shelf\n"), "{text}");
        // A set that is complete has nothing to show.
        let (bar, written) = Bar::in_memory("tiny");
        download("tiny", &[file], folder.path(), &[], &bar, &mut |_| ())?;
        drop(bar);
        assert_eq!(written.text(), "");
        Ok(())
    }
}
