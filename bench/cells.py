"""What a metric gave on each utterance, in columns: 24 million of them fit into memory."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.audio import whole
from metrics._base import Rows

State = Literal["scored", "unscorable", "failed", "missing"]
STATES: tuple[State, ...] = ("scored", "unscorable", "failed", "missing")
_WORDS = ("metric", "id", "state", "reason")


@dataclass(frozen=True)
class Cell:
    """One metric on one utterance."""

    state: State
    row: tuple[float, ...] = ()
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Cells(Mapping[str, Cell]):
    """The cells of one metric by utterance id; a `Cell` is made where one is looked at."""

    ids: tuple[str, ...]  # (n,), in the data set's order
    states: NDArray[np.uint8]  # (n,), indices into STATES
    rows: Rows  # (n, k), zeros where there is none
    filled: NDArray[np.bool_]  # (n,), where there is a row
    reasons: Mapping[int, str]  # by position, where there is one

    @classmethod
    def of(cls, cells: Mapping[str, Cell]) -> Cells:
        """Return `cells` in columns.

        Raises:
            ValueError: rows differ in length.
        """
        if isinstance(cells, Cells):
            return cells
        found = list(cells.values())
        widths = {len(c.row) for c in found if c.row}
        if len(widths) > 1:
            msg = f"the rows of one metric differ in length: {sorted(widths)}"
            raise ValueError(msg)
        blank = (0.0,) * max(widths, default=0)
        rows = np.array([c.row or blank for c in found], np.float64)
        return cls(
            ids=tuple(map(sys.intern, cells)),
            states=np.array([STATES.index(c.state) for c in found], np.uint8),
            rows=rows.reshape(len(found), len(blank)),
            filled=np.array([bool(c.row) for c in found], bool),
            reasons={i: c.reason for i, c in enumerate(found) if c.reason},
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __getitem__(self, identity: str) -> Cell:
        return self._cell(self._places[identity])

    def _cell(self, i: int) -> Cell:
        row = tuple(self.rows[i].tolist()) if self.filled[i] else ()
        return Cell(STATES[self.states[i]], row, self.reasons.get(i, ""))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {identity: i for i, identity in enumerate(self.ids)}

    def holes(self) -> Iterator[tuple[str, Cell]]:
        """Yield the ids and cells that are not scored."""
        for i in np.flatnonzero(self.states).tolist():
            yield self.ids[i], self._cell(i)

    def counts(self) -> dict[str, int]:
        """Return how many cells are in each state, zero included."""
        found = np.bincount(self.states, minlength=len(STATES)).tolist()
        return dict(zip(STATES, found, strict=True))

    @cached_property
    def digest(self) -> str:
        """Of everything here: 32 hex digits."""
        seen = hashlib.blake2b(repr((self.ids, dict(self.reasons))).encode(), digest_size=16)
        for array in (self.states, self.filled, self.rows):
            seen.update(array.tobytes())
        return seen.hexdigest()

    def on(self, ids: tuple[str, ...]) -> tuple[Rows, NDArray[np.bool_]]:
        """Return the rows of `ids`, shape ``(len(ids), k)``, and where there is one."""
        if ids == self.ids:
            return self.rows, self.filled
        at = np.array([self._places.get(i, -1) for i in ids], np.intp)
        if not len(self):
            return np.zeros((len(ids), 0)), np.zeros(len(ids), bool)
        return self.rows[at], self.filled[at] & (at >= 0)


def write(path: Path, found: Mapping[str, Cells]) -> None:
    """Write ``scores.parquet``: a line for each metric and utterance, metric by metric."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids: dict[str, int] = {}
    reasons = {"": 0}
    codes: dict[str, list[NDArray[np.integer]]] = {name: [] for name in _WORDS}
    for number, cells in enumerate(found.values()):
        why = np.zeros(len(cells), np.int32)
        for i, reason in cells.reasons.items():
            why[i] = reasons.setdefault(reason, len(reasons))
        codes["metric"].append(np.full(len(cells), number))
        codes["id"].append(np.array([ids.setdefault(i, len(ids)) for i in cells.ids], np.int32))
        codes["state"].append(cells.states)
        codes["reason"].append(why)
    terms = {"metric": list(found), "id": list(ids), "state": list(STATES), "reason": list(reasons)}
    columns = {
        name: pa.DictionaryArray.from_arrays(_joined(codes[name], np.int32), pa.array(terms[name]))
        for name in _WORDS
    }
    lengths = _joined([c.filled * c.rows.shape[1] for c in found.values()], np.int32)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = _joined([c.rows[c.filled].ravel() for c in found.values()], np.float64)
    table = pa.table(columns | {"row": pa.ListArray.from_arrays(ends, flat)})
    with whole(path) as draft:
        pq.write_table(table, draft, row_group_size=max(1, table.num_rows))


def read(path: Path) -> dict[str, Cells]:
    """Read ``scores.parquet``: cells by metric.

    Raises:
        ValueError: the rows of a metric differ in length.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, read_dictionary=list(_WORDS)) as file:  # `read_table`: pandas
        table = file.read().unify_dictionaries().combine_chunks()
    if not table.num_rows:
        return {}
    column = {name: table.column(name).chunk(0) for name in table.column_names}
    codes = {name: column[name].indices.to_numpy() for name in _WORDS}
    terms = {name: column[name].dictionary.to_pylist() for name in _WORDS}
    names = [sys.intern(i) for i in terms["id"]]
    states = np.array([STATES.index(s) for s in terms["state"]], np.uint8)[codes["state"]]
    said = np.array([bool(r) for r in terms["reason"]])[codes["reason"]]
    ends, flat = column["row"].offsets.to_numpy(), column["row"].values.to_numpy()
    lengths = np.diff(ends)
    found: dict[str, Cells] = {}
    order, ids = np.zeros(0), ()
    for number, metric in enumerate(terms["metric"]):
        at = np.flatnonzero(codes["metric"] == number)
        filled, width = lengths[at] > 0, int(lengths[at].max(initial=0))
        if np.any(lengths[at][filled] != width):
            msg = f"{path}: the rows of {metric} differ in length"
            raise ValueError(msg)
        rows = np.zeros((at.size, width))
        rows[filled] = flat[ends[at[filled]][:, None] + np.arange(width)]
        if not np.array_equal(codes["id"][at], order):
            order = codes["id"][at]
            ids = tuple(names[i] for i in order.tolist())
        why = np.flatnonzero(said[at])
        reasons = {i: terms["reason"][codes["reason"][at[i]]] for i in why.tolist()}
        found[metric] = Cells(ids, states[at], rows, filled, reasons)
    return found


def _joined(parts: Sequence[NDArray], kind: type) -> NDArray:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind, copy=False)
