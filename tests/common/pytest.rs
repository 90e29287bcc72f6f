//! Tests that are Python's, in the Jupyter environment that `cargo run -- setup` makes.

use std::path::Path;
use std::process::Command;

#[path = "python.rs"]
mod python;

/// Runs Python in a folder of `tests`; gives what it said.
///
/// # Panics
/// It failed.
pub fn python(folder: &str, arguments: &[&str]) -> String {
    let output = Command::new(python::python())
        .args(arguments)
        .current_dir(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests")
                .join(folder),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ISOPATH_BINARY", env!("CARGO_BIN_EXE_isopath"))
        .output()
        .expect("Python cannot be started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        !said.contains("No module named"),
        "a package is missing: run `cargo run -- setup` first\n{said}"
    );
    assert!(output.status.success(), "{said}");
    said
}

/// Runs the pytest files of a folder of `tests`; gives what they said.
///
/// # Panics
/// One fails, or none passes.
pub fn pytest(folder: &str) -> String {
    const QUIET: [&str; 8] = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=short",
        "--durations=5",
        "-rs",
    ];
    let said = python(folder, &QUIET);
    assert!(said.contains(" passed"), "{said}");
    said
}
