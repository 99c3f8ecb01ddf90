"""Stage 2: what observers hear in recordings; each recording is heard once by each observer.

What was heard is kept by the digest of the recording and the observer's signature, so that a new
metric, or a changed normaliser, runs no model. Recordings are sorted by length and heard in
batches; one observer is in memory at a time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bench import audio
from bench.cache import Cache, digest
from metrics.observers._base import SILENT, Clip, Observation, Observer


@dataclass(frozen=True)
class Subject:
    """A recording to listen to."""

    path: Path
    language: str = "en"


@dataclass(frozen=True)
class Heard:
    """What an observer heard, or why the recording could not be listened to."""

    observation: Observation
    fault: str = ""


class Hearing:
    """Everything one observer has heard, found by subject."""

    def __init__(self, observer: Observer, cache: Cache):
        self.observer, self.cache = observer, cache
        self.computed = self.cached = 0
        self._heard: dict[Subject, Heard] = {}

    def __getitem__(self, subject: Subject) -> Heard:
        return self._heard[subject]

    def listen(
        self, subjects: Iterable[Subject], progress: Callable[[], None] = lambda: None
    ) -> None:
        """Hear what is not yet known; the model is let go afterwards."""
        wanted = list(dict.fromkeys(s for s in subjects if s not in self._heard))
        shas = self.cache.sha256s(s.path for s in wanted)
        keys = {s: self._key(s, shas[s.path]) for s in wanted}
        known = self.cache.get("observations", list(keys.values()))
        todo: list[tuple[float, Subject]] = []
        for subject, key in keys.items():
            if key in known:
                self._heard[subject] = Heard(unpack(known[key]))
                self.cached += 1
                progress()
            else:
                todo.append((_seconds(subject.path), subject))
        todo.sort(key=lambda item: item[0])
        for at in range(0, len(todo), self.observer.batch):
            self._batch([s for _, s in todo[at : at + self.observer.batch]], keys, progress)
        self.observer.close()

    def _batch(
        self, subjects: list[Subject], keys: Mapping[Subject, str], progress: Callable[[], None]
    ) -> None:
        clips: dict[Subject, Clip] = {}
        for subject in subjects:
            try:
                wav, rate = audio.read(subject.path)
            except audio.Unusable as fault:
                self._heard[subject] = Heard(SILENT, str(fault))
                progress()
                continue
            if np.abs(wav).max() < audio.SILENCE:
                self._keep(subject, SILENT, keys, progress)
                continue
            heard_at = audio.resample(wav, rate, self.observer.sample_rate)
            clips[subject] = Clip(heard_at.astype(np.float32), subject.language)
        if clips:
            heard = self.observer.observe(list(clips.values()))
            for subject, observation in zip(clips, heard, strict=True):
                self._keep(subject, observation, keys, progress)

    def _keep(
        self,
        subject: Subject,
        observation: Observation,
        keys: Mapping[Subject, str],
        progress: Callable[[], None],
    ) -> None:
        packed = pack(observation)
        self.cache.put("observations", keys[subject], packed)
        self._heard[subject] = Heard(unpack(packed))  # as a later run will find it
        self.computed += 1
        progress()

    def _key(self, subject: Subject, sha: str) -> str:
        asked = [getattr(subject, name) for name in self.observer.asks]
        return digest(self.observer.signature, sha, asked)


def pack(observation: Observation) -> dict[str, Any]:
    """Return an observation as JSON values; arrays become float32 in base 64."""
    return {k: _array(v) if isinstance(v, np.ndarray) else v for k, v in observation.items()}


def unpack(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the observation that `pack` was given, arrays as float64."""
    return {k: _back(v) if isinstance(v, dict) and "f32" in v else v for k, v in packed.items()}


def save(hearing: Mapping[str, Heard], path: Path) -> None:
    """Write what can be read (texts and numbers, no arrays) as JSON Lines, by utterance."""
    with audio.whole(path) as draft:
        lines = (
            {"id": i, **({"fault": h.fault} if h.fault else {}), **_plain(h.observation)}
            for i, h in hearing.items()
        )
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        draft.write_text(text, encoding="utf-8")


def _plain(observation: Observation) -> dict[str, Any]:
    return {k: v for k, v in observation.items() if isinstance(v, str | int | float | bool)}


def _array(values: np.ndarray) -> dict[str, Any]:
    coded = base64.b64encode(values.astype("<f4").tobytes()).decode()
    return {"f32": coded, "shape": list(values.shape)}


def _back(coded: Mapping[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(coded["f32"]), "<f4")
    return flat.reshape(coded["shape"]).astype(np.float64)


def _seconds(path: Path) -> float:
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError:
        return 0.0  # read again, and refused, when its turn comes
    return info.frames / info.samplerate
