"""A course from its start to the marks, with the real nbgrader: laid out, handed out, handed in, graded, explained.

One class of simulated students is graded for all tests; what they hand in is in students.py. With ISOPATH_COURSE=all, every
wrong solution of every assignment is handed in, too.
"""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from solutions import ROOT, SOURCES
from students import ASSIGNMENT, FORGED, KILL, SPY, TROUBLE, Assignment

BINARY = os.environ["ISOPATH_BINARY"]
EVERYTHING = os.environ.get("ISOPATH_COURSE") == "all"
USER = getpass.getuser()
HAS_SANDBOX = shutil.which("bwrap") is not None and not subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"]).returncode
# Where the spy knocks.
LISTENER = ("127.0.0.1", 39_571)
# Short enough for a test, long enough for a test of the assignment on a slow machine.
SECONDS, MEGABYTES = 30, 1500


def isopath(*arguments, **options):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)


def nbgrader(folder, *arguments):
    command = [sys.executable, "-m", "nbgrader", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"nbgrader {arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


class Course:
    """A course with its class, graded."""

    def __init__(self, folder):
        self.folder, self.expected = folder / "course", {}
        done = isopath("course", "init", self.folder)
        assert done.returncode == 0, done.stderr
        config = self.folder / "nbgrader_config.py"
        text = config.read_text()
        for name, value in {"CELL_SECONDS": SECONDS, "CELL_MEMORY_MB": MEGABYTES}.items():
            (line,) = (line for line in text.splitlines() if line.startswith(f"{name} = "))
            text = text.replace(line, f"{name} = {value}")
        config.write_text(text)
        names = sorted(path.name for path in SOURCES.iterdir()) if EVERYTHING else [ASSIGNMENT]
        self.assignments = {}
        for name in names:
            nbgrader(self.folder, "generate_assignment", name)
            self.assignments[name] = Assignment(name, self.folder / "release" / name)

    def hand_in(self, student, notebook, points, assignment=ASSIGNMENT, file=None):
        folder = self.folder / "submitted" / student / assignment
        folder.mkdir(parents=True)
        path = folder / (file or self.assignments[assignment].file)
        if isinstance(notebook, bytes):
            path.write_bytes(notebook)
        elif notebook is not None:
            nbformat.write(notebook, path)
        self.expected[student, assignment] = points

    def grade(self, assignment, *options):
        return isopath("course", "grade", self.folder, assignment, *options)

    def points(self, student, assignment=ASSIGNMENT):
        """The points of the cells that tests grade, from the database."""
        with Gradebook(f"sqlite:///{self.folder}/gradebook.db") as gradebook:
            (notebook,) = gradebook.find_submission(assignment, student).notebooks
            by_tests = self.assignments[assignment].points
            return {grade.name: grade.auto_score for grade in notebook.grades if grade.name in by_tests}

    def graded(self, student, assignment=ASSIGNMENT):
        """Everything that the graded notebook shows."""
        path = self.folder / "autograded" / student / assignment / self.assignments[assignment].file
        texts = []
        for cell in nbformat.read(path, as_version=4).cells:
            texts.append(cell.source)
            for output in cell.get("outputs", []):
                texts += [output.get("text", ""), *output.get("traceback", []), *map(str, output.get("data", {}).values())]
        return "\n".join(texts)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = Course(tmp_path_factory.mktemp("class"))
    assignment = course.assignments[ASSIGNMENT]
    nothing = dict.fromkeys(assignment.points, 0.0)
    exchange(course, assignment)
    # As by Formgrader's button: one student, and no sandbox.
    nbgrader(course.folder, "autograde", ASSIGNMENT, "--student", USER)
    course.hand_in("trouble", *assignment.with_trouble(dict(zip(assignment.solutions, TROUBLE.values()))))
    course.hand_in("forged", *forged(assignment))
    course.hand_in("mess", *mess(assignment, course), file="my own name.ipynb")
    course.hand_in("bytes", b"\xff\xfe no notebook", nothing)
    course.hand_in("nobody", None, nothing)
    if EVERYTHING:
        for name, other in course.assignments.items():
            course.hand_in("all_right", other.right(), other.points, name)
            most = max(sum(block[0] == cell for block in other.wrong) for cell in other.solutions)
            for number in range(most):
                course.hand_in(f"wrong_{number}", *other.wrong_everywhere(number), name)
    with socket.create_server(LISTENER):
        for name in course.assignments:
            done = course.grade(name, "--jobs", 2, *["--sandbox"] * HAS_SANDBOX)
            assert done.returncode == 0, done.stdout + done.stderr
            course.said = done.stdout
            nbgrader(course.folder, "generate_feedback", name)
    return course


def exchange(course, assignment):
    """A student fetches the assignment, writes the right solutions and submits; the teacher collects."""
    nbgrader(course.folder, "release_assignment", ASSIGNMENT)
    home = course.folder.parent / "student"
    home.mkdir()
    options = [f"--Exchange.root={course.folder / 'exchange'}", "--course=course"]
    nbgrader(home, "fetch_assignment", ASSIGNMENT, *options)
    fetched = home / ASSIGNMENT / assignment.file
    assert fetched.read_text() == (course.folder / "release" / ASSIGNMENT / assignment.file).read_text()
    nbformat.write(assignment.right(), fetched)
    nbgrader(home, "submit", ASSIGNMENT, *options)
    nbgrader(course.folder, "collect", ASSIGNMENT)
    course.expected[USER, ASSIGNMENT] = assignment.points


def forged(assignment):
    """Functions that could pass for right; the last one ends the kernel. The points of those between are kept."""
    *others, last = assignment.solutions
    bodies = {**dict(zip(others, FORGED.values())), last: KILL}
    assert len(others) > len(FORGED), "no function is left that is right"
    return assignment.with_trouble(bodies)


def mess(assignment, course):
    """Wrong solutions in another order, one and its test deleted, another test rewritten, another kernel; and a spy."""
    notebook, wrong = assignment.wrong_everywhere(0)
    first, second, *_ = assignment.solutions
    library = next((Path(BINARY).parents[2] / "kernels/seed/target").rglob("libisopath.so"))
    places = {"course": course.folder, "listener": "%s:%s" % LISTENER, "checkout": ROOT / "spy.txt", "library": library}
    spy = SPY % {name: json.dumps(str(place)) for name, place in places.items()}
    notebook.cells.append(nbformat.v4.new_code_cell("{\n" + spy + "}"))
    deleted = {first, *assignment.tests_of(first)}
    changed = min(assignment.tests_of(second))
    points = {**wrong, **dict.fromkeys(assignment.tests_of(first), 0.0)}
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") not in deleted]
    for cell in cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == changed:
            cell.source = "1000.0"
    notebook.cells = cells[::-1]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook, points


def lines_between(notebook, begin, end):
    """The lines of code that nbgrader has to take out."""
    inside, found = False, set()
    for line in (line for cell in notebook.cells if cell.cell_type == "code" for line in cell.source.split("\n")):
        if begin in line or end in line:
            inside = begin in line
        elif inside and len(line.strip()) > 12 and not line.strip().startswith("//"):
            found.add(line.strip())
    return found


def test_the_released_notebooks_hold_no_solution_and_no_hidden_test(course):
    for assignment in course.assignments.values():
        released = {line.strip() for cell in assignment.released.cells for line in cell.source.split("\n")}
        for begin, end in [("BEGIN SOLUTION", "END SOLUTION"), ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")]:
            secret = lines_between(assignment.source, begin, end)
            assert len(secret) > 10, f"{assignment.name}: {len(secret)} lines between {begin} and {end}"
            # A line of a visible test may stand in a hidden one, too.
            public = {line.strip() for cell in assignment.source.cells for line in visible(cell).split("\n")}
            assert not (secret - public) & released, (secret - public) & released
        words = "\n".join(released)
        assert "todo!()" in words and "YOUR ANSWER HERE" in words
        assert "BEGIN" not in words and "END HIDDEN" not in words


def visible(cell):
    """The part of a cell that students may see."""
    shown, inside = [], False
    for line in cell.source.split("\n"):
        if "BEGIN SOLUTION" in line or "BEGIN HIDDEN" in line:
            inside = True
        elif "END SOLUTION" in line or "END HIDDEN" in line:
            inside = False
        elif not inside:
            shown.append(line)
    is_answer = cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution")
    return "" if is_answer else "\n".join(shown)


def test_everybody_gets_the_points_that_are_due(course):
    found = {key: course.points(*key) for key in course.expected}
    assert found == course.expected
    assert 0 < sum(found["mess", ASSIGNMENT].values()) < sum(found[USER, ASSIGNMENT].values())
    assert f"{len([key for key in course.expected if key[1] == ASSIGNMENT])} submissions" in course.said or EVERYTHING


def test_what_went_wrong_is_said_in_words(course):
    trouble = course.graded("trouble")
    for words in [
        "cannot find function `no_such_function`",
        "panicked: the student's own words",
        f"the cell ran longer than the {SECONDS} s that it may take here",
        f"more memory than the {MEGABYTES} MB that they may have here",
        "the process of the cells exited with status 0",
        "panicked: the end of many lines",
        "Output truncated",
    ]:
        assert words in trouble.replace("\x1b[31m", "").replace("\x1b[0m", ""), words
    assert len(trouble) < 400_000
    for student, words in {
        "mess": [
            *["handed in as my own name.ipynb", "were missing", "not to be changed", "another order"],
            *["not written yet", "expected", ", got "],
        ],
        "bytes": ["is no notebook", "no exercise has an answer"],
        "nobody": [f"No notebook {course.assignments[ASSIGNMENT].file} was handed in", "no exercise has an answer"],
        "forged": ["the notebook ended its kernel"],
    }.items():
        for expected in words:
            assert expected in course.graded(student), f"{student}: {expected}"
    for student, _ in course.expected:
        assert "stack backtrace" not in course.graded(student) and "/rustc/" not in course.graded(student)


def test_feedback_reaches_everybody(course):
    for student, name in course.expected:
        page = course.folder / "feedback" / student / name / course.assignments[name].file.replace(".ipynb", ".html")
        text = page.read_text()
        assert "Score:" in text and ("isopath-table" in text or "no exercise has an answer" in text), page
    nbgrader(course.folder, "export")
    rows = (course.folder / "grades.csv").read_text().splitlines()
    columns = rows[0].split(",")
    exported = {}
    for row in rows[1:]:
        fields = dict(zip(columns, row.split(",")))
        exported[fields["student_id"], fields["assignment"]] = float(fields["score"])
    # Who handed nothing in has no points.
    expected = {key: sum(points.values()) for key, points in course.expected.items()}
    assert exported == {**dict.fromkeys(exported, 0.0), **expected}


def test_answers_in_words_wait_for_a_person(course):
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as gradebook:
        waiting = {s.student_id for s in gradebook.assignment_submissions(ASSIGNMENT) if s.needs_manual_grade}
    assert USER in waiting and "nobody" not in waiting


def test_a_second_run_grades_nobody_twice_and_a_forced_one_gives_the_same(course):
    student = "wrong_0" if EVERYTHING else "nobody"
    path = course.folder / "autograded" / student / ASSIGNMENT / course.assignments[ASSIGNMENT].file
    before = path.stat().st_mtime_ns
    nbgrader(course.folder, "autograde", ASSIGNMENT, "--student", student)
    assert path.stat().st_mtime_ns == before
    nbgrader(course.folder, "autograde", ASSIGNMENT, "--student", student, "--force")
    assert path.stat().st_mtime_ns != before
    assert course.points(student) == course.expected[student, ASSIGNMENT]


def test_a_sandbox_keeps_strangers_in_their_folder(course):
    if not HAS_SANDBOX:
        pytest.skip("bubblewrap makes no sandbox here: the class was graded without one")
    said = [line.split(": ") for line in course.graded("mess").splitlines() if line.startswith("spy: ")]
    refused = dict.fromkeys(["network", "solutions", "others", "checkout", "library"], "no")
    assert {what: came for _, what, came in said} == {**refused, "own folder": "yes"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["init", "{course}"], "is a course already; nothing was changed"),
        (["init", "{course}/source"], "is not empty; expected a new or an empty folder"),
        (["init", "{course}/nbgrader_config.py"], "is a file; expected"),
        (["grade", "{course}", "9_none"], f'assignment is "9_none"; expected {ASSIGNMENT}'),
        (["grade", "{course}/source", ASSIGNMENT], "is no course; make one with"),
        (["grade", "{course}", ASSIGNMENT, "--jobs", "0"], "--jobs is 0; expected at least 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(course, arguments, words):
    done = isopath("course", *(argument.format(course=course.folder) for argument in arguments))
    assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_an_assignment_that_was_not_generated_is_named(course):
    others = [path.name for path in SOURCES.iterdir() if path.name not in course.assignments]
    if others:
        done = course.grade(others[0])
        assert f"run `nbgrader generate_assignment {others[0]}` there" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("exit 1", "nbgrader is not installed in {place}; run `cargo run -- setup`"),
        ("echo 0.8.5", "nbgrader in {place} is version 0.8.5; expected 0.9."),
        ("echo 0.9.6", "the kernel is not in {place}; run `cargo run -- setup`"),
    ],
)
def test_an_environment_that_cannot_grade_is_refused_in_one_line(tmp_path, answer, words):
    place, folder = tmp_path / "environment", tmp_path / "course"
    python = place / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncase "$2" in *jupyterlab*) exit 0;; esac\n{answer}\n')
    python.chmod(0o755)
    for path in ["nbgrader_config.py", "source/a/a.ipynb", "release/a/a.ipynb"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    variables = {name: value for name, value in os.environ.items() if name != "CONDA_PREFIX"}
    done = isopath("course", "grade", folder, "a", env={**variables, "VIRTUAL_ENV": str(place)})
    assert done.returncode == 1 and words.format(place=place) in done.stderr and done.stderr.count("\n") == 1, done.stderr
