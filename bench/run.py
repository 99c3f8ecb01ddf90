"""The record of a run: what was run, on what, by which machine, and every number with its state.

A run's folder holds ``run.json`` (summary), ``outputs.parquet`` (one row per utterance),
``scores.parquet`` (one row per metric and utterance), ``audio/*.flac`` and, for codecs with code
streams, ``codes/*.npz``. While a run is being made its outputs stand in ``outputs.jsonl``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote

from bench import cells
from bench.audio import whole
from bench.cache import digest
from bench.cells import Cell, Cells
from bench.execute import cores
from systems._base import Card

SCHEMA = 1


class Unlike(ValueError):
    """Things that may not be compared; the message says which and why."""


@dataclass(frozen=True)
class Output:
    """One utterance as the system rendered it."""

    id: str
    status: Literal["ok", "failed", "missing"]
    reason: str = ""  # of a failure: what was raised, with the last lines of its traceback
    path: str = ""  # of the audio, relative to the run's folder
    sha256: str = ""  # of that file
    sample_rate: int = 0  # Hz
    seconds: float = 0.0  # duration of the output
    wall_seconds: float | None = None  # None: from the cache, so not timed
    first_audible_seconds: float | None = None  # from the request to the first audible sample
    bits: float | None = None  # None: the system emits no codes
    codes: str = ""  # of the code streams, relative to the run's folder
    clipped: int = 0  # samples beyond full scale, clipped when written
    machine: str = ""  # fingerprint of the machine that timed it


@dataclass(frozen=True)
class Score:
    """One metric over one run."""

    metric: str  # spec: the column's key
    signature: str
    title: str
    unit: str
    better: str
    digits: int
    timed: bool
    value: float | None  # None: nothing could be scored
    low: float | None
    high: float | None
    n: int  # utterances behind the value
    clusters: int  # speakers behind the interval
    coverage: float | None  # scored / (all - unscorable); None where all are unscorable
    states: Mapping[str, int]
    policy: str  # exclude, worst or fail
    note: str = ""  # what a reader needs beside the value: anchors, the other run it is against
    cells: Mapping[str, Cell] = field(default_factory=dict, compare=False)  # by utterance id

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", Cells.of(self.cells))

    @property
    def columns(self) -> Cells:
        """The cells as arrays."""
        return cast("Cells", self.cells)


@dataclass(frozen=True)
class Run:
    """System x data set x seed, and what was measured."""

    card: Card
    dataset: str
    dataset_digest: str
    licence: str
    notes: str
    shard: str  # "2/4": every fourth utterance, from the second; empty: all
    seed: int
    host: Mapping[str, Any]
    timing: Mapping[str, float]  # load_seconds, warm_up_seconds
    outputs: Sequence[Output]
    speakers: Mapping[str, str | None]  # by utterance id
    scores: tuple[Score, ...] = ()
    schema: int = SCHEMA
    made: Mapping[str, str] = field(default_factory=dict)  # date (UTC), commit; see `origin`

    @property
    def id(self) -> str:
        """Twelve hex digits of card, data set and seed."""
        return run_id(self.card, self.dataset_digest, self.seed)

    def frame(self) -> Any:
        """Return a pandas frame, one row per utterance and metric: state, reason, statistics."""
        import pandas as pd

        rows = [
            {"id": i, "speaker": self.speakers.get(i), "metric": s.metric, **vars(c)}
            for s in self.scores
            for i, c in s.cells.items()
        ]
        return pd.DataFrame(rows)

    def score(self, metric: str) -> Score | None:
        """Return the score under this spec or name, if the run has it."""
        return next(
            (s for s in self.scores if metric in {s.metric, s.metric.partition(":")[0]}), None
        )


def run_id(card: Card, dataset_digest: str, seed: int) -> str:
    """Return the id of the run with these causes."""
    return digest(dataclasses.asdict(card), dataset_digest, seed)[:12]


def file_name(utterance_id: str) -> str:
    """Return the id as a file name: whatever a file system might refuse is percent-encoded."""
    name = quote(utterance_id, safe=" +=@,()[]")
    return name if len(name) < 200 else f"{name[:160]}-{digest(utterance_id)}"


def host(device: str = "cpu") -> dict[str, Any]:
    """Return what a timing depends on, and under ``fingerprint`` its digest."""
    facts: dict[str, Any] = {
        "cpu": _cpu(),
        "cores": cores(),
        "threads": int(os.environ.get("OMP_NUM_THREADS") or cores()),
        "device": device,
        "machine": platform.machine(),
    }
    torch = sys.modules.get("torch")
    if torch:
        facts["threads"] = torch.get_num_threads()
        if device.startswith("cuda"):
            facts["device"] = torch.cuda.get_device_name(device)
    facts["fingerprint"] = digest(facts)[:12]
    facts |= {"torch": torch.__version__} if torch else {}
    facts |= {"python": platform.python_version(), "speech-bench": version("speech-bench")}
    return facts


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((li.partition(":")[2].strip() for li in lines if li.startswith("model name")), "?")


def save(run: Run, folder: Path) -> None:
    """Write the record, unless the very same stands there already.

    ``run.json`` comes last, and its presence says that the run is complete.
    """
    found = {s.metric: s.columns for s in run.scores}
    statuses = [o.status for o in run.outputs]
    summary = {f.name: getattr(run, f.name) for f in dataclasses.fields(run)}
    summary |= {
        "id": run.id,
        "content": digest([vars(o) for o in run.outputs], {m: c.digest for m, c in found.items()}),
        "card": dataclasses.asdict(run.card),
        "outputs": {status: statuses.count(status) for status in ("ok", "failed", "missing")},
        "scores": [{k: v for k, v in vars(s).items() if k != "cells"} for s in run.scores],
    }
    text = json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
    path = folder / "run.json"
    if not (path.exists() and path.read_text(encoding="utf-8") == text):
        _write_tables(run, found, folder)
        with whole(path) as draft:
            draft.write_text(text, encoding="utf-8")
    (folder / "outputs.jsonl").unlink(missing_ok=True)


def _write_tables(run: Run, found: Mapping[str, Cells], folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        f.name: [getattr(o, f.name) for o in run.outputs] for f in dataclasses.fields(Output)
    }
    with whole(folder / "outputs.parquet") as draft:
        pq.write_table(pa.table(columns, schema=_output_schema(pa)), draft)
    cells.write(folder / "scores.parquet", found)


def read(folder: Path) -> Run:
    """Read a run from its folder (or its ``run.json``); refuse another schema rather than guess.

    Raises:
        FileNotFoundError: no finished run is there.
        ValueError: the record has another schema.
    """
    folder = folder.parent if folder.name == "run.json" else folder
    path = folder / "run.json"
    if not path.exists():
        state = (
            "is not finished: repeat its command to resume" if folder.is_dir() else "is not there"
        )
        msg = f"{path}: this run {state}"
        raise FileNotFoundError(msg)
    data = json.loads(path.read_text(encoding="utf-8"))
    if data["schema"] != SCHEMA:
        msg = f"{path} has schema {data['schema']}, this version reads {SCHEMA}: run it again"
        raise ValueError(msg)
    found = cells.read(folder / "scores.parquet")
    data["card"] = _card(data["card"])
    data["scores"] = tuple(Score(**s, cells=found.get(s["metric"], {})) for s in data["scores"])
    data["outputs"] = _Outputs(folder, sum(data["outputs"].values()))
    data["speakers"] = {sys.intern(i): s and sys.intern(s) for i, s in data["speakers"].items()}
    del data["id"], data["content"]
    return Run(**data)


def origin() -> dict[str, str]:
    """Return the date, in UTC, and the commit of the repository that this is called in, if any."""
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:  # no git
        return {"date": date}
    return {"date": date} | ({"commit": said.stdout.strip()} if said.returncode == 0 else {})


def earlier(folder: Path) -> dict[str, Any]:
    """Return what a finished record says of how it was made; empty where there is none."""
    path = folder / "run.json"
    data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {k: data[k] for k in ("timing", "made") if data.get(k)}


def read_outputs(folder: Path) -> tuple[Output, ...]:
    """Return the outputs of a run, finished or cut off (its last, half-written line is ignored)."""
    if (folder / "outputs.parquet").exists():
        return tuple(Output(**row) for row in _table(folder / "outputs.parquet"))
    journal = folder / "outputs.jsonl"
    if not journal.exists():
        return ()
    whole_lines = journal.read_text(encoding="utf-8").split("\n")[:-1]
    return tuple(Output(**json.loads(line)) for line in whole_lines)


@contextmanager
def journal(folder: Path) -> Iterator[Callable[[Output], None]]:
    """Give a function that adds an output to the journal of a run in the making."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "outputs.jsonl").open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # a kill may have torn the last line

        def add(output: Output) -> None:
            file.write(json.dumps(vars(output)).encode() + b"\n")
            file.flush()

        yield add


class _Outputs(Sequence[Output]):
    """The outputs of a finished run, read when they are looked at."""

    def __init__(self, folder: Path, count: int):
        self._folder, self._count = folder, count

    @cached_property
    def _all(self) -> tuple[Output, ...]:
        return read_outputs(self._folder)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        return self._all[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all)


def _table(path: Path) -> Iterable[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:  # `read_table` would import pandas
        return file.read().to_pylist()


def _card(data: Mapping[str, Any]) -> Card:
    tuples = {k: tuple(v) for k, v in data.items() if isinstance(v, list)}
    figures = {k: tuple(v) if isinstance(v, list) else v for k, v in data["paper_figures"].items()}
    return Card(**{**data, **tuples, "paper_figures": figures})


def _output_schema(pa: Any) -> Any:
    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    return pa.schema(
        [
            (f.name, kinds.get(str(f.type).partition(" ")[0], pa.string()))
            for f in dataclasses.fields(Output)
        ]
    )
