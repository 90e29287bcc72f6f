"""Jupyter's own test of kernels, with everything switched on that this kernel claims."""

import jupyter_kernel_test
from conftest import KERNEL


class TestConformance(jupyter_kernel_test.KernelTests):
    kernel_name = KERNEL
    language_name = "rust"
    file_extension = ".rs"
    code_hello_world = 'println!("hello, world")'
    code_stderr = 'eprintln!("oh dear")'
    completion_samples = [
        {"text": "isopath::rng::Rng::ne", "matches": {"new(seed)"}},
        {"text": "std::f64::consts::LOG2_1", "matches": {"LOG2_10"}},
    ]
    complete_code_samples = ["1", 'println!("hello")', "fn f(x: i32) -> i32 {\n    2 * x\n}", "// nothing", ":vars"]
    incomplete_code_samples = ["fn f(x: i32) {", 'let text = "open', "vec![1,", "let a ="]
    invalid_code_samples = [")", "fn f() { ]"]
    code_generate_error = 'panic!("an error")'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": '"text"', "result": '"text"'},
        {"code": 'isopath::display::Html("<b>bold</b>")', "mime": "text/html", "result": "<b>bold</b>"},
    ]
    code_display_data = [
        {"code": 'isopath::display(&isopath::display::Html("<b>bold</b>"));', "mime": "text/html"},
        {"code": 'isopath::display(&isopath::display::Markdown("*a*"));', "mime": "text/markdown"},
    ]
    code_history_pattern = "6 ? 7"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "isopath::rng::Rng::new"
    code_clear_output = "isopath::display::clear();"


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = KERNEL
    support_iopub_welcome = True
