"""The page check must find what it is there for: `python3 tests/page_check_test.py`."""

import pathlib
import tempfile
import unittest

import page_check

GOOD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Rings</title>
<link rel="icon" href="data:,"><style>a { background: url(data:image/png;base64,AA==) }</style></head><body id="top">
<nav class="toc"><a href="index.html">All</a><a href="#top">Rings</a><a href="#claim">Claim</a></nav><h1>Rings</h1>
<h2 id="claim">Claim</h2><table><caption>2.5 of 2.5 points</caption></table><p>It costs $5 or $ 6 a seat; <a href="https://example.org">a paper</a>,
<math alttext="\\alpha"><mi>α</mi></math>, <code>$x$ and \\alpha</code>.</p>
<div class="highlight hl-rust"><pre><span></span><span class="k">let</span> a = 1; // panicked at</pre></div>
<div class="cell celltag_raises-exception"><pre>[E0308] Error: mismatched types</pre></div>
<figure><svg aria-label="two rings"><defs><clipPath id="f1-c"></clipPath></defs><g clip-path="url(#f1-c)"></g></svg></figure>
</body></html>"""
INDEX = """<html lang="en"><head><title>All</title></head><body><h1>All</h1><a href="rings.html#claim">Rings</a></body></html>"""

BAD = {
    "loads": [
        ("<p>", '<p><img alt="a" src="https://example.org/a.png">'),
        ("<p>", '<p><img alt="a" src="figure.png">'),
        ("<style>", "<style>@import 'https://example.org/a.css';"),
        ("<style>", "<style>b { background: url(//example.org/a.png) }"),
        ("data:,", "https://example.org/icon.png"),
        ("<nav", '<script src="https://example.org/mathjax.js"></script><nav'),
        ("<p>", '<p style="background: url(https://example.org/a.png)">'),
    ],
    "a script may": [("<nav", "<script>fetch('/a')</script><nav")],
    "no words": [(' aria-label="two rings"', ""), (' aria-label="two rings"', ' aria-label=" "'), ("<p>", '<p><img src="data:,">')],
    "no table of contents": [('class="toc"', 'class="other"')],
    "contents lacks": [('<a href="#claim">Claim</a></nav>', "</nav>")],
    "leads": [("index.html", "gone.html"), ('href="#top"', 'href="#bottom"'), ("index.html", "index.html#gone")],
    "twice": [('id="f1-c"', 'id="claim"')],
    "without highlighting": [('<span class="k">let</span>', "let")],
    "TeX": [
        ("<p>", "<p>the loss $\\beta$ "), ("<p>", "<p>$$x$$"), ("<p>", "<p>\\(x\\)"), ("<p>", "<p>\\begin{align}"),
        ("<mi>α", "<mi>\\foo"), ("<defs>", "<text>$x_1$</text><defs>"),
    ],
    "a cell failed": [
        ("<p>", "<p>thread 'main' panicked at src/lib.rs:1:2"), (" celltag_raises-exception", ""),
        ("<p>", "<pre>error[E0382]: borrow</pre><p>"),
    ],
    "marks an error": [("<p>", '<p class="error">')],
    "lacks points": [("<p>", "<table><caption>2 of 3 points</caption></table><p>")],
    "title": [("<title>Rings</title>", "")],
    "first-level": [("<h1>Rings</h1>", "")],
}  # fmt: skip


def complaints(page, index=INDEX):
    with tempfile.TemporaryDirectory() as folder:
        site = pathlib.Path(folder)
        (site / "index.html").write_text(index, encoding="utf-8")
        (site / "rings.html").write_text(page, encoding="utf-8")
        return list(page_check.check_site(site))


class PageCheck(unittest.TestCase):
    def test_a_good_page_passes(self):
        self.assertEqual(complaints(GOOD), [])

    def test_every_fault_is_found_and_named(self):
        for words, faults in BAD.items():
            for old, new in faults:
                with self.subTest(fault=new or f"without {old}"):
                    self.assertIn(old, GOOD)
                    found = complaints(GOOD.replace(old, new, 1))
                    self.assertTrue(any(words in line for line in found), found)

    def test_a_site_must_be_whole(self):
        self.assertTrue(any("does not list" in line for line in complaints(GOOD, INDEX.replace("rings.html#claim", "#"))))
        with tempfile.TemporaryDirectory() as folder:
            self.assertTrue(any("no index" in line for line in page_check.check_site(pathlib.Path(folder))))
            (pathlib.Path(folder) / "rings.html.part").write_text("<html>")
            self.assertTrue(any("left behind" in line for line in page_check.check_site(pathlib.Path(folder))))


if __name__ == "__main__":
    unittest.main()
