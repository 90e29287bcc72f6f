"""SVG figures, made fit to stand inside a page beside others."""

import re
import xml.etree.ElementTree as ElementTree

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def parse(text):
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"a figure's SVG cannot be read: {error}") from None


def own_label(text):
    """What the figure says of itself: its aria-label, or its title."""
    root = parse(text)
    title = root.find(f"{{{SVG}}}title")
    return root.get("aria-label") or ("" if title is None else "".join(title.itertext()))


def can_be_inlined(text):
    """A style sheet inside the figure would reach the whole page, so such a figure stays an image."""
    return parse(text).find(f".//{{{SVG}}}style") is None


def inline(text, prefix, label):
    """The figure as an element of the page: it scales, has a name, runs nothing, and its ids start with `prefix`."""
    root = parse(text)
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
                element.set(key, re.sub(r"url\(#", f"url(#{prefix}", value))
    width, height = (re.fullmatch(r"([\d.]+)(px)?", root.get(side, "")) for side in ("width", "height"))
    if width and height and "viewBox" not in root.attrib:
        root.set("viewBox", f"0 0 {width[1]} {height[1]}")
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")
