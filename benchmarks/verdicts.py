"""How often `bench compare` is wrong, and what it can see, on data sets drawn from real scores.

    python benchmarks/verdicts.py [--dataset SPEC] [--trials N]

Two systems are run over a data set; a simulated data set draws speakers from it, with all their
utterances, and gives each draw a speaker of its own. Three questions:

* False alarms: where the sides of a speaker are swapped by chance, neither side is better; how
  often is the new one called worse (exit status 1)?
* False passes: the new side is the base, with the noise of that swapping, less the tolerance
  exactly; how often does it pass (better or equivalent)?
* Power: one utterance in ten comes from a worse system; how often is it called worse?
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import plugins
from bench.compare import TOLERANCES, Rule, compare
from bench.run import Cell, Run
from bench.suite import Options, load_metrics, load_system, run

COUNTS = (6, 14, 40)  # speakers of a simulated data set
METRICS = ("pesq", "stoi", "si_sdr")
BASE, NOISE, WORSE = "opus:kbps=8", "opus:kbps=8,vbr=true", "opus:kbps=6"
Sides = Callable[[np.ndarray, np.ndarray, str], tuple[np.ndarray, np.ndarray]]


def rows_of(record: Run) -> dict[str, dict[str, np.ndarray]]:
    """Return the rows of each metric by utterance."""
    return {
        s.metric: {i: np.array(c.row) for i, c in s.cells.items() if c.row} for s in record.scores
    }


def drawn(
    random: np.random.Generator, speakers: dict[str, list[str]], count: int
) -> list[tuple[str, str]]:
    """Return (utterance, new speaker) of `count` speakers drawn with replacement."""
    names = random.choice(list(speakers), count)
    return [(u, f"{k}-{s}") for k, s in enumerate(names) for u in speakers[s]]


def cells(rows: np.ndarray) -> dict[str, Cell]:
    """Return the cells of the rows of a simulated data set."""
    return {f"u{i}": Cell("scored", tuple(r)) for i, r in enumerate(rows)}


def verdicts(
    records: tuple[Run, Run], count: int, trials: int, sides: Callable, gate: dict[str, Rule]
) -> np.ndarray:
    """Return the exit status of every trial, shape (trials,).

    Args:
        records: the two runs whose rows are drawn.
        count: speakers of a simulated data set.
        trials: data sets.
        sides: makes the two sides of a metric: (base rows, new rows, swapped, metric) to both.
        gate: what is gated.
    """
    random, (a, b) = np.random.default_rng(0), (rows_of(r) for r in records)
    speakers: dict[str, list[str]] = {}
    for utterance, speaker in records[0].speakers.items():
        if all(utterance in a[m] and utterance in b[m] for m in METRICS):
            speakers.setdefault(str(speaker), []).append(utterance)
    found = []
    for _ in range(trials):
        items = drawn(random, speakers, count)
        swapped = {who: random.random() < 0.5 for _, who in items}
        swap = np.array([swapped[who] for _, who in items])[:, None]
        made: tuple[list, list] = ([], [])
        for score in records[0].scores:
            base, new = (np.array([r[score.metric][u] for u, _ in items]) for r in (a, b))
            for k, rows in enumerate(sides(base, new, swap, score.metric)):
                made[k].append(replace(score, cells=cells(rows), coverage=1.0))
        who = {f"u{i}": s for i, (_, s) in enumerate(items)}
        runs = [replace(records[0], scores=tuple(s), speakers=who) for s in made]
        found.append(compare(*runs, gate).status)
    return np.array(found)


def swapped(base: np.ndarray, new: np.ndarray, swap: np.ndarray, metric: str) -> tuple:
    """Neither side is better."""
    return np.where(swap, new, base), np.where(swap, base, new)


def at_tolerance(base: np.ndarray, new: np.ndarray, swap: np.ndarray, metric: str) -> tuple:
    """The new side is worse by the tolerance, exactly."""
    one, other = swapped(base, new, swap, metric)
    return one, other - TOLERANCES[metric]


def one_in_ten(base: np.ndarray, new: np.ndarray, swap: np.ndarray, metric: str) -> tuple:
    """Every tenth utterance is rendered by the worse system."""
    hit = np.arange(len(base))[:, None] % 10 == 0
    return base, np.where(hit, new, base)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--trials", type=int, default=1000)
    asked = parser.parse_args()
    data = plugins.load("datasets", asked.dataset)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(out=Path(folder), timed=False)
        wanted = load_metrics(",".join(METRICS))
        base, noise, worse = (
            run(load_system(spec, "cpu"), data, wanted, options)[0] for spec in (BASE, NOISE, WORSE)
        )
    whole = {"default": Rule(min_n=2)}
    one = {"pesq": Rule(min_n=2)}
    print("| data sets drawn from", data.name, "| speakers | said | nominal | measured |")
    print("| --- | --- | --- | --- | --- |")
    for count in COUNTS:
        for name, records, sides, gate, status, nominal in (
            ("neither is better, three metrics", (base, noise), swapped, whole, 1, "at most 5 %"),
            ("neither is better, PESQ alone", (base, noise), swapped, one, 1, "at most 5 %"),
            (
                "worse by the tolerance, PESQ alone",
                (base, noise),
                at_tolerance,
                one,
                0,
                "at most 5 %",
            ),
            (
                "worse by the tolerance, three metrics",
                (base, noise),
                at_tolerance,
                whole,
                0,
                "at most 5 %",
            ),
            (
                f"one utterance in ten by {WORSE}, PESQ alone",
                (base, worse),
                one_in_ten,
                one,
                1,
                "power",
            ),
        ):
            found = verdicts(records, count, asked.trials, sides, gate)
            said = {0: "pass", 1: "regression"}[status]
            share = float((found == status).mean())
            error = 1.96 * (share * (1 - share) / asked.trials) ** 0.5
            print(f"| {name} | {count} | {said} | {nominal} | {share:.1%} ± {error:.1%} |")


if __name__ == "__main__":
    main()
