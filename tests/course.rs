//! The course: assignments whose wrong solutions get the points that they should, and a class that
//! nbgrader grades from the start to the marks. The tests in `tests/course` are Python's.
//!
//! They need the Jupyter environment and the kernel that `cargo run -- setup` makes.

#[path = "common/python.rs"]
mod python;

use std::path::Path;
use std::process::{Command, Output};

fn python(arguments: &[&str]) -> Output {
    Command::new(python::python())
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/course"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ISOPATH_BINARY", env!("CARGO_BIN_EXE_isopath"))
        .output()
        .expect("Python cannot be started")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Whether to run everything, not only what fits into a few minutes: ISOPATH_COURSE=all.
fn is_everything() -> bool {
    std::env::var("ISOPATH_COURSE").is_ok_and(|wanted| wanted == "all")
}

#[test]
fn right_solutions_get_all_points_and_wrong_ones_what_they_should() {
    let mut arguments = vec!["solutions.py", "--jobs", "2"];
    arguments.extend((!is_everything()).then_some("--quick"));
    let output = python(&arguments);
    let said = said(&output);
    let checked = said.matches("wrong solutions,").count();
    assert!(output.status.success() && checked >= 6, "{said}");
}

#[test]
fn a_class_is_graded_from_the_start_to_the_marks() {
    let output = python(&[
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=short",
        "-rs",
        "test_course.py",
    ]);
    let said = said(&output);
    println!("{said}");
    assert!(
        output.status.success() && said.contains(" passed"),
        "{said}"
    );
}
