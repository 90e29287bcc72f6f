//! `isopath render` on notebooks that fail in every way, beside healthy ones and ones that ask for
//! too much.
//!
//! The notebooks are written here. Most run on ipykernel, which starts in a second and comes with
//! JupyterLab; so a Jupyter environment is needed: `.venv`, as `cargo run -- setup` makes it, or an
//! active one.

#[path = "common/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use python::python;

/// Long enough for a small cell on a busy machine: only the cell that hangs is to reach it.
const CELL_TIMEOUT_SECONDS: u64 = 6;

fn markdown(source: &str) -> Value {
    json!({"cell_type": "markdown", "metadata": {}, "source": source})
}

fn code(source: &str) -> Value {
    tagged(source, &[])
}

fn tagged(source: &str, tags: &[&str]) -> Value {
    // An output that an earlier run left must not pass for this run's.
    let stale = json!([{"output_type": "stream", "name": "stdout", "text": "stale"}]);
    json!({"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": stale, "execution_count": 7})
}

/// A folder of notebooks and one for their pages.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
        };
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

    /// Writes a notebook for ipykernel.
    fn add(&self, name: &str, cells: &[Value]) {
        self.add_for("python3", name, cells);
    }

    fn add_for(&self, kernel: &str, name: &str, cells: &[Value]) {
        let kernel = json!({"name": kernel, "display_name": kernel, "language": "any"});
        let notebook = json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells});
        std::fs::write(
            self.notebooks().join(format!("{name}.ipynb")),
            notebook.to_string(),
        )
        .unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        python();
        let mut command = Command::new(env!("CARGO_BIN_EXE_isopath"));
        command.arg("render").args(arguments);
        command
            .arg("--notebooks")
            .arg(self.notebooks())
            .arg("--site")
            .arg(self.pages());
        command.env("JUPYTER_PATH", self.folder.path());
        command
    }

    /// A kernel that gives up as it starts.
    fn add_kernel_without_luck(&self) {
        let folder = self.folder.path().join("kernels/luckless");
        let words = ["sh", "-c", "echo no luck today >&2; exit 3"];
        let spec = json!({"argv": words, "display_name": "luckless", "language": "any"});
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
    }

    fn page(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.pages().join(name)).ok()
    }

    /// The cells of a notebook in the folder of pages.
    fn cells(&self, name: &str) -> Vec<Value> {
        let notebook: Value =
            serde_json::from_str(&self.page(name).unwrap_or_else(|| panic!("no {name}"))).unwrap();
        notebook["cells"].as_array().unwrap().clone()
    }
}

const GREETING: &str = "print('hello')";
const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='200' height='100'><clipPath id='c'><rect width='9' \
                   height='9'/></clipPath><rect width='200' height='100' clip-path='url(#c)'/><text>accuracy</text></svg>";
const LABEL: &str = "Accuracy falls as the step grows.";

/// A cell that shows the forms of one output, given as JSON.
fn shows(forms: &Value) -> String {
    format!("display({forms}, raw=True)")
}

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
        broken("breaks", "number = 'seven'\nprint('so far')\nint(number)");
        broken("hangs", "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)");
        // The kernel's own child outlives it, unless its whole group ends.
        let dies = "import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n\
                    open('child', 'w').write(str(child.pid))\nos.kill(os.getpid(), 9)";
        broken("dies", dies);
        site.add_kernel_without_luck();
        site.add_for("luckless", "luckless", &[code(GREETING)]);
        site.add_for("nowhere", "nowhere", &[code(GREETING)]);
        std::fs::write(site.notebooks().join("not_one.ipynb"), "{\"cells\": [").unwrap();

        let figure = json!({"image/svg+xml": SVG, "text/plain": LABEL});
        site.add(
            "healthy",
            &[
                markdown(
                    "# All is well\n\nA <b>network</b> with the loss $\\mathcal{L}_\\text{ISO}$ meets [another](other.ipynb).",
                ),
                markdown("## Printing\n\n$$\\frac{1}{N^2} \\left\\lVert D \\right\\rVert_F^2$$"),
                code("import os\nprint('scale', os.environ['ISOPATH_SCALE'])"),
                code("import sys\nprint('a harmless warning', file=sys.stderr)"),
                tagged("1 / 0", &["raises-exception"]),
                code("for line in range(1, 41):\n    print('line', line, flush=True)"),
                code(
                    "bar = display({'text/plain': 'at ' + '1 %'}, raw=True, display_id=True)\n\
                     bar.update({'text/plain': 'at ' + '100 %'}, raw=True)",
                ),
                code("  \n"),
                markdown("## A figure"),
                code(&shows(&figure)),
                tagged(&shows(&figure).replace("accuracy", "the main one"), &["main-figure"]),
            ],
        );
        site.add("other", &[markdown("# Another\n\nSee [the healthy one](healthy.ipynb#printing). Its formula is\n\n$$x$$"), code("1 + 1")]);
        site.add("demanding", &demanding());

        for name in ["breaks", "healthy"] {
            for ending in ["html", "ipynb", "failed.ipynb"] {
                std::fs::write(site.pages().join(format!("{name}.{ending}")), "of an old run").unwrap();
            }
        }
        let timeout = format!("--cell-timeout={CELL_TIMEOUT_SECONDS}");
        let output = site.command(&["--scale", "quick", "--jobs", "4", &timeout]).output().unwrap();
        let stdout = String::from_utf8(output.stdout.clone()).unwrap();
        println!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        Run { site, output, stdout }
    })
}

/// Formulas that math-core does not know as they are, and outputs that are not what they claim to
/// be.
fn demanding() -> Vec<Value> {
    let text = r"# Demands

$$\newcommand{\norm}[1]{\lVert #1 \rVert} \newcommand{\R}{\mathbb{Q}}$$

$$\sum_{\substack{i<n \\ j<m}} \norm{x_{ij}} \tag{3}$$

Of $y = \text{$1$ if $x_{1} > 0$}$ in $\R$, with $\unknowable{x}$.

\begin{split} a &= b \\ c &= d \end{split}

![a sketch](attachment:sketch.png)";
    let tolerable = SVG.replace(
        "accuracy",
        "R&D at 5&nbsp;% <tspan xlink:href='#c'>of it</tspan>",
    );
    let acting = SVG.replace("<text>", "<script>alert(1)</script><text>");
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    vec![
        markdown(text),
        code(&shows(
            &json!({"image/svg+xml": tolerable, "text/plain": "Research."}),
        )),
        code(&shows(
            &json!({"image/svg+xml": acting, "text/plain": "A drawing with a script."}),
        )),
        code(&shows(
            &json!({"image/png": png, "text/plain": "A bitmap."}),
        )),
        code(&shows(
            &json!({"image/svg+xml": "", "text/html": "", "text/plain": "Nothing drawn."}),
        )),
        code(&shows(&json!({"text/html": ""}))),
    ]
}

/// The lines of standard output about one notebook, and what stands below them.
fn told(name: &str) -> String {
    let stdout = run().stdout.split("notebooks failed:").next().unwrap();
    let lines = stdout.lines().scan(false, |own, line| {
        *own = line.starts_with(&format!("{name}  ")) || (*own && line.starts_with("  "));
        Some((*own, line))
    });
    lines
        .filter(|(own, _)| *own)
        .map(|(_, line)| format!("{line}\n"))
        .collect()
}

/// Asserts that the notebook failed, in words that contain each of `words`, and has no page.
fn assert_failed(name: &str, words: &[&str]) {
    let (run, told) = (run(), told(name));
    for word in words {
        assert!(
            told.contains(word),
            "{name}: nothing says {word:?} in\n{told}"
        );
    }
    let summary = run
        .stdout
        .split("notebooks failed:")
        .nth(1)
        .unwrap_or_else(|| panic!("no list of failures"));
    assert!(
        summary.contains(&format!("\n  {name}: ")),
        "{name} is missing in the list of failures: {summary}"
    );
    for ending in ["html", "ipynb"] {
        assert_eq!(
            run.site.page(&format!("{name}.{ending}")),
            None,
            "{name}.{ending} is still there"
        );
    }
    let index = run.site.page("index.html").unwrap();
    assert!(
        index.contains(&format!("<code>{name}</code>: <samp>failed: ")),
        "the index does not say that {name} failed"
    );
}

/// Asserts that the notebook is kept as far as it ran: its first cell's output, and in the second's
/// an error that says `words`.
fn assert_kept(name: &str, words: &str) {
    let (kept, told) = (format!("{name}.failed.ipynb"), told(name));
    assert!(
        told.contains(&kept),
        "{name}: nothing says where it is kept in\n{told}"
    );
    assert!(
        run()
            .site
            .page("index.html")
            .unwrap()
            .contains(&format!("href=\"{kept}\"")),
        "the index lacks {kept}"
    );
    let cells = run().site.cells(&kept);
    assert_eq!(cells[0]["outputs"][0]["text"].to_string(), r#"["hello\n"]"#);
    let error = cells[1]["outputs"].as_array().unwrap().last().unwrap();
    assert_eq!(error["output_type"], "error");
    assert!(error["evalue"].as_str().unwrap().contains(words), "{error}");
    assert_eq!(cells[2]["outputs"], json!([]), "the last cell has not run");
}

#[test]
fn an_error_breaks_the_notebook_and_shows_source_and_message() {
    let reason = "invalid literal for int() with base 10: 'seven'";
    assert_failed(
        "breaks",
        &[
            "cell 1/3",
            "BROKEN  number = 'seven'",
            "      3 | int(number)",
            reason,
        ],
    );
    assert!(
        run()
            .stdout
            .contains(&format!("  breaks: cell 2 of 3: ValueError: {reason}\n")),
        "the summary lacks the reason"
    );
    assert!(
        !told("breaks").contains("cell 3/3"),
        "later cells depend on the broken one"
    );
    assert_kept("breaks", reason);
    let cells = run().site.cells("breaks.failed.ipynb");
    assert_eq!(
        cells[1]["outputs"][0]["text"].to_string(),
        r#"["so far\n"]"#
    );
}

#[test]
fn a_cell_that_does_not_end_is_stopped_with_its_kernel() {
    let reason = format!("no end after {CELL_TIMEOUT_SECONDS} s");
    assert_failed(
        "hangs",
        &["3 | time.sleep(600)", &reason, "--cell-timeout SECONDS"],
    );
    assert_kept("hangs", &reason);
    let pid = std::fs::read_to_string(run().site.notebooks().join("pid")).unwrap();
    assert!(is_gone(&pid), "the kernel {pid} goes on");
}

#[test]
fn a_dead_kernel_breaks_its_notebook_and_leaves_no_child() {
    assert_failed("dies", &["the kernel died"]);
    assert_kept("dies", "the kernel died");
    let child = std::fs::read_to_string(run().site.notebooks().join("child")).unwrap();
    assert!(is_gone(&child), "the kernel's child {child} goes on");
}

#[test]
fn without_a_kernel_or_a_notebook_nothing_runs() {
    assert_failed(
        "luckless",
        &["the kernel 'luckless' does not start", "no luck today"],
    );
    assert_failed("nowhere", &["has no kernel called 'nowhere'"]);
    assert_failed("not_one", &["it is not a notebook"]);
    for name in ["luckless", "nowhere", "not_one"] {
        assert_eq!(
            run().site.page(&format!("{name}.failed.ipynb")),
            None,
            "nothing ran"
        );
    }
}

#[test]
fn one_broken_notebook_makes_the_exit_status_1() {
    assert_eq!(run().output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&run().output.stderr).into_owned();
    assert!(
        stderr.starts_with("error: ") && stderr.ends_with(" notebooks failed\n"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "failures are part of the report");
}

#[test]
fn the_healthy_ones_have_pages() {
    let run = run();
    let page = run.site.page("healthy.html").unwrap();
    for expected in [
        "<h1>All is well</h1>",
        "<b>network</b>",
        "scale quick",
        "output_stderr output_text\">\n<pre>a harmless warning\n</pre>",
        "rendered celltag_raises-exception\">",
        "ZeroDivisionError",
        "<summary>40 lines printed",
        "at 100 %",
        "aria-label=\"Accuracy falls as the step grows.\"",
        "id='healthy-1-c'",
        "url(#healthy-2-c)",
        "<a href=\"other.html\">another</a>",
        "display=\"block\"",
        "href=\"#printing\"",
    ] {
        assert!(page.contains(expected), "the page lacks {expected}");
    }
    assert!(
        !page.contains("at 1 %") && !page.contains("stale"),
        "the page shows what was replaced"
    );
    assert!(
        run.stdout.contains("healthy  cell 7/7"),
        "every cell is reported"
    );
    assert!(
        !told("healthy").contains("warning"),
        "there is nothing to warn of"
    );
    assert_eq!(
        run.site.page("healthy.failed.ipynb"),
        None,
        "the kept copy of an earlier run is out of date"
    );
    let executed: Value = serde_json::from_str(&run.site.page("healthy.ipynb").unwrap()).unwrap();
    assert_eq!(executed["metadata"]["isopath"]["scale"], "quick");
    assert_eq!(executed["metadata"]["language_info"]["name"], "python");
    assert!(
        executed["cells"][2]["metadata"]["isopath"]["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.)
    );
    let source = std::fs::read_to_string(run.site.notebooks().join("healthy.ipynb")).unwrap();
    assert!(
        source.contains("stale") && !source.contains("a harmless warning\\n"),
        "the source notebook is as it was"
    );
    let index = run.site.page("index.html").unwrap();
    assert!(
        index.contains("<a href=\"healthy.html\">All is well</a>"),
        "the index lacks the notebook"
    );
    assert!(
        index.contains("aria-label=\"Accuracy falls as the step grows.\""),
        "the index lacks the figure"
    );
    assert!(
        index.contains("the healthy one.") && !index.contains("Its formula is"),
        "a card ends within a sentence"
    );
}

#[test]
fn what_cannot_be_shown_as_it_is_meant_spoils_no_page() {
    let page = run().site.page("demanding.html").unwrap();
    assert!(!page.contains("<script"), "a script reaches the page");
    for (expected, of) in [
        ("‖</mo><msub>", "\\newcommand"),
        ("<mi>ℚ</mi>", "a command that is redefined"),
        ("&lt;</mo><mi>n</mi></mtd></mtr>", "\\substack"),
        ("<mtext>(3)</mtext>", "\\tag"),
        (
            "<mtext>\u{a0}if\u{a0}</mtext><msub><mi>x</mi><mn>1</mn></msub>",
            "a formula in \\text",
        ),
        ("<mi>c</mi></mtd>", "split"),
        (
            "<code class=\"formula-source\">\\unknowable{x}</code>",
            "an unknown command",
        ),
        ("<em>a sketch</em>", "an image that is missing"),
        (
            "R&D at 5&nbsp;% <tspan xlink:href='#demanding-1-c'>",
            "an SVG as browsers read it",
        ),
        (
            "\" alt=\"A drawing with a script.\">",
            "an SVG that would act on the page",
        ),
        ("AAAABJRU5ErkJggg==\" alt=\"A bitmap.\">", "a bitmap"),
        ("<pre>Nothing drawn.</pre>", "empty forms"),
    ] {
        assert!(page.contains(expected), "{of}: the page lacks {expected}");
    }
    let told = told("demanding");
    let formula = "warning: text cell 1: the formula \\unknowable{x} is shown as TeX: ";
    let image = "warning: text cell 1: an image is left out: missing attachment: sketch.png";
    for warning in [formula, image] {
        assert_eq!(told.matches(warning).count(), 1, "{warning:?} in\n{told}");
    }
    assert_eq!(told.matches("warning: ").count(), 2, "{told}");
    let (before, after) = (told.find(formula), told.find("starting the kernel"));
    assert!(
        before < after,
        "formulas are known before the notebook runs:\n{told}"
    );
}

#[test]
fn the_pages_pass_the_page_check_and_nothing_else_is_left() {
    let script = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(name)
    };
    for command in [
        Command::new(python()).arg(script("page_check_test.py")),
        Command::new(python())
            .arg(script("page_check.py"))
            .arg(run().site.pages()),
    ] {
        let output = command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
fn bad_input_gives_one_line() {
    let site = Site::new();
    site.add("rings", &[code(GREETING)]);
    for (arguments, words) in [
        (&["tori"][..], "notebook is \"tori\"; expected rings (in "),
        (
            &["rings", "--scale", "huge"],
            "scale is \"huge\"; expected quick, default or paper",
        ),
        (&["rings", "--jobs", "0"], "jobs is 0; expected at least 1"),
        (
            &["rings", "--cell-timeout", "0"],
            "cell-timeout is 0; expected more than 0 seconds",
        ),
    ] {
        let output = site.command(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?} is accepted");
        assert!(
            stderr
                .lines()
                .next()
                .is_some_and(|line| line.contains(words)),
            "{arguments:?}: {stderr}"
        );
        assert_eq!(
            std::fs::read_dir(site.pages()).unwrap().count(),
            0,
            "{arguments:?} leaves something"
        );
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
        command
            .arg("render")
            .arg("--notebooks")
            .arg(site.notebooks())
            .arg("--site")
            .arg(folder);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success()
                && stderr.contains("expected another folder than the notebook's"),
            "{stderr}"
        );
        assert!(
            std::fs::read_to_string(site.notebooks().join("rings.ipynb"))
                .unwrap()
                .contains("hello")
        );
    }
}

/// As in `isopath doctor | head -0`.
#[test]
fn output_that_nobody_reads_ends_the_program_in_silence() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_isopath"));
    let output = command.arg("doctor").stdout(writer).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
}

/// In our kernel. candle numbers its tensors with a counter, and finds gradients by that number. A
/// copy of candle in every cell would count from 1 in each, and mix up the gradients of tensors
/// that different cells made. After that the notebook panics: it is broken there, and what ran is
/// kept.
#[test]
fn all_cells_share_one_candle_and_a_panic_breaks_a_notebook() {
    let site = Site::new();
    site.add_for(
        "isopath",
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
            code("println!(\"before\");\nassert_eq!(1, 2, \"the numbers differ\");"),
            code("println!(\"after\");"),
        ],
    );
    let output = site.command(&["--scale", "quick"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cell 5 of 6: Panic: assertion `left == right` failed: the numbers differ"),
        "{said}"
    );
    let cells = site.cells("shared.failed.ipynb");
    let error = &cells[4]["outputs"][1];
    assert_eq!(error["ename"], "Panic", "{error}");
    let traceback = error["traceback"].to_string();
    assert!(
        traceback.contains("in line 2 of the cell") && !traceback.contains("rust_begin_unwind"),
        "{traceback}"
    );
    assert_eq!(
        cells[5]["outputs"].as_array().map(Vec::len),
        Some(0),
        "the cell after the panic has not run"
    );
}

#[test]
fn a_killed_run_takes_its_kernel_along_and_keeps_what_ran() {
    let site = Site::new();
    site.add(
        "hangs",
        &[
            code(GREETING),
            code("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"),
        ],
    );
    let mut process = site
        .command(&["--scale", "quick"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = site.notebooks().join("pid");
    let has_started = wait(Duration::from_secs(300), || {
        std::fs::read_to_string(&pid).is_ok_and(|pid| !pid.is_empty())
    });
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(has_started, "the cell did not start");
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(
        wait(Duration::from_secs(30), || is_gone(&pid)),
        "the kernel {pid} goes on"
    );
    assert!(
        wait(Duration::from_secs(30), || site
            .page("hangs.failed.ipynb")
            .is_some()),
        "what ran is lost"
    );
    let cells = site.cells("hangs.failed.ipynb");
    assert_eq!(cells[0]["outputs"][0]["text"].to_string(), r#"["hello\n"]"#);
    assert_eq!(cells[1]["outputs"][0]["evalue"], "the run was told to stop");
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
    stat.map_or(true, |stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z'))
    })
}
