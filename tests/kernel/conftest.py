"""What the tests of the kernel share: a running kernel, and what comes back from one of its cells.

The kernel is the one that `cargo run -- setup` has registered, used through jupyter_client with nothing set: what holds here
holds for every client.
"""

import os
import queue
import time

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import KernelManager

KERNEL = "isopath"
SECONDS_TO_START = 120
SECONDS_TO_RUN = 30


class Outcome:
    """What one cell sent: its reply, and the messages to everybody in their order."""

    def __init__(self, reply, messages):
        self.reply, self.messages = reply, messages

    @property
    def status(self):
        return self.reply["status"]

    @property
    def kinds(self):
        """The types of its outputs, neighbouring pieces of one stream joined."""
        kinds = []
        for message in self.messages:
            kind, content = message["msg_type"], message["content"]
            kind = content["name"] if kind == "stream" else kind
            if kind in ("status", "execute_input") or kinds[-1:] == [kind] and kind in ("stdout", "stderr"):
                continue
            kinds.append(kind)
        return kinds

    def of(self, kind):
        """The contents of its messages of one type."""
        return [message["content"] for message in self.messages if message["msg_type"] == kind]

    def text(self, name="stdout"):
        return "".join(content["text"] for content in self.of("stream") if content["name"] == name)

    @property
    def error(self):
        """The one error that it sent; its reply must say the same."""
        errors = self.of("error")
        assert len(errors) == 1, f"expected one error message, got {errors}; reply {self.reply}"
        same = {name: self.reply.get(name) for name in ("ename", "evalue", "traceback")}
        assert errors[0] == same, f"the reply differs from the error message: {self.reply}"
        return errors[0]

    @property
    def value(self):
        """The forms of its value, none if it has no value."""
        values = self.of("execute_result")
        assert len(values) <= 1, f"more than one value: {values}"
        return values[0]["data"] if values else {}


class Kernel:
    """A running kernel with one client."""

    def __init__(self, **options):
        self.manager = KernelManager(kernel_name=KERNEL)
        self.manager.start_kernel(**options)
        self.client = self.connect()

    def connect(self):
        """A client of its own."""
        client = self.manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=SECONDS_TO_START)
        return client

    def send(self, code, client=None, **options):
        """Asks for a cell to be run; gives the id of the request."""
        return (client or self.client).execute(code, **options)

    def wait(self, request, client=None, timeout=SECONDS_TO_RUN, on_message=None):
        """The outcome of a cell that was sent. `on_message` sees each of its messages as it comes."""
        client, messages, deadline = client or self.client, [], time.monotonic() + timeout
        while True:
            try:
                message = client.get_iopub_msg(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                # The tests that come after are to have a kernel that answers.
                self.restart()
                raise AssertionError(f"no end of the cell after {timeout} s; it sent {messages}") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            messages.append(message)
            if on_message:
                on_message(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        return Outcome(self.answer(request, client, deadline - time.monotonic()), messages)

    def answer(self, request, client=None, timeout=SECONDS_TO_RUN):
        """The content of the reply to a request on the shell channel."""
        deadline = time.monotonic() + timeout
        while True:
            reply = (client or self.client).get_shell_msg(timeout=max(0.5, deadline - time.monotonic()))
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]

    def run(self, code, client=None, timeout=SECONDS_TO_RUN, on_message=None, **options):
        return self.wait(self.send(code, client, **options), client, timeout, on_message)

    def ok(self, code, **options):
        """Runs a cell that must succeed."""
        outcome = self.run(code, **options)
        assert outcome.status == "ok", f"{code!r} failed: {outcome.reply}"
        return outcome

    def restart(self):
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=SECONDS_TO_START)

    def shut_down(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def pytest_configure(config):
    try:
        KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        pytest.exit(f"no kernel {KERNEL} in this environment: run `cargo run -- setup` first", returncode=3)


@pytest.fixture(scope="session")
def kernel():
    """One kernel for all tests that leave it as they found it, where backtraces are asked for, as many Rust users do."""
    kernel = Kernel(env={**os.environ, "RUST_BACKTRACE": "1"})
    kernel.ok("1", timeout=SECONDS_TO_START)
    yield kernel
    kernel.shut_down()


@pytest.fixture
def fresh_kernel():
    """A kernel in which nothing was run yet."""
    kernel = Kernel()
    yield kernel
    kernel.shut_down()


@pytest.fixture
def notebook():
    """Makes a notebook of some cells, as JupyterLab makes one with this kernel."""

    def make(cells):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata.kernelspec = {"name": KERNEL, "display_name": "Rust (isopath)", "language": "rust"}
        return made

    return make
