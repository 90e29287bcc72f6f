"""nbconvert's preprocessor for our pages: texts and figures become HTML that stands alone."""

import base64
import re
from html import escape

from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath, MathInlineParser
from nbconvert.preprocessors import Preprocessor

from formula import Formulas

# The forms of an output, the best first.
FORMS = ("image/svg+xml", "image/png", "image/jpeg", "text/html", "text/markdown", "text/latex", "text/plain")
TAG, LINK = re.compile(r"<[^>]*>"), re.compile(r"</?a\b[^>]*>")
# What may name a part of an SVG: its id, a link to it, a style that uses it.
NAME = re.compile(r"""(\sid=["']|href=["']#|url\(["']?#)""")
# What would act outside the SVG: styles, scripts, requests. Inside an <img>, browsers keep them in.
ACTS_OUTSIDE = re.compile(r"""<style|<script|\son\w+=["']|href=["'](?!#|data:)|url\(["']?(?!["']?#|["']?data:)""")
LONGEST_LABEL = 400
# The end of a sentence, with the tags that end there too.
SENTENCE_END = re.compile(r"[.?!…](?:[)\"”’]|&quot;|</\w+>)*(?=\s|$)")
OPENING, CLOSING = re.compile(r"<(?!/|br\b|img\b)[^>]*(?<!/)>"), re.compile(r"</")


class Inline(MathInlineParser):
    """Lets the words of a formula hold a formula: $\\text{if $x > 0$}$."""

    SPECIFICATION = MathInlineParser.SPECIFICATION | {
        "inline_math_tex": r"(?s:(?<![$\\])\$(?P<math_inline_tex>(?:\\text\{(?:[^{}]|\{[^{}]*\})*\}|.)+?)(?<![$\\])\$)"
    }


class Prose(IPythonRenderer):
    """nbconvert's reading of Jupyter's Markdown, with MathML, a table of contents and links between pages."""

    def __init__(self, page, attachments):
        super().__init__(escape=False, embed_images=True, path=str(page.folder), attachments=attachments)
        self.page = page

    def heading(self, text, level, **attrs):
        page = self.page
        if level == 1 and not page.title:
            page.title = text
            return ""
        level, name = max(level, 2), slug(text)
        while name in page.ids:
            name += "-again"
        page.ids.add(name)
        page.headings.append((level, name, LINK.sub("", text)))
        return f'<h{level} id="{name}">{text} <a class="anchor" href="#{name}" aria-label="Link to this section">#</a></h{level}>\n'

    def link(self, text, url, title=None):
        # The page of another notebook is this page's neighbour.
        return super().link(text, re.sub(r"^(?!\w+:)([^#?]*)\.ipynb(?=#|$)", r"\1.html", url), title)

    def image(self, text, url, title=None):
        try:
            return super().image(text, url, title)
        except InvalidNotebook as error:
            self.page.warn(f"an image is left out: {error}")
            return f"<em>{text}</em>"

    def _html_embed_images(self, html):
        # Elements come tag by tag, and nbconvert's parser would close each at once.
        return super()._html_embed_images(html) if "<img" in html else html

    def block_math(self, body):
        return self.page.formulas.convert(body, display=True)

    def inline_math(self, body):
        return self.page.formulas.convert(body, display=False)

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


class Page(Preprocessor):
    """One executed notebook: leaves each output in its best form, and gathers what its page and its card show."""

    def __init__(self, name, folder):
        super().__init__(enabled=True)
        self.name, self.folder, self.formulas = name, folder, Formulas(self.warn)
        self.title, self.summary, self.image, self.headings, self.warnings = "", "", "", [], []
        self.ids, self.numbers = {"top", "contents", "run", "text"}, {"cell": 0, "text cell": 0, "figure": 0}

    def preprocess(self, nb, resources):
        self.run = nb.metadata.get("isopath", {})
        nb, resources = super().preprocess(nb, resources)
        self.title = self.title or escape(self.name)
        self.plain_title = TAG.sub("", self.title)
        return nb, resources | {"page": self}

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "markdown":
            self.place = f"text cell {self.count('text cell')}"
            cell.source = self.html(cell.source, cell.get("attachments"))
            paragraph = re.search(r"<p>(.*?)</p>", cell.source, re.DOTALL)
            self.summary = self.summary or (whole_sentences(LINK.sub("", paragraph[1])) if paragraph else "")
        elif cell.cell_type == "code" and cell.source.strip():
            self.place = f"cell {self.count('cell')}"
            figures = [figure for output in cell.outputs if "data" in output and (figure := self.prepare(output))]
            # On the card: the first figure of a cell tagged main-figure, else the first of all.
            if figures and (not self.image or "main-figure" in cell.metadata.get("tags", [])):
                self.image = figures[0]
        return cell, resources

    def count(self, thing):
        self.numbers[thing] += 1
        return self.numbers[thing]

    def warn(self, reason):
        self.warnings.append(f"{self.place}: {reason}")

    def html(self, markdown, attachments=None):
        return MarkdownWithMath(Prose(self, attachments), inline=Inline()).render(markdown)

    def prepare(self, output):
        """Leaves the best form of an output, as HTML unless it is plain text; returns a figure."""
        form = next((form for form in FORMS if output.data.get(form, "").strip()), None)
        content, figure = output.data.get(form, ""), None
        if form and form.startswith("image/"):
            heading = TAG.sub("", self.headings[-1][2]) if self.headings else ""
            label = output.metadata.get("alt") or output.data.get("text/plain") or f"Figure: {heading}"
            figure = self.figure(form, content, " ".join(label.split())[:LONGEST_LABEL])
            form, content = "text/html", f"<figure>{figure}</figure>"
        elif form == "text/markdown":
            form, content = "text/html", self.html(content)
        elif form == "text/latex":
            form, content = "text/html", self.formulas.convert(content.strip().strip("$"), display=True)
        output.data = {form: content} if form else {}
        return figure

    def figure(self, form, content, label):
        """A figure with words for a reader who cannot see it, and with names that no other figure has."""
        start = content.find("<svg")
        if form != "image/svg+xml" or start < 0 or ACTS_OUTSIDE.search(content):
            encoded = base64.b64encode(content.encode()).decode() if form == "image/svg+xml" else "".join(content.split())
            return f'<img src="data:{form};base64,{encoded}" alt="{escape(label)}">'
        svg = NAME.sub(rf"\g<1>{slug(self.name)}-{self.count('figure')}-", content[start:])
        words = "" if "aria-label=" in svg[: svg.find(">")] else f' role="img" aria-label="{escape(label)}"'
        return f"<svg{words}{svg[4:]}"


def whole_sentences(html):
    """Leaves out a last sentence that goes on behind the paragraph, in a formula that stands by itself."""
    for end in reversed([match.end() for match in SENTENCE_END.finditer(html)]):
        part = html[:end]
        # Neither within a tag nor between one and its closing tag.
        whole = part.rfind("<") <= part.rfind(">") and len(OPENING.findall(part)) == len(CLOSING.findall(part))
        if whole or end == len(html):
            return part
    return html


def slug(text):
    """Words as a name for links."""
    return re.sub(r"\W+", "-", TAG.sub("", text).lower()).strip("-") or "section"
