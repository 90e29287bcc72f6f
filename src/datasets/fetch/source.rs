//! A source of a data set: what the downloader asks of it.

use std::path::Path;

use crate::error::Result;

/// A function that is called with each line of progress.
pub type Report<'a> = &'a mut dyn FnMut(&str);

/// A function that a source calls with each file: its name and its bytes.
pub type FileCallback<'a> = &'a mut dyn FnMut(&str, &[u8]) -> Result<()>;

/// The files of a set, each with its name and its bytes.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// A place to download a data set from.
pub trait Source {
    /// The name of the source, for progress and errors.
    fn name(&self) -> String;

    /// Downloads every file of the set and calls `on_file` with it, in any order.
    ///
    /// `scratch`: an empty folder for downloads, removed afterwards. The source stops at the first
    /// error of `on_file` and passes it on.
    ///
    /// # Errors
    /// The source does not answer, or has something else. The next source is then tried.
    fn download(&self, scratch: &Path, on_file: FileCallback<'_>) -> Result<()>;
}
