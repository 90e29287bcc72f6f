//! Writes the numbers of a notebook as JSON, for other programs.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::io::files;

/// The folder of results, `target/results` of the package, wherever the program runs: a notebook's
/// kernel has a target folder of its own.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target")
        .join("results")
}

/// The file in `folder` from which an interrupted training of that name continues.
pub fn run_file(folder: impl AsRef<Path>, name: &str) -> PathBuf {
    folder.as_ref().join(format!("{name}.run.safetensors"))
}

/// Writes `value` as JSON to `target/results/<notebook>.json`, whole or not at all, and gives the
/// path.
///
/// # Errors
/// `notebook` is not a plain name, `value` has no JSON form, or the file cannot be written.
pub fn write(notebook: &str, value: &impl Serialize) -> Result<PathBuf> {
    write_in(&folder(), notebook, value)
}

/// [`write()`] to a folder.
///
/// # Errors
/// As [`write()`].
pub fn write_in(folder: &Path, notebook: &str, value: &impl Serialize) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if notebook.is_empty() || !notebook.chars().all(plain) {
        return Err(Error::argument(
            "notebook",
            "a name of letters, digits, _ and -",
            format!("{notebook:?}"),
        ));
    }
    let path = folder.join(notebook).with_extension("json");
    let mut json = serde_json::to_string_pretty(value)
        .map_err(|error| Error::file(&path, "a value with a JSON form", error))?;
    json.push('\n');
    files::write_whole(&path, json.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_whole_and_replaces_what_was_there() -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::io("temporary folder"))?;
        let path = write_in(folder.path(), "rings", &vec![1.5])?;
        write_in(
            folder.path(),
            "rings",
            &serde_json::json!({"scale": "quick", "seeds": [0]}),
        )?;
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        assert_eq!(
            text,
            "{\n  \"scale\": \"quick\",\n  \"seeds\": [\n    0\n  ]\n}\n"
        );
        assert_eq!(
            std::fs::read_dir(folder.path())
                .map_err(Error::io(folder.path()))?
                .count(),
            1
        );
        Ok(())
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        for name in ["", "../up", "a/b", "a.json"] {
            let error = write(name, &0).unwrap_err().to_string();
            assert!(
                error.starts_with("notebook is ")
                    && error.ends_with("a name of letters, digits, _ and -"),
                "{error}"
            );
        }
    }
}
