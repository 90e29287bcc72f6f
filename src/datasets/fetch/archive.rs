//! Reading archives: gzip, and tar in gzip.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use crate::error::{Error, Result};
use crate::interrupt;

/// At most the first `limit` bytes behind a gzip file, so that a small file cannot fill the memory.
///
/// # Errors
/// The file cannot be read, or is no whole gzip file.
pub(super) fn gunzipped(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut bytes = Vec::new();
    GzDecoder::new(BufReader::new(file))
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::file(path, "a whole gzip file", error))?;
    Ok(bytes)
}

/// Calls `take` with the path inside the tar archive and the bytes of each file that `wanted`
/// names.
///
/// # Errors
/// The archive cannot be read or is damaged, `take` fails, or the user asks to stop.
pub(crate) fn each_file(
    tarball: &Path,
    wanted: impl Fn(&str) -> bool,
    mut take: impl FnMut(&str, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let broken = |error: io::Error| Error::file(tarball, "a whole tar archive in gzip", error);
    let file = File::open(tarball).map_err(Error::io(tarball))?;
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in archive.entries().map_err(broken)? {
        interrupt::check()?;
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && wanted(&name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            take(&name, bytes)?;
        }
    }
    Ok(())
}
