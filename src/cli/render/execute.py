"""Executes one notebook with nbclient and tells what happens, one JSON object a line on standard output.

Events: `ready` (seconds, cells), `cell` (number, label, seconds, and `broken` with kind, reason, message, source, or null),
`failed` (message: no kernel, or no notebook), `done` (seconds). The notebook is written as far as it ran, broken or not.
"""

import os

# Before the slow imports, in which whoever started this may go.
PARENT = os.getppid()

import argparse
import contextlib
import datetime
import hashlib
import json
import pathlib
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert.filters import strip_ansi
from nbconvert.preprocessors import ClearOutputPreprocessor, CoalesceStreamsPreprocessor
from nbformat.v4 import new_output

from files import write

# How long outputs may take to arrive behind the reply that ends their cell; nbclient's 4 s are few for large figures.
SECONDS_FOR_OUTPUTS = 60
TIMED_OUT = """no end after {:.0f} s
The cell runs for ever or waits for something. If it needs more time, use --cell-timeout SECONDS."""


def emit(event, **fields):
    # Where nobody listens any more, the notebook is still written.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps({"event": event, **fields}), flush=True)


class Progress:
    """nbclient's hooks: they tell how each cell goes, and note how long it took."""

    def __init__(self, notebook):
        self.number, self.cell, self.started = 0, None, time.monotonic()
        codes = (i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip())
        self.numbers = {index: number for number, index in enumerate(codes, 1)}

    def seconds(self):
        return time.monotonic() - self.started

    def on_notebook_start(self, notebook):
        emit("ready", seconds=self.seconds(), cells=len(self.numbers))

    def on_cell_execute(self, cell, cell_index):
        self.number, self.cell, self.begin = self.numbers[cell_index], cell, time.monotonic()

    def on_cell_executed(self, cell, cell_index, execute_reply):
        if execute_reply["content"]["status"] != "error" or "raises-exception" in cell.metadata.get("tags", []):
            self.end_cell()

    def end_cell(self, broken=None):
        seconds, source = time.monotonic() - self.begin, self.cell.source
        self.cell.metadata.setdefault("isopath", {})["seconds"] = round(seconds, 3)
        # The first line that is not empty is what the cell is called.
        label = source.strip().splitlines()[0].rstrip()
        broken = broken and {**broken, "source": source}
        emit("cell", number=self.number, label=label, seconds=seconds, broken=broken)
        self.cell = None

    def break_cell(self, error, kind, message):
        """Tells why the cell has not come to its end; its outputs say it too."""
        lines = strip_ansi(message).splitlines()
        said = next((output for output in self.cell.outputs if output.output_type == "error"), None)
        if said is None:
            error = new_output("error", ename=type(error).__name__, evalue=lines[0], traceback=lines)
            self.cell.outputs.append(error)
        elif kind == "error" and said.traceback:
            message = "\n".join(said.traceback)
        self.end_cell({"kind": kind, "reason": lines[0], "message": strip_ansi(message)})


class Kernel:
    """The kernel's processes and their last words."""

    def __init__(self, name):
        self.name, self.log = name, tempfile.TemporaryFile()
        self.manager = AsyncKernelManager(kernel_name=name)

    def kill(self):
        """Ends the whole process group: the process of the cells survives the kernel's otherwise."""
        group = getattr(self.manager.provisioner, "pgid", None)
        if group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def last_words(self):
        """What the kernel wrote on its own standard output and error, the last 20 lines."""
        self.log.seek(0)
        lines = strip_ansi(self.log.read().decode(errors="replace")).rstrip().splitlines()[-20:]
        return "".join(f"\n{line}" for line in lines)

    def watch(self, work):
        """Runs `work`, and kills the kernel, which ends the work, when this process is to stop or its parent is gone.

        The work has a thread of its own, since nbclient would take over the main thread's signals.
        """
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: stopped.set())
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            while not wait([future], timeout=1).done:
                if os.getppid() != PARENT:
                    stopped.set()
                if stopped.is_set():
                    self.kill()
        return future.exception(), stopped.is_set()


def cause(error, stopped, progress, kernel):
    """Why a cell has not come to its end: the kind and the words."""
    if stopped:
        return "died", "the run was told to stop"
    if isinstance(error, CellExecutionError):
        return "error", ": ".join(filter(None, (error.ename, error.evalue)))
    if isinstance(error, CellTimeoutError):
        return "timeout", TIMED_OUT.format(time.monotonic() - progress.begin)
    if isinstance(error, DeadKernelError):
        return "died", f"the kernel died{kernel.last_words()}"
    return "died", f"nbclient failed: {error!r}"


def execute(notebook, options):
    """Executes the cells in place; returns how far it came, and the error that ended it, or None."""
    progress = Progress(notebook)
    kernel = Kernel(notebook.metadata.get("kernelspec", {}).get("name") or options.kernel)
    client = NotebookClient(
        notebook,
        km=kernel.manager,
        timeout=options.cell_timeout,
        startup_timeout=options.startup_timeout,
        iopub_timeout=SECONDS_FOR_OUTPUTS,
        raise_on_iopub_timeout=True,
        record_timing=False,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(options.notebook.resolve().parent)}},
        on_notebook_start=progress.on_notebook_start,
        on_cell_execute=progress.on_cell_execute,
        on_cell_executed=progress.on_cell_executed,
    )
    error, stopped = kernel.watch(lambda: client.execute(cleanup_kc=True, stdout=kernel.log, stderr=kernel.log))
    kernel.kill()
    if error is None:
        return progress, None
    if progress.cell is not None:
        progress.break_cell(error, *cause(error, stopped, progress, kernel))
    elif isinstance(error, NoSuchKernel):
        emit("failed", message=f"the Jupyter environment {sys.prefix} has no kernel called {kernel.name!r}")
    else:
        reason = "it was told to stop" if stopped else error
        emit("failed", message=f"the kernel {kernel.name!r} does not start: {reason}{kernel.last_words()}")
    return progress, error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=pathlib.Path)
    parser.add_argument("executed", type=pathlib.Path, help="where the executed notebook goes")
    parser.add_argument("--kernel", required=True, help="of a notebook that names none")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--cell-timeout", type=int, required=True, help="seconds")
    parser.add_argument("--startup-timeout", type=int, default=300, help="seconds")
    options = parser.parse_args()

    source = options.notebook.read_bytes()
    try:
        notebook = nbformat.reads(source.decode(), as_version=4)
        nbformat.validate(notebook)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        emit("failed", message=f"it is not a notebook: {str(error).splitlines()[0]}")
        return
    # What an earlier run left must not pass for this run's.
    notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
    progress, error = execute(notebook, options)
    if progress.number > 0 or error is None:
        notebook.metadata["isopath"] = notebook.metadata.get("isopath", {}) | {
            "scale": options.scale,
            "seconds": round(progress.seconds(), 1),
            "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
            "sha256": hashlib.sha256(source).hexdigest(),
        }
        notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})
        write(options.executed, nbformat.writes(notebook))
    if error is None:
        emit("done", seconds=progress.seconds())


if __name__ == "__main__":
    main()
