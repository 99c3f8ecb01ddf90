"""Histories of metrics: terminal, Markdown, JSON, and a plot."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

from bench.history import Series
from leaderboards.text import cell

HEADS = ("date", "commit", "run", "value", "n", "")


def lines(series: Series) -> list[list[str]]:
    """Return one line for each point; the last cell says where a break is, and why."""
    return [
        [
            p.date or "-",
            p.commit or "-",
            p.run,
            cell(p.score, p.score.digits),
            str(p.score.n),
            f"break: {p.breaks}" if p.breaks else "",
        ]
        for p in series.points
    ]


def title(series: Series) -> str:
    """Return the heading of one series."""
    score = series.points[-1].score
    return f"{series.system}: {score.title}{f' ({score.unit})' if score.unit else ''}"


def terminal(found: Sequence[Series]) -> str:
    """Return the tables as they are printed on a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=400, file=io.StringIO(), highlight=False, force_terminal=False)
    for series in found:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, head in enumerate(HEADS):
            table.add_column(head, justify="right" if number in (3, 4) else "left", no_wrap=True)
        for line in lines(series):
            table.add_row(*line)
        console.print(title(series), markup=False)
        console.print(table)
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def markdown(found: Sequence[Series]) -> str:
    """Return a GitHub table for each series."""
    parts = []
    for series in found:
        rows = [list(HEADS), ["---"] * len(HEADS), *lines(series)]
        parts.append(f"### {title(series)}")
        parts.append("\n".join(f"| {' | '.join(r)} |" for r in rows))
    return "\n\n".join(parts) + "\n"


def as_json(found: Sequence[Series]) -> list[dict[str, Any]]:
    """Return the series as the JSON document that ``--format json`` prints."""
    kept = ("value", "low", "high", "n", "coverage", "signature")
    return [
        {
            "system": s.system,
            "metric": s.metric,
            "points": [
                {k: v for k, v in dataclasses.asdict(p).items() if k != "score"}
                | {k: getattr(p.score, k) for k in kept}
                for p in s.points
            ],
        }
        for s in found
    ]
