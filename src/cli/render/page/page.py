"""Writes the web pages of executed notebooks, for site.rs.

`page.py check NOTEBOOK FOLDER`, `page.py page EXECUTED NAME FOLDER SITE`, `page.py index SITE FOLDER [NAME REASON]…`,
where FOLDER holds the notebooks and their images. A page is one file that asks nothing of the network: styles, figures
and formulas are inside it. What is shown in another form than its author meant it is told on standard output.
"""

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


def check(source, folder):
    """Reads the words of a notebook as its page will, so that what they lack is known before hours of execution."""
    try:
        words = nbformat.read(source, as_version=4)
    except NO_NOTEBOOK:
        return  # Its execution says what is wrong with it.
    words.cells = [cell for cell in words.cells if cell.cell_type == "markdown"]
    notebook = Notebook("", folder)
    notebook.preprocess(words, {})
    print(*notebook.warnings, sep="\n")


def write_page(executed, name, folder, site):
    """The page of one notebook; the executed notebook moves beside it, for download."""
    notebook = Notebook(name, folder)
    html = PageExporter().page(notebook, nbformat.read(executed, as_version=4))
    write(pathlib.Path(site, f"{name}.html"), html)
    os.replace(executed, pathlib.Path(site, f"{name}.ipynb"))
    print(*notebook.warnings, sep="\n")


def read_again(name, folder, site):
    """A page of an earlier run, or None if what lies there is not ours to read."""
    notebook = Notebook(name, folder)
    try:
        notebook.preprocess(nbformat.read(site / f"{name}.ipynb", as_version=4), {})
    except NO_NOTEBOOK:
        return None
    return notebook if {"scale", "seconds", "date", "sha256"} <= notebook.run.keys() else None


def write_index(site, folder, *failures):
    """The cards of all pages there are; notebooks without a page are named with the reason.

    `failures` are names and reasons in turn.
    """
    site, failed = pathlib.Path(site), dict(zip(failures[::2], failures[1::2]))
    sources = {path.stem: path for path in pathlib.Path(folder).glob("*.ipynb")}
    rendered = {path.stem for path in site.glob("*.html")} & {path.stem for path in site.glob("*.ipynb")}
    cards, missing = [], []
    for name in sorted(sources.keys() | rendered | failed.keys()):
        page = read_again(name, folder, site) if name in rendered else None
        if page is None:
            kept = site / f"{name}.failed.ipynb"
            reason = failed.get(name, "not rendered yet")
            missing.append({"name": name, "reason": reason, "kept": kept.name if kept.exists() else None})
        else:
            source = sources.get(name)
            changed = source is not None and hashlib.sha256(source.read_bytes()).hexdigest() != page.run["sha256"]
            cards.append({"page": page, "changed": changed})
    write(site / "index.html", PageExporter().index(cards=cards, missing=missing))


if __name__ == "__main__":
    try:
        {"check": check, "page": write_page, "index": write_index}[sys.argv[1]](*sys.argv[2:])
    except (ValueError, OSError) as error:
        sys.exit(str(error))
