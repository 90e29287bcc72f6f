//! `isopath render` on notebooks that fail in every way evcxr knows, beside healthy ones.
//!
//! The notebooks are written here and run on the real kernel, so a Jupyter environment is needed: `.venv`, as
//! `cargo run -- setup` makes it, or the one whose Python `ISOPATH_PYTHON` names.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for a small cell on a busy machine: only the cells that hang are to reach it.
const CELL_TIMEOUT_SECONDS: u64 = 30;

/// The Python that `setup` takes: of an active environment that has JupyterLab, else of .venv.
fn python() -> PathBuf {
    let active = ["CONDA_PREFIX", "VIRTUAL_ENV"].into_iter().filter_map(std::env::var_os);
    let mut active = active.map(|prefix| PathBuf::from(prefix).join("bin/python")).filter(|python| {
        Command::new(python).args(["-c", "import jupyterlab"]).output().is_ok_and(|output| output.status.success())
    });
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let python = active.next().unwrap_or_else(own);
    assert!(python.is_file(), "no Jupyter environment at {}: run `cargo run -- setup` first", python.display());
    python
}

fn markdown(source: &str) -> Value {
    json!({"cell_type": "markdown", "metadata": {}, "source": source})
}

fn code(source: &str) -> Value {
    tagged(source, &[])
}

fn tagged(source: &str, tags: &[&str]) -> Value {
    json!({"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": null})
}

/// A folder of notebooks and one for their pages.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(site.notebooks()).unwrap();
        std::fs::create_dir(site.pages()).unwrap();
        site
    }

    fn notebooks(&self) -> PathBuf {
        self.folder.path().join("notebooks")
    }

    fn pages(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    fn add(&self, name: &str, cells: &[Value]) {
        let kernel = json!({"name": "isopath", "display_name": "isopath", "language": "rust"});
        let notebook = json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells});
        std::fs::write(self.notebooks().join(format!("{name}.ipynb")), notebook.to_string()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let python = python();
        let mut command = Command::new(env!("CARGO_BIN_EXE_isopath"));
        command.arg("render").args(arguments);
        command.arg("--notebooks").arg(self.notebooks()).arg("--site").arg(self.pages());
        command.env("VIRTUAL_ENV", python.ancestors().nth(2).unwrap()).env_remove("CONDA_PREFIX");
        command
    }

    fn page(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.pages().join(name)).ok()
    }
}

const GREETING: &str = "println!(\"hello\");";
const FIGURE: &str = r##"println!("EVCXR_BEGIN_CONTENT image/svg+xml
<svg xmlns='http://www.w3.org/2000/svg' width='200' height='100'><clipPath id='c'><rect width='9' height='9'/></clipPath>
<rect width='200' height='100' fill='#fff' clip-path='url(#c)'/><text>accuracy</text></svg>
EVCXR_END_CONTENT
EVCXR_BEGIN_CONTENT text/plain
Accuracy falls as the step grows.
EVCXR_END_CONTENT");"##;

/// Every kind of notebook, rendered once for all tests of this file.
struct Run {
    site: Site,
    output: Output,
    stdout: String,
}

fn run() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| {
        let site = Site::new();
        let broken = |name: &str, source: &str| site.add(name, &[code(GREETING), code(source), code(GREETING)]);
        broken("panics", "let values: Vec<i32> = vec![];\nlet third = values[3];\nprintln!(\"{third}\");");
        broken("question", "let number: i32 = \"seven\".parse::<i32>()?;\nprintln!(\"{number}\");");
        broken("compile", "let number: i32 = \"no\";");
        broken("hangs", "std::fs::write(\"pid\", std::process::id().to_string()).unwrap();\nloop {}");
        broken("no_newline", "use std::io::Write;\nprint!(\"half a line\");\nstd::io::stdout().flush().unwrap();");
        broken("aborts", "std::process::abort();");
        let kill = "let kernel = std::os::unix::process::parent_id().to_string();\n\
                    std::process::Command::new(\"sh\").args([\"-c\", &format!(\"kill -9 {kernel}\")]).status().unwrap();\n\
                    std::thread::sleep(std::time::Duration::from_secs(60));";
        broken("dies", kill);
        let late = "std::thread::spawn(|| {\n    std::thread::sleep(std::time::Duration::from_millis(150));\n    \
                    eprintln!(\"too late\");\n});";
        site.add("late", &[code(GREETING), code(late)]);
        let for_ever = "std::thread::spawn(|| for _ in 0..u64::MAX {\n    eprintln!(\"more\");\n    \
                        std::thread::sleep(std::time::Duration::from_millis(50));\n});";
        site.add("for_ever", &[code(GREETING), code(for_ever)]);
        site.add("formula", &[markdown("# Unknown\n\nA formula: $\\unknowable{x}$."), code(GREETING)]);
        std::fs::write(site.notebooks().join("not_one.ipynb"), "{\"cells\": [").unwrap();

        site.add(
            "healthy",
            &[
                markdown(
                    "# All is well\n\nA network with the loss $\\mathcal{L}_\\text{ISO}$ meets [another](other.ipynb).",
                ),
                markdown("## Printing\n\n$$\\frac{1}{N^2} \\left\\lVert D \\right\\rVert_F^2$$"),
                code("println!(\"scale {}\", std::env::var(\"ISOPATH_SCALE\").unwrap());"),
                tagged("eprintln!(\"a harmless warning\");", &["allow-stderr"]),
                tagged("let number: i32 = \"no\";", &["raises-exception"]),
                code("for line in 1..=40 {\n    println!(\"line {line}\");\n}"),
                markdown("## A figure"),
                code(FIGURE),
                tagged(&FIGURE.replace("accuracy", "the main one"), &["main-figure"]),
            ],
        );
        site.add("other", &[markdown("# Another\n\nSee [the healthy one](healthy.ipynb#printing)."), code("1 + 1")]);

        for name in ["panics", "healthy"] {
            std::fs::write(site.pages().join(format!("{name}.html")), "an old page").unwrap();
            std::fs::write(site.pages().join(format!("{name}.ipynb")), "an old notebook").unwrap();
        }
        let timeout = format!("--cell-timeout={CELL_TIMEOUT_SECONDS}");
        let output = site.command(&["--scale", "quick", "--jobs", "2", &timeout]).output().unwrap();
        let stdout = String::from_utf8(output.stdout.clone()).unwrap();
        println!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        Run { site, output, stdout }
    })
}

/// Asserts that the notebook failed, in words that contain each of `words`, and has no page.
fn assert_failed(name: &str, words: &[&str]) {
    let run = run();
    let own: Vec<&str> = run.stdout.split('\n').skip_while(|line| !line.starts_with(&format!("{name}  "))).collect();
    for word in words {
        assert!(own.iter().any(|line| line.contains(word)), "{name}: nothing says {word:?} in\n{}", own.join("\n"));
    }
    let summary = run.stdout.split("notebooks failed:").nth(1).unwrap_or_else(|| panic!("no list of failures"));
    assert!(summary.contains(&format!("\n  {name}: ")), "{name} is missing in the list of failures: {summary}");
    for ending in ["html", "ipynb"] {
        assert_eq!(run.site.page(&format!("{name}.{ending}")), None, "{name}.{ending} is still there");
    }
    let index = run.site.page("index.html").unwrap();
    assert!(
        index.contains(&format!("<code>{name}</code>: <samp>failed: ")),
        "the index does not say that {name} failed"
    );
}

#[test]
fn a_panic_breaks_the_notebook_and_shows_source_and_message() {
    assert_failed(
        "panics",
        &[
            "cell 1/3",
            "BROKEN  let values: Vec<i32> = vec![];",
            "  2 | let third = values[3];",
            "index out of bounds: the len is 0 but the index is 3",
            "  panics: cell 2 of 3: panicked: index out of bounds",
        ],
    );
    assert!(!run().stdout.contains("panics  cell 3/3"), "later cells depend on the broken one");
}

#[test]
fn an_error_at_the_question_mark_breaks_the_notebook() {
    assert_failed(
        "question",
        &["1 | let number: i32 = \"seven\"", "invalid digit found in string", "question: cell 2 of 3:"],
    );
}

#[test]
fn a_compile_error_breaks_the_notebook() {
    assert_failed(
        "compile",
        &["1 | let number: i32 = \"no\";", "expected `i32`, found `&str`", "compile: cell 2 of 3: mismatched"],
    );
}

#[test]
fn a_cell_that_does_not_end_is_stopped_with_its_process() {
    assert_failed("hangs", &["2 | loop {}", &format!("no end after {CELL_TIMEOUT_SECONDS} s")]);
    let pid = std::fs::read_to_string(run().site.notebooks().join("pid")).unwrap();
    assert!(is_gone(&pid), "the cell's process {pid} goes on");
}

#[test]
fn a_cell_whose_thread_never_falls_silent_is_stopped() {
    assert_failed("for_ever", &["a thread of the cell still prints"]);
}

#[test]
fn text_without_a_newline_is_stopped_with_a_hint() {
    assert_failed("no_newline", &["2 | print!(\"half a line\");", "printed text without a final newline"]);
}

#[test]
fn an_aborted_process_and_a_dead_kernel_break_their_notebooks() {
    assert_failed("aborts", &["1 | std::process::abort();", "SIGABRT"]);
    assert_failed("dies", &["the kernel died"]);
}

#[test]
fn stderr_that_comes_after_the_last_cell_counts() {
    assert_failed("late", &["too late"]);
}

#[test]
fn what_is_no_notebook_or_cannot_be_shown_fails() {
    assert_failed("not_one", &["it is not a notebook"]);
    assert_failed("formula", &["the formula \\unknowable{x} cannot be shown"]);
    assert!(!run().stdout.contains("formula  starting the kernel"), "known before the notebook runs");
}

#[test]
fn one_broken_notebook_makes_the_exit_status_1() {
    assert_eq!(run().output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&run().output.stderr).into_owned();
    assert!(stderr.starts_with("error: ") && stderr.ends_with(" notebooks failed\n"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "failures are part of the report");
}

#[test]
fn the_healthy_ones_have_pages() {
    let run = run();
    let page = run.site.page("healthy.html").unwrap();
    for expected in [
        "<h1>All is well</h1>",
        "scale quick",
        "a harmless warning",
        "<summary>40 lines printed",
        "aria-label=\"Accuracy falls as the step grows.\"",
        "id=\"figure-1-c\"",
        "url(#figure-2-c)",
        "<a href=\"other.html\">another</a>",
        "display=\"block\"",
        "href=\"#printing\"",
    ] {
        assert!(page.contains(expected), "the page lacks {expected}");
    }
    assert!(run.stdout.contains("healthy  cell 6/6"), "every cell is reported");
    let executed: Value = serde_json::from_str(&run.site.page("healthy.ipynb").unwrap()).unwrap();
    assert_eq!(executed["metadata"]["isopath"]["scale"], "quick");
    assert_eq!(executed["metadata"]["language_info"]["name"], "Rust");
    let source = std::fs::read_to_string(run.site.notebooks().join("healthy.ipynb")).unwrap();
    assert!(
        !source.contains("40 lines") && !source.contains("execution_count\":1"),
        "the source notebook is as it was"
    );
    let index = run.site.page("index.html").unwrap();
    assert!(index.contains("<a href=\"healthy.html\">All is well</a>"), "the index lacks the notebook");
    assert!(index.contains("alt=\"Accuracy falls as the step grows.\""), "the index lacks the figure");
}

#[test]
fn the_pages_pass_the_page_check_and_nothing_else_is_left() {
    let script = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    for command in [
        Command::new(python()).arg(script("page_check_test.py")),
        Command::new(python()).arg(script("page_check.py")).arg(run().site.pages()),
    ] {
        let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn bad_input_gives_one_line() {
    let site = Site::new();
    site.add("rings", &[code(GREETING)]);
    for (arguments, words) in [
        (&["tori"][..], "notebook is \"tori\"; expected rings (in "),
        (&["rings", "--scale", "huge"], "scale is \"huge\"; expected quick, default or paper"),
        (&["rings", "--jobs", "0"], "jobs is 0; expected at least 1"),
        (&["rings", "--cell-timeout", "0"], "cell-timeout is 0; expected more than 0 seconds"),
    ] {
        let output = site.command(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?} is accepted");
        assert!(stderr.lines().next().is_some_and(|line| line.contains(words)), "{arguments:?}: {stderr}");
        assert_eq!(std::fs::read_dir(site.pages()).unwrap().count(), 0, "{arguments:?} leaves something");
    }
}

/// The executed copy would replace the source, and a failure would remove it.
#[test]
fn the_pages_do_not_go_to_the_folder_of_the_notebooks() {
    let site = Site::new();
    site.add("rings", &[code(GREETING)]);
    let linked = site.notebooks().join("linked");
    std::os::unix::fs::symlink(".", &linked).unwrap();
    for folder in [site.notebooks(), linked] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_isopath"));
        command.arg("render").arg("--notebooks").arg(site.notebooks()).arg("--site").arg(folder);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains("expected another folder than the notebook's"), "{stderr}");
        assert!(std::fs::read_to_string(site.notebooks().join("rings.ipynb")).unwrap().contains("hello"));
    }
}

/// candle numbers its tensors with a counter, and finds gradients by that number. A copy of candle in every cell would
/// count from 1 in each, and mix up the gradients of tensors that different cells made.
#[test]
fn all_cells_share_one_candle() {
    let site = Site::new();
    site.add(
        "shared",
        &[
            code(&format!(":dep isopath = {{ path = {:?} }}", env!("CARGO_MANIFEST_DIR"))),
            code("use isopath::candle::{Device, Tensor, Var};\nlet first = Var::new(&[1f32], &Device::Cpu)?;"),
            code("let second = Var::new(&[2f32], &Device::Cpu)?;\nassert_ne!(first.id(), second.id());"),
            code(
                "let gradients = (first.as_tensor() * second.as_tensor())?.sum_all()?.backward()?;\n\
                 assert_eq!(gradients.get(&first).unwrap().to_vec1::<f32>()?, [2.]);\n\
                 assert_eq!(gradients.get(&second).unwrap().to_vec1::<f32>()?, [1.]);",
            ),
        ],
    );
    let output = site.command(&["--scale", "quick"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_killed_run_takes_its_kernel_along() {
    let site = Site::new();
    site.add("hangs", &[code("std::fs::write(\"pid\", std::process::id().to_string()).unwrap();\nloop {}")]);
    let mut process = site.command(&["--scale", "quick"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let pid = site.notebooks().join("pid");
    let has_started = wait(Duration::from_secs(300), || std::fs::read_to_string(&pid).is_ok_and(|pid| !pid.is_empty()));
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(has_started, "the cell did not start");
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(wait(Duration::from_secs(30), || is_gone(&pid)), "the cell's process {pid} goes on");
}

fn wait(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

/// No such process, or nothing but its exit status is left.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // The state stands behind the name, which is in brackets.
    stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}
