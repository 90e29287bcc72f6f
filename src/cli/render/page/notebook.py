"""What a page says of its notebook: nbconvert's preprocessor that makes HTML of texts and figures for the template."""

import base64
import re
from html import escape

from bs4 import BeautifulSoup
from nbconvert.filters import strip_ansi
from nbconvert.preprocessors import Preprocessor

import prose
import svg
from formula import Formulas

# The forms of an output, the best first.
FORMS = ("image/svg+xml", "image/png", "image/jpeg", "text/html", "text/markdown", "text/latex", "text/plain")
# An SVG of more characters than this gives way to the PNG beside it.
LARGE_SVG = 3_000_000
LONGEST_LABEL = 400


def printed(text):
    """Terminal text as a reader sees it."""
    return strip_ansi(text).rstrip().strip("\n")


class Notebook(Preprocessor):
    """One executed notebook: leaves each output in its best form, and gathers what its page and its card show."""

    def __init__(self, name, folder):
        super().__init__(enabled=True)
        self.name, self.folder = name, folder
        self.outline, self.formulas = prose.Outline(), Formulas(self.warn)
        self.warnings, self.images, self.main_image, self.summary = [], [], None, ""
        self.texts = self.codes = self.inlined = 0

    def preprocess(self, nb, resources):
        self.run = nb.metadata.get("isopath", {})
        self.language = nb.metadata.get("language_info", {}).get("name", "rust").lower()
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "markdown":
            self.texts += 1
            self.place = f"text cell {self.texts}"
            cell.source = prose.to_html(cell.source, self, cell.get("attachments"))
            self.summary = self.summary or first_paragraph(cell.source)
        elif cell.cell_type == "code" and cell.source.strip():
            self.codes += 1
            self.place = f"cell {self.codes}"
            before = len(self.images)
            cell.outputs = [output for output in cell.outputs if self.prepare(output)]
            if "main-figure" in cell.metadata.get("tags", []) and len(self.images) > before:
                self.main_image = self.images[before]
        return cell, resources

    def warn(self, reason):
        self.warnings.append(f"{self.place}: {reason}")

    @property
    def title(self):
        return self.outline.title or escape(self.name)

    @property
    def plain_title(self):
        return prose.TAG.sub("", self.title)

    @property
    def image(self):
        """The figure on the card: the first of a cell tagged main-figure, else the first of all."""
        return self.main_image or (self.images[0] if self.images else None)

    def prepare(self, output):
        """Prepares an output for the template; says whether there is anything to show."""
        if output.output_type == "stream":
            output.text = printed(output.text)
            return bool(output.text)
        if output.output_type == "error":
            # Only a cell tagged raises-exception comes this far.
            output.evalue = printed("\n".join(output.traceback) or output.evalue)
            return True
        data = {form: output.data[form] for form in FORMS if output.data.get(form, "").strip()}
        if len(data.get("image/svg+xml", "")) > LARGE_SVG and data.keys() & {"image/png", "image/jpeg"}:
            del data["image/svg+xml"]
        for form in data:
            try:
                output.data = {form: self.shown(form, data, output.metadata)}
                return True
            except ValueError as error:
                self.warn(f"the SVG of a figure is not shown: {error}")
                # Words at least, if there is no other form.
                output.data = {"text/plain": escape(self.label(None, form, data, output.metadata))}
        return bool(data)

    def shown(self, form, data, metadata):
        """One form of an output as HTML; raises ValueError if it cannot be understood."""
        content = data[form]
        if form.startswith("image/"):
            return self.figure(form, data, metadata)
        if form == "text/markdown":
            return prose.to_html(content, self)
        if form == "text/latex":
            return self.formulas.convert(content.strip().strip("$"), display=True)
        return content if form == "text/html" else escape(printed(content))

    def figure(self, form, data, metadata):
        """A figure with words for a reader who cannot see it; it joins the images."""
        root = None
        if form == "image/svg+xml":
            root = svg.read(data[form])
            encoded = base64.b64encode(svg.text(root).encode()).decode()
        else:
            encoded = re.sub(r"\s", "", data[form])
        label = self.label(root, form, data, metadata)
        image = {"source": f"data:{form};base64,{encoded}", "label": label}
        self.images.append(image)
        if root is None or not svg.can_be_inlined(root):
            return f'<img src="{image["source"]}" alt="{escape(label)}">'
        self.inlined += 1
        return svg.inline(root, f"figure-{self.inlined}-", label)

    def label(self, root, form, data, metadata):
        """A figure's words, from the nearest source that has any."""
        of_form = metadata.get(form)
        candidates = (
            of_form.get("alt") if isinstance(of_form, dict) else None,
            metadata.get("alt"),
            None if root is None else svg.label(root),
            data.get("text/plain"),
            f"Figure: {self.outline.last}" if self.outline.last else None,
        )
        label = next((" ".join(text.split()) for text in candidates if text and text.strip()), "Figure")
        return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1].rstrip() + "…"


def first_paragraph(html):
    """What the notebook shows, without links."""
    paragraph = BeautifulSoup(html, "html.parser").find("p")
    for link in paragraph.find_all("a") if paragraph else ():
        link.unwrap()
    return paragraph.decode_contents() if paragraph else ""
