//! Files that are written whole or not at all.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::{Error, Result};

/// How the names of unfinished files begin; one that is left behind belongs to a program that was
/// killed.
pub const UNFINISHED: &str = ".writing-";

/// Writes `bytes` to `path`; missing folders are made.
///
/// The bytes go to a file beside `path` that takes its name once they are on the disk: whatever
/// happens, `path` holds the old content or the new.
///
/// # Errors
/// The folder cannot be made or written to.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole_by(path, &mut |file| file.write_all(bytes))
}

/// [`write_whole`] of what `write` writes, for files that do not fit into the memory.
///
/// # Errors
/// The folder cannot be made or written to, or an error of `write`.
pub fn write_whole_by(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        // As any new file: what the umask leaves of it. The default would hide the file from
        // everyone else.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(Error::io(folder))?;
    let mut buffer = BufWriter::with_capacity(1 << 16, &mut file);
    write(&mut buffer)
        .and_then(|()| buffer.flush())
        .map_err(Error::io(path))?;
    drop(buffer);
    file.as_file().sync_all().map_err(Error::io(path))?;
    file.persist(path)
        .map_err(|error| Error::io(path)(error.error))?;
    Ok(())
}
