"""An explanation as HTML for notebooks: a table with a row for each class, bars for the shares."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from anysoftmax.explanation.contents import STEPS, Contents, contents_of
from anysoftmax.explanation.numerals import as_share

if TYPE_CHECKING:
    from anysoftmax.explanation.record import Explanation

__all__ = ["as_html"]

# A label such as "$5 or $6" is no formula: MathJax leaves elements of these classes alone.
NO_FORMULAS = "tex2jax_ignore mathjax_ignore"

NAME = "padding: 0.15em 0.75em; text-align: left; vertical-align: top"
CELL = "padding: 0.15em 0.75em; text-align: right; vertical-align: top; white-space: nowrap"
WORDS = f"{CELL}; font-weight: normal; max-width: 13em; white-space: normal"
RULE = "1px solid currentColor"
BAR = "display: inline-flex; width: 10em; height: 0.7em; margin-left: 0.75em"
# In the colour of the text, which the page chooses for its ground.
FILLED, EMPTY = "background: currentColor; opacity: 0.7", "background: currentColor; opacity: 0.12"


def as_html(explanation: Explanation) -> str:
    """Return the three steps as a table that takes its colours and letters from the page.

    Of more than 20 classes only the 15 largest are listed.
    """
    c = contents_of(explanation)
    shares = [
        _with_bar(text, explanation.shares[i]) for i, text in zip(c.classes, c.shares, strict=True)
    ]
    rows = zip(c.labels, c.logits, c.shifted, c.exponentials, shares, strict=True)
    total = f"total ({c.summed})" if c.summed else "total"
    last = [_row(total, "", "", c.total, "")]
    if c.others:
        share = _with_bar(as_share(c.others_share), c.others_share)
        last.append(_row(c.others, "", "", "", share))
    return "\n".join(
        [
            f'<div class="{NO_FORMULAS}" style="overflow-x: auto">',
            '<table style="border-collapse: collapse; font-variant-numeric: tabular-nums">',
            f'<caption style="color: inherit; text-align: left">{c.title}</caption>',
            _head(c),
            f'<tbody style="border-top: {RULE}; border-bottom: {RULE}">',
            *(_row(*row) for row in rows),
            "</tbody>",
            "<tfoot>",
            *last,
            "</tfoot>",
            "</table>",
            *([f"<p>{c.note}</p>"] if c.note else []),
            "</div>",
        ]
    )


def _head(c: Contents) -> str:
    """Return the names of the steps, and below them what is done in each column."""
    first, second, third = (f"{number}. {step}" for number, step in enumerate(STEPS, 1))
    words = "".join(
        f'<th scope="col" style="{WORDS}">{done}</th>'
        for done in (c.given, "; ".join(c.shifting), c.raising, c.dividing)
    )
    return f"""\
<colgroup></colgroup><colgroup></colgroup><colgroup span="2"></colgroup><colgroup></colgroup>
<thead>
<tr><th scope="col" rowspan="2" style="{NAME}">Class</th>
<th scope="col" style="{CELL}">{first}</th>
<th scope="colgroup" colspan="2" style="{CELL}">{second}</th>
<th scope="col" style="{CELL}">{third}</th></tr>
<tr>{words}</tr>
</thead>"""


def _row(name: str, *cells: str) -> str:
    rest = "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row" style="{NAME}">{escape(name)}</th>{rest}</tr>'


def _with_bar(text: str, share: float) -> str:
    """Add a bar to a share, for those who see it."""
    percent = 0.0 if math.isnan(share) else 100 * share
    return (
        f'{text}<span aria-hidden="true" style="{BAR}">'
        f'<span style="width: {percent:.2f}%; {FILLED}"></span>'
        f'<span style="flex: 1; {EMPTY}"></span></span>'
    )
