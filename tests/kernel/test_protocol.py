"""What Jupyter's protocol promises beyond running cells."""

import pygments.lexers
import pytest
from conftest import Kernel


def test_it_says_what_it_is(kernel):
    content = kernel.answer(kernel.client.kernel_info())
    language = content["language_info"]
    assert content["status"] == "ok" and content["protocol_version"].startswith("5.")
    assert language["name"] == "rust" and language["file_extension"] == ".rs"
    assert int(language["version"].split(".")[0]) >= 1, language["version"]
    assert pygments.lexers.get_lexer_by_name(language["pygments_lexer"]).name == "Rust"


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("isopath::rng::Rng::ne", "new"),
        ("use isopath::tra", "training"),
        ("isopath::candle::Tensor::zer", "zeros"),
        ("isopath::ndarray::Array2::<f64>::zer", "zeros"),
        ("let words: Vec<i32> = Vec::with_cap", "with_capacity"),
    ],
)
def test_completion(kernel, code, wanted):
    reply = kernel.answer(kernel.client.complete(code))
    assert reply["status"] == "ok"
    assert any(match.startswith(wanted) for match in reply["matches"]), reply["matches"][:10]
    end = len(code)
    assert code[reply["cursor_start"] : end] in wanted and reply["cursor_end"] == end, "the wrong part is replaced"


def test_completion_knows_the_variables(kernel):
    kernel.ok("let my_generator = isopath::rng::Rng::new(3);")
    assert "my_generator" in kernel.answer(kernel.client.complete("my_gen"))["matches"]
    matches = kernel.answer(kernel.client.complete("my_generator.uni"))["matches"]
    assert any(match.startswith("uniform") for match in matches), matches


@pytest.mark.parametrize("letters", ["äöü", "𝒙", "e\u0301", "👨\u200d👩\u200d👧"])
def test_completion_behind_letters_of_several_bytes(kernel, letters):
    code = f"let name = \"{letters}\"; isopath::rng::Rng::ne"
    reply = kernel.answer(kernel.client.complete(code))
    assert any(match.startswith("new") for match in reply["matches"]), reply
    assert code[reply["cursor_start"] : reply["cursor_end"]] == "ne", "positions are not in characters"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("isopath::rng::Rng::new", "Makes the generator of a seed"),
        ("isopath::training::train", "fn train"),
        ("isopath::candle::Tensor::zeros", "zeros"),
        ("isopath::ndarray::Array2::<f64>::zeros", "zeros"),
    ],
)
def test_inspection(kernel, code, words):
    reply = kernel.answer(kernel.client.inspect(code, len(code)))
    assert reply["status"] == "ok" and reply["found"], f"nothing is known of {code}"
    assert words in "\n".join(reply["data"].values()), reply["data"]


@pytest.mark.parametrize("behind", ["", "n", "ne", "new", "new("])
def test_inspection_anywhere_in_a_word(kernel, behind):
    code = "let words: Vec<i32> = Vec::new();"
    reply = kernel.answer(kernel.client.inspect(code, code.index("new") + len(behind)))
    text = reply["data"].get("text/plain", "")
    assert "fn new() -> Self" in text, f"with the cursor behind {behind!r}: {text[:100]!r}"


def test_inspection_of_what_is_not_there(kernel):
    reply = kernel.answer(kernel.client.inspect("no_such_name", 4))
    assert (reply["status"], reply["found"], reply["data"]) == ("ok", False, {})


@pytest.mark.parametrize(
    ("code", "status"),
    [("1 + 1", "complete"), ("fn f() {", "incomplete"), ("let a = \"x", "incomplete"), (")", "invalid"), ("'a'", "complete")],
)
def test_whether_a_cell_is_complete(kernel, code, status):
    reply = kernel.answer(kernel.client.is_complete(code))
    assert reply["status"] == status
    assert status != "incomplete" or "indent" in reply


def test_history(kernel):
    counts = [kernel.ok(code).reply["execution_count"] for code in ("let h1 = 1;", "let h2 = 2;")]
    kernel.ok("let unseen = 0;", store_history=False)
    tail = kernel.answer(kernel.client.history(raw=True, output=False, hist_access_type="tail", n=2))["history"]
    assert [tuple(cell[1:]) for cell in tail] == list(zip(counts, ("let h1 = 1;", "let h2 = 2;")))
    search = kernel.client.history(raw=True, output=False, hist_access_type="search", pattern="*h2*", n=5)
    assert [cell[2] for cell in kernel.answer(search)["history"]] == ["let h2 = 2;"]


def test_comms_are_answered(kernel):
    assert kernel.answer(kernel.client.comm_info())["comms"] == {}


def test_a_silent_cell_is_not_counted(kernel):
    before = kernel.ok("1").reply["execution_count"]
    silent = kernel.ok("let quiet = 2; quiet", silent=True)
    assert silent.of("execute_input") == [] and silent.kinds == []
    assert kernel.ok("1").reply["execution_count"] == before + 1


def test_two_clients_share_a_kernel(kernel):
    other = kernel.connect()
    try:
        kernel.ok("let shared = 11;")
        seen = kernel.run("println!(\"{shared}\");", client=other)
        assert seen.text() == "11\n", "the second client has no output"
        first, second = kernel.send("println!(\"a\")"), kernel.send("println!(\"b\")", other)
        assert (kernel.wait(first).text(), kernel.wait(second, other).text()) == ("a\n", "b\n")
        # Everybody sees what the others do.
        kernel.ok("println!(\"to all\")")
        while other.get_iopub_msg(timeout=5)["content"].get("text") != "to all\n":
            pass
    finally:
        other.stop_channels()


@pytest.fixture(scope="module")
def new_kernel():
    """A kernel for the tests of a kernel's life, in their order: each works alone, too."""
    kernel = Kernel()
    yield kernel
    kernel.shut_down()


def test_completion_in_a_new_kernel(new_kernel):
    reply = new_kernel.answer(new_kernel.client.complete("isopath::rng::Rng::ne"))
    assert reply["matches"], "asked at once, it knows nothing"


def test_execution_counts_and_the_state_of_a_new_kernel(new_kernel):
    assert [new_kernel.ok(code).reply["execution_count"] for code in ("1", "let a = 2;", "a")] == [1, 2, 3]
    assert new_kernel.ok("a").value["text/plain"] == "2"


def test_a_restarted_kernel_is_new(new_kernel):
    new_kernel.ok("let before = 1;")
    new_kernel.restart()
    outcome = new_kernel.ok("println!(\"again\")")
    assert (outcome.text(), outcome.reply["execution_count"]) == ("again\n", 1)
    assert "before" in new_kernel.run("before").error["evalue"], "a variable outlived the restart"


def test_a_kernel_that_is_shut_down_ends_by_itself(new_kernel):
    process = new_kernel.manager.provisioner.process
    new_kernel.client.shutdown()
    assert new_kernel.client.get_control_msg(timeout=5)["content"]["status"] == "ok"
    assert process.wait(timeout=5) == 0
