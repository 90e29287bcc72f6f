"""The stop button ends what listens, and keeps what is there; what does not listen is ended at the second press."""

import time

import pytest

TRAINING = """\
use isopath::prelude::*;
use isopath::training::{Observer, Status};
let network = Model::new(1, |vb| Mlp::new(&[2, 8, 2], Activation::Tanh, vb))?;
let images = Rng::new(2).uniform((60, 2), 0., 1., DType::F32, &device::best())?;
let labels = images.narrow(1, 0, 1)?.squeeze(1)?.ge(0.5)?;
let points = Dataset::new(images, labels)?;
let observer = Observer::new(|| |status: &Status| {
    if (status.epoch, status.batch) == (5, status.batches) {
        println!("begun");
    }
});
let params = TrainParams { epochs: 100_000_000, batch_size: 20, observer: Some(observer), ..TrainParams::default() };"""
TRAIN = "train(&network, &points, &CrossEntropy, &params)?;"
LISTENS = "println!(\"begun\"); loop { isopath::interrupt::check()?; std::thread::sleep(std::time::Duration::from_millis(5)); }"
DEAF = "println!(\"begun\"); loop { std::hint::black_box(0); }"


class Button:
    """Presses stop when the cell says `begun`, and again, if so wanted, when the kernel says that it may."""

    def __init__(self, kernel, again=False):
        self.kernel, self.again, self.pressed, self.warned = kernel, again, [], None

    def press(self):
        self.pressed.append(time.monotonic())
        self.kernel.manager.interrupt_kernel()

    def __call__(self, message):
        text = message["content"].get("text", "")
        if "begun" in text:
            self.press()
        if "Press stop again" in text:
            self.warned = time.monotonic()
            if self.again:
                self.press()


def stop(kernel, code, **options):
    """Runs a cell and stops it; gives its outcome, the button, and the seconds from the last press to the end."""
    button = Button(kernel, **options)
    outcome = kernel.run(code, on_message=button)
    assert button.pressed, f"the cell did not begin: {outcome.reply}"
    return outcome, button, time.monotonic() - button.pressed[-1]


@pytest.fixture(scope="module")
def training(kernel):
    kernel.ok(TRAINING)
    return kernel


def test_a_training_ends_at_once_and_keeps_what_it_has_learnt(training):
    training.ok("let before: i32 = 7;")
    outcome, _, seconds = stop(training, TRAIN)
    assert outcome.status == "error" and outcome.error["ename"] == "Interrupted", outcome.reply
    assert seconds < 1, f"it took {seconds:.1f} s to stop"
    assert "stopped by the user" in outcome.error["evalue"]
    epochs = int(training.ok("network.history().epochs.len()").value["text/plain"])
    assert epochs >= 4, "the epochs of the stopped training are lost"
    assert training.ok("before").value["text/plain"] == "7", "a variable of an earlier cell is lost"


def test_a_loop_that_checks_ends_at_once(kernel):
    outcome, _, seconds = stop(kernel, LISTENS)
    assert outcome.error["ename"] == "Interrupted" and seconds < 1, f"{outcome.reply} after {seconds:.1f} s"


def test_the_cell_after_a_stopped_one_is_not_stopped(kernel):
    stop(kernel, LISTENS)
    outcome = kernel.ok("for _ in 0..20 { isopath::interrupt::check()?; std::thread::sleep(std::time::Duration::from_millis(5)); }")
    assert outcome.kinds == []


def test_a_stop_aborts_the_cells_behind(kernel):
    first, second = kernel.send(LISTENS), kernel.send("println!(\"never\")")
    assert kernel.wait(first, on_message=Button(kernel)).status == "error"
    assert kernel.wait(second).status == "aborted", "run all goes on after stop"


def test_stop_while_nothing_runs_does_nothing(kernel):
    kernel.manager.interrupt_kernel()
    # The two go by different sockets: the stop must have arrived before the cell does.
    time.sleep(0.3)
    outcome = kernel.ok("isopath::interrupt::check()?; println!(\"free\")")
    assert outcome.text() == "free\n"


def test_stop_before_a_cell_runs_does_not_run_it(kernel):
    kernel.ok("let kept = 5;")

    def press(message):
        if message["msg_type"] == "execute_input":
            kernel.manager.interrupt_kernel()

    outcome = kernel.run("println!(\"ran\"); std::thread::sleep(std::time::Duration::from_secs(8));", on_message=press)
    assert outcome.error["ename"] == "Interrupted", outcome.reply
    assert outcome.text() == "", "the cell ran"
    assert kernel.ok("kept").value["text/plain"] == "5"


def test_a_cell_that_does_not_listen_is_ended_at_the_second_press(kernel):
    kernel.ok("fn still_there() -> i32 { 3 }")
    outcome, button, seconds = stop(kernel, DEAF, again=True)
    patience = button.warned - button.pressed[0]
    assert 2.5 < patience < 4.5, f"told after {patience:.1f} s"
    assert "Press stop again" in outcome.text("stderr")
    assert outcome.error["ename"] == "Interrupted" and "variables are lost" in outcome.error["evalue"], outcome.reply
    assert seconds < 2, f"it took {seconds:.1f} s to end its process"
    assert kernel.ok("still_there()").value["text/plain"] == "3"


def test_a_cell_that_ends_by_itself_after_stop_is_no_failure(kernel):
    outcome, _, _ = stop(kernel, "println!(\"begun\"); std::thread::sleep(std::time::Duration::from_millis(500)); 4")
    assert (outcome.status, outcome.value.get("text/plain")) == ("ok", "4")


def test_completion_during_a_cell_answers_at_once(kernel):
    request = kernel.send(LISTENS)
    asked = []

    def ask_then_press(message):
        if "begun" in message["content"].get("text", ""):
            begin = time.monotonic()
            kernel.answer(kernel.client.complete("Vec::", 5), timeout=5)
            asked.append(time.monotonic() - begin)
            kernel.manager.interrupt_kernel()

    assert kernel.wait(request, on_message=ask_then_press).error["ename"] == "Interrupted"
    assert asked and asked[0] < 1, f"completion waits for the cell: {asked}"
