"""Markdown cells: nbconvert's reading of Jupyter's Markdown, with our formulas, headings, code and links."""

import re
from html import escape

from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath, MathInlineParser
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

TAG = re.compile(r"<[^>]*>")


def code_block(code, language):
    """Highlighted code; a language that Pygments does not know stays plain."""
    try:
        html = highlight(code, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True))
    except ClassNotFound:
        html = escape(code)
    return f'<pre class="code language-{escape(language)}" tabindex="0"><code>{html.rstrip()}</code></pre>\n'


class Outline:
    """The page's title and headings, each with an id of its own."""

    def __init__(self):
        self.title, self.headings, self.ids = None, [], {"top", "contents", "run", "text"}

    def name(self, text):
        """An id made of the heading's words."""
        slug = re.sub(r"[^\w]+", "-", TAG.sub("", text).lower()).strip("-") or "section"
        unique, number = slug, 2
        while unique in self.ids:
            unique, number = f"{slug}-{number}", number + 1
        self.ids.add(unique)
        return unique

    @property
    def last(self):
        """The text of the latest heading: what a figure without words of its own belongs to."""
        return TAG.sub("", self.headings[-1]["text"] if self.headings else self.title or "")


class Inline(MathInlineParser):
    """Lets a formula's words hold a formula: $\\text{if $x > 0$}$."""

    SPECIFICATION = MathInlineParser.SPECIFICATION | {
        "inline_math_tex": r"(?s:(?<![$\\])\$(?P<math_inline_tex>(?:\\text\{(?:[^{}]|\{[^{}]*\})*\}|.)+?)(?<![$\\])\$)"
    }


class Prose(IPythonRenderer):
    """Writes the Markdown of a page as HTML."""

    def __init__(self, page, attachments):
        super().__init__(escape=False, embed_images=True, path=str(page.folder), attachments=attachments)
        self.page = page

    def heading(self, text, level, **attrs):
        outline = self.page.outline
        if level == 1 and outline.title is None:
            outline.title = text
            return ""
        level = max(level, 2)
        name = outline.name(text)
        outline.headings.append({"level": level, "id": name, "text": re.sub(r"</?a\b[^>]*>", "", text)})
        return f'<h{level} id="{name}">{text} <a class="anchor" href="#{name}" aria-label="Link to this section">#</a></h{level}>\n'

    def block_code(self, code, info=None):
        return code_block(code, (info or "text").split()[0])

    def link(self, text, url, title=None):
        # A notebook's page is its neighbour under the same name.
        return super().link(text, re.sub(r"^(?!\w+:)([^#?]*)\.ipynb(?=#|$)", r"\1.html", url), title)

    def image(self, text, url, title=None):
        try:
            return super().image(text, url, title)
        except InvalidNotebook as error:
            self.page.warn(f"an image is left out: {error}")
            return f"<em>{text}</em>"

    def _html_embed_images(self, html):
        # Elements reach nbconvert tag by tag, and its parser would close each at once.
        return super()._html_embed_images(html) if "<img" in html else html

    def table(self, text):
        return f'<div class="scroll" tabindex="0"><table>\n{text}</table></div>\n'

    def block_math(self, body):
        return self.page.formulas.convert(body, display=True)

    def inline_math(self, body):
        return self.page.formulas.convert(body, display=False)

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def to_html(markdown, page, attachments=None):
    """Markdown as HTML; its headings join the page's outline."""
    return MarkdownWithMath(Prose(page, attachments), inline=Inline()).render(markdown)
