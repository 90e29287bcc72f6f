"""nbgrader for a course in Rust: everything that it has to know about the kernel, and about strangers' code.

nbgrader reads this file in each of its commands that is started in this folder. It needs no other file of isopath's; change
what you like. The first block is what a teacher sets. isopath's notebooks/course/README.md is the page for teachers.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbconvert.exporters import NotebookExporter
from nbgrader import preprocessors, utils

c = get_config()  # noqa: F821
COURSE = Path(__file__).resolve().parent

# What a cell of a submission may use. The kernel ends a cell that uses more; its test fails, and the next cell runs.
CELL_SECONDS = 60
CELL_MEMORY_MB = 4096
CELL_OUTPUT_KB = 256
# Runs submissions without network, and with nothing but their own folder writable. Needs bubblewrap (Linux).
SANDBOX = os.environ.get("ISOPATH_COURSE_SANDBOX", "0") == "1"

# -- Where things are

# nbgrader starts a program of its environment by name.
os.environ["PATH"] = os.pathsep.join([os.path.join(sys.prefix, "bin"), os.environ.get("PATH", os.defpath)])
c.CourseDirectory.root = str(COURSE)
c.CourseDirectory.course_id = re.sub(r"\W", "_", COURSE.name)
# Where `nbgrader release_assignment` puts assignments and `nbgrader collect` finds submissions. Where students have accounts
# on this machine, name a folder that they can write to.
c.Exchange.root = str(COURSE / "exchange")

# -- Rust

# What takes the place of a solution. The types of Rust allow `todo!()` everywhere, so the cell compiles, and a test that
# calls it fails with "not yet implemented".
c.ClearSolutions.code_stub = {"rust": "// YOUR CODE HERE\ntodo!()"}
# nbgrader gives no points to a graded cell that writes to standard error, whatever it writes: a panic that a test has
# caught, or a student's `dbg!`. Here a cell has failed if the kernel says so.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"(?s).*"
# The kernel limits each cell. This is for the day that it does not answer at all.
c.Execute.timeout = CELL_SECONDS + 120
# A kernel starts in seconds, but the first one after an update compiles.
c.Execute.startup_timeout = 600
c.LimitOutput.max_lines = 300


# -- Submissions that went wrong. Every one gets a mark, and says in its first cell what was changed.


class Submission(NotebookExporter):
    """Reads a submission. One that is no notebook is graded as an empty one."""

    def from_file(self, file_stream, resources=None, **options):
        try:
            notebook = nbformat.read(file_stream, as_version=4)
            if not isinstance(notebook.get("cells"), list):
                raise ValueError("it has no list of cells")
        except Exception as error:  # whatever nbformat finds in a stranger's file
            notebook = nbformat.v4.new_notebook()
            words = f"The file that was handed in is no notebook ({type(error).__name__}), so it is graded as an empty one."
            notebook.metadata["grader"] = words
        return self.from_notebook_node(notebook, resources, **options)


class Restore(preprocessors.NbGraderPreprocessor):
    """Brings back what was handed out: missing cells, the order, and what marks a cell. What a student has added stays behind
    the cell that it was behind."""

    def preprocess(self, nb, resources):
        about = resources["nbgrader"]
        path = COURSE / "release" / about["assignment"] / f"{about['notebook']}.ipynb"
        released = nbformat.read(path, as_version=4)
        wanted = {identity(cell): cell for cell in released.cells if identity(cell)}
        groups, order, changed, here = {None: []}, [], [], None
        for cell in filter(is_cell, nb.cells):
            name = identity(cell)
            if name in wanted and name not in groups:
                here = name
                order.append(name)
                groups[name] = [marked(cell, wanted[name])]
                # nbgrader puts the hidden tests back.
                if utils.is_locked(wanted[name]) and cell.source.strip() != wanted[name].source.strip():
                    changed.append(name)
            else:
                cell.metadata.pop("nbgrader", None)
                groups[here].append(cell)
        missing = [name for name in wanted if name not in groups]
        notes = [nb.metadata["grader"]] if isinstance(nb.metadata.get("grader"), str) else []
        if changed:
            notes.append(f"These cells are not to be changed; they ran as they were handed out: {listed(changed)}.")
        if missing:
            notes.append(f"These cells were missing; they were put back as they were handed out: {listed(missing)}.")
        if order != [name for name in wanted if name in order]:
            notes.append("The cells were in another order. They ran in the order in which they were handed out.")
        nb.cells = groups[None] + [cell for name in wanted for cell in groups.get(name, [wanted[name]])]
        nb.metadata = released.metadata
        if notes:
            text = "**The grader changed this notebook before it ran it.**\n\n" + "\n".join(f"- {line}" for line in notes)
            nb.cells.insert(0, nbformat.v4.new_markdown_cell(text))
        # Some tools refuse two cells of one name.
        for number, cell in enumerate(nb.cells):
            cell["id"] = f"cell-{number}"
        nb.nbformat, nb.nbformat_minor = released.nbformat, released.nbformat_minor
        return nb, resources


def marked(cell, original):
    """A cell with the marks of the one that was handed out; one that was not to be changed, as that one."""
    fresh = nbformat.from_dict(original)
    if not utils.is_locked(original):
        fresh.source = cell.source
    return fresh


def listed(names):
    return ", ".join(f"`{name}`" for name in names)


def is_cell(cell):
    return (
        isinstance(cell, dict)
        and cell.get("cell_type") in ("code", "markdown", "raw")
        and isinstance(cell.get("source"), str)
        and isinstance(cell.get("metadata"), dict)
    )


def identity(cell):
    """The name by which nbgrader knows a cell; None for a cell of no interest to it."""
    marks = cell.metadata.get("nbgrader")
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else None


class SandboxedKernels(AsyncKernelManager):
    """Kernels that are reached by files: they have no network. `isopath kernel` starts them in the sandbox."""

    def _transport_default(self):
        return "ipc"

    def __init__(self, **options):
        self.folder = tempfile.mkdtemp(prefix="isopath-")
        super().__init__(connection_file=os.path.join(self.folder, "kernel.json"), **options)

    async def cleanup_resources(self, restart=False):
        await super().cleanup_resources(restart)
        if not restart:
            shutil.rmtree(self.folder, ignore_errors=True)


class Execute(preprocessors.Execute):
    """Runs a submission within the limits. If it ends the kernel itself, the cells behind have failed, not the grading."""

    def __init__(self, *args, **options):
        if SANDBOX:
            options["kernel_manager_class"] = SandboxedKernels
        super().__init__(*args, **options)

    def preprocess(self, nb, resources, **options):
        limits = {
            "ISOPATH_CELL_SECONDS": str(CELL_SECONDS),
            "ISOPATH_CELL_MEMORY": str(CELL_MEMORY_MB),
            "ISOPATH_CELL_OUTPUT": str(CELL_OUTPUT_KB),
        }
        if SANDBOX:
            limits.update(ISOPATH_SANDBOX="bubblewrap", ISOPATH_SANDBOX_HIDE=str(COURSE))
        self.is_lost = False
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        if all(is_as_handed_out(cell) for cell in code):
            for cell in filter(utils.is_grade, code):
                add_error(cell, "NothingWritten", "no exercise has an answer, so the tests did not run")
            return nb, resources
        with utils.setenv(**limits):
            return super().preprocess(nb, resources, **options)

    def preprocess_cell(self, cell, resources, index):
        if not self.is_lost:
            try:
                cell, resources = super().preprocess_cell(cell, resources, index)
                self.check_points(cell)
                return cell, resources
            except Exception as error:  # the kernel is gone or deaf, whatever the client calls it
                self.log.warning("cell %s: %s: %s", index, type(error).__name__, error)
                self.is_lost = True
        if cell.cell_type == "code":
            add_error(cell, "KernelEnded", "the notebook ended its kernel in this cell or in an earlier one, so there is no result")
        return cell, resources

    @staticmethod
    def check_points(cell):
        """Gives no points to a graded cell that does not end with a number of points. nbgrader would give all of them."""
        if cell.cell_type != "code" or not utils.is_grade(cell) or utils.is_solution(cell):
            return
        results = [output.data.get("text/plain") for output in cell.outputs if output.output_type == "execute_result"]
        most = float(cell.metadata.nbgrader.points)
        try:
            if 0 <= float(results[0]) <= most:
                return
        except (IndexError, TypeError, ValueError):
            pass
        if not any(output.output_type == "error" for output in cell.outputs):
            words = f"the cell ended without a number of points between 0 and {most:g}; does a thread still print, or is `Score` another type?"
            add_error(cell, "NoPoints", words)


def is_as_handed_out(cell):
    return bool(identity(cell)) and cell.metadata.nbgrader.checksum == utils.compute_checksum(cell)


def add_error(cell, name, words):
    cell.outputs.insert(0, nbformat.v4.new_output("error", ename=name, evalue=words, traceback=[f"{name}: {words}"]))


c.Autograde.exporter_class = Submission
c.Autograde.sanitize_preprocessors = [
    Restore,
    preprocessors.ClearOutput,
    preprocessors.DeduplicateIds,
    preprocessors.OverwriteKernelspec,
    preprocessors.OverwriteCells,
    preprocessors.CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    Execute,
    preprocessors.IgnorePattern,
    preprocessors.LimitOutput,
    preprocessors.SaveAutoGrades,
    preprocessors.AssignLatePenalties,
    preprocessors.CheckCellMetadata,
]
