//! Archives that the user has put into the set's folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::archive::{each_file, gunzipped};
use super::file::DataFile;
use super::source::{FileCallback, Source};
use crate::error::{Error, Result};
use crate::interrupt;

/// Archives beside the files of a set: `NAME.gz` for the file `NAME`, and tar archives (`.tar.gz`,
/// `.tgz`) that hold files of the set in any of their folders.
pub(crate) struct ByHand {
    /// Each with the file it holds; a tar archive with none.
    archives: Vec<(PathBuf, Option<DataFile>)>,
    files: Vec<DataFile>,
}

impl ByHand {
    /// The archives in `folder` that may hold one of `files`; none if there are none.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn find(files: &[DataFile], folder: &Path) -> Result<Option<Self>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(folder)(error)),
        };
        let mut archives = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io(folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let inside = name.strip_suffix(".gz");
            let file = files.iter().find(|file| inside == Some(file.name)).copied();
            if file.is_some() || name.ends_with(".tar.gz") || name.ends_with(".tgz") {
                archives.push((entry.path(), file));
            }
        }
        archives.sort_by(|(a, _), (b, _)| a.cmp(b));
        let files = files.to_vec();
        Ok((!archives.is_empty()).then_some(Self { archives, files }))
    }

    /// Those of its files that its archives do not hold whole and right.
    ///
    /// # Errors
    /// The user asks to stop.
    pub fn lacks(&self) -> Result<Vec<DataFile>> {
        let mut lacking = self.files.clone();
        let result = self.download(Path::new(""), &mut |name, bytes| {
            interrupt::check()?;
            lacking.retain(|file| file.name != name || file.verify(bytes).is_err());
            Ok(())
        });
        match result {
            Err(Error::Interrupted) => Err(Error::Interrupted),
            _ => Ok(lacking),
        }
    }
}

impl Source for ByHand {
    fn name(&self) -> String {
        let names = self
            .archives
            .iter()
            .filter_map(|(path, _)| path.file_name());
        let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
        format!("{} in its folder", names.join(", "))
    }

    fn download(&self, _scratch: &Path, on_file: FileCallback<'_>) -> Result<()> {
        let file_name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_string();
        let wanted = |path: &str| {
            let name = file_name(path);
            self.files.iter().any(|file| file.name == name)
        };
        self.archives
            .iter()
            .try_for_each(|(path, file)| match file {
                // One byte more, so that a longer file is not taken for the right one.
                Some(file) => on_file(file.name, &gunzipped(path, file.bytes.saturating_add(1))?),
                None => each_file(path, wanted, |name, bytes| {
                    on_file(&file_name(name), &bytes)
                }),
            })
    }
}
