"""Checks rendered pages: `python3 tests/page_check.py target/site [--browser]`.

Every page must load without the network, be navigable, have words for its figures, highlighted Rust, formulas instead
of TeX, and no trace of a failed cell. With --browser, pages are opened in Chromium too (page_browser.py).
Needs Python's standard library alone.
"""

import argparse
import pathlib
import re
import sys
import urllib.parse
from html.parser import HTMLParser

VOID = set("area base br col embed hr img input link meta source track wbr".split())
# Attributes through which a page loads something by itself; a plain <a href> is the reader's choice.
LOADING = {("link", "href"), ("image", "href"), ("image", "xlink:href"), ("use", "href"), ("use", "xlink:href")}
LOADING_ANYWHERE = {"src", "srcset", "poster", "data", "background", "formaction", "action", "manifest", "ping"}
CSS_LOADS = re.compile(r"@import\s+(?:url\()?\s*['\"]?([^'\");]*)|url\(\s*['\"]?([^'\")]*)")
SCRIPT_LOADS = re.compile(r"\bfetch\s*\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|\bimport\b|https?://")
NOT_PROSE = {"pre", "code", "samp", "script", "style", "annotation"}
TEX = re.compile(r"\$[^\s$](?:[^$]*[^\s$])?\$|\$\$|\\\(|\\\[|\\begin\{|\\[a-zA-Z]{2,}")
FAILURE = re.compile(r"panicked at|error\[E\d{4}\]|\[E\d{4}\] Error|Traceback \(most recent call last\)")
POINTS = re.compile(r"([\d.]+) of ([\d.]+) points")
# What nbconvert makes of the tag raises-exception.
EXPECTED_FAILURE = "celltag_raises-exception"


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children, self.text = [], []

    def classes(self):
        return (self.attributes.get("class") or "").split()

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, tag):
        return (element for element in self.walk() if element.tag == tag)

    def within(self, test):
        element = self
        while element is not None:
            if test(element):
                return True
            element = element.parent
        return False

    def whole_text(self):
        return "".join(part if isinstance(part, str) else part.whole_text() for part in self.text)


class Reader(HTMLParser):
    """Builds the tree of elements."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {}, None)

    def open(self, tag, attributes):
        element = Element(tag, dict(attributes), self.here)
        self.here.children.append(element)
        self.here.text.append(element)
        return element

    def handle_starttag(self, tag, attributes):
        element = self.open(tag, attributes)
        if tag not in VOID:
            self.here = element

    def handle_startendtag(self, tag, attributes):
        self.open(tag, attributes)

    def handle_endtag(self, tag):
        element = self.here
        while element.parent is not None and element.tag != tag:
            element = element.parent
        if element.parent is not None:
            self.here = element.parent

    def handle_data(self, data):
        self.here.text.append(data)


def read(path):
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader.root


def leaves_page(target):
    target = (target or "").strip()
    return bool(target) and not target.startswith(("data:", "#"))


def loads(root):
    """What the page would load by itself."""
    for element in root.walk():
        for key, value in element.attributes.items():
            if (key in LOADING_ANYWHERE or (element.tag, key) in LOADING) and leaves_page(value):
                yield f"<{element.tag} {key}> loads {value[:100]!r}"
            if key == "style" or "url(" in (value or ""):
                yield from css_loads(value or "")
            if key.startswith("on"):
                yield f"<{element.tag}> has a script in {key}"
        if element.tag == "style":
            yield from css_loads(element.whole_text())
        if element.tag == "script" and SCRIPT_LOADS.search(element.whole_text()):
            yield "a script may ask the network"
        if element.tag in ("iframe", "object", "embed", "base") or element.attributes.get("http-equiv") == "refresh":
            yield f"<{element.tag}> has no place on a page that stands alone"


def css_loads(css):
    for imported, url in CSS_LOADS.findall(css):
        if leaves_page(imported or url):
            yield f"a style loads {(imported or url)[:100]!r}"


def named(element):
    attributes = element.attributes
    title = next((child for child in element.children if child.tag == "title"), None)
    words = (attributes.get("alt"), attributes.get("aria-label"), title and title.whole_text())
    return attributes.get("aria-hidden") == "true" or any(text and text.strip() for text in words)


def figures(root):
    for element in root.walk():
        if element.tag in ("img", "svg") and not named(element):
            yield f"<{element.tag}> has no words for a reader who cannot see it"


def ids(root):
    return [element.attributes["id"] for element in root.walk() if element.attributes.get("id")]


def repeated_ids(root):
    seen = set()
    for name in ids(root):
        if name in seen:
            yield f"the id {name!r} is there twice"
        seen.add(name)


def contents(root, path):
    if path.name == "index.html":
        return
    navigation = [element for element in root.find("nav") if "toc" in element.classes()]
    links = [link.attributes.get("href") or "" for nav in navigation for link in nav.find("a")]
    if not any(link.startswith("#") for link in links):
        yield "there is no table of contents"
    listed = {urllib.parse.unquote(link[1:]) for link in links if link.startswith("#")}
    for heading in root.find("h2"):
        name = heading.attributes.get("id")
        if name is not None and name not in listed:
            yield f"the table of contents lacks #{name}"


def links(root, path, names):
    for link in root.find("a"):
        target = link.attributes.get("href")
        if target is None or re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
            continue
        file, _, fragment = urllib.parse.unquote(target).partition("#")
        other = path.parent / file if file else path
        if not other.is_file():
            yield f"the link {target!r} leads nowhere"
        elif fragment and other.suffix == ".html" and fragment not in names(other):
            yield f"the link {target!r} leads to no place on that page"


def highlighting(root):
    for block in root.walk():
        coloured = any(span.attributes.get("class") for span in block.find("span"))
        if "hl-rust" in block.classes() and block.whole_text().strip() and not coloured:
            yield f"Rust without highlighting: {block.whole_text().strip()[:60]!r}"


def prose(root):
    """Each run of text that a reader reads as such, and its element."""
    for element in root.walk():
        if not element.within(lambda other: other.tag in NOT_PROSE):
            text = " ".join("".join(part if isinstance(part, str) else " " for part in element.text).split())
            if text:
                yield text


def tex(root):
    for text in prose(root):
        found = TEX.search(text)
        if found:
            yield f"TeX that was not set: {text[max(0, found.start() - 20) : found.end() + 40]!r}"


def failures(root):
    for element in root.walk():
        if element.within(lambda other: EXPECTED_FAILURE in other.classes() or other.tag in ("script", "style")):
            continue
        # A source may speak of panics; only what was printed counts.
        if element.within(lambda other: "highlight" in other.classes()):
            continue
        own = "".join(part for part in element.text if isinstance(part, str))
        found = FAILURE.search(own)
        if found:
            yield f"a cell failed: {own[found.start() : found.end() + 80]!r}"
        if {"error", "traceback", "merror"} & {element.tag, *element.classes()}:
            yield f"<{element.tag}> marks an error: {element.whole_text().strip()[:80]!r}"


def points(root):
    """A solution that does not get all points of its cell."""
    for caption in root.find("caption"):
        found = POINTS.match(caption.whole_text())
        if found and found[1] != found[2]:
            yield f"a solution lacks points: {found[0]!r}"


def head(root):
    if not any(title.whole_text().strip() for title in root.find("title") if title.parent.tag == "head"):
        yield "there is no title"
    if not any("lang" in html.attributes for html in root.find("html")):
        yield "the page does not name its language"
    if len(list(root.find("h1"))) != 1:
        yield f"there are {len(list(root.find('h1')))} first-level headings; expected 1"


def check_page(path, names):
    root = read(path)
    for found in (head(root), loads(root), figures(root), repeated_ids(root), contents(root, path),
                  links(root, path, names), highlighting(root), tex(root), failures(root), points(root)):  # fmt: skip
        yield from found


def check_site(site):
    """`page: complaint` lines for every page of the folder."""
    pages, known = sorted(site.glob("*.html")), {}

    def names(path):
        if path not in known:
            known[path] = set(ids(read(path)))
        return known[path]

    if not (site / "index.html").is_file():
        yield f"{site}: there is no index.html"
    if len(pages) < 2:
        yield f"{site}: there is no page of a notebook"
    index = read(site / "index.html") if (site / "index.html").is_file() else Element("", {}, None)
    listed = {(link.attributes.get("href") or "").partition("#")[0] for link in index.find("a")}
    for path in pages:
        if path.name != "index.html" and path.name not in listed:
            yield f"{path.name}: the index does not list it"
        for complaint in check_page(path, names):
            yield f"{path.name}: {complaint}"
    for path in site.iterdir() if site.is_dir() else ():
        if path.suffix not in (".html", ".ipynb"):
            yield f"{path.name}: a file left behind"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=pathlib.Path)
    parser.add_argument("--browser", action="store_true", help="open the pages in Chromium too, the network cut off")
    options = parser.parse_args()
    found = list(dict.fromkeys(check_site(options.site)))
    if options.browser and not found:
        import page_browser

        found += page_browser.check_site(options.site)
    for line in found:
        print(line)
    print(f"{len(list(options.site.glob('*.html')))} pages checked, {len(found)} complaints")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
