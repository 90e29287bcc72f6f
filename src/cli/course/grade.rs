//! Grading a class: nbgrader's `autograde`, several students at once.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Instant;

use isopath::io::files::write_whole;
use serde_json::json;

use super::super::command::{command, output};
use super::super::environment::Environment;
use super::super::files::at;
use super::super::kernel::sandbox;
use super::super::project::Project;
use super::super::{Failure, Result};
use super::{CONFIG, assignments, names, nbgrader, notebooks};

/// What to grade, and how.
pub struct Options {
    /// The assignment.
    pub assignment: String,
    /// How many submissions run at once; none means one for each processor.
    pub jobs: Option<usize>,
    /// Whether submissions run in a sandbox.
    pub sandbox: bool,
    /// Whether those that were graded before are graded again.
    pub force: bool,
}

/// Prints the points from nbgrader's own database.
const POINTS: &str = include_str!("points.py");

/// Grades every submission of an assignment, and prints the points.
///
/// # Errors
/// No course, assignment, nbgrader or kernel is there; or some submissions could not be graded:
/// those of the others were.
pub fn grade(project: &Project, folder: &Path, options: &Options) -> Result<()> {
    let assignment = &options.assignment;
    let released = check(folder, assignment)?;
    if options.jobs == Some(0) {
        return Err(Failure("--jobs is 0; expected at least 1".into()));
    }
    if options.sandbox {
        sandbox::check()?;
    }
    let environment = Environment::locate(project);
    nbgrader::check(project, &environment)?;
    let students = students(folder, assignment)?;
    for student in &students {
        let place = folder.join("submitted").join(student).join(assignment);
        released
            .iter()
            .try_for_each(|notebook| stand_in(&place, notebook, &released))?;
    }
    let jobs = options
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .min(students.len());
    println!(
        "{} submissions of {assignment}, {jobs} at once",
        students.len()
    );
    let (start, done, failed) = (Instant::now(), Mutex::new(0), Mutex::new(vec![]));
    let waiting = Mutex::new(students.iter());
    let next = || waiting.lock().ok()?.next();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(student) = next() {
                    let begun = Instant::now();
                    let result = autograde(&environment, folder, student, options);
                    let (Ok(mut done), Ok(mut failed)) = (done.lock(), failed.lock()) else {
                        return;
                    };
                    *done += 1;
                    let seconds = begun.elapsed().as_secs_f64();
                    let number = format!("{done} of {}", students.len());
                    match result {
                        Ok(()) => println!("[{number}] {student} graded in {seconds:.0} s"),
                        Err(Failure(reason)) => {
                            println!("[{number}] {student} FAILED: {reason}");
                            failed.push(student.clone());
                        }
                    }
                }
            });
        }
    });
    println!("graded in {:.0} s", start.elapsed().as_secs_f64());
    let mut points = command(environment.python());
    points
        .current_dir(folder)
        .args(["-c", POINTS, assignment.as_str()]);
    println!("{}", output(&mut points)?);
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "{} could not be graded; the reasons are above and in {}",
        failed.join(", "),
        log(folder, "STUDENT", assignment).display()
    )))
}

/// Checks that there is such an assignment and that it was generated; returns its notebooks.
fn check(folder: &Path, assignment: &str) -> Result<Vec<String>> {
    let shown = folder.display();
    if !folder.join(CONFIG).is_file() {
        return Err(Failure(format!(
            "{shown} is no course; make one with `cargo run -- course init FOLDER`"
        )));
    }
    let names = assignments(&folder.join("source"))?;
    if !names.iter().any(|name| name == assignment) {
        return Err(Failure(format!(
            "assignment is {assignment:?}; expected {}",
            names.join(", ")
        )));
    }
    let released = folder.join("release").join(assignment);
    notebooks(&released).map_err(|_| {
        Failure(format!(
            "{assignment} was not handed out from {shown}; run `nbgrader generate_assignment {assignment}` there"
        ))
    })
}

/// The students who have a folder for the assignment.
fn students(folder: &Path, assignment: &str) -> Result<Vec<String>> {
    let submitted = folder.join("submitted");
    let students = names(&submitted, |path| path.join(assignment).is_dir())?;
    if students.is_empty() {
        return Err(Failure(format!(
            "{} has no submission of {assignment}; expected folders STUDENT/{assignment}",
            submitted.display()
        )));
    }
    Ok(students)
}

/// Puts a notebook in the place of one that was not handed in, since nbgrader passes such a student
/// over: the only other one of the folder, or one without cells.
fn stand_in(place: &Path, notebook: &str, released: &[String]) -> Result<()> {
    let path = place.join(notebook);
    if path.exists() {
        return Ok(());
    }
    let mut others = notebooks(place).unwrap_or_default();
    others.retain(|other| !released.contains(other));
    let mut stand_in = json!({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    let words = match &others[..] {
        [other] if released.len() == 1 => {
            let text = std::fs::read(place.join(other)).map_err(at(place))?;
            if let Ok(found) = serde_json::from_slice(&text) {
                stand_in = found;
            }
            format!("The notebook was handed in as {other}; expected {notebook}.")
        }
        _ => format!("No notebook {notebook} was handed in."),
    };
    if let Some(metadata) = stand_in["metadata"].as_object_mut() {
        metadata.insert("grader".into(), json!(words));
    }
    Ok(write_whole(&path, stand_in.to_string().as_bytes())?)
}

/// Runs nbgrader for one student; what it says goes to a file.
fn autograde(
    environment: &Environment,
    folder: &Path,
    student: &str,
    options: &Options,
) -> Result<()> {
    let log = log(folder, student, &options.assignment);
    if let Some(parent) = log.parent() {
        std::fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let file = std::fs::File::create(&log).map_err(at(&log))?;
    let errors = file.try_clone().map_err(at(&log))?;
    let mut nbgrader = command(environment.python());
    nbgrader
        .current_dir(folder)
        .args(["-m", "nbgrader", "autograde", &options.assignment])
        .args(["--student", student])
        .args(options.force.then_some("--force"))
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors);
    if options.sandbox {
        nbgrader.env(sandbox::OF_COURSE, "1");
    }
    let status = nbgrader
        .status()
        .map_err(|error| Failure(format!("nbgrader cannot be started: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    Err(Failure(format!("{}; see {}", reason(&said), log.display())))
}

/// The line of nbgrader's log that says what went wrong: the exception at the end of the first
/// trace.
fn reason(said: &str) -> &str {
    let is_exception = |line: &&str| {
        let name = line.split(':').next().unwrap_or("");
        line.contains(':') && (name.ends_with("Error") || name.ends_with("Exception"))
    };
    said.lines()
        .find(is_exception)
        .or_else(|| said.lines().rev().find(|line| !line.trim().is_empty()))
        .unwrap_or("nbgrader said nothing")
}

/// Where nbgrader's log of a student lies.
fn log(folder: &Path, student: &str, assignment: &str) -> PathBuf {
    folder
        .join("logs")
        .join(assignment)
        .join(format!("{student}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_notebook_gets_a_stand_in() {
        let folder = tempfile::tempdir().unwrap();
        let released = ["a.ipynb".to_owned()];
        let stand = |student: &str| -> serde_json::Value {
            let place = folder.path().join(student);
            std::fs::create_dir_all(&place).unwrap();
            stand_in(&place, "a.ipynb", &released).unwrap();
            serde_json::from_slice(&std::fs::read(place.join("a.ipynb")).unwrap()).unwrap()
        };
        let found = stand("nothing");
        assert_eq!(
            found["metadata"]["grader"],
            "No notebook a.ipynb was handed in."
        );
        assert_eq!(found["cells"], json!([]));
        let place = folder.path().join("renamed");
        std::fs::create_dir_all(&place).unwrap();
        let other = json!({"cells": [1], "metadata": {}});
        std::fs::write(place.join("mine.ipynb"), other.to_string()).unwrap();
        let found = stand("renamed");
        assert_eq!(found["cells"], json!([1]));
        assert!(
            found["metadata"]["grader"]
                .to_string()
                .contains("mine.ipynb")
        );
        // One that is there is left alone.
        std::fs::write(place.join("a.ipynb"), "7").unwrap();
        assert_eq!(stand("renamed"), json!(7));
    }

    #[test]
    fn the_reason_is_the_exception() {
        let said = "[A] INFO | x\nTraceback (most recent call last):\n  File y\nKeyError: 'z'\n[A] ERROR | see above\n";
        assert_eq!(reason(said), "KeyError: 'z'");
        assert_eq!(reason("[A] ERROR | no\n\n"), "[A] ERROR | no");
        assert_eq!(reason(""), "nbgrader said nothing");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = || check(folder.path(), "2_attack").unwrap_err().to_string();
        assert!(refusal().contains("is no course; make one"));
        std::fs::write(folder.path().join(CONFIG), "").unwrap();
        std::fs::create_dir_all(folder.path().join("source/1_distances")).unwrap();
        assert_eq!(
            refusal(),
            "assignment is \"2_attack\"; expected 1_distances"
        );
        std::fs::create_dir_all(folder.path().join("source/2_attack")).unwrap();
        assert!(refusal().contains("run `nbgrader generate_assignment 2_attack` there"));
        let nobody = students(folder.path(), "2_attack").unwrap_err().to_string();
        assert!(
            nobody.contains("expected folders STUDENT/2_attack"),
            "{nobody}"
        );
    }
}
