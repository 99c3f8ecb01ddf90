"""What the recognisers share: languages they cannot hear, weights hashed once, a mean."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

from metrics._normalise import primary
from metrics.observers._base import Observation, digest_of

WINDOW = 30  # s that Whisper hears at once
TOKENS = 224  # most it says of one window

#: BCP 47 -> Whisper, where they differ.
_WHISPER = {"cmn": "zh", "nb": "no", "fil": "tl", "iw": "he", "jv": "jw", "ji": "yi", "in": "id"}


def whisper_code(language: str) -> str:
    """Return Whisper's code of a BCP 47 tag: ``zh`` of ``zh-CN``, ``no`` of ``nb``."""
    code = primary(language)
    return _WHISPER.get(code, code)


def unheard(name: str, language: str, known: Collection[str]) -> Observation:
    """Return the observation of a recording in a language that the recogniser does not know."""
    hears = "English only" if set(known) == {"en"} else f"{len(known)} languages"
    return {"unheard": f"{name} hears {hears}, and not {language}"}


def check_beam(beam: int) -> None:
    """Refuse a width of the beam that is not positive.

    Raises:
        ValueError: it is 0 or below.
    """
    if beam < 1:
        msg = f"beam is a width of 1 (greedy) or more, got {beam}"
        raise ValueError(msg)


def digest(paths: Iterable[Path]) -> str:
    """Return `digest_of` files, which are read once in a process while they stay as they are."""
    files = [(p, p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    return _digest(tuple(files))


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    return digest_of(*(path for path, _, _ in files))


def threads() -> int:
    """Return how many threads this process may use."""
    return int(os.environ.get("OMP_NUM_THREADS") or 0) or len(os.sched_getaffinity(0))


def weighted(pairs: Iterable[tuple[float, int]]) -> float | None:
    """Return the mean of values weighted by counts; None where nothing was counted."""
    known = [(value, count) for value, count in pairs if count]
    total = sum(count for _, count in known)
    return sum(value * count for value, count in known) / total if total else None
