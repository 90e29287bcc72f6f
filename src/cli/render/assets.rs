//! The Python programs and templates that the binary carries.

use std::path::PathBuf;

use isopath::error::{Error, Result};
use tempfile::TempDir;

const FILES: &[(&str, &str)] = &[
    ("execute.py", include_str!("execute.py")),
    ("files.py", include_str!("files.py")),
    ("rfc3987_syntax.py", include_str!("rfc3987_syntax.py")),
    ("page.py", include_str!("page/page.py")),
    ("cells.py", include_str!("page/cells.py")),
    ("formula.py", include_str!("page/formula.py")),
    ("parts.html", include_str!("page/parts.html")),
    ("notebook.html", include_str!("page/notebook.html")),
    ("index.html", include_str!("page/index.html")),
    ("style.css", include_str!("page/style.css")),
];

/// The files, unpacked for as long as this lives.
pub struct Assets {
    folder: TempDir,
}

impl Assets {
    pub fn unpack() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("isopath-render-")
            .tempdir()
            .map_err(Error::io(std::env::temp_dir()))?;
        for (name, text) in FILES {
            let path = folder.path().join(name);
            std::fs::write(&path, text).map_err(Error::io(path))?;
        }
        Ok(Self { folder })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
