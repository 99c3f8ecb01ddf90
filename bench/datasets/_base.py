"""What a data set is: utterances in a fixed order, and a digest of all their content."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Fields of `Utterance` that are recordings; their bytes are part of the data set's digest.
RECORDINGS = ("audio", "input", "prompt", "style_prompt")


@dataclass(frozen=True)
class Utterance:
    """One item to reconstruct or to say."""

    id: str  # unique within the data set; outputs made elsewhere are named <id>.wav
    audio: Path | None = None  # reference recording
    input: Path | None = None  # what the system gets, where it differs (degraded); else `audio`
    text: str | None = None
    language: str = "en"
    speaker: str | None = None  # the cluster of the confidence interval
    prompt: Path | None = None  # recording of the voice to imitate
    prompt_text: str | None = None
    style_prompt: Path | None = None
    emotion: Mapping[str, float] = field(default_factory=dict)  # label -> share
    ratings: Mapping[str, int] = field(default_factory=dict)  # label -> votes
    condition: str = ""


@dataclass(frozen=True)
class Dataset:
    """Utterances in order, with the licence of their audio."""

    name: str  # the spec that rebuilds it, without its root: "vctk:mic=1"
    licence: str
    utterances: tuple[Utterance, ...]
    notes: str = ""  # one line that a table prints: an excerpt, a held-out split
    part: str = ""  # "2/4": the second of four shards; empty: all of it

    def limit(self, n: int | None) -> Dataset:
        """Return the first `n` utterances, or all of them for None."""
        count = len(self.utterances)
        if n is None or n >= count:
            return self
        said = "; ".join(filter(None, [self.notes, f"excerpt: the first {n} of these {count}"]))
        return dataclasses.replace(self, utterances=self.utterances[:n], notes=said)

    def prompts(self) -> Dataset:
        """Return the prompts as the recordings, under the ids of their utterances.

        Raises:
            ValueError: no utterance has one.
        """
        found = tuple(
            Utterance(u.id, u.prompt, text=u.prompt_text, language=u.language, speaker=u.speaker)
            for u in self.utterances
            if u.prompt
        )
        if not found:
            msg = f"no utterance of {self.name} has a prompt"
            raise ValueError(msg)
        return dataclasses.replace(self, name=f"{self.name} (prompts)", utterances=found)

    def shard(self, index: int, count: int) -> Dataset:
        """Return every `count`-th utterance, from `index` (1 to count)."""
        part = f"{index}/{count}"
        return dataclasses.replace(self, utterances=self.utterances[index - 1 :: count], part=part)


def root_of(root: str | None, folder: str) -> Path:
    """Return the corpus folder: `root` if given, else ``$BENCH_DATA/<folder>``.

    Raises:
        FileNotFoundError: neither is there; the message says what to set.
    """
    path = Path(root).expanduser() if root else Path(os.environ.get("BENCH_DATA", "."), folder)
    if path.is_dir():
        return path
    msg = f"no folder {path}; give root=PATH, or set BENCH_DATA to the folder that holds {folder}/"
    raise FileNotFoundError(msg)
