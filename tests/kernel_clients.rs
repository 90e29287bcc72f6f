//! The kernel in the hands of Jupyter's own tools: `tests/kernel`, run by pytest in the Jupyter environment.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python that `setup` takes: of an active environment that has JupyterLab, else of .venv.
fn python() -> PathBuf {
    let has_jupyter = |python: &PathBuf| {
        Command::new(python).args(["-c", "import jupyterlab"]).output().is_ok_and(|output| output.status.success())
    };
    let active = ["CONDA_PREFIX", "VIRTUAL_ENV"].into_iter().filter_map(std::env::var_os);
    let mut active = active.map(|prefix| PathBuf::from(prefix).join("bin/python")).filter(has_jupyter);
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    active.next().unwrap_or_else(own)
}

#[test]
fn real_clients_trust_the_kernel() {
    let python = python();
    assert!(python.is_file(), "no Jupyter environment at {}: run `cargo run -- setup` first", python.display());
    let output = Command::new(python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed"), "no test has run: {said}");
}
