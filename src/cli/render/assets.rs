//! The Python programs and templates that the binary carries.

use std::path::PathBuf;

use isopath::error::{Error, Result};
use tempfile::TempDir;

const FILES: &[(&str, &str)] = &[
    ("execute.py", include_str!("execute.py")),
    ("page.py", include_str!("page/page.py")),
    ("prose.py", include_str!("page/prose.py")),
    ("formula.py", include_str!("page/formula.py")),
    ("outputs.py", include_str!("page/outputs.py")),
    ("svg.py", include_str!("page/svg.py")),
    ("layout.html", include_str!("page/layout.html")),
    ("notebook.html", include_str!("page/notebook.html")),
    ("index.html", include_str!("page/index.html")),
    ("style.css", include_str!("page/style.css")),
];

/// The files, unpacked for as long as this lives; executed notebooks lie beside them until their page is written.
pub struct Assets {
    folder: TempDir,
}

impl Assets {
    pub fn unpack() -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("isopath-render-").tempdir().map_err(Error::io(std::env::temp_dir()))?;
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
