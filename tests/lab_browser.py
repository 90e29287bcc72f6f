"""JupyterLab in headless Chromium, on our kernel: run all, see a figure, meet a panic, press stop.

    .venv/bin/python tests/lab_browser.py ISOPATH [--screenshots FOLDER]

ISOPATH is the binary, which starts JupyterLab as `isopath lab` does for a user. The browser reaches this machine alone.
"""

import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from page_browser import Browser, find_chromium

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS_TO_START, SECONDS_TO_RUN = 120, 60
LIBRARY = f""":dep isopath = {{ path = {json.dumps(str(ROOT))} }}
use isopath::prelude::*;
use isopath::figures::live_loss;
let network = Model::new(0, |vb| Mlp::new(&[8, 30, 2], Activation::Tanh, vb))?;
let x = Tensor::ones((2000, 8), DType::F32, &device::best())?;
let data = Dataset::new(x, Tensor::zeros((2000,), DType::U32, &device::best())?)?.with_classes(["a", "b"])?;"""


def training(epochs, shown):
    return f"""let params = TrainParams {{ epochs: {epochs}, {shown}, ..TrainParams::default() }};
let history = train(&network, &data, &CrossEntropy, &params)?;"""


CELLS = {
    "runs": [
        LIBRARY,
        training(5, 'observer: Some(live_loss("β = 1"))'),
        'println!("one");\nisopath::display(&isopath::display::Html("<b>two</b>"));\nprintln!("three");',
        "let v: Vec<i32> = vec![1];\nlet i = 3;\nv[i]",
        'println!("never");',
    ],
    "stops": [LIBRARY, training(1_000_000, 'progress: "long".into()'), "network.history().epochs.len() > 0"],
}
VISIBLE = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def write_notebook(path, sources):
    spec = {"name": "isopath", "display_name": "Rust (isopath)", "language": "rust"}
    cells = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for number, source in enumerate(sources)
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
    path.write_text(json.dumps(notebook))


class Lab:
    """JupyterLab on a folder, as `isopath lab` starts it."""

    def __init__(self, isopath, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--allow-root", "--no-browser", f"--port={self.port}", f"--notebook-dir={folder}"]
        options += ["--ServerApp.token=", "--ServerApp.password=", "--expose-app-in-browser"]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([isopath, "lab", "--", *options], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                sys.exit(f"JupyterLab does not start:\n{self.log.read().decode(errors='replace')}")
            time.sleep(0.2)

    def answers(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=5).status == 200
        except OSError:
            return False

    def url(self, notebook):
        # A workspace of its own, so that only this notebook is open.
        return f"http://127.0.0.1:{self.port}/lab/workspaces/{notebook}/tree/{notebook}.ipynb"


class Notebook:
    """An open notebook."""

    def __init__(self, browser, url, cells):
        self.browser = browser
        browser.open(url)
        loaded = f"!!window.jupyterapp && document.querySelectorAll('{VISIBLE} .jp-CodeCell').length === {cells}"
        self.wait(loaded, "the notebook is not shown")
        # Only then has it a kernel to send cells to.
        self.wait("document.body.innerText.includes('Rust (isopath) | Idle')", "the kernel does not become idle")

    def wait(self, condition, complaint, seconds=SECONDS_TO_RUN):
        deadline = time.monotonic() + seconds
        while self.browser.evaluate(f"!!({condition})") is not True:
            if time.monotonic() > deadline:
                raise AssertionError(f"{complaint}; the cells: {self.cells()}")
            time.sleep(0.1)

    def cells(self):
        """Each cell's prompt, the text of its outputs, and how many figures it shows."""
        return json.loads(self.browser.evaluate(f"""JSON.stringify([...document.querySelectorAll('{VISIBLE} .jp-CodeCell')].map(cell => {{
            const outputs = cell.querySelector('.jp-Cell-outputArea');
            return [cell.querySelector('.jp-InputPrompt').innerText, outputs?.innerText ?? '',
                    outputs?.querySelectorAll('.jp-RenderedSVG').length ?? 0];
        }}))"""))

    def command(self, name):
        self.browser.evaluate(f"jupyterapp.commands.execute('{name}'); null")

    def press(self, title):
        """Presses a button of the toolbar with the mouse."""
        button = f"[...document.querySelectorAll('{VISIBLE} jp-button')].find(button => button.title.includes('{title}'))"
        box = self.browser.evaluate(f"(() => {{ const box = {button}.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()")
        for kind in ("mousePressed", "mouseReleased"):
            self.browser.ask("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def prompt(self, cell):
        return f"document.querySelectorAll('{VISIBLE} .jp-CodeCell .jp-InputPrompt')[{cell}].innerText"


def run_all(notebook):
    notebook.command("notebook:run-all-cells")
    notebook.wait(f"{notebook.prompt(3)} === '[4]:'", "the panic does not come")
    time.sleep(1)
    cells = notebook.cells()
    assert [prompt for prompt, *_ in cells] == ["[1]:", "[2]:", "[3]:", "[4]:", "[ ]:"], f"prompts: {cells}"
    assert cells[1][2] == 1, f"expected one figure, the last state of the loss: {cells[1]}"
    assert cells[2][1].split() == ["one", "two", "three"], f"displays and prints in their order: {cells[2]}"
    assert "index out of bounds" in cells[3][1] and "in line 3 of the cell" in cells[3][1], f"the panic: {cells[3]}"
    assert cells[4][1] == "", f"run all went on after the panic: {cells[4]}"
    asked = notebook.browser.evaluate("[...document.querySelectorAll('.jp-Dialog, .jp-toastContainer')].map(d => d.innerText).join()")
    assert not asked, f"JupyterLab asks something: {asked}"


def press_stop(notebook):
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait(f"{notebook.prompt(0)} === '[1]:'", "the first cell does not end")
    notebook.command("notebook:run-cell-and-select-next")
    moves = f"/ [1-9]\\d*\\/1000000/.test(document.querySelectorAll('{VISIBLE} .jp-CodeCell')[1].innerText)"
    notebook.wait(moves, "the training's progress does not move")
    notebook.press("Interrupt")
    notebook.wait(f"{notebook.prompt(1)} === '[2]:'", "the stop button does not stop the training", seconds=3)
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait(f"{notebook.prompt(2)} === '[3]:'", "the cell after the stop does not run")
    cells = notebook.cells()
    assert "Interrupted: stopped by the user" in cells[1][1], f"the stopped cell: {cells[1]}"
    assert cells[2][1].strip().endswith("true"), f"the training's history is kept: {cells[2]}"


def kernels_of(folder):
    """The processes of the kernels that a JupyterLab with its files in `folder` has started."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "isopath-kernel" in command and folder in command:
            found.append(process)
    return found


def assert_ended(kernels):
    """A JupyterLab that was killed takes its kernels along."""
    if len(kernels) < 2:
        sys.exit(f"expected the kernels of two notebooks, found {kernels}")
    deadline = time.monotonic() + 5
    while left := [kernel for kernel in kernels if kernel.exists()]:
        if time.monotonic() > deadline:
            sys.exit(f"kernels of the killed JupyterLab go on: {left}")
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("isopath")
    parser.add_argument("--screenshots", type=pathlib.Path)
    options = parser.parse_args()
    chromium = find_chromium() or sys.exit("no chromium")
    with tempfile.TemporaryDirectory() as folder:
        # What a user has set for JupyterLab is not asked.
        for name in ("CONFIG", "DATA", "RUNTIME"):
            os.environ[f"JUPYTER_{name}_DIR"] = f"{folder}/.{name.lower()}"
        for name, sources in CELLS.items():
            write_notebook(pathlib.Path(folder) / f"{name}.ipynb", sources)
        lab = Lab(options.isopath, folder)
        browser = Browser(chromium, network=("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1300,1400"))
        try:
            for name, check in (("runs", run_all), ("stops", press_stop)):
                notebook = Notebook(browser, lab.url(name), len(CELLS[name]))
                try:
                    check(notebook)
                finally:
                    if options.screenshots:
                        options.screenshots.mkdir(parents=True, exist_ok=True)
                        browser.screenshot(options.screenshots / f"lab_{name}.png")
        except AssertionError as error:
            sys.exit(f"JupyterLab: {error}")
        finally:
            browser.close()
            kernels = kernels_of(folder)
            lab.process.send_signal(signal.SIGKILL)
            lab.process.wait()
        assert_ended(kernels)
    print("JupyterLab runs, shows, halts and stops as it should")


if __name__ == "__main__":
    main()
