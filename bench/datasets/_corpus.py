"""What several corpora share: where they come from, how big they are, how their files are found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.datasets._base import Utterance
from bench.plugins import nearest

SUFFIXES = (".flac", ".wav")


@dataclass(frozen=True)
class Archive:
    """One file of a corpus at its official place."""

    url: str
    sha256: str | None  # None: none is published; the one seen is recorded


@dataclass(frozen=True)
class Size:
    """The published size of a corpus or of one split of it."""

    speakers: int
    utterances: int
    sample_rate: int  # Hz


def folders(root: Path) -> list[str]:
    """Return the names of the folders in `root`, sorted; hidden ones are left out."""
    with os.scandir(root) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def split_folder(root: Path, split: str) -> Path:
    """Return the folder of a split.

    Raises:
        FileNotFoundError: it is not there; the message has the ones that are.
    """
    path = root / split
    if path.is_dir():
        return path
    there = folders(root)
    message = f"no split {split!r} in {root}{nearest(split, there)} There: {', '.join(there)}"
    raise FileNotFoundError(message)


def recordings(folder: Path) -> dict[str, Path]:
    """Return stem -> path of the recordings in one folder, sorted by stem.

    Raises:
        ValueError: a recording is there both as .wav and as .flac.
    """
    found: dict[str, Path] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if suffix.lower() not in SUFFIXES or stem.startswith("."):
                continue
            if stem in found:
                message = f"{folder} has {stem} both as .wav and as .flac; keep one of them"
                raise ValueError(message)
            found[stem] = Path(entry.path)
    return dict(sorted(found.items()))


def text_of(path: str) -> str | None:
    """Return the text of a transcript file with blanks collapsed, or None where there is none."""
    try:
        with open(path, "rb") as file:
            return " ".join(file.read().decode("utf-8-sig").split()) or None
    except FileNotFoundError:
        return None


def notes(utterances: Sequence[Utterance], size: Size | None, *more: str) -> str:
    """Return the line that a table prints about a loaded corpus: an excerpt, missing texts."""
    said = [piece for piece in more if piece]
    count, speakers = len(utterances), len({u.speaker for u in utterances})
    if size and count < size.utterances:
        said.append(
            f"excerpt: {count} of {size.utterances} utterances, "
            f"{speakers} of {size.speakers} speakers"
        )
    if silent := sum(u.text is None for u in utterances):
        said.append(f"{silent} of {count} utterances have no text")
    return "; ".join(said)


def some(utterances: list[Utterance], root: Path, layout: str) -> tuple[Utterance, ...]:
    """Return the utterances as a tuple.

    Raises:
        FileNotFoundError: there are none; the message says which layout was looked for.
    """
    if utterances:
        return tuple(utterances)
    message = f"no recording in {root}; wanted {layout}"
    raise FileNotFoundError(message)
