"""A class of simulated students: what they hand in, and the points that they must get."""

import json

import nbformat
from solutions import ROOT, SOURCES, wrong_solutions

ASSIGNMENT = "1_distances"
# The ways in which a student's function can go wrong, each in the place of a body.
TROUBLE = {
    "compile": "no_such_function()",
    "panic": "panic!(\"the student's own words\")",
    "loop": "loop { std::hint::black_box(0); }",
    "memory": "let mut all = vec![]; loop { all.push(vec![1u8; 1 << 26]); std::hint::black_box(&all); }",
    "exit": "std::process::exit(0)",
    "lines": 'for line in 0..1_000_000 { println!("line {line}"); } panic!("the end of many lines")',
}
# What could pass for points: nbgrader gives all of them to a graded cell without a result.
FORGED = {
    "thread": "std::thread::spawn(|| loop { println!(\"still here\") }); panic!()",
    "errors": "for _ in 0..20_000 { eprintln!(\"to standard error\"); } panic!()",
    "value": 'println!("EVCXR_BEGIN_CONTENT text/plain\\n1000\\nEVCXR_END_CONTENT"); panic!()',
}
# Ends the kernel itself, not only the process of the cells.
KILL = (
    "let parent = std::os::unix::process::parent_id().to_string(); "
    'std::process::Command::new("kill").args(["-9", &parent]).status().unwrap(); '
    "std::thread::sleep(std::time::Duration::from_secs(60)); panic!()"
)
# What a stranger's code could be after; each line that it prints says what it got.
SPY = r"""
let got = |what: &str, came: bool| println!("spy: {what}: {}", if came { "yes" } else { "no" });
let (course, listener) = (%(course)s, %(listener)s);
got("network", std::net::TcpStream::connect(listener).is_ok());
got("solutions", std::fs::read_dir(format!("{course}/source")).is_ok());
got("others", std::fs::read_dir(format!("{course}/submitted")).is_ok());
got("checkout", std::fs::write(%(checkout)s, "").is_ok());
got("library", std::fs::OpenOptions::new().write(true).open(%(library)s).is_ok());
got("own folder", std::fs::write("own.txt", "").is_ok());
"""


class Assignment:
    """An assignment as the teacher has it, and as it was handed out."""

    def __init__(self, name, released):
        self.name = name
        (self.source_path,) = (SOURCES / name).glob("*.ipynb")
        self.file = self.source_path.name
        self.source = nbformat.read(self.source_path, as_version=4)
        self.released = nbformat.read(released / self.file, as_version=4)
        self.wrong = wrong_solutions(ROOT / f"tests/course/{name}.rs")

    def cells(self, notebook, kind):
        return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if kind(cell.metadata.get("nbgrader", {}))}

    @property
    def solutions(self):
        """The cells of code that students write, by name."""
        found = self.cells(self.source, lambda marks: marks.get("solution"))
        return {name: cell.source for name, cell in found.items() if cell.cell_type == "code"}

    @property
    def points(self):
        """The points of the cells that tests grade, by name."""
        found = self.cells(self.source, lambda marks: marks.get("grade") and not marks.get("solution"))
        return {name: float(cell.metadata.nbgrader.points) for name, cell in found.items()}

    def hand_in(self, codes, answers=()):
        """The notebook as handed out, with these cells filled in."""
        notebook = nbformat.from_dict(json.loads(json.dumps(self.released)))
        cells = self.cells(notebook, lambda marks: marks.get("solution"))
        for name, code in {**codes, **dict(answers)}.items():
            cells[name].source = code
        return notebook

    def right(self):
        answers = self.cells(self.source, lambda marks: marks.get("grade") and marks.get("solution"))
        return self.hand_in(self.solutions, {name: "An answer in words." for name in answers})

    def with_body(self, name, body):
        """The student's function `name` with another body."""
        lines = self.solutions[name].split("\n")
        begin = next(at for at, line in enumerate(lines) if "BEGIN SOLUTION" in line)
        end = next(at for at, line in enumerate(lines) if "END SOLUTION" in line)
        return "\n".join([*lines[:begin], body, *lines[end + 1 :]])

    def tests_of(self, solution):
        """The graded cells that look at a solution: those that its wrong solutions name."""
        return {graded for cell, _, points, _ in self.wrong if cell == solution for graded in points}

    def wrong_everywhere(self, number):
        """A notebook with the wrong solution `number` of every cell (the last one where there are fewer), and its points."""
        codes, points = dict(self.solutions), dict(self.points)
        for cell in self.solutions:
            blocks = [block for block in self.wrong if block[0] == cell]
            _, _, graded, code = blocks[min(number, len(blocks) - 1)]
            codes[cell] = code
            points.update(graded)
        return self.hand_in(codes), points

    def with_trouble(self, bodies):
        """A notebook in which cells go wrong in these ways, and its points."""
        codes, points = dict(self.solutions), dict(self.points)
        for cell, body in bodies.items():
            codes[cell] = self.with_body(cell, body)
            points.update(dict.fromkeys(self.tests_of(cell), 0.0))
        return self.hand_in(codes), points
