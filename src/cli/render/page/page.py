"""Writes the web pages of executed notebooks: `page.py check …`, `page.py notebook …` and `page.py index …`.

A page is one file that asks nothing of the network: styles, figures and formulas are inside it. What is shown in
another form than its author meant it is told on standard output, one line each.
"""

import argparse
import datetime
import hashlib
import os
import pathlib
import sys

import nbformat
from nbconvert.exporters import TemplateExporter

import prose
from files import write
from notebook import Notebook

HERE = pathlib.Path(__file__).parent
# What reading a file that is no notebook of ours may end in.
NO_NOTEBOOK = (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError)


def duration(seconds):
    """Seconds as a person says them: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def day(date):
    moment = datetime.datetime.fromisoformat(date)
    return f"{moment.day} {moment:%B %Y}"


class PageExporter(TemplateExporter):
    """nbconvert with our templates: notebook.html for a page, index.html for the list of pages."""

    output_mimetype = "text/html"
    file_extension = ".html"

    def __init__(self):
        super().__init__(
            template_name="base",
            template_file="notebook.html",
            extra_template_paths=[str(HERE)],
            exclude_raw=True,
            optimistic_validation=True,
            filters={"duration": duration, "day": day, "highlight_code": prose.code_block},
        )
        self.environment.trim_blocks = self.environment.lstrip_blocks = True

    def page(self, notebook, executed):
        self.register_preprocessor(notebook)
        self.environment.globals["page"] = notebook
        return self.from_notebook_node(executed)[0]

    def index(self, **values):
        return self.environment.get_template("index.html").render(**values)


def check_notebook(options):
    """Reads the words of a notebook as its page will, so that what they lack is known before hours of execution."""
    try:
        source = nbformat.read(options.source, as_version=4)
    except NO_NOTEBOOK:
        return  # Its execution says what is wrong with it.
    source.cells = [cell for cell in source.cells if cell.cell_type == "markdown"]
    notebook = Notebook(options.source.stem, options.folder)
    notebook.preprocess(source, {})
    print(*notebook.warnings, sep="\n")


def write_notebook(options):
    """The page of one notebook, and beside it the executed notebook for download."""
    notebook = Notebook(options.name, options.folder)
    html = PageExporter().page(notebook, nbformat.read(options.executed, as_version=4))
    write(options.site / f"{options.name}.html", html)
    os.replace(options.executed, options.site / f"{options.name}.ipynb")
    print(*notebook.warnings, sep="\n")


def read_again(name, options):
    """A page of an earlier run, or None if what lies there is not ours to read."""
    notebook = Notebook(name, options.notebooks)
    try:
        notebook.preprocess(nbformat.read(options.site / f"{name}.ipynb", as_version=4), {})
    except NO_NOTEBOOK:
        return None
    return notebook if {"scale", "seconds", "date", "sha256"} <= notebook.run.keys() else None


def write_index(options):
    """The cards of all pages there are; notebooks without a page are named with the reason."""
    failed = dict(options.failed)
    sources = {path.stem: path for path in options.notebooks.glob("*.ipynb")}
    there = {path.name for path in options.site.iterdir()}
    rendered = {name.removesuffix(".html") for name in there if f"{name.removesuffix('.html')}.ipynb" in there}
    cards, missing = [], []
    for name in sorted(sources.keys() | rendered | failed.keys()):
        page = read_again(name, options) if name in rendered else None
        if page is None:
            kept = f"{name}.failed.ipynb"
            reason = failed.get(name, "not rendered yet")
            missing.append({"name": name, "reason": reason, "kept": kept if kept in there else None})
        else:
            source = sources.get(name)
            changed = source is not None and hashlib.sha256(source.read_bytes()).hexdigest() != page.run["sha256"]
            cards.append({"page": page, "changed": changed})
    write(options.site / "index.html", PageExporter().index(cards=cards, missing=missing))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("check")
    check.add_argument("source", type=pathlib.Path)
    check.add_argument("--folder", type=pathlib.Path, required=True, help="where the notebook's images lie")
    check.set_defaults(run=check_notebook)
    notebook = commands.add_parser("notebook")
    notebook.add_argument("executed", type=pathlib.Path, help="moves beside the page")
    notebook.add_argument("--name", required=True)
    notebook.add_argument("--folder", type=pathlib.Path, required=True, help="where the notebook's images lie")
    notebook.add_argument("--site", type=pathlib.Path, required=True)
    notebook.set_defaults(run=write_notebook)
    index = commands.add_parser("index")
    index.add_argument("--site", type=pathlib.Path, required=True)
    index.add_argument("--notebooks", type=pathlib.Path, required=True)
    index.add_argument("--failed", nargs=2, action="append", default=[], metavar=("NAME", "REASON"))
    index.set_defaults(run=write_index)
    options = parser.parse_args()
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
