"""How fast: whole processes and stages, as ratios to the reference packages in the same run.

    python benchmarks/speed.py [--pairs 40] [--cached 10000]

Every figure is the median of five. Absolute seconds belong to the machine; the ratios are what to
compare. Nothing here is a test: a shared machine would make it fail for no reason.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pesq
from _material import RATE, pairs, write

from bench import plugins
from bench.cache import Cache
from bench.execute import cores, warm
from bench.run import Output
from bench.score import Scoring

BENCH = [sys.executable, "-c", "from bench.cli import main; main()"]
METRICS = "pesq,stoi,si_sdr"


def median(work: Callable[[], object], times: int = 5) -> float:
    """Return the median seconds of `times` calls."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def one_pesq(pair: tuple[np.ndarray, np.ndarray]) -> float:
    """Score one pair with the package itself."""
    return pesq.pesq(RATE, *pair, "wb")


def call(*args: str, cache: Path) -> None:
    """Run the command line in a process of its own."""
    env = {**os.environ, "BENCH_CACHE": str(cache)}
    done = subprocess.run([*BENCH, *args], env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"bench {' '.join(args)} ended with {done.returncode}:\n{done.stderr}")


def folder_of_pairs(count: int, folder: Path) -> dict[str, float]:
    """Time `bench score` on a folder, cold, and its PESQ stage beside two warm processes."""
    spec, out = write(folder / "data", count)

    def cold() -> None:
        shutil.rmtree(folder / "cache", ignore_errors=True)
        args = ("score", str(out), "--dataset", spec, "--metrics", METRICS)
        call(*args, "--out", str(folder / "runs"), cache=folder / "cache")

    whole = median(cold)
    material = pairs(count)
    loop = median(lambda: [one_pesq(p) for p in material], 3)
    with get_context("fork").Pool(2) as pool:
        pool.map(one_pesq, material[:4])
        two = median(lambda: pool.map(one_pesq, material, chunksize=1))
    data = plugins.load("datasets", spec)
    outputs = [
        Output(u.id, "ok", path=f"{u.id}.wav", sample_rate=RATE, seconds=5.0)
        for u in data.utterances
    ]
    metric = plugins.load("metrics", "pesq")
    warm(["bench.score", "metrics.pesq", "pesq", "soxr"])

    def stage() -> None:
        shutil.rmtree(folder / "stage", ignore_errors=True)
        with Cache(folder / "stage") as cache:
            Scoring([metric], cache, out, jobs=2).run(zip(data.utterances, outputs, strict=True))

    stage()
    ours = median(stage)
    import pystoi  # here, since a worker imports this file anew and has no use for it

    stoi = plugins.load("metrics", "stoi")
    reference = median(lambda: [pystoi.stoi(r, e, RATE) for r, e in material], 3)
    quick = median(
        lambda: [stoi.statistic(estimate=e, reference=r, sample_rate=RATE) for r, e in material], 3
    )
    return {
        f"bench score, {count} pairs of 5 s, {METRICS}: whole process, s": whole,
        "a pesq loop alone, s": loop,
        "two warm pesq processes, s": two,
        "our PESQ stage (files, checks, cache, states), s": ours,
        "our PESQ stage / two warm pesq processes": ours / two,
        "pystoi loop / our STOI": reference / quick,
        "our STOI, pairs/s": count / quick,
    }


def start_up(folder: Path) -> dict[str, float]:
    """Time `bench --help` and Python doing nothing."""
    nothing = median(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
    help_ = median(lambda: call("--help", cache=folder))
    return {"bench --help, s": help_, "python doing nothing, s": nothing}


def cached(count: int, folder: Path) -> dict[str, float]:
    """Time a run over `count` short utterances whose every output and score is known."""
    spec, _ = write(folder / "data", count, seconds=0.5)
    args = ("run", "--system", "mu_law", "--dataset", spec, "--metrics", "stoi,si_sdr,bitrate,rtf")
    args += ("--out", str(folder / "runs"))
    first = median(lambda: call(*args, cache=folder / "cache"), 1)
    time.sleep(2.1)  # what changed a moment ago is read again
    call(*args, cache=folder / "cache")
    again = median(lambda: call(*args, cache=folder / "cache"), 3)
    name = f"run over {count} utterances"
    return {
        f"{name}: first, s": first,
        f"{name}: again, all known, s": again,
        "ratio": again / first,
    }


def main() -> None:
    """Print every figure, one a line, and the machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--cached", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures |= start_up(folder / "a")
        figures |= folder_of_pairs(asked.pairs, folder / "b")
        if asked.cached:
            figures |= cached(asked.cached, folder / "c")
    for what, value in figures.items():
        print(f"{what:70}{value:10.3f}")
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {cores()} cores, Python {platform.python_version()}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
