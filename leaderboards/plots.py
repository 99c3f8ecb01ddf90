"""The plots of a report, as SVG whose text and axes take the colour of the page around them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import plugins
from bench.history import Series, history
from bench.run import Run, Score
from leaderboards.board import Leaderboard, Row

#: Okabe and Ito's colours, told apart with any colour vision and on light and dark ground.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
MARKERS = "osD^vPX*"
_INK = "#010203"  # stands for the page's own colour
_AROUND = sorted(range(-64, 65, 4), key=abs)  # points above or below, for a name
_SPEAKERS = 40  # with more, a line for each could not be read


@dataclass(frozen=True)
class Plot:
    """One figure: its heading, the sentence under it, and the drawing."""

    title: str
    caption: str
    svg: str


def plots(
    board: Leaderboard, runs: Sequence[Run], macs: Mapping[str, float] | None = None
) -> Iterator[Plot]:
    """Yield every plot that the board has data for.

    Args:
        board: the table.
        runs: the runs behind it.
        macs: multiply-accumulates per second of audio, by run id.
    """
    judged = [c.metric for c in board.columns if c.better != "neither"]
    quality = [m for m in judged if not _of(board.rows, m)[0][1].timed] or judged
    costs = [
        ("bitrate", "kbps", _scores(board, "bitrate"), "bitrate"),
        ("computation", "MAC/s", macs or {}, "multiply-accumulates per second of audio"),
        ("real-time factor", "", _scores(board, "rtf"), f"real-time factor on {board.machine}"),
    ]
    for name, unit, cost, said in costs:
        known = [r for r in board.rows if cost.get(r.run, 0) > 0]
        if len(known) > 1 and quality:
            yield _trade_off(board, known, quality[:4], cost, (name, unit, said))
    for metric in quality[:6]:
        if len(board.rows) > 1:
            yield _distribution(board, metric)
    by_id = {r.id: r for r in runs}
    if board.sort in judged:
        first = by_id[board.rows[0].run]
        if 1 < len({s for s in first.speakers.values() if s is not None}) <= _SPEAKERS:
            yield _by_speaker(board, board.sort, first.speakers)
        leader = next((r for r in board.rows if r.rank == 1), None)
        if leader and len(board.rows) > 1:
            yield _differences(board, board.sort, leader, first.speakers)
        series = [s for s in history(runs, board.sort) if len(s.points) > 1]
        if series:
            yield _history(series)


def _of(rows: Sequence[Row], metric: str) -> list[tuple[Row, Score]]:
    return [(r, s) for r in rows for s in r.scores if s and s.metric == metric]


def _scores(board: Leaderboard, name: str) -> dict[str, float]:
    return {
        r.run: s.value
        for r in board.rows
        for s in r.scores
        if s and s.metric.partition(":")[0] == name and s.value is not None
    }


def _named(score: Score) -> str:
    return f"{score.title}{f' ({score.unit})' if score.unit else ''}"


def each(score: Score, ids: Sequence[str]) -> np.ndarray:
    """Return the value of every utterance, shape (n,); NaN where there is none."""
    metric = plugins.load("metrics", score.metric)
    rows = [score.cells[i].row if i in score.cells else () for i in ids]
    return np.array([metric.value(np.array([r])) if r else np.nan for r in rows])


def _trade_off(
    board: Leaderboard,
    rows: Sequence[Row],
    metrics: Sequence[str],
    cost: Mapping[str, float],
    axis: tuple[str, str, str],
) -> Plot:
    name, unit, said = axis
    columns = min(2, len(metrics))
    lines = -(-len(metrics) // columns)
    with _drawing(columns, height=3.4 * lines, width=4.8 * columns, lines=lines) as (figure, axes):
        for ax in axes[len(metrics) :]:
            ax.set_axis_off()
        for ax, metric in zip(axes, metrics, strict=False):
            found = [(r, s) for r, s in _of(rows, metric) if s.value is not None]
            better = found[0][1].better if found else "higher"
            for row, score in found:
                at, y = board.rows.index(row), score.value or 0.0
                ends = (y if e is None else e for e in (score.low, score.high))
                ax.errorbar(
                    cost[row.run], y, yerr=[[abs(e - y)] for e in ends], capsize=2, **_look(at),
                    markerfacecolor="none" if row.scale in {"reduced", "anchor"} else None,
                )  # fmt: skip
            front = pareto([(cost[r.run], s.value or 0) for r, s in found], better)
            ax.plot(*zip(*front, strict=True), color=_INK, lw=0.8, ls="--", zorder=0)
            ax.set_xscale("log")
            ax.margins(x=0.15, y=0.1)
            _log_ticks(ax, [cost[r.run] for r, _ in found])
            ax.set_xlabel(f"{name}{f' ({unit})' if unit else ''}")
            ax.set_ylabel(_named(found[0][1]))
        figure.draw_without_rendering()  # now the axes have their places
        for ax, metric in zip(axes, metrics, strict=False):
            found = [(r, s) for r, s in _of(rows, metric) if s.value is not None]
            _label(ax, [(r.system, cost[r.run], s.value or 0.0) for r, s in found])
        svg = _svg(figure)
    caption = (
        f"Quality against {said}. Bars: 95 % intervals; dashed: systems that no other beats in "
        "both; hollow: reduced weights or anchors."
    )
    return Plot(f"Quality against {name}", caption, svg)


def _label(ax: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Write a name beside each point, where no other name or point is; a line leads to far ones."""
    scale = 72 / ax.figure.dpi
    places = ax.transData.transform([p[1:] for p in points]) * scale
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    for (name, *point), (x, y) in sorted(
        zip(points, places, strict=True), key=lambda both: -both[1][1]
    ):
        wide = 3.9 * len(name)
        spots = [(dx, dy) for dy in _AROUND for dx in (6, -6 - wide)]
        boxes = {(dx, dy): (x + dx, y + dy - 3, x + dx + wide, y + dy + 4) for dx, dy in spots}
        free = (at for at in spots if not any(_meet(boxes[at], other) for other in taken))
        spot = next(free, spots[0])
        taken.append(boxes[spot])
        ax.annotate(
            name, point, xytext=(max(spot[0], -6), spot[1]), textcoords="offset points",
            fontsize=7, va="center", ha="left" if spot[0] > 0 else "right",
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": _INK, "shrinkB": 3}
            if abs(spot[1]) > 8 else None,
        )  # fmt: skip


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _log_ticks(ax: Any, values: Sequence[float]) -> None:
    """Label the x axis in plain numbers, more of them where it is shorter than a decade."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    short = max(values) < 10 * min(values)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 6, 8) if short else (1, 2, 5)))
    large = max(values) >= 1000
    ax.xaxis.set_major_formatter(EngFormatter(sep="") if large else "{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def pareto(points: Sequence[tuple[float, float]], better: str) -> list[tuple[float, float]]:
    """Return the points that none beats, by rising cost.

    Args:
        points: (cost, quality); less cost is better.
        better: which quality is: higher or lower.
    """
    sign = 1 if better == "higher" else -1
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda p: (p[0], -sign * p[1])):
        if not front or sign * y > sign * front[-1][1]:
            front.append((x, y))
    return front


def _distribution(board: Leaderboard, metric: str) -> Plot:
    found = _of(board.rows, metric)
    with _drawing(1, height=0.6 + 0.36 * len(found), width=7.5) as (figure, (ax,)):
        for at, (row, score) in enumerate(reversed(found)):
            values = each(score, list(score.cells))
            values = values[np.isfinite(values)]
            if not values.size:
                continue
            look = _look(board.rows.index(row))
            ax.boxplot(
                [values], positions=[at], orientation="horizontal", widths=0.6, whis=(5, 95),
                showfliers=False, boxprops={"color": look["color"]},
                whiskerprops={"color": look["color"]}, capprops={"color": look["color"]},
                medianprops={"color": look["color"], "lw": 2},
            )  # fmt: skip
            jitter = np.random.default_rng(0).uniform(-0.2, 0.2, values.size)
            ax.plot(values, at + jitter, ".", ms=2.5, alpha=0.6, color=look["color"])
        ax.set_yticks(range(len(found)), [r.system for r, _ in reversed(found)], fontsize=8)
        ax.set_xlabel(_named(found[0][1]))
        svg = _svg(figure)
    caption = "Every utterance; box: middle half, bar: median, whiskers: 5 to 95 %."
    return Plot(f"{found[0][1].title}: distribution", caption, svg)


def _by_speaker(board: Leaderboard, metric: str, speakers: Mapping[str, str | None]) -> Plot:
    found, measure = _of(board.rows, metric), plugins.load("metrics", metric)
    names = sorted({s for s in speakers.values() if s is not None})
    with _drawing(1, height=0.9 + 0.22 * len(names), width=7.5) as (figure, (ax,)):
        for row, score in found:
            points = []
            for at, name in enumerate(names):
                mine = [c.row for i, c in score.cells.items() if c.row and speakers.get(i) == name]
                if mine:
                    points.append((measure.value(np.array(mine)), at))
            if points:
                look = _look(board.rows.index(row))
                ax.plot(*zip(*points, strict=True), ls="none", label=row.system, ms=5, **look)
        ax.set_yticks(range(len(names)), names, fontsize=8)
        ax.grid(axis="y", lw=0.3)
        ax.set_xlabel(_named(found[0][1]))
        ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        svg = _svg(figure)
    caption = "The value over the utterances of each speaker."
    return Plot(f"{found[0][1].title}: by speaker", caption, svg)


def _differences(
    board: Leaderboard, metric: str, leader: Row, speakers: Mapping[str, str | None]
) -> Plot:
    from bench.compare import margin_of

    found = {r.run: (r, s) for r, s in _of(board.rows, metric)}
    _, best = found.pop(leader.run)
    measure, others = plugins.load("metrics", metric), list(found.values())
    with _drawing(1, height=0.7 + 0.36 * len(others), width=7.5) as (figure, (ax,)):
        for at, (row, score) in enumerate(reversed(others)):
            ids = [i for i, c in best.cells.items() if c.row and i in score.cells]
            ids = [i for i in ids if score.cells[i].row]
            if not ids:
                continue
            moved = each(score, ids) - each(best, ids)
            a, b = (np.array([s.cells[i].row for i in ids]) for s in (score, best))
            look = _look(board.rows.index(row))
            jitter = np.random.default_rng(0).uniform(-0.2, 0.2, len(ids))
            ax.plot(moved, at + jitter, ".", ms=2.5, alpha=0.5, color=look["color"])
            if len(ids) > 1:
                who = [speakers.get(i) for i in ids]
                middle, margin, _ = margin_of(b, a, who, measure, 0.025)
                ax.errorbar([middle], [at], xerr=[margin], ms=7, lw=3, **look)
        ax.axvline(0, color=_INK, lw=0.8, ls="--")
        ax.set_yticks(range(len(others)), [r.system for r, _ in reversed(others)], fontsize=8)
        ax.set_xlabel(f"{_named(best)}: difference from {leader.system}")
        svg = _svg(figure)
    caption = (
        f"Each utterance less the same one by {leader.system}; marker: difference of the corpus "
        "values, bar: its 95 % interval over speakers."
    )
    return Plot(f"{best.title}: paired differences", caption, svg)


def _history(found: Sequence[Series]) -> Plot:
    with _drawing(1, height=3.2, width=7.5) as (figure, (ax,)):
        for at, series in enumerate(found):
            look, known = _look(at), [p for p in series.points if p.score.value is not None]
            starts = [i for i, p in enumerate(known) if p.breaks]
            edges = zip([0, *starts], [*starts, len(known)], strict=True)
            for first, last in edges:  # a line ends at a break
                part = known[first:last]
                dates = [p.date.partition("+")[0].replace("T", "\n") or p.run for p in part]
                name = series.system if first == 0 else None
                ax.plot(dates, [p.score.value or 0.0 for p in part], label=name, **look)
        ax.tick_params(axis="x", labelsize=7)
        ax.set_ylabel(_named(found[0].points[0].score))
        ax.legend(fontsize=7, frameon=False)
        svg = _svg(figure)
    caption = "Runs of the same system by date; where a line ends, values cannot be compared."
    return Plot(f"{found[0].points[0].score.title}: over time", caption, svg)


def _look(at: int) -> dict[str, Any]:
    return {"color": COLOURS[at % len(COLOURS)], "marker": MARKERS[at % len(MARKERS)]}


@contextmanager
def _drawing(
    columns: int, *, height: float, width: float = 0, lines: int = 1
) -> Iterator[tuple[Any, list[Any]]]:
    """Give a figure and its axes, line by line; nothing of their style leaks into the process."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    keys = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: dict[Any, Any] = dict.fromkeys(keys, _INK)
    style |= {"svg.fonttype": "none", "svg.hashsalt": "speech-bench", "font.size": 9}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "grid.color": _INK}
    with mpl.rc_context(style):
        figure = Figure(figsize=(width or 3.6 * columns, height), layout="constrained")
        yield figure, list(figure.subplots(lines, columns, squeeze=False).flat)


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    size = re.search(r'width="([\d.]+)pt" height="[\d.]+pt"', text)
    wide = f'style="max-width:{float(size.group(1)) * 4 / 3:.0f}px"' if size else ""
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'role="img" {wide}', text, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
