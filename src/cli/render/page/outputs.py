"""A code cell's outputs: figures, tables, printed text."""

import base64
import re
from dataclasses import dataclass
from html import escape

from nbconvert.filters import strip_ansi

import prose
import svg

# Printed text longer than this is folded away behind its last line.
LONG_OUTPUT_LINES = 12
# An SVG of more characters than this gives way to the PNG beside it.
LARGE_SVG = 3_000_000
LONGEST_LABEL = 400


@dataclass
class Figure:
    """A figure as an image that stands alone, for the card on the index page."""

    source: str
    label: str


def joined(value):
    return "".join(value) if isinstance(value, list) else value


def data_url(mime, data):
    return f"data:{mime};base64,{data}"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def printed(text):
    """Terminal text as a reader saw it last: no colours, and of a line rewritten with \\r only its last state."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in strip_ansi(text).split("\n"))
    return "\n".join(lines).strip("\n")


def stream(output):
    text = printed(joined(output.text))
    if not text:
        return ""
    lines = text.splitlines()
    html = f'<pre class="output {output.name}" tabindex="0">{escape(text)}</pre>'
    if len(lines) <= LONG_OUTPUT_LINES:
        return html
    summary = f'{len(lines)} lines printed, the last: <code>{escape(lines[-1].strip())}</code>'
    return f"<details><summary>{summary}</summary>{html}</details>"


def label_of(output, mime, heading):
    """The words for a reader who cannot see the figure, from the nearest source that has any."""
    metadata, data = output.get("metadata", {}), output.data
    of_mime = metadata.get(mime, {}) if isinstance(metadata.get(mime), dict) else {}
    candidates = (
        of_mime.get("alt"),
        metadata.get("alt"),
        svg.own_label(joined(data["image/svg+xml"])) if "image/svg+xml" in data else "",
        joined(data.get("text/plain", "")),
        f"Figure: {heading}" if heading else "",
    )
    label = next((" ".join(text.split()) for text in candidates if text and text.strip()), "Figure")
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1].rstrip() + "…"


def figure(output, page):
    """An image output as (HTML, Figure), or None if the output holds no image."""
    data = output.data
    vector = joined(data["image/svg+xml"]) if "image/svg+xml" in data else None
    raster = next((mime for mime in ("image/png", "image/jpeg") if mime in data), None)
    if vector is not None and not (raster and len(vector) > LARGE_SVG):
        mime, source = "image/svg+xml", data_url("image/svg+xml", encoded(vector))
    elif raster:
        mime, source = raster, data_url(raster, re.sub(r"\s", "", joined(data[raster])))
    else:
        return None
    label = label_of(output, mime, page.outline.last)
    if mime == "image/svg+xml" and svg.can_be_inlined(vector):
        page.figures += 1
        image = svg.inline(vector, f"figure-{page.figures}-", label)
    else:
        image = f'<img src="{source}" alt="{escape(label)}">'
    return f"<figure>{image}</figure>", Figure(source, label)


def rich(output, page):
    """A displayed value: the best of its forms."""
    drawn = figure(output, page)
    if drawn is not None:
        html, image = drawn
        page.images.append(image)
        return html
    data = {mime: joined(value) for mime, value in output.data.items()}
    if "text/html" in data:
        return f'<div class="scroll html" tabindex="0">{data["text/html"]}</div>'
    if "text/markdown" in data:
        return prose.to_html(data["text/markdown"], page.outline, page.formulas, page.folder)
    if "text/latex" in data:
        return page.formulas.convert(data["text/latex"].strip().strip("$"), display=True)
    text = printed(data.get("text/plain", ""))
    return f'<pre class="output value" tabindex="0">{escape(text)}</pre>' if text else ""


def to_html(output, page):
    """One output as HTML. `page` collects the figures."""
    if output.output_type == "stream":
        return stream(output)
    if output.output_type == "error":
        # Only a cell tagged raises-exception comes this far.
        text = printed("\n".join(output.traceback) or output.evalue)
        return f'<pre class="output expected-error" tabindex="0">{escape(text)}</pre>'
    return rich(output, page)
