"""Limits of what a cell may use, set by who starts the kernel; and the value of a cell, which marks depend on."""

import os

import pytest
from conftest import Kernel

# Long enough to compile a cell on a slow machine.
SECONDS, MEGABYTES, KILOBYTES = 8, 600, 20


@pytest.fixture(scope="module")
def limited():
    """A kernel with limits."""
    limits = {"ISOPATH_CELL_SECONDS": SECONDS, "ISOPATH_CELL_MEMORY": MEGABYTES, "ISOPATH_CELL_OUTPUT": KILOBYTES}
    kernel = Kernel(env={**os.environ, **{name: str(value) for name, value in limits.items()}})
    kernel.ok("fn kept() -> i32 { 7 }")
    yield kernel
    kernel.shut_down()


def failure(kernel, code):
    outcome = kernel.run(code)
    assert outcome.status == "error", f"{code!r} was not stopped: {outcome.reply}"
    return outcome.error["ename"], outcome.error["evalue"]


def test_a_cell_that_takes_too_long_is_stopped(limited):
    limited.ok("let before = 3;")
    name, words = failure(limited, "loop { isopath::interrupt::check()?; }")
    assert name == "TimeLimit" and f"the {SECONDS} s that it may take here" in words and "is kept" in words
    assert limited.ok("before").value["text/plain"] == "3"


def test_one_that_does_not_listen_loses_its_process(limited):
    name, words = failure(limited, "loop { std::hint::black_box(0); }")
    assert name == "TimeLimit" and "its process was ended" in words
    assert limited.ok("kept()").value["text/plain"] == "7", "a function was lost"


def test_one_that_eats_memory_loses_its_process(limited):
    code = "let mut all = vec![]; loop { all.push(vec![1u8; 1 << 25]); std::hint::black_box(&all); }"
    name, words = failure(limited, code)
    assert name == "MemoryLimit" and f"the {MEGABYTES} MB that they may have here" in words
    assert limited.ok("kept()").value["text/plain"] == "7", "a function was lost"


def test_output_is_cut_and_the_value_is_not(limited):
    outcome = limited.ok('for line in 0..100_000 { println!("line {line}"); }\n41 + 1')
    assert len(outcome.text()) < 1024 * KILOBYTES + 200
    assert "line 5\n" in outcome.text() and outcome.text().count("is left out") == 1
    assert outcome.value["text/plain"] == "42"
    assert limited.ok('println!("again")').text() == "again\n"
    shown = limited.ok("for _ in 0..9 { isopath::display(&\"x\".repeat(4_000)); }")
    assert len(shown.of("display_data")) < 9 and shown.text().count("is left out") == 1
    assert "is left out" in limited.ok("vec![7; 100_000]").value["text/plain"]


def test_a_limit_that_is_no_number_runs_nothing():
    kernel = Kernel(env={**os.environ, "ISOPATH_CELL_SECONDS": "soon"})
    try:
        name, words = failure(kernel, "1")
        assert 'ISOPATH_CELL_SECONDS is "soon"; expected a whole number above 0' in words
    finally:
        kernel.shut_down()


def test_standard_error_and_a_late_end_leave_a_value_the_result(kernel):
    """What is written to standard error comes by another way than the value, and may arrive behind it."""
    kernel.ok(
        "#[derive(Debug)] struct Slow; impl Drop for Slow { fn drop(&mut self) {"
        ' eprintln!("dropped"); std::thread::sleep(std::time::Duration::from_millis(600)); eprintln!("late"); } }\n'
        'struct Shown(Slow); impl Shown { fn evcxr_display(&self) { println!("EVCXR_BEGIN_CONTENT text/plain\\n5\\nEVCXR_END_CONTENT"); } }'
    )
    outcome = kernel.ok("Shown(Slow)")
    assert outcome.value == {"text/plain": "5"} and outcome.text("stderr") == "dropped\nlate\n", outcome.messages
