//! A file of a data set, with its size and digest.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::interrupt;
use crate::io::digest;

/// A file of a data set: its name, and the size and digest by which it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// The name of the file inside the set's folder.
    pub name: &'static str,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The SHA-256 digest of the file in lower-case hexadecimal digits.
    pub sha256: &'static str,
}

impl DataFile {
    /// What is wrong with the file in `folder`, if anything.
    pub(super) fn fault(&self, folder: &Path) -> Result<Option<String>> {
        let path = folder.join(self.name);
        interrupt::check()?;
        let bytes = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some("missing".into())),
            Err(error) => return Err(Error::io(path)(error)),
        };
        if bytes != self.bytes {
            return Ok(Some(format!("{bytes} bytes; expected {}", self.bytes)));
        }
        let found = digest::of_file(&path)?;
        Ok((found != self.sha256).then(|| format!("SHA-256 {found}; expected {}", self.sha256)))
    }

    /// Refuses bytes that are not those of the file.
    pub(super) fn verify(&self, bytes: &[u8]) -> Result<()> {
        let found = digest::of_bytes(bytes).map_err(Error::io(self.name))?;
        if found == self.sha256 {
            return Ok(());
        }
        Err(Error::file(
            self.name,
            format!("{} bytes with SHA-256 {}", self.bytes, self.sha256),
            format!("{} bytes with SHA-256 {found}", bytes.len()),
        ))
    }
}
