"""Failures are failures: whatever ends a cell early is an error of that cell, in every client."""

import pathlib
import subprocess
import sys

import nbclient
import nbformat
import pytest

BIN = pathlib.Path(sys.executable).parent

PANIC = "let numbers: Vec<i32> = vec![1];\n\nprintln!(\"{}\", numbers[7]);"
RECURSION = """\
fn deep(n: u64) -> u64 { if n == 0 { 0 } else { 1 + std::hint::black_box(deep(n + 1)) } }
deep(1)"""
KILL_ITSELF = """\
std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status()?;
std::thread::sleep(std::time::Duration::from_secs(5));"""


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [
        ("let text: i32 = \"a\";", "CompileError", "mismatched types"),
        ("no_such_function()", "CompileError", "no_such_function"),
        ("let r: i32 = \"q\".parse::<i32>()?;", "Error", "invalid digit found in string"),
        ("Err::<i32, String>(\"no way\".into())?;", "Error", "no way"),
        (PANIC, "Panic", "the len is 1 but the index is 7"),
        ("std::panic::panic_any(7);", "Panic", "no text"),
        ("std::thread::spawn(|| panic!(\"inner\")).join().expect(\"joined\");", "Panic", "joined"),
        ("std::process::abort()", "ProcessEnded", "signal 6 (abort)"),
        ("std::process::exit(3)", "ProcessEnded", "exited with status 3"),
        ("std::process::exit(0)", "ProcessEnded", "exited with status 0"),
        (RECURSION, "ProcessEnded", "signal 6"),
        (KILL_ITSELF, "ProcessEnded", "signal 9"),
    ],
)
def test_a_failed_cell_is_an_error_with_its_reason(kernel, code, name, words):
    outcome = kernel.run(code)
    assert outcome.status == "error", f"the cell counts as {outcome.status}"
    assert outcome.error["ename"] == name
    assert words in outcome.error["evalue"]
    assert words in "\n".join(outcome.error["traceback"]), "the traceback does not say what happened"
    assert outcome.kinds[-1] == "error" and "execute_result" not in outcome.kinds
    assert kernel.ok("1 + 1").value["text/plain"] == "2", "the next cell does not run"


def test_a_panic_names_the_line_of_the_cell_and_nothing_of_the_runtime(kernel):
    traceback = kernel.run(PANIC).error["traceback"]
    assert "line 3 of the cell" in traceback[-1], traceback
    assert len(traceback) == 2, f"more than the message and the place: {traceback}"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("let a: i32 = 1;\n\nlet n: Option<i32> = None; n.unwrap()", 3),
        ("let parts = [1, 2]\n    .iter()\n    .map(|part| part / 0_i32.pow(1))\n    .sum::<i32>();", 3),
    ],
)
def test_a_panic_inside_a_line_or_a_chain_is_found(kernel, code, line):
    traceback = kernel.run(code).error["traceback"]
    assert f"line {line} of the cell" in traceback[-1], traceback


def test_a_panic_in_a_function_of_an_earlier_cell_shows_its_line(kernel):
    kernel.ok("fn tenth(numbers: &[i32]) -> i32 {\n    numbers[9]\n}")
    traceback = kernel.run("tenth(&[1])").error["traceback"]
    assert "earlier cell" in traceback[-1] and "numbers[9]" in traceback[-1], traceback


def test_candles_errors_are_told_without_frames(kernel):
    code = """\
use isopath::candle::{DType, Device, Tensor};
let a = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
let product = a.matmul(&a)?;"""
    error = kernel.run(code).error
    assert error["evalue"].startswith("shape mismatch in matmul"), error
    assert "main" not in "\n".join(error["traceback"]), "frames of the runtime"


def test_what_was_printed_before_a_failure_comes_before_it(kernel):
    outcome = kernel.run("println!(\"before\"); eprintln!(\"warned\"); panic!(\"then\");")
    assert outcome.text() == "before\n"
    assert outcome.text("stderr") == "warned\n", "the panic is told twice, or a warning is lost"
    assert outcome.kinds[-1] == "error"


def test_an_error_at_a_question_mark_is_told_once(kernel):
    outcome = kernel.run("println!(\"before\"); let r: i32 = \"q\".parse::<i32>()?; println!(\"after\");")
    assert outcome.kinds == ["stdout", "error"] and outcome.text() == "before\n"


def test_variables_of_earlier_cells_outlive_a_failure(kernel):
    kernel.ok("let kept: Vec<i32> = vec![1, 2, 3];")
    for code in ("panic!(\"no\");", "let r: i32 = \"q\".parse::<i32>()?;", "let broken: i32 = \"a\";"):
        assert kernel.run(code).status == "error"
        assert kernel.ok("kept.len()").value["text/plain"] == "3", f"lost after {code}"


def test_functions_outlive_the_process_but_variables_do_not(kernel):
    kernel.ok("fn answer() -> i32 { 42 }")
    kernel.ok("let lost = 1;")
    assert "its variables are lost" in kernel.run("std::process::abort()").error["evalue"]
    assert kernel.ok("answer()").value["text/plain"] == "42"
    assert "lost" in kernel.run("lost").error["evalue"]


def test_a_caught_panic_is_no_failure(kernel):
    outcome = kernel.ok("let caught = std::panic::catch_unwind(|| panic!(\"caught one\")).is_err();\ncaught")
    assert outcome.value["text/plain"] == "true"
    assert "panicked at" in outcome.text("stderr") and "caught one" in outcome.text("stderr")


def test_a_panic_in_a_thread_that_nobody_joins_is_no_failure(kernel):
    outcome = kernel.ok("std::thread::spawn(|| panic!(\"alone\"));\nstd::thread::sleep(std::time::Duration::from_millis(100));")
    assert "alone" in outcome.text("stderr"), "its message is lost"


def test_queued_cells_are_aborted_after_a_failure(kernel):
    codes = ("panic!(\"first\")", "println!(\"second\")", "println!(\"third\")")
    outcomes = [kernel.wait(request) for request in [kernel.send(code) for code in codes]]
    assert [outcome.status for outcome in outcomes] == ["error", "aborted", "aborted"]
    assert all(outcome.kinds == [] for outcome in outcomes[1:]), "an aborted cell has output"
    assert kernel.ok("println!(\"fourth\")").text() == "fourth\n", "a cell that was sent later is aborted too"


def test_queued_cells_run_if_the_client_wants_so(kernel):
    codes = ("panic!(\"first\")", "println!(\"second\")", "println!(\"third\")")
    requests = [kernel.send(code, stop_on_error=False) for code in codes]
    outcomes = [kernel.wait(request) for request in requests]
    assert [outcome.status for outcome in outcomes] == ["error", "ok", "ok"]
    assert [outcome.text() for outcome in outcomes] == ["", "second\n", "third\n"]


def test_a_cell_in_the_middle_of_a_queue_aborts_the_rest(kernel):
    codes = ("println!(\"first\")", "let r: i32 = \"q\".parse::<i32>()?;", "println!(\"third\")")
    outcomes = [kernel.wait(request) for request in [kernel.send(code) for code in codes]]
    assert [outcome.status for outcome in outcomes] == ["ok", "error", "aborted"]


CELLS = ["println!(\"first\")", PANIC, "println!(\"never\")"]


def test_nbclient_stops_at_the_broken_cell(notebook):
    broken = notebook([CELLS[0], "let r: i32 = \"q\".parse::<i32>()?;", CELLS[2]])
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="invalid digit found in string"):
        nbclient.NotebookClient(broken).execute()
    outputs = [[output.output_type for output in cell.outputs] for cell in broken.cells]
    assert outputs == [["stream"], ["error"], []]


@pytest.fixture
def broken_file(notebook, tmp_path):
    nbformat.write(notebook(CELLS), tmp_path / "broken.ipynb")
    return tmp_path / "broken.ipynb"


@pytest.mark.parametrize(
    ("command", "written"),
    [
        pytest.param(["jupyter-nbconvert", "--to", "notebook", "--execute", "broken.ipynb"], None, id="nbconvert"),
        pytest.param(["papermill", "broken.ipynb", "out.ipynb"], "out.ipynb", id="papermill"),
    ],
)
def test_a_command_line_client_fails(broken_file, command, written):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=broken_file.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0, f"{command[0]} succeeds over a panic"
    assert "the len is 1 but the index is 7" in done.stderr + done.stdout
    if written:
        cells = [cell for cell in nbformat.read(broken_file.parent / written, 4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == [1, 2, None], "a later cell ran"


def test_the_first_question_mark_at_the_end_of_a_cell_shows_the_value_richly(fresh_kernel):
    value = fresh_kernel.ok("Ok::<_, String>(isopath::display::Html(\"<b>rich</b>\"))?").value
    assert value.get("text/html") == "<b>rich</b>", f"shown as {value}"
