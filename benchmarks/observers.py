"""What batching by length gives an observer: one pass in batches beside one by one.

    python benchmarks/observers.py [OBSERVER_SPEC ...]

By default the observers that bring their weights and take more than one recording at a time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench import plugins
from bench.cache import Cache
from bench.observe import Hearing, Subject

USUAL = ["resemblyzer", "ser_small", "pitch", "speaking_rate"]


def seconds(spec: str, batch: int | None) -> float:
    """Return the time of one observer over the demo set, model loaded, in batches of `batch`."""
    observer = plugins.load("observers", spec, device="cpu")
    if batch:
        object.__setattr__(observer, "batch", batch)
    paths = [u.audio for u in plugins.load("datasets", "demo").utterances]
    object.__setattr__(observer, "close", lambda: None)  # loading is not what is timed
    with tempfile.TemporaryDirectory() as name, Cache(Path(name)) as cache:
        Hearing(observer, cache).listen([Subject(paths[0])])
        start = time.perf_counter()
        Hearing(observer, cache).listen([Subject(p) for p in paths[1:]])
        return time.perf_counter() - start


def main() -> None:
    """Print one line for each observer."""
    for spec in sys.argv[1:] or USUAL:
        try:
            one, many = seconds(spec, 1), seconds(spec, None)
        except (FileNotFoundError, plugins.Unavailable) as missing:
            print(f"{spec:20}{missing}")
            continue
        print(f"{spec:20}one by one {one:6.2f} s, in batches {many:6.2f} s, ratio {one / many:.2f}")


if __name__ == "__main__":
    main()
