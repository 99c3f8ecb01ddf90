"""A comparison of two runs as a terminal table, Markdown, JSON and JUnit XML."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from bench.compare import Comparison, Row

_SAID = {
    0: "pass: no metric is worse than its tolerance allows",
    1: "regression",
    3: "cannot tell: more data or a wider tolerance is needed",
}
HEADS = ("metric", "base", "new", "new - base", "p", "n", "tolerance", "verdict")


def _number(value: float | None, digits: int, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.{digits}f}"


def cells(row: Row) -> list[str]:
    """Return one line of the table."""
    d = row.digits
    interval = f" [{_number(row.low, d, '+')}, {_number(row.high, d, '+')}]"
    change = _number(row.difference, d, "+") + (interval if row.difference is not None else "")
    return [
        f"{row.title}{f' ({row.unit})' if row.unit else ''}",
        _number(row.base, d),
        _number(row.new, d),
        change,
        "-" if row.p is None else f"{row.p:.4f}",
        str(row.n),
        _number(row.tolerance, d),
        row.verdict + (f": {row.reason}" if row.reason and row.verdict != "not gated" else ""),
    ]


def conditions(found: Comparison, page: str = "") -> Iterator[str]:
    """Yield the lines under the table; with a `page`, utterances are links into it."""
    yield _SAID[found.status]
    yield f"base {found.base}, new {found.new}, data {found.dataset} ({found.dataset_digest})"
    clusters = sorted({r.clusters for r in found.rows if r.clusters})
    counted = (
        "-".join(str(c) for c in dict.fromkeys((clusters[0], clusters[-1]))) if clusters else "no"
    )
    yield (
        f"[low, high]: each end a one-sided bound (bootstrap over {counted} speakers, t); "
        "p: paired randomisation, Holm over the gated metrics"
    )
    for side, ids in (("base", found.only_base), ("new run", found.only_new)):
        if ids:
            more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
            yield f"only in the {side}: {', '.join(ids[:3])}{more}"
    for row in found.rows:
        if row.verdict == "not gated":
            yield f"not gated: {row.title}: {row.reason}"
        elif row.worst and not row.passes:
            worst = ", ".join(f"{_linked(i, page)} ({d:+.{row.digits}f})" for i, d in row.worst)
            yield f"{row.title}, worst utterances: {worst}"
    yield from (f"{r.title}: {r.signature}" for r in found.rows)


def _linked(utterance: str, page: str) -> str:
    """Return Markdown that leads to the utterance's own place in an HTML board."""
    return f"[{utterance}]({page}#/utterance/{quote(utterance)})" if page else utterance


def terminal(found: Comparison) -> str:
    """Return the table as it is printed on a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, head in enumerate(HEADS):
        table.add_column(head, justify="right" if 0 < i < 7 else "left", no_wrap=True)
    for row in found.rows:
        table.add_row(*cells(row))
    console = Console(width=400, file=io.StringIO(), highlight=False, force_terminal=False)
    console.print(table)
    lines = str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    kept = [line.rstrip() for line in lines if line.strip()]
    return "\n".join([*kept, "", *conditions(found)]) + "\n"


def markdown(found: Comparison, page: str = "") -> str:
    """Return what a bot would write under a pull request.

    Args:
        found: the comparison.
        page: address of an HTML board of both runs; the worst utterances lead into it.
    """
    said, *rest = conditions(found, page)
    rows = [list(HEADS), ["---"] * len(HEADS), *(cells(r) for r in found.rows)]
    table = "".join(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in r)} |\n" for r in rows)
    return f"**{said}**\n\n{table}\n" + "".join(f"* {line}\n" for line in rest)


def as_json(found: Comparison) -> dict[str, Any]:
    """Return the comparison as the JSON document that ``--format json`` prints."""
    return dataclasses.asdict(found) | {"status": found.status, "verdict": _SAID[found.status]}


def junit(found: Comparison) -> str:
    """Return JUnit XML: a test case for each metric; `cannot tell` is an error, not a failure."""
    gated = [r for r in found.rows if r.verdict != "not gated"]
    failed = [r for r in gated if r.verdict == "worse"]
    unsure = [r for r in gated if not r.passes and r.verdict != "worse"]
    suite = Xml.Element(
        "testsuite",
        name=f"bench compare {found.dataset}",
        tests=str(len(found.rows)),
        failures=str(len(failed)),
        errors=str(len(unsure)),
        skipped=str(len(found.rows) - len(gated)),
    )
    for row in found.rows:
        case = Xml.SubElement(suite, "testcase", classname=found.new, name=row.title)
        text = ", ".join(f"{h} {c}" for h, c in zip(HEADS[1:], cells(row)[1:], strict=True))
        kind = "failure" if row in failed else "error" if row in unsure else ""
        if row.verdict == "not gated":
            Xml.SubElement(case, "skipped", message=row.reason)
        elif kind:
            Xml.SubElement(case, kind, message=row.reason or row.verdict).text = text
        Xml.SubElement(case, "system-out").text = f"{text}\n{row.signature}"
    root = Xml.Element("testsuites")
    root.append(suite)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
