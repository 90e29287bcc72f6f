"""SVG figures, made fit to stand inside a page beside others."""

import html
import re
import xml.etree.ElementTree as ElementTree

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)
# A bare &, and an entity that HTML alone knows.
FOREIGN = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)(?:\w+;)?")


def repaired(text):
    """What browsers forgive inside a page and XML does not."""
    text = FOREIGN.sub(lambda match: html.escape(html.unescape(match[0])), text)
    if "xlink:" in text and "xmlns:xlink" not in text:
        text = text.replace("<svg", f'<svg xmlns:xlink="{XLINK}"', 1)
    return text


def read(text):
    """The figure as a tree; raises ValueError if it cannot be understood."""
    text = text.strip()
    if not re.search(r"\sxmlns\s*=", text):
        text = text.replace("<svg", f'<svg xmlns="{SVG}"', 1)
    try:
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            root = ElementTree.fromstring(repaired(text))
    except ElementTree.ParseError as error:
        raise ValueError(f"it cannot be read: {error}") from None
    if root.tag != f"{{{SVG}}}svg":
        raise ValueError("it holds no <svg>")
    return root


def label(root):
    """What the figure says of itself: its aria-label, or its title."""
    title = root.find(f"{{{SVG}}}title")
    return root.get("aria-label") or ("" if title is None else "".join(title.itertext()))


def can_be_inlined(root):
    """A style sheet inside the figure would reach the whole page, so such a figure stays an image."""
    return root.find(f".//{{{SVG}}}style") is None


def text(root):
    return ElementTree.tostring(root, encoding="unicode")


def inline(root, prefix, label):
    """The figure as an element of the page: it scales, has a name, runs nothing, and its ids start with `prefix`."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}script":
                parent.remove(child)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key.lower().startswith("on"):
                del element.attrib[key]
            elif key == "id":
                element.set(key, prefix + value)
            elif key in ("href", f"{{{XLINK}}}href"):
                if value.startswith("#"):
                    element.set(key, f"#{prefix}{value[1:]}")
                elif not value.startswith("data:"):
                    del element.attrib[key]
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}"))
    width, height = (re.fullmatch(r"([\d.]+)(px)?", root.get(side, "")) for side in ("width", "height"))
    if width and height and "viewBox" not in root.attrib:
        root.set("viewBox", f"0 0 {width[1]} {height[1]}")
    root.set("role", "img")
    root.set("aria-label", label)
    return text(root)
