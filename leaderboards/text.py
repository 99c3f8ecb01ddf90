"""Boards as text: terminal table, Markdown and CSV, each with its conditions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from bench.run import Score
from leaderboards.board import MIXED, Leaderboard, Row, few_clusters

_LINES = 30  # of reasons under a table
_ARROW = {"higher": "↑", "lower": "↓", "neither": ""}


def cell(score: Score | None, digits: int) -> str:
    """Return ``value [low, high]``, with the coverage where it is not complete."""
    if score is None:
        return ""
    text = "-" if score.value is None else f"{score.value:.{digits}f}"
    if score.low is not None and score.high is not None:
        text += f" [{score.low:.{digits}f}, {score.high:.{digits}f}]"
    if score.coverage is not None and score.coverage < 1:
        text += f" {score.coverage:.0%}"
    return text


def heads(board: Leaderboard) -> list[str]:
    """Return the column heads: term, unit, and which direction is better."""
    units = [f" ({c.unit})" if c.unit else "" for c in board.columns]
    named = [
        f"{c.title}{u} {_ARROW[c.better]}".strip()
        for c, u in zip(board.columns, units, strict=True)
    ]
    return ["#", "system", "scale", *named]


def body(board: Leaderboard) -> Iterator[list[str]]:
    """Yield the cells of each row; ``=`` marks a tie with the leader of its block."""
    for row in board.rows:
        place = f"{row.rank}{'=' if row.tied else ''}" if row.rank else "-"
        cells = (cell(s, c.digits) for s, c in zip(row.scores, board.columns, strict=True))
        yield [place, row.system, row.scale, *cells]


def titled(board: Leaderboard) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield each block's title (empty where there is one block only) and the cells of its rows."""
    lines = body(board)
    for title, rows in board.blocks.items():
        yield title if len(board.blocks) > 1 else "", list(islice(lines, len(rows)))


def conditions(board: Leaderboard, *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines under a table: what it stands on, and what is wrong with it."""
    yield (
        f"data: {board.dataset}, {board.utterances} utterances, digest {board.dataset_digest}"
        f"; {board.licence}{'; ' + board.notes if board.notes else ''}"
    )
    yield f"sorted by {board.sort}; missing or failed outputs: {board.policy}; " + (
        f"minimum coverage {board.min_coverage:.0%}"
    )
    clusters = {s.clusters for r in board.rows for s in r.scores if s and s.low is not None}
    if clusters:
        few = few_clusters(board)
        doubt = ": fewer than 10, so the intervals are optimistic" if few else ""
        count = "-".join(str(n) for n in sorted({min(clusters), max(clusters)}))
        yield f"[low, high]: 95 % bootstrap over {count} speakers{doubt}"
    if any(r.tied for r in board.rows):
        yield "=: not told apart from the leader of its block (paired randomisation, Holm, 5 %)"
    for row in board.rows:
        if row.note and row.note != "anchor":
            yield f"not ranked: {row.system}: {row.note}"
        yield from _states(row.system, [s for s in row.scores if s])
    if any(r.scale == "reduced" for r in board.rows):
        apart = (
            "ranked with the others" if board.rows[0].block == MIXED else "ranked among themselves"
        )
        yield f"reduced: trained on less than the paper's data or steps; {apart}"
    if any(s and s.timed for r in board.rows for s in r.scores):
        yield f"timed on {board.machine}"
        yield from (_timing(r) for r in board.rows if verbose and "rtf_p50" in r.timing)
    notes = (f"{s.title}: {s.note}" for r in board.rows for s in r.scores if s and s.note)
    yield from dict.fromkeys(notes)
    for c in board.columns:
        seen = f"; detectable difference {c.detectable:.{c.digits}f}" if c.detectable else ""
        yield f"{c.title}: {c.signature}{seen if verbose else ''}"


def _timing(row: Row) -> str:
    t = row.timing
    factors = ", ".join(f"p{p} {t[f'rtf_p{p}']:.4f}" for p in (50, 90, 99))
    start = f"loaded in {t['load_seconds']:.2f} s, warm-up {t['warm_up_seconds']:.2f} s"
    return f"{row.system}: {start}, RTF per utterance {factors}"


def _states(system: str, scores: list[Score]) -> Iterator[str]:
    """Yield what was not scored and why, one line for all utterances and columns that agree."""
    found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for score in scores:
        for identity, c in score.columns.holes():
            ids, titles = found.setdefault((c.state, c.reason.partition("\n")[0]), ({}, {}))
            ids[identity] = titles[score.title] = None
    for (state, why), (ids, titles) in list(found.items())[:_LINES]:
        some, rest = list(ids)[:3], len(ids) - 3
        who = ", ".join(some) + (f" and {rest} more" if rest > 0 else "")
        yield f"{system}: {state}: {who}: {why} ({', '.join(titles)})"
    if len(found) > _LINES:
        yield f"{system}: {len(found) - _LINES} more reasons are in its scores.parquet"


def markdown(board: Leaderboard, *, verbose: bool = False) -> str:
    """Return a GitHub table and its conditions as a list."""
    blank = [""] * (len(board.columns) + 1)
    rows = [heads(board), ["---"] * (len(board.columns) + 3)]
    for title, lines in titled(board):
        rows += [["", f"*{title}*", *blank]] if title else []
        rows += lines
    table = "".join(f"| {' | '.join(x.replace('|', chr(92) + '|') for x in r)} |\n" for r in rows)
    return table + "\n" + "".join(f"* {line}\n" for line in conditions(board, verbose=verbose))


def as_csv(board: Leaderboard) -> str:
    """Return one line per run and metric: long form, every field of a value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = ("value", "low", "high", "n", "clusters", "coverage")
    states = ("failed", "missing", "unscorable")
    about = ("dataset", "run", "system", "scale", "block", "weights", "rank", "tied")
    column = ("metric", "unit", "better", "best")
    writer.writerow([*about, *column, *fields, *states, "policy", "signature"])
    for row in board.rows:
        for score, best in zip(row.scores, row.best, strict=True):
            if score is None:
                continue
            writer.writerow(
                [board.dataset, row.run, row.system, row.scale, row.block, row.weights, row.rank]
                + [int(row.tied), score.metric, score.unit, score.better, int(best)]
                + [getattr(score, f) for f in fields]
                + [score.states[s] for s in states]
                + [score.policy, score.signature]
            )
    return out.getvalue()


def terminal(board: Leaderboard, *, verbose: bool = False) -> str:
    """Return the table as it is printed on a terminal, as wide as it needs to be."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, head in enumerate(heads(board)):
        table.add_column(head, justify="right" if number > 2 else "left", no_wrap=True)
    for title, some in titled(board):
        if title:
            table.add_row("", title, style="italic")
        for cells in some:
            table.add_row(*cells)
    console = Console(width=400, file=io.StringIO(), highlight=False, force_terminal=False)
    console.print(table)
    lines = str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    lines = [line.rstrip() for line in lines if line.strip()]
    return "\n".join([*lines, "", *conditions(board, verbose=verbose)]) + "\n"
