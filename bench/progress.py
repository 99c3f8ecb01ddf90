"""How far a stage is: a bar on a terminal, JSON lines for a machine, nothing otherwise."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stage(name: str, total: int, *, as_json: bool = False) -> Iterator[Callable[[], None]]:
    """Give a function to call once an item is done; rate and remaining time go to stderr."""
    if as_json:
        yield _lines(name, total)
    elif sys.stderr.isatty() and total:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate)
        clocks = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        with Progress(*columns, *clocks, console=Console(stderr=True), transient=True) as bar:
            task, start, done = bar.add_task(name, total=total, rate=""), time.monotonic(), 0

            def advance() -> None:
                nonlocal done
                done += 1
                bar.update(task, advance=1, rate=f"{done / (time.monotonic() - start):.1f}/s")

            yield advance
    else:
        yield lambda: None


def _lines(name: str, total: int) -> Callable[[], None]:
    start, last, done = time.monotonic(), 0.0, 0

    def advance() -> None:
        nonlocal last, done
        done += 1
        now = time.monotonic()
        if now - last < 1 and done < total:
            return
        last, rate = now, done / max(now - start, 1e-9)
        fact = {"stage": name, "done": done, "total": total, "per_second": round(rate, 3)}
        fact["remaining_seconds"] = round((total - done) / rate, 1)
        sys.stderr.write(json.dumps(fact) + "\n")
        sys.stderr.flush()

    return advance
