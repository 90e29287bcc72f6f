//! SHA-256 digests of files and numbers, in hexadecimal digits.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use candle_core::{DType, Tensor};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The SHA-256 digest of a file, in hexadecimal digits.
///
/// # Errors
/// The file cannot be read.
pub fn of_file(path: &Path) -> Result<String> {
    File::open(path).and_then(of_bytes).map_err(Error::io(path))
}

/// The digest of what is read.
pub(crate) fn of_bytes(mut from: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(hex(hash)),
            Ok(n) => hash.update(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The digest of numbers.
pub(crate) fn of_numbers(numbers: impl IntoIterator<Item = f64>) -> String {
    let mut hash = Sha256::new();
    numbers
        .into_iter()
        .for_each(|number| hash.update(number.to_le_bytes()));
    hex(hash)
}

/// The numbers of a tensor, for [`of_numbers`].
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

fn hex(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
