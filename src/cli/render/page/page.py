"""Writes the web pages of executed notebooks, for site.rs.

`page.py check NOTEBOOK FOLDER`, `page.py page EXECUTED NAME FOLDER SITE`, `page.py index SITE FOLDER [NAME REASON]…`,
where FOLDER holds the notebooks and their images. A page is one file that asks nothing of the network: styles, figures
and formulas are inside it. Warnings about what cannot be shown as its author meant it go to standard output.
"""

import datetime
import hashlib
import os
import pathlib
import sys

import nbformat
from nbconvert.exporters import TemplateExporter
from nbconvert.filters import Highlight2HTML

from cells import Page
from files import write

# What reading a file that is not one of our notebooks may raise.
NOT_A_NOTEBOOK = (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError)


def duration(seconds):
    """Seconds as a person says them: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.{int(seconds < 9.95)}f} s"


def day(date):
    moment = datetime.datetime.fromisoformat(date)
    return f"{moment.day} {moment:%B %Y}"


def exporter():
    """nbconvert's exporter, with its `basic` template below our notebook.html."""
    folder = str(pathlib.Path(__file__).parent)
    filters = {"duration": duration, "day": day, "highlight_code": Highlight2HTML}
    return TemplateExporter(
        template_name="basic", extra_template_paths=[folder], template_file="notebook.html", filters=filters,
        exclude_input_prompt=True, exclude_output_prompt=True, exclude_raw=True, optimistic_validation=True,
    )  # fmt: skip


def check(source, folder):
    """Reads the texts of a notebook as its page will, so that warnings come before hours of execution."""
    try:
        notebook = nbformat.read(source, as_version=4)
    except NOT_A_NOTEBOOK:
        return  # Its execution says what is wrong with it.
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    page = Page("", folder)
    page.preprocess(notebook, {})
    print(*page.warnings, sep="\n")


def write_page(executed, name, folder, site):
    """The page of one notebook; the executed notebook moves beside it, for download."""
    page, html = Page(name, folder), exporter()
    html.register_preprocessor(page)
    write(pathlib.Path(site, f"{name}.html"), html.from_filename(executed)[0])
    os.replace(executed, pathlib.Path(site, f"{name}.ipynb"))
    print(*page.warnings, sep="\n")


def read_again(name, folder, site):
    """The page of an earlier run, or None if what lies there is not ours to read."""
    page = Page(name, folder)
    try:
        page.preprocess(nbformat.read(site / f"{name}.ipynb", as_version=4), {})
    except NOT_A_NOTEBOOK:
        return None
    return page if {"scale", "seconds", "date", "sha256"} <= page.run.keys() else None


def write_index(site, folder, *failures):
    """The cards of all pages, then the notebooks without a page; `failures` are names and reasons in turn."""
    site, failed = pathlib.Path(site), dict(zip(failures[::2], failures[1::2]))
    folder = pathlib.Path(folder)
    assignments = sorted(folder.glob("course/source/*/*.ipynb"))
    sources = {path.stem: path for path in [*sorted(folder.glob("*.ipynb")), *assignments]}
    course = [path.stem for path in assignments]
    rendered = {path.stem for path in site.glob("*.html")} & {path.stem for path in site.glob("*.ipynb")}
    pages, missing = [], []
    others = sorted((sources.keys() | rendered | failed.keys()) - set(course))
    for name in [*others, *course]:
        page = read_again(name, folder, site) if name in rendered else None
        if page:
            source = sources.get(name)
            page.of_course = name in course
            page.changed = source and hashlib.sha256(source.read_bytes()).hexdigest() != page.run["sha256"]
            pages.append(page)
        else:
            kept = f"{name}.failed.ipynb"
            missing.append((name, failed.get(name, "not rendered yet"), kept if (site / kept).exists() else None))
    index = exporter().environment.get_template("index.html")
    write(site / "index.html", index.render(pages=pages, missing=missing))


if __name__ == "__main__":
    try:
        {"check": check, "page": write_page, "index": write_index}[sys.argv[1]](*sys.argv[2:])
    except (ValueError, OSError) as error:
        sys.exit(str(error))
