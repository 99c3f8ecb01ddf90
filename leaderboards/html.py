"""A board as one HTML file that needs nothing else: table, plots, every utterance with its audio.

The table stands in the page as it is; sorting, filtering and the views of a system and of an
utterance are made by the script from one block of JSON. Audio is embedded: as Opus at a bitrate
that keeps the file small (for listening only: every score is of the original), or as FLAC.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from bench import audio, paper, plugins
from bench.card import ANY_RATE, count_macs, noise
from bench.datasets._base import Dataset
from bench.run import Run
from leaderboards import paper_tables, text
from leaderboards.board import BLOCKS, Leaderboard
from leaderboards.plots import Plot, each, plots

Sound = Literal["opus", "flac", "none"]
BUDGET = 14e6  # bytes of embedded audio, before base 64 adds a third
KBPS = (12, 48)  # of Opus: not below, where it can be heard; not above, where nothing is gained
_RATE = 24000  # Hz, at most, of Opus for listening


@dataclass(frozen=True)
class Report:
    """What goes into the page."""

    board: Leaderboard
    runs: Sequence[Run]
    plots: Sequence[Plot] = ()
    sounds: Mapping[tuple[str, str], Path] = field(default_factory=dict)  # (run id, utterance id)
    dataset: Dataset | None = None  # for texts and for the recordings themselves
    papers: Sequence[tuple[str, str]] = ()  # title and HTML of each paper's tables


def collect(
    board: Leaderboard,
    runs: Sequence[Run],
    folders: Mapping[Path, Run],
    dataset: Dataset | None = None,
) -> Report:
    """Find the audio of the runs, measure what their networks compute, and draw the plots.

    Args:
        board: the table.
        runs: the runs behind it, shards joined.
        folders: every run folder and what was read from it.
        dataset: where texts and recordings are.
    """
    sounds: dict[tuple[str, str], Path] = {}
    for run in runs:
        for folder, part in folders.items():
            home = folder.parent if folder.name == "run.json" else folder
            if (part.card, part.seed) == (run.card, run.seed):
                made = ((o.id, home / o.path) for o in part.outputs if o.path)
                sounds |= {(run.id, i): path for i, path in made if path.is_file()}
    macs = {r.id: n for r in runs if (n := _macs(r))}
    papers = []
    for name in paper.names():
        found = paper.read(name)
        tables = [paper.fill(t, runs) for t in found.tables]
        papers.append((found.paper, paper_tables.html(found, tables)))
    return Report(board, runs, list(plots(board, runs, macs)), sounds, dataset, papers)


def _macs(run: Run) -> float | None:
    """Return the MACs of a second of audio, measured where this very system is still here."""
    try:
        system = plugins.load("systems", run.card.name)
    except (ValueError, OSError, plugins.Unavailable):
        return None
    if system.card != run.card or getattr(system, "net", None) is None:
        return None
    card = system.card
    wav = noise(card.sample_rate or ANY_RATE, 0.1)
    return count_macs(lambda: system.decode(system.encode(wav))) if card.task == "codec" else None


def render(report: Report, sound: Sound = "opus", *, budget: float = BUDGET) -> str:
    """Return the page.

    Args:
        report: what to show.
        sound: how audio is embedded.
        budget: bytes of audio. Opus gets the bitrate that it allows, and where even the lowest is
            too much, or the format is FLAC, only the first utterances have audio: those on which
            the systems are worst.

    Raises:
        ImportError: Jinja2, or for Opus PyAV, is not installed.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("leaderboards"), autoescape=True, undefined=StrictUndefined
    )
    source = environment.loader
    assert source is not None  # noqa: S101 - for the types
    style, script = (source.get_source(environment, f"report.{k}")[0] for k in ("css", "js"))
    data = _data(report, sound, budget)
    board = report.board
    return environment.get_template("report.html").render(
        board=board,
        heads=text.heads(board)[3:],
        blocks=list(board.blocks.items()),
        conditions=list(text.conditions(board, verbose=True)),
        cell=lambda score, column: _cell(score, column.digits),
        tip=_tip,
        plots=report.plots,
        papers=report.papers,
        utterances=len(data["utterances"]),
        style=style,
        script=script,
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    )


def _cell(score: Any, digits: int) -> tuple[str, str]:
    """Return the value and its interval, as text."""
    if score is None or score.value is None:
        return "-", ""
    low, high = score.low, score.high
    ends = f"{low:.{digits}f} to {high:.{digits}f}" if low is not None and high is not None else ""
    return f"{score.value:.{digits}f}", ends


def _tip(score: Any, column: Any) -> str:
    if score is None:
        return "not measured"
    value, ends = _cell(score, column.digits)
    states = ", ".join(f"{n} {k}" for k, n in score.states.items() if n and k != "scored")
    unit = f" {column.unit}" if column.unit else ""
    parts = [
        f"{column.title} {value}{unit}" + (f", 95 % interval {ends}" if ends else ""),
        f"{score.n} utterances of {score.clusters} speakers"
        + ("" if score.coverage is None else f", coverage {score.coverage:.1%}")
        + (f" ({states})" if states else ""),
        score.note,
        score.signature,
    ]
    return "\n".join(p for p in parts if p)


def _data(report: Report, sound: Sound, budget: float) -> dict[str, Any]:
    board, runs = report.board, {r.id: r for r in report.runs}
    first = runs[board.rows[0].run]
    ids = [o.id for o in first.outputs]
    rows, holes = [], {}
    values = []
    for at, row in enumerate(board.rows):
        card = runs[row.run].card
        facts = {
            "weights": card.weights,
            "scale": card.scale,
            "licence": card.licence,
            "paper": card.paper,
            "sample rate": f"{card.sample_rate} Hz" if card.sample_rate else "as the input",
            "made with": ", ".join(card.versions),
            "source": card.code,
            "departs from the paper": "; ".join(card.deviations),
            "note": row.note,
        }
        rows.append(
            {
                "run": row.run,
                "system": row.system,
                "block": BLOCKS.get(row.block, row.block),
                "facts": {k: v for k, v in facts.items() if v},
            }
        )
        for k, score in enumerate(row.scores):
            values.append(_rounded(each(score, ids), board.columns[k].digits + 1) if score else [])
            for i, cell in score.cells.items() if score else ():
                if cell.state != "scored":
                    holes[f"{at},{k},{i}"] = f"{cell.state}: {cell.reason.partition(chr(10))[0]}"
    known = {u.id: u for u in report.dataset.utterances} if report.dataset else {}
    utterances = [
        {
            "id": i,
            "speaker": first.speakers.get(i) or "",
            "text": (known[i].text or "") if i in known else "",
        }
        for i in ids
    ]
    columns = [
        {
            "title": c.title,
            "unit": c.unit,
            "better": c.better,
            "digits": c.digits,
            "signature": c.signature,
        }
        for c in board.columns
    ]
    sort = next((k for k, c in enumerate(board.columns) if c.metric == board.sort), 0)
    files: dict[str, list[Path]] = {}
    for i in ids:
        reference = [known[i].audio] if i in known and known[i].audio else []
        made = [report.sounds.get((row.run, i)) for row in board.rows]
        if any(made):
            files[i] = [*(reference or [None]), *made]  # type: ignore[list-item]
    order = _worst_first(board, values, ids, sort)
    embedded, said = _embedded({i: files[i] for i in order if i in files}, sound, budget)
    return {
        "columns": columns,
        "rows": rows,
        "utterances": utterances,
        "values": values,
        "holes": holes,
        "sort": sort,
        "audio": embedded,
        "audioNote": said,
    }


def _rounded(values: np.ndarray, digits: int) -> list[float | None]:
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]


def _worst_first(board: Leaderboard, values: list, ids: list[str], sort: int) -> list[str]:
    """Return the ids by their mean over the systems that are no anchors, the worst first."""
    k = len(board.columns)
    tables = [values[at * k + sort] for at, r in enumerate(board.rows) if r.scale != "anchor"]
    tables = [t for t in tables if t] or [v for v in values[sort::k] if v]
    if not tables:
        return ids
    worst = -np.inf if board.columns[sort].better == "higher" else np.inf
    filled = np.array([[worst if v is None else v for v in t] for t in tables])
    order = np.argsort(filled.mean(axis=0), kind="stable")
    return [ids[i] for i in (order if board.columns[sort].better == "higher" else order[::-1])]


def _embedded(
    files: Mapping[str, Sequence[Path | None]], sound: Sound, budget: float
) -> tuple[dict[str, list[str]], str]:
    """Return data URIs by utterance (empty where there is no file), and what they are."""
    if sound == "none" or not files:
        return {}, ""
    paths = [p for row in files.values() for p in row if p]
    kbps = 0.0
    if sound == "opus":
        seconds = sum(soundfile.info(p).duration for p in paths)
        kbps = float(np.clip(8 * budget / 1000 / max(seconds, 1), *KBPS)) // 1
    found: dict[str, list[str]] = {}
    seen: dict[Path, str] = {}
    spent = 0
    for identity, row in files.items():
        made = []
        for path in row:
            if path is not None and path not in seen:
                coded = _opus(path, kbps) if sound == "opus" else _flac(path)
                spent += len(coded)
                kind = "ogg" if sound == "opus" else "flac"
                seen[path] = f"data:audio/{kind};base64,{base64.b64encode(coded).decode()}"
            made.append(seen[path] if path else "")
        if spent > budget * 1.1 and found:
            break
        found[identity] = made
    said = (
        f"Audio is Opus at {kbps:.0f} kbps, for listening only: every score is of the original."
        if sound == "opus"
        else "Audio is FLAC, 16 bit."
    )
    if len(found) < len(files):
        said += f" The worst {len(found)} of {len(files)} utterances have it."
    return found, said


def _flac(path: Path) -> bytes:
    wav, rate = audio.read(path)
    out = io.BytesIO()
    soundfile.write(out, wav, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def _opus(path: Path, kbps: float) -> bytes:
    import av

    wav, rate = audio.read(path)
    if rate not in (8000, 12000, 16000, _RATE):
        wav, rate = audio.resample(wav, rate, _RATE), _RATE
    pcm = np.round(np.clip(wav, -1, 1) * 32767).astype(np.int16)[None]
    out = io.BytesIO()
    with av.open(out, "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=rate, layout="mono")
        stream.bit_rate = round(kbps * 1000)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm), format="s16", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return out.getvalue()
