"""Runs the assignments' own solutions and the wrong ones, and compares their points with what they should be.

    .venv/bin/python tests/course/solutions.py [ASSIGNMENT ...] [--jobs 2] [--quick]        (after `cargo run -- setup`)

An assignment is `notebooks/course/source/<assignment>/<name>.ipynb`. Its wrong solutions are in
`tests/course/<assignment>.rs`, one block each:

    //! distances: the root is missing; distances_test = 1
    fn distances(points: &Tensor) -> isopath::Result<Tensor> { … }

The first line names the cell that the block takes the place of, what is wrong, and the points of the tests that look at it.
In one kernel the whole notebook runs first, where each graded cell must give all of its points; then each block runs in the
place of its cell, and after it the graded cells that it names. With --quick, only cells that define something run first, since
graded cells need no others, and then the first block of each cell; `isopath render` runs the whole notebooks.
"""

import argparse
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "notebooks/course/source"
ITEM = re.compile(r"(pub )?(use|fn|struct|enum|impl|trait|const|static|type|mod)\b|#\[")
HEADER = re.compile(r"^//! (?P<cell>\w+): (?P<why>[^;]+); (?P<points>\w+ = [\d.]+(?:, \w+ = [\d.]+)*)$")
CELL_SECONDS = 120


class Kernel:
    """A kernel that answers one cell after the other."""

    def __init__(self, folder):
        self.manager = KernelManager(kernel_name="isopath")
        self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=300)

    def run(self, code):
        """The cell's result as text, or None; and its error, or None."""
        result, error = None, None

        def note(message):
            nonlocal result, error
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "execute_result" and result is None:
                result = content["data"].get("text/plain")
            elif kind == "error":
                error = f"{content['ename']}: {content['evalue']}"

        self.client.execute_interactive(code, output_hook=note, timeout=CELL_SECONDS, stop_on_error=False)
        return result, error

    def end(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def wrong_solutions(path):
    """The blocks of a file: (cell, why, {graded cell: points}, code)."""
    blocks = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("//!"):
            header = HEADER.match(line)
            if not header:
                raise SystemExit(f"{path}:{number}: {line!r}; expected `//! cell: why; graded_cell = points`")
            points = dict(pair.split(" = ") for pair in header["points"].split(", "))
            blocks.append((header["cell"], header["why"], {cell: float(value) for cell, value in points.items()}, []))
        elif blocks:
            blocks[-1][3].append(line)
    return [(cell, why, points, "\n".join(lines).strip()) for cell, why, points, lines in blocks]


def points_of(kernel, code):
    """The points that nbgrader reads from a graded cell, and what it says."""
    result, error = kernel.run(code)
    if error:
        return 0.0, error
    try:
        return float(result), ""
    except (TypeError, ValueError):
        return None, f"the cell's result is {result!r}; expected a number of points"


def defines(cell):
    """Whether a cell begins with something that stays when the process of the cells ends."""
    code = [line for line in cell.source.split("\n") if line.strip() and not line.startswith("//")]
    return bool(code) and bool(ITEM.match(code[0]))


def check(assignment, quick):
    """What is wrong with an assignment, one line each."""
    folder = SOURCES / assignment
    (notebook,) = folder.glob("*.ipynb")
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    kinds = {cell.metadata.nbgrader.grade_id: cell for cell in cells}
    wrong = wrong_solutions(ROOT / f"tests/course/{assignment}.rs")
    faults, start = [], time.monotonic()
    kernel = Kernel(folder)
    try:
        for name, cell in kinds.items():
            began = time.monotonic()
            if quick and not defines(cell):
                continue
            if cell.metadata.nbgrader.grade and not cell.metadata.nbgrader.solution:
                points, said = points_of(kernel, cell.source)
                full = float(cell.metadata.nbgrader.points)
                if points != full:
                    faults.append(f"{name}: the solution gets {points}, expected {full} {said}")
            else:
                _, error = kernel.run(cell.source)
                # One that was passed over may have made what this one uses.
                if error and not quick:
                    faults.append(f"{name}: {error}")
            print(f"{assignment}: {name} {time.monotonic() - began:.1f} s", flush=True)
        print(f"{assignment}: {'what it defines' if quick else 'the whole notebook'} {time.monotonic() - start:.0f} s", flush=True)
        changed, seen = None, set()
        for name, why, expected, code in wrong:
            if name not in kinds or not expected.keys() <= kinds.keys():
                faults.append(f"{name}: {why}: no such cell in the notebook")
                continue
            if quick and name in seen:
                continue
            seen.add(name)
            if changed not in (None, name):
                kernel.run(kinds[changed].source)
            changed = name
            _, error = kernel.run(code)
            if error:
                faults.append(f"{name}: {why}: does not run by itself: {error}")
            for graded, points in expected.items():
                got, said = points_of(kernel, kinds[graded].source)
                if got != points:
                    faults.append(f"{name}: {why}: {graded} gives {got}, expected {points} {said}")
            print(f"{assignment}: {name}: {why}", flush=True)
    finally:
        kernel.end()
    solutions = [name for name, cell in kinds.items() if cell.metadata.nbgrader.solution]
    for name in solutions:
        count = sum(block[0] == name for block in wrong)
        if count < 3:
            faults.append(f"{name}: {count} wrong solutions, expected at least 3")
    ran = len(seen) if quick else len(wrong)
    print(f"{assignment}: {ran} of {len(wrong)} wrong solutions, {time.monotonic() - start:.0f} s in all", flush=True)
    return [f"{assignment}: {fault}" for fault in faults]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("assignments", nargs="*")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    assignments = arguments.assignments or sorted(folder.name for folder in SOURCES.iterdir() if folder.is_dir())
    with ThreadPoolExecutor(arguments.jobs) as pool:
        faults = [fault for found in pool.map(lambda name: check(name, arguments.quick), assignments) for fault in found]
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    return 1 if faults or not assignments else 0


if __name__ == "__main__":
    sys.exit(main())
