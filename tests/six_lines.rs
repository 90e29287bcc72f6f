//! How many lines a person types for what is wanted most, counted in notebooks that a user might have
//! written; and that they run.
//!
//! Running them needs the Jupyter environment and the kernel that `cargo run -- setup` makes, MNIST and
//! CIFAR-10 (in the data folder, or a network that they come through), and about a minute.

#[path = "common/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

/// Each notebook, and the most lines of code that it may have beside the definition of a network.
const NOTEBOOKS: [(&str, usize); 4] = [
    // MNIST, training with β, accuracy, the FGSM curve drawn.
    ("isometric_training", 7),
    // Two test images of a class of CIFAR-10, the carried network, line and band, filmstrip drawn.
    ("two_images", 7),
    // Verdicts on 25 pairs of test images in a space, with intervals.
    ("table_of_pairs", 4),
    // A network of one's own through training, accuracy, FGSM curve, filmstrip and Lipschitz constants.
    ("own_network", 12),
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

/// Lines of code: without blank lines, comments, `:dep` and the cell that defines a network.
fn lines(notebook: &Value) -> Vec<String> {
    code(notebook)
        .iter()
        .filter(|source| !source.contains("impl Network for"))
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

/// What the cells of an executed notebook showed.
struct Outputs(Vec<Value>);

impl Outputs {
    /// Runs a notebook in a kernel of its own.
    fn of(name: &str) -> Self {
        let (folder, begun) = (tempfile::tempdir().unwrap(), Instant::now());
        let output = Command::new(python::python())
            .args(["-m", "nbconvert", "--to", "notebook", "--execute"])
            .arg("--ExecutePreprocessor.startup_timeout=180")
            .arg("--output-dir")
            .arg(folder.path())
            .arg(file(name))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("Python cannot be started");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{name}: {said}");
        println!("{name}: {:.0} s", begun.elapsed().as_secs_f64());

        let executed = notebook(&folder.path().join(name).with_extension("ipynb"));
        let cells = executed["cells"].as_array().unwrap().iter();
        let outputs = cells
            .filter_map(|cell| cell["outputs"].as_array())
            .flatten();
        Self(outputs.cloned().collect())
    }

    /// The values of cells of one kind, one text each.
    fn values(&self, kind: &str) -> Vec<String> {
        let values = self
            .0
            .iter()
            .filter(|output| output["output_type"] == "execute_result");
        let texts = values.map(|output| text(&output["data"][kind]));
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// The number that was printed after `accuracy`.
    fn accuracy(&self) -> f64 {
        let said: String = self.0.iter().map(|output| text(&output["text"])).collect();
        let number = said.split("accuracy ").nth(1).expect("no accuracy");
        number.split_whitespace().next().unwrap().parse().unwrap()
    }
}

/// A text of a notebook, which may be in lines.
fn text(lines: &Value) -> String {
    match lines {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_string(),
    }
}

/// One after the other, since each fills all cores.
#[test]
fn the_notebooks_run_and_show_what_they_are_for() {
    let training = Outputs::of("isometric_training");
    assert!(training.accuracy() > 0.9);
    // The history and the curve, each as the value of its cell.
    assert_eq!(training.values("image/svg+xml").len(), 2);

    let images = Outputs::of("two_images");
    assert_eq!(images.values("image/svg+xml").len(), 1);
    // The verdict, and the probabilities below the images of the line.
    let words = images.values("text/plain").concat();
    assert!(
        words.starts_with("cat: ") && words.contains("line: cat "),
        "{words}"
    );

    let pairs = Outputs::of("table_of_pairs");
    let table = pairs.values("text/html").concat();
    let rows: Vec<usize> = table
        .split("</th><td>")
        .skip(1)
        .map(|row| row.split('<').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!((rows.len(), rows.iter().sum()), (3, 25), "{table}");

    let own = Outputs::of("own_network");
    assert!(own.accuracy() > 0.8);
    // The history, the curve and the filmstrip.
    assert_eq!(own.values("image/svg+xml").len(), 3);
    // The ratios and the norms, in words.
    let words = own.values("text/plain");
    assert!(
        words
            .iter()
            .any(|words| words.starts_with("Ratio { largest: "))
    );
    assert_eq!(words.last().unwrap().split(", ").count(), 5, "{words:?}");
}
