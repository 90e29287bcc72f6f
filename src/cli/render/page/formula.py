"""Formulas: TeX in, MathML Core out, so that a page needs neither a script nor a font from elsewhere."""

import re
from html import escape

from math_core import LatexError, LatexToMathML

MACROS = {"substack": r"\begin{subarray}{c}#1\end{subarray}"}
# What TeX and MathJax know and math-core does not, in words that it knows.
REWRITES = (
    (r"\\(begin|end)\{split\}", r"\\\1{aligned}"),
    # MathJax lets a notebook define what exists already, such as \R.
    (r"\\newcommand\*?\s*\{?(\\[A-Za-z]+)\}?", r"\\def\1{}\\renewcommand{\1}"),
    (r"\\DeclareMathOperator(\*?)\s*\{(\\[A-Za-z]+)\}\s*\{([^{}]*)\}", r"\\def\2{\\operatorname\1{\3}}"),
    # A formula within the words of a formula.
    (r"\\text\{(?:[^{}]|\{[^{}]*\})*\}", lambda match: re.sub(r"\$([^$]*)\$", r"}\1\\text{", match[0])),
)
NUMBERED = re.compile(r"\s*\\begin\{(equation|align|gather|multline|alignat|flalign)")


def rewritten(tex, display):
    for pattern, replacement in REWRITES:
        tex = re.sub(pattern, replacement, tex)
    if display and r"\tag" in tex and not NUMBERED.match(tex):
        tex = rf"\begin{{equation*}}{tex}\end{{equation*}}"
    return tex


class Formulas:
    """The formulas of one page: numbered environments count, and definitions hold, from the first to the last."""

    def __init__(self, warn):
        self.warn = warn
        self.converter = LatexToMathML(global_group=True, fancy_error=False, id_prefix="formula-", macros=MACROS)

    def convert(self, tex, display):
        """MathML of a formula, or with a warning its source if it cannot be understood."""
        tex = tex.strip()
        source = escape(" ".join(tex.split()))
        try:
            html = self.converter.convert_with_global_state(rewritten(tex, display), displaystyle=display)
        except LatexError as error:
            self.warn(f"the formula {' '.join(tex.split())} is shown as TeX: {' '.join(str(error).split())}")
            html = f'<code class="formula-source">{source}</code>'
        if re.fullmatch(r"<math[^>]*></math>", html):
            return ""  # Definitions alone.
        html = html.replace("<math", f'<math alttext="{source}"', 1)
        return f'<span class="formula">{html}</span>' if display else html
