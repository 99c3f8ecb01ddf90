"""Papers' tables, published beside measured: terminal, Markdown, LaTeX, HTML and JSON."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Sequence
from html import escape as html_escape
from typing import Any

from bench.paper import LETTERS, MARKS, Cell, Column, Filled, Paper
from leaderboards import latex as tex

_ARROW = {"higher": "↑", "lower": "↓", "neither": ""}


def heads(filled: Filled) -> list[str]:
    """Return the column heads."""
    named = [f"{c.title}{f' ({c.unit})' if c.unit else ''}" for c in filled.table.columns]
    arrows = [_ARROW[c.better] for c in filled.table.columns]
    return ["system", "", *(f"{n} {a}".strip() for n, a in zip(named, arrows, strict=True))]


def lines(filled: Filled) -> Iterator[list[str]]:
    """Yield one line of published numbers for each row, and two more where something was measured.

    A published number has its mark; a difference the letters that say why it may be one.
    """
    for at, row in enumerate(filled.table.rows):
        cells = [(c, filled.cells[at, c.key]) for c in filled.table.columns]
        yield [row.name, "published", *(_published(cell) for _, cell in cells)]
        if any(cell.value is not None for _, cell in cells):
            yield ["", f"measured, {row.system}", *(_measured(c, cell) for c, cell in cells)]
            yield ["", "difference", *(_difference(c, cell) for c, cell in cells)]


def _published(cell: Cell) -> str:
    number = cell.published
    if number is None:
        return ""
    half = f" ± {number.pm:.10g}" if number.pm is not None else ""
    return f"{number.value:.10g}{half} {number.mark}"  # as it was published


def _measured(column: Column, cell: Cell) -> str:
    if cell.value is None:
        return ""
    d = column.digits
    ends = f" [{cell.low:.{d}f}, {cell.high:.{d}f}]" if cell.low is not None else ""
    return f"{cell.value:.{d}f}{ends}"


def _difference(column: Column, cell: Cell) -> str:
    if cell.difference is None:
        return cell.letters
    return f"{cell.difference:+.{column.digits}f} {cell.letters}".strip()


def conditions(filled: Filled) -> Iterator[str]:
    """Yield the lines under a table."""
    table = filled.table
    yield f"published on: {table.dataset}"
    yield from table.notes
    cells = list(filled.cells.values())
    marks = {c.published.mark for c in cells if c.published}
    yield from (f"{m}: {said}" for m, said in MARKS.items() if m in marks)
    letters = {k for c in cells for k in c.letters}
    yield from (f"{k}: {said}" for k, said in LETTERS.items() if k in letters)
    for column in table.columns:
        known = any(filled.cells[at, column.key].metric for at in range(len(table.rows)))
        reasons = [(k, getattr(column, k)) for k in ("O", "P") if getattr(column, k)]
        yield from (f"{k} ({column.title}): {why}" for k, why in reasons if known)
        specs = {filled.cells[at, column.key].metric for at in range(len(table.rows))} - {""}
        if specs and specs != {column.metric}:
            yield f"{column.title}: the paper's is {column.metric}, here {', '.join(sorted(specs))}"
    for at, row in enumerate(table.rows):
        for key, number in row.values.items():
            if number.note:
                yield f"{row.name}, {key}: {number.note}"
        if at in filled.runs:
            run = filled.runs[at]
            about = f"{run.card.name} ({run.id}, {run.card.scale}, {run.card.weights[:19]})"
            notes = f"; {run.notes}" if run.notes else ""
            yield f"measured: {about} on {run.dataset}, {len(run.outputs)} utterances{notes}"
    yield from (f"left out: {line}" for line in filled.left_out)


def title(paper: Paper, filled: Filled) -> str:
    """Return the heading of a table."""
    return f"{paper.paper}, table {filled.table.number}: {filled.table.caption}"


def about(paper: Paper) -> str:
    """Return the line above a paper's tables."""
    where = f"{paper.venue}{f', arXiv:{paper.arxiv}' if paper.arxiv else ''}"
    return " ".join(filter(None, [f"{paper.title} ({where}).", paper.note]))


def terminal(paper: Paper, tables: Sequence[Filled]) -> str:
    """Return the tables as they are printed on a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=400, file=io.StringIO(), highlight=False, force_terminal=False)
    console.print(about(paper), markup=False, soft_wrap=True)
    for filled in tables:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, head in enumerate(heads(filled)):
            table.add_column(head, justify="right" if number > 1 else "left", no_wrap=True)
        for line in lines(filled):
            table.add_row(*line)
        console.print(f"\n{title(paper, filled)}", markup=False, soft_wrap=True)
        console.print(table)
        for said in conditions(filled):
            console.print(said, markup=False, soft_wrap=True)
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def markdown(paper: Paper, tables: Sequence[Filled]) -> str:
    """Return GitHub tables with their conditions as lists."""
    parts = [f"# {paper.paper}", about(paper)]
    for filled in tables:
        rows = [heads(filled), ["---"] * (2 + len(filled.table.columns)), *lines(filled)]
        parts.append(f"## Table {filled.table.number}: {filled.table.caption}")
        parts.append("\n".join(f"| {' | '.join(_cell_md(c) for c in r)} |" for r in rows))
        parts.append("\n".join(f"* {line}" for line in conditions(filled)))
    return "\n\n".join(parts) + "\n"


def _cell_md(text: str) -> str:
    return text.replace("|", "\\|")


def latex(paper: Paper, tables: Sequence[Filled]) -> str:
    r"""Return ``table`` environments; they need ``\usepackage{booktabs}``."""
    parts = [r"% needs \usepackage{booktabs}", f"% {about(paper)}"]
    for filled in tables:
        columns = "ll" + "r" * len(filled.table.columns)
        parts += [r"\begin{table}", r"\centering\footnotesize"]
        parts += [rf"\caption{{{tex.escape(title(paper, filled))}}}"]
        parts += [rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\toprule"]
        parts += [_line_tex(heads(filled)), r"\midrule"]
        parts += [_line_tex(line) for line in lines(filled)]
        parts += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        parts += [f"% {line}" for line in conditions(filled)]
    return "\n".join(parts) + "\n"


def _line_tex(cells: Sequence[str]) -> str:
    plain = {"↑": r"$\uparrow$", "↓": r"$\downarrow$", "±": r"$\pm$"}
    texts = []
    for cell in cells:
        text = "".join(plain.get(c) or tex.escape(c) for c in cell)
        texts.append(f"{{}}{text}" if text.startswith("[") else text)
    return " & ".join(texts) + r" \\"


def html(paper: Paper, tables: Sequence[Filled]) -> str:
    """Return the tables as HTML to put into a page."""
    parts = [f"<p>{html_escape(about(paper))}</p>"]
    for filled in tables:
        head = "".join(f'<th scope="col">{html_escape(h)}</th>' for h in heads(filled))
        body = "".join(
            f"<tr>{''.join(f'<td>{html_escape(c)}</td>' for c in line)}</tr>"
            for line in lines(filled)
        )
        caption = html_escape(f"Table {filled.table.number}: {filled.table.caption}")
        said = "".join(f"<li>{html_escape(line)}</li>" for line in conditions(filled))
        parts.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table>'
            f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            f"</table></div><ul>{said}</ul>"
        )
    return "\n".join(parts)


def page(paper: Paper, tables: Sequence[Filled]) -> str:
    """Return a whole page."""
    style = (
        "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;"
        "color-scheme:light dark}.scroll{overflow-x:auto}table{border-collapse:collapse}"
        "td,th{padding:.3rem .7rem;text-align:left;border-bottom:1px solid #8886;"
        "white-space:nowrap}caption{text-align:left;font-weight:600;padding:.5rem 0}"
        "li{overflow-wrap:anywhere}"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{html_escape(paper.paper)}</title><style>{style}</style></head><body>"
        f"<h1>{html_escape(paper.paper)}</h1>\n{html(paper, tables)}\n</body></html>\n"
    )


def as_json(paper: Paper, tables: Sequence[Filled]) -> dict[str, Any]:
    """Return the tables as the JSON document that ``--format json`` prints."""
    return {
        "paper": paper.paper,
        "title": paper.title,
        "venue": paper.venue,
        "arxiv": paper.arxiv,
        "note": paper.note,
        "tables": [
            {
                "number": f.table.number,
                "caption": f.table.caption,
                "dataset": f.table.dataset,
                "columns": [dataclasses.asdict(c) for c in f.table.columns],
                "rows": [
                    {
                        "name": row.name,
                        "system": row.system,
                        "data": row.data,
                        "run": f.runs[at].id if at in f.runs else None,
                        "values": {
                            c.key: dataclasses.asdict(cell) | {"difference": cell.difference}
                            for c in f.table.columns
                            if (cell := f.cells[at, c.key]) != Cell()
                        },
                    }
                    for at, row in enumerate(f.table.rows)
                ],
                "notes": list(conditions(f)),
            }
            for f in tables
        ],
    }
