"""Formulas: TeX in, MathML Core out, so that a page needs neither a script nor a font from elsewhere."""

from html import escape

from math_core import LatexError, LatexToMathML


class Formulas:
    """The formulas of one page; numbered environments (`align`, `equation`) count through the page."""

    def __init__(self):
        self.converter = LatexToMathML(global_group=True, fancy_error=False, id_prefix="formula-")

    def convert(self, tex, display):
        """MathML of a formula; raises ValueError with the formula if it cannot be shown."""
        try:
            mathml = self.converter.convert_with_global_state(tex.strip(), displaystyle=display)
        except LatexError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"the formula {' '.join(tex.split())} cannot be shown: {reason}") from None
        mathml = mathml.replace("<math", f'<math alttext="{escape(" ".join(tex.split()))}"', 1)
        return f'<span class="formula">{mathml}</span>' if display else mathml
