"""A board as a LaTeX table: `booktabs`, and nothing else beyond the `article` class."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from bench.run import Score
from leaderboards.board import Column, Leaderboard, Row
from leaderboards.text import conditions

_ARROW = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "neither": ""}
_ESCAPES = {c: "\\" + c for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': r"\char34{}",
    "\N{EN DASH}": "--",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{DEGREE SIGN}": r"$^\circ$",
    "\N{MICRO SIGN}": r"$\mu$",
    "\N{GREEK SMALL LETTER RHO}": r"$\rho$",
}
_ACCENTS = {*"\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327"}


def escape(text: str) -> str:
    """Return `text` for text mode; a character that pdfLaTeX may lack as ``U+`` and its number."""
    return "".join(_ESCAPES.get(c) or (c if _has_glyph(c) else f"U+{ord(c):04X}") for c in text)


def _has_glyph(c: str) -> bool:
    if c.isascii():
        return c.isprintable()
    parts = unicodedata.normalize("NFD", c)
    return parts[0].isascii() and ord(c) < 0x180 and set(parts[1:]) <= _ACCENTS


def latex(board: Leaderboard, *, intervals: bool = False, verbose: bool = False) -> str:
    r"""Return a ``table`` environment; needs ``\usepackage{booktabs}`` in the preamble.

    Bold is the best ranked row of a column and each that the paired test does not tell from it.
    What the numbers stand on (data, signatures, what was not scored) follows as comments.

    Args:
        board: what to print.
        intervals: also the 95 % interval of each value.
        verbose: also the detectable differences, in the comments.
    """
    heads = ["System", *(_head(c) for c in board.columns)]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\footnotesize",
        rf"\caption{{{_caption(board, intervals=intervals)}}}",
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(board.columns)}@{{}}}}",
        r"\toprule",
        _line(heads),
        r"\midrule",
        *_body(board, intervals=intervals),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        *(f"% {' '.join(line.split())}" for line in conditions(board, verbose=verbose)),
    ]
    return "\n".join(lines) + "\n"


def _head(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return f"{escape(column.title + unit)} {_ARROW[column.better]}".strip()


def _caption(board: Leaderboard, *, intervals: bool) -> str:
    said = [f"{escape(board.dataset)}, {board.utterances} utterances."]
    if any(best for r in board.rows for best in r.best):
        apart = " (block by block)" if len(board.blocks) > 1 else ""
        said.append(f"Bold: the best, and what a paired test does not tell from it{apart}.")
    if intervals:
        said.append(r"In brackets: 95\,\% bootstrap intervals.")
    return " ".join(said)


def _body(board: Leaderboard, *, intervals: bool) -> Iterator[str]:
    for number, (title, rows) in enumerate(board.blocks.items()):
        if number:
            yield r"\midrule"
        if len(board.blocks) > 1:
            over = rf"\multicolumn{{{1 + len(board.columns)}}}{{@{{}}l}}"
            yield rf"{over}{{\emph{{{escape(title)}}}}} \\"
        for row in rows:
            yield _line([escape(row.system), *_cells(board, row, intervals=intervals)])


def _cells(board: Leaderboard, row: Row, *, intervals: bool) -> Iterator[str]:
    for score, column, best in zip(row.scores, board.columns, row.best, strict=True):
        yield _cell(score, column.digits, bold=best, interval=intervals)


def _cell(score: Score | None, digits: int, *, bold: bool, interval: bool) -> str:
    if score is None or score.value is None:
        return "--"
    text = _number(score.value, digits)
    text = rf"\textbf{{{text}}}" if bold else text
    if interval and score.low is not None and score.high is not None:
        text += rf" {{\scriptsize [{_number(score.low, digits)}, {_number(score.high, digits)}]}}"
    if score.coverage is not None and score.coverage < 1:
        text += rf" {{\scriptsize {score.coverage:.0%}}}".replace("%", r"\%")
    return text


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "$-$")


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
