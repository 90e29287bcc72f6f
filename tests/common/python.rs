//! The Python of the Jupyter environment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The Python that `setup` takes: of an active environment that has JupyterLab, else of .venv. The
/// tests set up nothing.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let active = ["CONDA_PREFIX", "VIRTUAL_ENV"]
            .into_iter()
            .filter_map(std::env::var_os);
        let mut active = active
            .map(|prefix| PathBuf::from(prefix).join("bin/python"))
            .filter(|python| {
                Command::new(python)
                    .args(["-c", "import jupyterlab"])
                    .output()
                    .is_ok_and(|output| output.status.success())
            });
        let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
        let python = active.next().unwrap_or_else(own);
        assert!(
            python.is_file(),
            "no Jupyter environment at {}: run `cargo run -- setup` first",
            python.display()
        );
        python
    })
}
