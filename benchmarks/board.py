"""What a large board costs: seconds and memory, on runs that are made up.

    python benchmarks/board.py [--utterances 100000] [--runs 20] [--speakers 2000] [--keep FOLDER]

Twelve columns that take part in everything a board does (means, a ratio of sums, coverage with
holes), saved by `bench.run.save`, then read and set by ``bench board`` in a process of its own.
`--speakers 0`: every utterance stands for itself, which is the most that resampling can cost.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import plugins
from bench.cache import Cache
from bench.cells import Cells
from bench.run import Output, Run, host, save
from bench.stats import interval
from bench.totals import total
from systems._base import Card

METRICS = (
    *("pesq", "stoi", "estoi", "si_sdr", "mel_distance", "mcd", "lsd", "pesq:band=nb"),
    *("stoi:align=true", "estoi:align=true", "wer", "cer"),
)
SAID = ("scored", "failed")


def cells(ids: tuple[str, ...], metric: str, quality: float, seed: int) -> Cells:
    """Return made-up cells: rows about `quality`, one in a thousand failed."""
    rng = np.random.default_rng([seed, METRICS.index(metric)])
    n = len(ids)
    if metric in {"wer", "cer"}:  # errors of four kinds, beside the number of words
        words = rng.integers(5, 25, n)
        rows = np.stack([*(rng.binomial(words, 0.02 * quality) for _ in range(3)), words], axis=1)
    else:
        rows = quality + rng.standard_normal((n, 1))
    bad = rng.random(n) < 0.001
    reasons = dict.fromkeys(np.flatnonzero(bad).tolist(), "the output is empty")
    return Cells(ids, (2 * bad).astype(np.uint8), rows * ~bad[:, None], ~bad, reasons)


def write(folder: Path, number: int, utterances: int, speakers: int) -> None:
    """Save one run of made-up scores."""
    ids = tuple(f"speaker-{i % (speakers or 7)}/chapter/{i:07}" for i in range(utterances))
    voices = {i: i.partition("/")[0] if speakers else None for i in ids}
    name = f"made_up:number={number}"
    outputs = tuple(Output(i, "ok", "", f"audio/{i}.flac", f"{n:064x}") for n, i in enumerate(ids))
    scores = []
    with tempfile.TemporaryDirectory() as store, Cache(Path(store)) as cache:
        for spec in METRICS:
            metric = plugins.load("metrics", spec)
            found = cells(ids, spec, 2 + 0.002 * number, number)
            scores.append(total(metric, found, voices, "exclude", cache))
    card = Card(name, "codec", 16000, paper_figures={})
    about = {"licence": "none", "notes": "", "shard": "", "seed": 0, "host": host(), "timing": {}}
    data = {"dataset": "made up", "dataset_digest": f"{utterances:016x}"}
    run = Run(card, **data, **about, outputs=outputs, speakers=voices, scores=tuple(scores))
    save(run, folder)


def board(runs: list[Path], style: str) -> tuple[float, float]:
    """Return wall seconds and peak memory (GB) of ``bench board`` in a new process."""
    script = "from bench.cli import main; main()"
    command = [sys.executable, "-c", script, "board", *map(str, runs), "--format", style]
    command += ["--min-coverage", "0.99"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench board ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1e6


def bootstrap(utterances: int, trials: int, speakers: int) -> float:
    """Return seconds for one interval of WER."""
    metric, ids = plugins.load("metrics", "wer"), tuple(map(str, range(utterances)))
    rows = cells(ids, "wer", 2.0, 0).rows
    voices = [i % speakers if speakers else None for i in range(utterances)]
    start = time.perf_counter()
    interval(rows, voices, metric, trials=trials)
    return time.perf_counter() - start


def main() -> None:
    """Print what was measured."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--utterances", type=int, default=100_000)
    ask.add_argument("--runs", type=int, default=20)
    ask.add_argument("--speakers", type=int, default=2000)
    ask.add_argument("--keep", type=Path, help="Folder of the runs; used again if it is there.")
    given = ask.parse_args()
    for speakers in (100, 0):
        took = bootstrap(10_000, 1000, speakers)
        who = f"{speakers} speakers" if speakers else "each utterance alone"
        print(f"WER of 10,000 utterances, 1,000 resamples, {who}: {took:.2f} s")
    with tempfile.TemporaryDirectory() as name:
        folders = [(given.keep or Path(name)) / str(i) for i in range(given.runs)]
        for number, folder in enumerate(folders):
            if not (folder / "run.json").exists():
                start = time.perf_counter()
                write(folder, number, given.utterances, given.speakers)
                print(f"run {number} written in {time.perf_counter() - start:.1f} s")
        size = sum(f.stat().st_size for folder in folders for f in folder.iterdir())
        print(f"{given.runs} runs, {given.utterances} utterances: {size / 1e6:.0f} MB on disk")
        for style in ("table", "json"):
            took, memory = board(folders, style)
            print(f"bench board --format {style}: {took:.1f} s, {memory:.2f} GB")


if __name__ == "__main__":
    main()
