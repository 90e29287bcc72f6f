"""What a cell shows while it runs comes at its place, and changes there."""

import nbclient

FIGURE = """\
let (xs, ys): (Vec<f64>, Vec<f64>) = (vec![0., 1., 2.], vec![0., 1., 4.]);
let chart = LineChart { title: "squares".into(), series: vec![Series::line("y", &xs, &ys)], ..LineChart::default() };"""
USE = "use isopath::display::{self, Html, Markdown};\nuse isopath::figures::{LineChart, Series};\n"


def test_figures_texts_and_prints_come_in_their_order(kernel):
    outcome = kernel.ok(USE + FIGURE + """
println!("one");
isopath::display(&chart.figure()?);
print!("two");
isopath::display(&Markdown("**three**"));
isopath::display("four");
println!("five");
isopath::display(&chart.figure()?);""")
    assert outcome.kinds == ["stdout", "display_data", "stdout", "display_data", "display_data", "stdout", "display_data"]
    figure, markdown, text, last = (content["data"] for content in outcome.of("display_data"))
    assert "<svg" in figure["image/svg+xml"] and figure["image/svg+xml"] == last["image/svg+xml"]
    assert markdown["text/markdown"] == "**three**"
    assert text == {"text/plain": "four"}
    assert outcome.text() == "one\ntwofive\n"


def test_a_display_comes_while_its_cell_runs(kernel):
    seen = []

    def note(message):
        if message["msg_type"] == "display_data":
            seen.append("display")
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            seen.append("idle")
        if message["content"].get("text") == "later\n":
            seen.append("later")

    kernel.ok("isopath::display(\"now\"); std::thread::sleep(std::time::Duration::from_millis(300)); println!(\"later\");", on_message=note)
    assert seen == ["display", "later", "idle"]


def test_a_change_goes_to_the_display_that_it_changes(kernel):
    outcome = kernel.ok(USE + "let state = display::updatable(\"one\");\nstate.update(\"two\");\nstate.update(&Html(\"<b>three</b>\"));")
    assert outcome.kinds == ["display_data", "update_display_data", "update_display_data"]
    shown, changes = outcome.of("display_data")[0], outcome.of("update_display_data")
    identity = shown["transient"]["display_id"]
    assert identity and all(change["transient"]["display_id"] == identity for change in changes)
    assert changes[-1]["data"]["text/html"] == "<b>three</b>"
    later = kernel.ok("state.update(\"four\");")
    assert later.of("update_display_data")[0]["transient"]["display_id"] == identity, "a later cell cannot change it"


def test_a_value_is_the_result_of_its_cell_behind_what_it_shows(kernel):
    outcome = kernel.ok("isopath::display(\"shown\"); println!(\"printed\"); isopath::display::Html(\"<i>value</i>\")")
    assert outcome.kinds == ["display_data", "stdout", "execute_result"]
    assert outcome.value["text/html"] == "<i>value</i>"


def test_output_can_be_cleared(kernel):
    outcome = kernel.ok(USE + "println!(\"old\"); display::clear(); println!(\"new\"); display::clear_with_next();")
    assert outcome.kinds == ["stdout", "clear_output", "stdout", "clear_output"]
    assert [content["wait"] for content in outcome.of("clear_output")] == [False, True]


def test_many_changes_from_several_threads_arrive_whole(kernel):
    outcome = kernel.ok("""
std::thread::scope(|scope| {
    for number in 0..4 {
        scope.spawn(move || {
            for step in 0..100 {
                isopath::display(&format!("{number} {step}"));
                println!("{number} {step}");
            }
        });
    }
});""")
    expected = sorted(f"{number} {step}" for number in range(4) for step in range(100))
    assert sorted(content["data"]["text/plain"] for content in outcome.of("display_data")) == expected
    assert sorted(outcome.text().splitlines()) == expected, "a print was torn apart or lost"


def test_a_notebook_holds_the_last_state_alone(notebook):
    cells = [
        USE + "let state = display::updatable(\"first\");\nstate.update(\"second\");",
        "state.update(\"last\");",
        """\
let bar = isopath::progress::Bar::new("sum").of(50, "numbers");
for _ in 0..50 {
    bar.add(1.);
    std::thread::sleep(std::time::Duration::from_millis(4));
}
bar.note("done");
drop(bar);""",
    ]
    executed = nbclient.NotebookClient(notebook(cells)).execute()
    first, second, bar = (cell.outputs for cell in executed.cells)
    assert [output["data"]["text/plain"] for output in first] == ["last"]
    assert second == [], "a change is an output of its own"
    assert len(bar) == 1, f"a progress bar leaves {len(bar)} outputs: {bar}"
    text = bar[0]["data"]["text/plain"]
    assert "100 %" in text and "50/50" in text and "done" in text, text
