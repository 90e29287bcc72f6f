"""Whatever a cell prints appears in that cell, whole and in order."""

USE = "use std::io::Write;\n"
LINES = 200_000


def test_text_without_a_newline_belongs_to_its_cell(kernel):
    assert kernel.ok("print!(\"x\")").text() == "x"
    assert kernel.ok("println!(\"next\")").text() == "next\n"


def test_flushed_text_comes_at_once_and_does_not_hang(kernel):
    pieces = []

    def note(message):
        if message["msg_type"] == "stream":
            pieces.append(message["content"]["text"])

    pause = "std::thread::sleep(std::time::Duration::from_millis(200));"
    kernel.ok(USE + f"print!(\"one\"); std::io::stdout().flush()?; {pause} print!(\"two\"); std::io::stdout().flush()?; {pause}", on_message=note)
    assert pieces == ["one", "two"]


def test_text_before_and_after_a_value(kernel):
    outcome = kernel.ok("print!(\"no newline\"); 5")
    assert (outcome.text(), outcome.value["text/plain"]) == ("no newline", "5")


def test_carriage_returns_are_passed_on(kernel):
    outcome = kernel.ok(USE + "for number in 0..3 { print!(\"\\r{number}\"); std::io::stdout().flush()?; }")
    assert outcome.text() == "\r0\r1\r2"


def test_very_much_text_is_there_in_order_and_before_what_follows(kernel):
    outcome = kernel.ok(f"for number in 0..{LINES} {{ println!(\"line {{number}}\"); }}\nisopath::display(\"figure\");")
    assert outcome.text() == "".join(f"line {number}\n" for number in range(LINES))
    assert outcome.kinds == ["stdout", "display_data"]


def test_one_very_long_line(kernel):
    assert kernel.ok("print!(\"{}\", \"ü\".repeat(1_000_000));").text() == "ü" * 1_000_000


def test_bytes_that_are_no_text_do_not_end_the_output(kernel):
    outcome = kernel.ok(USE + "std::io::stdout().write_all(b\"a\\xff\\xfeb\\n\")?; std::io::stderr().write_all(b\"\\xc3\")?;")
    assert outcome.text() == "a\ufffd\ufffdb\n"
    assert outcome.text("stderr") == "\ufffd", "a character that is cut off is lost, or comes in the next cell"
    assert kernel.ok("println!(\"after\")").text() == "after\n"


def test_standard_error_belongs_to_its_cell(kernel):
    for number in range(3):
        outcome = kernel.ok(f"eprintln!(\"warning {number}\"); println!(\"text {number}\");")
        assert (outcome.text(), outcome.text("stderr")) == (f"text {number}\n", f"warning {number}\n")


def test_what_a_thread_prints_after_its_cell_is_not_lost(kernel):
    pause = "std::thread::sleep(std::time::Duration::from_millis({}));"
    before = kernel.ok(f"std::thread::spawn(|| {{ {pause.format(400)} println!(\"late\"); }}); println!(\"early\");")
    assert before.text() == "early\n", "the cell waits for its thread"
    assert kernel.ok(pause.format(600)).text() == "late\n"


def test_what_a_thread_prints_while_nothing_runs_goes_to_the_last_cell(kernel):
    request = kernel.send("std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(300)); println!(\"late\"); });")
    kernel.wait(request)
    late = kernel.client.get_iopub_msg(timeout=5)
    assert (late["content"].get("text"), late["parent_header"]["msg_id"]) == ("late\n", request)


def test_standard_input_is_at_its_end(kernel):
    outcome = kernel.ok("let mut line = String::new();\nlet length = std::io::stdin().read_line(&mut line)?;\nlength")
    assert outcome.value["text/plain"] == "0"


def test_the_output_of_a_process_that_the_cell_starts(kernel):
    outcome = kernel.ok("std::process::Command::new(\"sh\").args([\"-c\", \"echo child; echo trouble >&2\"]).status()?;")
    assert (outcome.text(), outcome.text("stderr")) == ("child\n", "trouble\n")


def test_a_process_that_stays_behind_does_not_hold_the_cell(kernel):
    outcome = kernel.ok("std::process::Command::new(\"sleep\").arg(\"20\").spawn()?;", timeout=10)
    assert outcome.status == "ok"


def test_a_closed_standard_output_does_not_hang_the_kernel(kernel):
    """A cell that ends its process while a child still holds the streams."""
    outcome = kernel.run("std::process::Command::new(\"sleep\").arg(\"20\").spawn()?; std::process::exit(1);", timeout=10)
    assert outcome.error["ename"] == "ProcessEnded"
    assert kernel.ok("1").value["text/plain"] == "1"


def test_text_that_looks_like_evcxrs_own_is_text(kernel):
    words = "an EVCXR_ word, EVCXR_BEGIN and half of EVCXR_END_CONTENT"
    assert kernel.ok(f"println!(\"{words}\");").text() == f"{words}\n"
    outcome = kernel.ok("print!(\"EVCXR_X=\"); isopath::display(\"shown\"); print!(\"EVCXR_\");", timeout=20)
    assert (outcome.text(), outcome.kinds) == ("EVCXR_X=EVCXR_", ["stdout", "display_data", "stdout"])


def test_nothing_is_shown_for_a_cell_without_a_value(kernel):
    for code in ("let a = 1;", "for _ in 0..2 {}", "()", "// a comment", "", "   "):
        assert kernel.ok(code).kinds == [], f"{code!r} shows something"
