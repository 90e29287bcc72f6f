"""How long a class takes to grade: `isopath course grade` with simulated students.

    .venv/bin/python benches/course.py [--students 100] [--jobs 2] [--assignment 2_attack] [--sandbox]

after `cargo run -- setup`. Of every ten students four are right, three have wrong solutions, two have written only a part, and
one has functions that do not compile, panic, run for ever, eat memory or end their process. Prints the time of the class, the
largest memory that all processes had together, and whether everybody got the points that were due; with --twice, whether a
second run gave the same points cell by cell.

The limit is compilation: a submission is some forty cells, each compiled in about half a second on one core, beside the start
of a kernel, in which rust-analyzer reads the library.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/course"))

import nbformat
from nbgrader.api import Gradebook
from students import TROUBLE, Assignment


def hand_in(assignment, number):
    """The notebook of a student, and the points that are due."""
    kind, turn = number % 10, number // 10
    solutions = assignment.solutions
    if kind < 4:
        return assignment.right(), assignment.points
    if kind < 7:
        return assignment.wrong_everywhere(turn + kind - 4)
    if kind < 9:
        names = list(solutions)
        return assignment.with_trouble({name: "todo!()" for name in names[1 + (turn + kind) % (len(names) - 1) :]})
    names, ways = list(solutions), list(TROUBLE.values())
    return assignment.with_trouble({name: ways[(turn + at) % len(ways)] for at, name in enumerate(names[:2])})


class Memory(threading.Thread):
    """The largest memory of the machine's processes above what they had at the start, in MB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.first, self.samples = self.used(), []

    @staticmethod
    def used():
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        total, free = (int(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        return (total - free) / 1024

    def run(self):
        while True:
            self.samples.append(self.used() - self.first)
            time.sleep(1)


def points(course, assignment):
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        return {
            submission.student_id: {
                grade.name: grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.name in assignment.points
            }
            for submission in gradebook.assignment_submissions(assignment.name)
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--students", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--assignment", default="2_attack")
    parser.add_argument("--sandbox", action="store_true")
    parser.add_argument("--twice", action="store_true")
    options = parser.parse_args()
    (binary,) = ROOT.glob("target/*/debug/isopath")
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        subprocess.run([binary, "course", "init", course], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([sys.executable, "-m", "nbgrader", "generate_assignment", options.assignment, "--log-level=ERROR"], cwd=course, check=True)
        assignment = Assignment(options.assignment, course / "release" / options.assignment)
        due = {}
        for number in range(options.students):
            student = f"student{number:03}"
            notebook, due[student] = hand_in(assignment, number)
            place = course / "submitted" / student / options.assignment
            place.mkdir(parents=True)
            nbformat.write(notebook, place / assignment.file)
        results = []
        for run in range(1 + options.twice):
            memory, start = Memory(), time.monotonic()
            memory.start()
            command = [binary, "course", "grade", course, options.assignment, "--jobs", str(options.jobs)]
            command += ["--sandbox"] * options.sandbox + ["--force"] * (run > 0)
            subprocess.run(command, check=True)
            seconds = time.monotonic() - start
            found = points(course, assignment)
            differing = [student for student in due if found[student] != due[student]]
            thirds = [memory.samples[at * len(memory.samples) // 3 :][: len(memory.samples) // 3] for at in range(3)]
            means = ", ".join(f"{sum(third) / max(1, len(third)):.0f}" for third in thirds)
            print(f"{options.students} submissions of {options.assignment}, {options.jobs} at once: {seconds / 60:.1f} min")
            print(f"memory: at most {max(memory.samples):.0f} MB; mean of the first, second and last third {means} MB")
            print(f"points that are not due: {differing or 'none'}")
            results.append(found)
        if options.twice:
            print("the same points in both runs" if results[0] == results[1] else "THE RUNS DIFFER")


if __name__ == "__main__":
    main()
