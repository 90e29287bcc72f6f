//! Named tensors in a file: safetensors, written whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::io::files;

/// Writes `tensors` and `metadata` to `path` as safetensors.
///
/// Whole or not at all; missing folders are made.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: Option<HashMap<String, String>>,
) -> Result<()> {
    files::write_whole(path, &to_bytes(path, tensors, metadata)?)
}

/// The bytes of the safetensors file `path` with `tensors` and `metadata`.
///
/// # Errors
/// Tensors that it cannot hold.
pub fn to_bytes(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>> {
    safetensors::serialize(tensors, metadata)
        .map_err(|error| Error::file(path, "tensors that safetensors can hold", error))
}

/// Reads the tensors and the metadata of a safetensors file.
///
/// # Errors
/// The file cannot be read, or is not whole.
pub fn read(
    path: &Path,
    device: &Device,
) -> Result<(BTreeMap<String, Tensor>, HashMap<String, String>)> {
    from_bytes(path, &std::fs::read(path).map_err(Error::io(path))?, device)
}

/// The tensors and the metadata of the bytes of a safetensors file `path`.
///
/// # Errors
/// They are not whole.
pub fn from_bytes(
    path: &Path,
    bytes: &[u8],
    device: &Device,
) -> Result<(BTreeMap<String, Tensor>, HashMap<String, String>)> {
    let refuse =
        |error: safetensors::SafeTensorError| Error::file(path, "a whole safetensors file", error);
    let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes).map_err(refuse)?;
    // Again from the start: the tensors, whose lengths are now known to fit the file's.
    safetensors::SafeTensors::deserialize(bytes).map_err(refuse)?;
    let tensors = candle_core::safetensors::load_buffer(bytes, device)?
        .into_iter()
        .collect();
    Ok((tensors, metadata.metadata().clone().unwrap_or_default()))
}
