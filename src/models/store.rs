//! Named tensors in a file: safetensors, written whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// Writes `tensors` and `metadata` to `path` as safetensors.
///
/// The bytes go to a file beside `path` that takes its name once they are on the disk: whatever happens, `path` holds
/// the old content or the new. Missing folders are made.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(path: &Path, tensors: &BTreeMap<String, Tensor>, metadata: Option<HashMap<String, String>>) -> Result<()> {
    let bytes = safetensors::serialize(tensors, metadata)
        .map_err(|error| Error::file(path, "tensors that safetensors can hold", error))?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        // As any new file: what the umask leaves of it. The default would hide the file from everyone else.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(Error::io(folder))?;
    file.write_all(&bytes).map_err(Error::io(path))?;
    file.as_file().sync_all().map_err(Error::io(path))?;
    file.persist(path).map_err(|error| Error::io(path)(error.error))?;
    Ok(())
}

/// The tensors and the metadata of a safetensors file.
///
/// # Errors
/// The file cannot be read, or is not whole.
pub fn read(path: &Path, device: &Device) -> Result<(BTreeMap<String, Tensor>, HashMap<String, String>)> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let refuse = |error: safetensors::SafeTensorError| Error::file(path, "a whole safetensors file", error);
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).map_err(refuse)?;
    // Again from the start: the tensors, whose lengths are now known to fit the file's.
    safetensors::SafeTensors::deserialize(&bytes).map_err(refuse)?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, device)?.into_iter().collect();
    Ok((tensors, metadata.metadata().clone().unwrap_or_default()))
}
