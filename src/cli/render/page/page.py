"""Writes the web pages of executed notebooks: `page.py check …`, `page.py notebook …` and `page.py index …`.

A page is one file that asks nothing of the network: styles, figures and formulas are inside it.
"""

import argparse
import datetime
import hashlib
import os
import pathlib
import re
import sys
import tempfile

import nbformat
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import outputs
import prose
from formula import Formulas

HERE = pathlib.Path(__file__).parent
# A cell that took longer than this says so.
NOTABLE_SECONDS = 0.95


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


class Page:
    """One executed notebook, read once: what its page and its card show."""

    def __init__(self, path, folder):
        self.name, self.folder = path.stem, folder
        self.outline, self.formulas = prose.Outline(), Formulas()
        self.figures, self.images, self.main_image, self.cells = 0, [], None, []
        notebook = nbformat.read(path, as_version=4)
        self.run = notebook.metadata["isopath"]
        self.language = notebook.metadata.get("language_info", {}).get("name", "rust").lower()
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                html = prose.to_html(cell.source, self.outline, self.formulas, folder, cell.get("attachments"))
                self.cells.append({"kind": "prose", "html": Markup(html)})
            elif cell.cell_type == "code" and cell.source.strip():
                self.cells.append(self.code(cell))
        self.title = Markup(self.outline.title or prose.escape(self.name))
        self.plain_title = Markup(prose.TAG.sub("", self.title)).unescape()

    def code(self, cell):
        before = len(self.images)
        shown = [Markup(outputs.to_html(output, self)) for output in cell.outputs]
        if "main-figure" in cell.metadata.get("tags", []) and len(self.images) > before:
            self.main_image = self.images[before]
        seconds = cell.metadata.get("isopath", {}).get("seconds", 0)
        return {
            "kind": "code",
            "source": Markup(prose.code_block(cell.source, self.language)),
            "outputs": [html for html in shown if html],
            "seconds": seconds if seconds > NOTABLE_SECONDS else None,
        }

    @property
    def image(self):
        """The figure on the card: the first of a cell tagged main-figure, else the first of all."""
        return self.main_image or (self.images[0] if self.images else None)

    @property
    def summary(self):
        """The first paragraph: what the notebook shows."""
        text = next((cell["html"] for cell in self.cells if cell["kind"] == "prose" and "<p>" in cell["html"]), "")
        paragraph = BeautifulSoup(text, "html.parser").find("p")
        if paragraph is None:
            return ""
        for link in paragraph.find_all("a"):
            link.unwrap()
        return Markup(paragraph.decode_contents())


def render(template, **values):
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(duration=duration, day=day)
    return environment.get_template(template).render(style=Markup((HERE / "style.css").read_text()), **values)


def write(path, text):
    """Writes the whole file or nothing."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def check_notebook(options):
    """Reads the words of a notebook as its page will, so that no formula is found wanting after hours of execution."""
    try:
        notebook = nbformat.read(options.source, as_version=4)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError):
        return  # Its execution says what is wrong with it.
    outline, formulas = prose.Outline(), Formulas()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            prose.to_html(cell.source, outline, formulas, options.folder, cell.get("attachments"))


def write_notebook(options):
    """The page of one notebook, and beside it the executed notebook for download."""
    page = Page(options.executed, options.folder)
    page.name = options.name
    html = render("notebook.html", page=page)
    write(options.site / f"{options.name}.ipynb", options.executed.read_text(encoding="utf-8"))
    write(options.site / f"{options.name}.html", html)


def read_again(executed, folder):
    """A page of an earlier run, or None if what lies there is not ours to read."""
    try:
        return Page(executed, folder)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError):
        return None


def write_index(options):
    """The cards of all pages there are; notebooks without a page are named with the reason."""
    failed = dict(options.failed)
    sources = {path.stem: path for path in options.notebooks.glob("*.ipynb")}
    rendered = {path.stem for path in options.site.glob("*.html")} & {path.stem for path in options.site.glob("*.ipynb")}
    cards, missing = [], []
    for name in sorted(sources.keys() | rendered | failed.keys()):
        page = read_again(options.site / f"{name}.ipynb", options.notebooks) if name in rendered else None
        if page is not None:
            source = sources.get(name)
            changed = source is not None and hashlib.sha256(source.read_bytes()).hexdigest() != page.run["sha256"]
            cards.append({"page": page, "changed": changed})
        else:
            missing.append({"name": name, "reason": failed.get(name, "not rendered yet")})
    write(options.site / "index.html", render("index.html", cards=cards, missing=missing))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("check")
    check.add_argument("source", type=pathlib.Path)
    check.add_argument("--folder", type=pathlib.Path, required=True, help="where the notebook's images lie")
    check.set_defaults(run=check_notebook)
    notebook = commands.add_parser("notebook")
    notebook.add_argument("executed", type=pathlib.Path)
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
