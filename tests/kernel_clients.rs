//! The kernel, used by real clients with nothing set: the tests in `tests/kernel`, which are
//! Python's.
//!
//! They need the Jupyter environment and the kernel that `cargo run -- setup` makes, and take about
//! two minutes.

#[path = "common/python.rs"]
mod python;

use std::path::Path;
use std::process::Command;

#[test]
fn real_clients_find_a_kernel_that_behaves() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel");
    let output = Command::new(python::python())
        .args([
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tb=short",
            "--durations=5",
        ])
        .arg(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python cannot be started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        !said.contains("No module named pytest"),
        "pytest is missing: run `cargo run -- setup` first"
    );
    assert!(
        output.status.success() && said.contains(" passed"),
        "{said}"
    );
}
