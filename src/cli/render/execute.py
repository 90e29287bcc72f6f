"""Executes one notebook and tells what happens, one JSON object a line on standard output.

Written on jupyter_client, not on nbclient, because of two habits of evcxr: a panic, or an `Err` that reaches `?`, ends
a cell with status "ok" and shows on stderr alone; and that text may carry the parent of another cell and arrive after
the cell's `idle`, where nbclient drops it. So every message that comes before the next cell starts belongs to this one.

Events: `ready` (seconds, cells), `cell` (number, label, seconds, and `broken` with kind, message and source, or null),
`failed` (message: no kernel), `done` (seconds). The executed notebook is written only when no cell is broken.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import queue
import re
import signal
import sys
import tempfile
import time

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import KernelManager
from nbformat.v4 import output_from_msg

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# How long the kernel must be silent after `idle` before the next cell starts, and after the last cell, in seconds.
SILENCE, LAST_SILENCE = 0.2, 0.5
SECONDS_TO_REPLY = 30
# How long a cell's threads may go on printing after its end; never longer than a cell's time-out.
SECONDS_TO_FALL_SILENT = 30
NO_NEWLINE_HINT = (
    "It runs for ever, waits for something, or printed text without a final newline: the kernel hears nothing more\n"
    "of such a cell, so end every print! with \\n. A cell that needs longer: --cell-timeout SECONDS."
)


class Broken(Exception):
    """A cell that failed: `kind` is error, stderr, timeout or died."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind, self.message = kind, message


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def plain(text):
    return ANSI.sub("", text).rstrip()


def label(source):
    """The first line that is not empty: what the cell is called on the terminal."""
    return next((line.strip() for line in source.splitlines() if line.strip()), "")


class Outputs:
    """A cell's outputs as the notebook stores them, and what they say about the cell's health."""

    def __init__(self):
        self.items, self.stderr, self.error = [], "", None

    def add(self, message):
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            if content["name"] == "stderr":
                self.stderr += content["text"]
            last = self.items[-1] if self.items else None
            if last and last.output_type == "stream" and last.name == content["name"]:
                last.text += content["text"]
            else:
                self.items.append(output_from_msg(message))
        elif kind in ("execute_result", "display_data"):
            self.items.append(output_from_msg(message))
        elif kind == "error":
            lines = [content.get("evalue") or "", *content.get("traceback", [])]
            # evcxr repeats the message as the traceback
            self.fail("\n".join(dict.fromkeys(plain(line) for line in lines if line.strip())))
            self.items.append(
                nbformat.v4.new_output("error", ename=content.get("ename") or "Error", evalue=content.get("evalue") or "",
                                       traceback=list(content.get("traceback", [])))
            )
        elif kind == "clear_output":
            self.items.clear()

    def fail(self, text):
        self.error = text if not self.error else f"{self.error}\n{text}"

    def judge(self, tags):
        """Raises Broken, unless the cell's tags allow what happened."""
        if "raises-exception" in tags:
            return
        if self.error is not None:
            raise Broken("error", "\n".join(part for part in (self.error, plain(self.stderr)) if part))
        if self.stderr and "allow-stderr" not in tags:
            raise Broken("stderr", plain(self.stderr) or repr(self.stderr))


class Kernel:
    """One kernel and the channels to it."""

    def __init__(self, name, folder, startup_timeout):
        self.parent = os.getppid()
        self.log = tempfile.TemporaryFile()
        self.manager = KernelManager(kernel_name=name)
        try:
            self.manager.start_kernel(cwd=str(folder), stdout=self.log, stderr=self.log)
        except NoSuchKernel:
            raise SystemExit(f"the Jupyter environment {sys.prefix} has no kernel called {name!r}") from None
        except OSError as error:
            raise SystemExit(f"the kernel {name!r} does not start: {error}") from None
        try:
            self.client = self.manager.blocking_client()
            self.client.start_channels()
            self.client.wait_for_ready(timeout=startup_timeout)
        except BaseException as error:
            # Nobody else would: the kernel is in a session of its own.
            self.manager.shutdown_kernel(now=True)
            if isinstance(error, RuntimeError):
                raise SystemExit(f"the kernel {name!r} does not start: {error}{self.last_words()}") from None
            raise

    def last_words(self):
        """What the kernel's process wrote on its own standard output and error, the last 20 lines."""
        self.log.seek(0)
        lines = plain(self.log.read().decode(errors="replace")).splitlines()[-20:]
        return "".join(f"\n{line}" for line in lines)

    def check_owner(self):
        if os.getppid() != self.parent:
            raise SystemExit("whoever started this is gone")

    def check_alive(self):
        self.check_owner()
        if not self.manager.is_alive():
            raise Broken("died", f"the kernel died{self.last_words()}")

    def next_message(self, timeout):
        try:
            return self.client.get_iopub_msg(timeout=timeout)
        except queue.Empty:
            return None

    def run(self, source, timeout, silence, outputs):
        """Runs one cell; returns its number in the kernel's history. All its messages go to `outputs`."""
        deadline = time.monotonic() + timeout
        request = self.client.execute(source, allow_stdin=False)
        idle = False
        # What a cell says does not put off its end, nor hide that the kernel's owner is gone.
        while not idle:
            message = self.next_message(min(1.0, max(0.0, deadline - time.monotonic())))
            if message is not None:
                outputs.add(message)
                idle = (
                    message["msg_type"] == "status"
                    and message["content"]["execution_state"] == "idle"
                    and message["parent_header"].get("msg_id") == request
                )
            if not idle and time.monotonic() >= deadline:
                said = plain(outputs.stderr)
                raise Broken("timeout", f"no end after {timeout:g} s\n{NO_NEWLINE_HINT}" + (f"\n{said}" if said else ""))
            self.check_owner()
            if message is None:
                self.check_alive()
        limit = min(timeout, SECONDS_TO_FALL_SILENT)
        deadline = time.monotonic() + limit
        while (message := self.next_message(silence)) is not None:
            outputs.add(message)
            self.check_owner()
            if time.monotonic() >= deadline:
                raise Broken("timeout", f"a thread of the cell still prints {limit:g} s after its end")
        return self.count(request, outputs)

    def count(self, request, outputs):
        """Reads the reply, which comes beside `idle`, behind those to the questions asked while the kernel started."""
        deadline = time.monotonic() + SECONDS_TO_REPLY
        while time.monotonic() < deadline:
            try:
                reply = self.client.get_shell_msg(timeout=1)
            except queue.Empty:
                self.check_alive()
                continue
            if reply["parent_header"].get("msg_id") == request:
                if reply["content"].get("status") != "ok" and outputs.error is None:
                    outputs.fail(plain(reply["content"].get("evalue") or "") or "the kernel reports an error")
                return reply["content"].get("execution_count")
        raise Broken("died", "the kernel ended the cell without a reply")

    def stop(self):
        self.client.stop_channels()
        # Kills the whole process group: the cells' own process survives the kernel's otherwise.
        self.manager.shutdown_kernel(now=True)


def execute(notebook, options):
    """Executes the cells in place; returns the seconds they took, or None if one is broken."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    started = time.monotonic()
    kernel = Kernel(options.kernel, options.notebook.resolve().parent, options.startup_timeout)
    try:
        emit("ready", seconds=time.monotonic() - started, cells=len(cells))
        for number, cell in enumerate(cells, 1):
            begin, outputs, broken = time.monotonic(), Outputs(), None
            silence = LAST_SILENCE if number == len(cells) else SILENCE
            try:
                cell.execution_count = kernel.run(cell.source, options.cell_timeout, silence, outputs)
                outputs.judge(cell.metadata.get("tags", []))
            except Broken as error:
                broken = {"kind": error.kind, "message": error.message, "source": cell.source}
            seconds = max(0.0, time.monotonic() - begin - silence)
            cell.outputs = outputs.items
            cell.metadata["isopath"] = {"seconds": round(seconds, 3)}
            emit("cell", number=number, label=label(cell.source), seconds=seconds, broken=broken)
            if broken:
                return None
        info = kernel.client.kernel_info(reply=True, timeout=10)["content"]["language_info"]
        notebook.metadata["language_info"] = info
    finally:
        kernel.stop()
    return time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=pathlib.Path)
    parser.add_argument("executed", type=pathlib.Path, help="where the executed notebook goes")
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--scale", required=True)
    parser.add_argument("--cell-timeout", type=float, required=True, help="seconds")
    parser.add_argument("--startup-timeout", type=float, default=300.0, help="seconds")
    options = parser.parse_args()
    # A terminated run must stop its kernel too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))

    source = options.notebook.read_bytes()
    try:
        notebook = nbformat.reads(source.decode(), as_version=4)
        nbformat.validate(notebook)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        emit("failed", message=f"it is not a notebook: {str(error).splitlines()[0]}")
        return
    try:
        seconds = execute(notebook, options)
    except SystemExit as error:
        emit("failed", message=str(error))
        return
    if seconds is None:
        return
    notebook.metadata["isopath"] = notebook.metadata.get("isopath", {}) | {
        "scale": options.scale,
        "seconds": round(seconds, 1),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        "sha256": hashlib.sha256(source).hexdigest(),
    }
    nbformat.write(notebook, options.executed)
    emit("done", seconds=seconds)


if __name__ == "__main__":
    main()
