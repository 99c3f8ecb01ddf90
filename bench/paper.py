"""A paper's tables as published, and beside them what was measured here and why it may differ.

The numbers are in ``leaderboards/papers/<name>.toml``, each with a mark that says where it is from.
A letter beside a difference is found by comparing what was run with what the paper did. Only `O`
and `P` may also stand in a column of the file, with the reason, where nothing here is the paper's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from typing import Any

from bench import plugins
from bench.run import Run, Score
from metrics._base import Metric

#: Where a published number is from.
MARKS = {
    "A": "the authors' or organisers' own page or code",
    "S1": "one secondary source",
    "S2+": "two or more secondary sources that agree",
    "CONFLICT": "sources disagree",
    "derived": "arithmetic from given numbers",
    "memory": "not verified",
}
#: Why a measured number may differ from the published one.
LETTERS = {
    "D": "other data",
    "E": "an excerpt of the data",
    "W": "reduced weights",
    "O": "another observer",
    "P": "another protocol, or one that the paper does not state",
    "S": "the published number is second-hand or disputed",
}


@dataclass(frozen=True)
class Number:
    """One published number."""

    value: float
    mark: str
    note: str = ""
    pm: float | None = None  # half width of the interval that the paper gives


@dataclass(frozen=True)
class Column:
    """What a column shows, and which metric or figure of ours is bound to it."""

    key: str
    title: str
    unit: str = ""
    better: str = "higher"
    digits: int = 2
    metric: str = ""  # spec, with the paper's own protocol
    figure: str = ""  # a figure of `bench card`
    factor: float = 1.0  # of the metric's value, to the paper's unit
    per: float = 1.0  # the figure is divided by it
    O: str = ""  # noqa: E741 - the letter: why no observer here is the paper's
    P: str = ""  # why no protocol here is known to be the paper's


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    name: str
    values: Mapping[str, Number]
    system: str = ""  # spec of ours; empty: none
    data: str = ""  # spec of the data behind the numbers; empty: none here


@dataclass(frozen=True)
class Table:
    """One table of a paper."""

    number: str
    caption: str
    dataset: str  # in words
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paper:
    """All that was found of a paper's tables."""

    name: str
    paper: str
    title: str
    venue: str
    arxiv: str = ""
    note: str = ""
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A published number, and the measured one where there is one."""

    published: Number | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    letters: str = ""
    metric: str = ""

    @property
    def difference(self) -> float | None:
        """Measured less published; None where one is missing."""
        both = self.published is not None and self.value is not None
        return self.value - self.published.value if both else None  # type: ignore[operator, union-attr]


@dataclass(frozen=True)
class Filled:
    """A table with what was measured."""

    table: Table
    cells: Mapping[tuple[int, str], Cell]  # by row and column key
    runs: Mapping[int, Run] = field(default_factory=dict)  # by row
    left_out: tuple[str, ...] = ()  # what could not be run, and why


def names() -> list[str]:
    """Return the names of all papers."""
    folder = files("leaderboards") / "papers"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))


def read(name: str) -> Paper:
    """Read a paper's tables.

    Raises:
        UnknownName: no such paper; the message has the nearest one.
        ValueError: the file does not have the form that this module documents.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    if name not in names():
        hint = plugins.nearest(name, names())
        msg = f"unknown paper {name!r}{hint} Known: {', '.join(names())}"
        raise plugins.UnknownName(msg)
    file = files("leaderboards") / "papers" / f"{name}.toml"
    return parse(name, tomllib.loads(file.read_text(encoding="utf-8")))


def parse(name: str, data: Mapping[str, Any]) -> Paper:
    """Build a paper from the content of its file.

    Raises:
        ValueError: a key that is not known, a mark that is none, a column that is not described.
    """
    head = {k: v for k, v in data.items() if k not in {"columns", "tables"}}
    _known(name, head, {"paper", "title", "venue", "arxiv", "note"})
    columns = {k: _column(name, k, v) for k, v in data.get("columns", {}).items()}
    tables = tuple(_table(name, t, columns) for t in data.get("tables", ()))
    return Paper(name, tables=tables, **head)


def _known(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in given:
        if key not in known:
            msg = f"{where}: unknown key {key!r}{plugins.nearest(key, known)}"
            raise ValueError(msg)


def _column(name: str, key: str, given: Mapping[str, Any]) -> Column:
    _known(f"{name}, column {key}", given, {f.name for f in fields(Column)} - {"key"})
    column = Column(key, **given)
    if column.better not in {"higher", "lower", "neither"}:
        msg = f"{name}, column {key}: better is higher, lower or neither, got {column.better!r}"
        raise ValueError(msg)
    if column.figure and column.metric:
        msg = f"{name}, column {key}: a metric or a figure, not both"
        raise ValueError(msg)
    return column


def _table(name: str, given: Mapping[str, Any], columns: Mapping[str, Column]) -> Table:
    where = f"{name}, table {given.get('number')}"
    head = {"number", "caption", "dataset", "data", "mark", "columns", "rows", "notes"}
    _known(where, given, head)
    for key in given["columns"]:
        _known(where, {key: None}, columns)
    rows = []
    for row in given["rows"]:
        place = f"{where}, {row.get('name')}"
        _known(place, row, {"name", "system", "data", "mark", *given["columns"]})
        mark = row.get("mark", given.get("mark", ""))
        values = {k: _number(place, row[k], mark) for k in given["columns"] if k in row}
        data = row.get("data", given.get("data", ""))
        rows.append(Row(row["name"], values, row.get("system", ""), data))
    return Table(
        given["number"],
        given["caption"],
        given["dataset"],
        tuple(columns[k] for k in given["columns"]),
        tuple(rows),
        tuple(given.get("notes", ())),
    )


def _number(where: str, given: Any, mark: str) -> Number:
    plain = {"value": given} if isinstance(given, int | float) else dict(given)
    _known(where, plain, {"value", "mark", "note", "pm"})
    number = Number(**{"mark": mark, **plain})
    if number.mark not in MARKS:
        msg = f"{where}: mark {number.mark!r} is none of {', '.join(MARKS)}"
        raise ValueError(msg)
    return number


def fill(
    table: Table,
    runs: Sequence[Run],
    figures: Mapping[str, Mapping[str, Any]] | None = None,
    left_out: Sequence[str] = (),
) -> Filled:
    """Set measured numbers beside the published ones.

    Args:
        table: as published.
        runs: finished runs; each row takes the one of its system whose data are nearest.
        figures: figures of `bench card`, by system spec.
        left_out: what could not be run, to be said under the table.
    """
    cells: dict[tuple[int, str], Cell] = {}
    used = {}
    for at, row in enumerate(table.rows):
        mine = [r for r in runs if row.system and r.card.name == row.system]
        run = min(
            mine,
            key=lambda r: (["", "E", "D"].index(_data_letter(row, r)), -len(r.outputs)),
            default=None,
        )
        if run is not None:
            used[at] = run
        for column in table.columns:
            published = row.values.get(column.key)
            found = _measured(column, row, run, (figures or {}).get(row.system, {}))
            cells[at, column.key] = Cell(published, **found) if found else Cell(published)
    return Filled(table, cells, used, tuple(left_out))


def _measured(
    column: Column, row: Row, run: Run | None, figures: Mapping[str, Any]
) -> dict[str, Any]:
    published = row.values.get(column.key)
    second_hand = "S" if published is not None and published.mark != "A" else ""
    if column.figure:
        value = figures.get(column.figure)
        if not isinstance(value, int | float):
            return {}
        return {"value": value / column.per, "letters": second_hand}
    if run is None or not column.metric:
        return {}
    nearest = _nearest(column, run.scores)
    if nearest is None:
        return {}
    score, protocol = nearest
    letters = {_data_letter(row, run), *protocol, second_hand}
    if run.card.scale == "reduced":
        letters.add("W")
    letters |= {k for k in ("O", "P") if getattr(column, k)}
    ends = (e if e is None else e * column.factor for e in (score.low, score.high))
    return {
        "value": (score.value or 0.0) * column.factor,
        **dict(zip(("low", "high"), ends, strict=True)),
        "letters": "".join(k for k in LETTERS if k in letters),
        "metric": score.metric,
    }


def _data_letter(row: Row, run: Run) -> str:
    """Return D for other data, E for an excerpt, nothing for the same."""
    more = "," if ":" in row.data else ":"
    same = row.data and f"{run.dataset}{more}".startswith(f"{row.data}{more}")
    return ("E" if "excerpt" in run.notes else "") if same else "D"


def _nearest(column: Column, scores: Sequence[Score]) -> tuple[Score, str] | None:
    """Return the score of the column's metric that is nearest to the paper's, and its letters."""
    name = column.metric.partition(":")[0]
    theirs = plugins.load("metrics", column.metric)
    found = []
    for score in scores:
        if score.metric.partition(":")[0] == name and score.value is not None:
            letters = _unlike(theirs, plugins.load("metrics", score.metric))
            found.append((score, letters))
    return min(found, key=lambda pair: len(pair[1]), default=None)


def _unlike(theirs: Metric, mine: Metric) -> str:
    letters = set()
    for f in fields(theirs):
        a, b = str(getattr(theirs, f.name)), str(getattr(mine, f.name))
        if f.name == theirs.listens:
            (name, _, asked), (heard, _, given) = a.partition(":"), b.partition(":")
            if name != heard or not set(filter(None, asked.split(","))) <= set(given.split(",")):
                letters.add("O")
        elif a != b:
            letters.add("P")
    return "".join(sorted(letters))


def run(
    table: Table,
    settings: Any,
    *,
    dataset: str = "",
    metrics: str = "",
    limit: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[list[Run], dict[str, Mapping[str, Any]], list[str]]:
    """Run what of a table can be run here.

    Args:
        table: as published.
        settings: `bench.suite.Options`.
        dataset: what to render; empty: each row's own data where they are here, else ``demo``.
        metrics: further metrics, for instance with an observer that is here.
        limit: the first utterances only.
        say: told what goes on.

    Returns:
        The runs, the figures of `bench card` by system, and what was left out and why.
    """
    from bench import suite
    from bench.card import measure

    faults = (ValueError, OSError, plugins.Unavailable)
    runs: list[Run] = []
    figures: dict[str, Mapping[str, Any]] = {}
    left_out: list[str] = []
    wanted: list[Metric] = []
    for spec in [c.metric for c in table.columns if c.metric] + list(plugins.split(metrics)):
        try:
            wanted += suite.load_metrics(spec)
        except faults as fault:
            left_out.append(f"{spec}: {fault}")
    wanted = list({m.spec: m for m in wanted}.values())
    for system, data in dict.fromkeys(
        (r.system, dataset or r.data) for r in table.rows if r.system
    ):
        try:
            loaded = suite.load_system(system, "auto")
            if any(c.figure for c in table.columns) and system not in figures:
                say(f"{system}: measuring its card")
                figures[system] = measure(loaded)
            if not wanted:
                continue
            found = _data(data, limit, left_out)
            record, report = suite.run(loaded, found, wanted, settings)
        except faults as fault:
            left_out.append(f"{system}: {fault}")
            continue
        say(f"{system}: {report}")
        runs.append(record)
    return runs, figures, list(dict.fromkeys(left_out))


def _data(spec: str, limit: int | None, left_out: list[str]) -> Any:
    try:
        return plugins.load("datasets", spec or "demo").limit(limit)
    except (FileNotFoundError, plugins.Unavailable) as missing:
        left_out.append(f"{spec}: {missing}; demo in its place")
        return plugins.load("datasets", "demo").limit(limit)
