//! Where a data set may come from.

use std::path::Path;

use crate::error::Result;

/// A function that gets a line of progress.
pub type Report<'a> = &'a mut dyn FnMut(&str);

/// A function that takes a file from a source: its name and its bytes.
pub type Deliver<'a> = &'a mut dyn FnMut(&str, &[u8]) -> Result<()>;

/// The files of a set, each with its name and its bytes.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// A place that a set may come from.
pub trait Source {
    /// The name of the source, for the reader of the progress and of the errors.
    fn name(&self) -> String;

    /// Gives every file of the set to `deliver`, in any order.
    ///
    /// `scratch`: an empty folder for downloads, removed afterwards. The source stops at the first
    /// error of `deliver` and passes it on.
    ///
    /// # Errors
    /// The source is not there, or gives something else. The next source is tried.
    fn bring(&self, scratch: &Path, deliver: Deliver<'_>) -> Result<()>;
}
