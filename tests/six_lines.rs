//! How many lines a person types for what is wanted most, counted in notebooks that a user might have
//! written; and that the first of them runs.
//!
//! Running it needs the Jupyter environment and the kernel that `cargo run -- setup` makes, MNIST in the
//! data folder, and about half a minute.

#[path = "common/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each notebook, and the most lines of code that it may have.
const NOTEBOOKS: [(&str, usize); 2] = [
    // MNIST, training with β, accuracy, the FGSM curve drawn.
    ("isometric_training", 7),
    // Two test images of a class of CIFAR-10, the carried network, line and band, filmstrip drawn.
    ("two_images", 7),
];

fn notebook(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/notebooks")
        .join(name)
        .with_extension("ipynb")
}

/// The sources of its cells of code.
fn code(notebook: &Value) -> Vec<String> {
    let cells = notebook["cells"].as_array().unwrap();
    let source = |cell: &Value| {
        let lines = cell["source"].as_array().unwrap().iter();
        lines.map(|line| line.as_str().unwrap()).collect()
    };
    let is_code = |cell: &&Value| cell["cell_type"] == "code";
    cells.iter().filter(is_code).map(source).collect()
}

/// Lines of code: without blank lines, comments and `:dep`.
fn lines(notebook: &Value) -> Vec<String> {
    code(notebook)
        .iter()
        .flat_map(|source| source.lines())
        .map(|line| line.trim().to_string())
        .filter(|line| !(line.is_empty() || line.starts_with("//") || line.starts_with(":dep")))
        .collect()
}

#[test]
fn the_notebooks_have_no_more_lines_than_they_may() {
    for (name, most) in NOTEBOOKS {
        let lines = lines(&notebook(&file(name)));
        println!("{name}: {} lines of code, at most {most}", lines.len());
        assert!(
            !lines.is_empty() && lines.len() <= most,
            "{name}: {lines:#?}"
        );
        // No two statements on a line, and none that a reader would have to scroll for.
        for line in lines {
            assert!(line.matches(';').count() <= 1, "{name}: {line}");
            assert!(line.chars().count() <= 110, "{name}: {line}");
        }
    }
}

#[test]
fn the_first_notebook_runs_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python::python())
        .args(["-m", "nbconvert", "--to", "notebook", "--execute"])
        .arg("--ExecutePreprocessor.startup_timeout=180")
        .arg("--output-dir")
        .arg(folder.path())
        .arg(file("isometric_training"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python cannot be started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");

    let executed = notebook(&folder.path().join("isometric_training.ipynb"));
    let outputs: Vec<&Value> = executed["cells"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|cell| cell["outputs"].as_array())
        .flatten()
        .collect();
    let texts = |key: &str| -> Vec<String> {
        let text = |lines: &Value| match lines {
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().unwrap_or_default().to_string(),
        };
        outputs.iter().map(|output| text(&output[key])).collect()
    };
    let said = texts("text").concat();
    let accuracy = said.split("accuracy ").nth(1).expect("no accuracy");
    let accuracy: f64 = accuracy.split_whitespace().next().unwrap().parse().unwrap();
    assert!(accuracy > 0.9, "{said}");
    // The history and the curve are drawn, each as the value of its cell.
    let drawn = outputs.iter().filter(|output| {
        let svg = &output["data"]["image/svg+xml"];
        output["output_type"] == "execute_result" && !svg.is_null()
    });
    assert_eq!(drawn.count(), 2, "{outputs:#?}");
}
