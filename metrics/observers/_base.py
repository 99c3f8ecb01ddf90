"""What an observer is: something that listens to recordings, in batches, and says what it hears."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["words", "voice", "emotion", "prosody", "mos"]

#: What was heard: text, numbers, and arrays (float32). Keys by kind: see each observer's docstring.
Observation = Mapping[str, Any]

#: What is heard in a recording that is silent: no model is asked, since many invent something.
SILENT: Observation = {"silent": True}


@dataclass(frozen=True)
class Clip:
    """One recording as an observer gets it."""

    audio: NDArray[np.float32]  # mono, full scale 1, shape (T,), at the observer's rate
    language: str = "en"  # BCP 47


@dataclass(frozen=True)
class Observer(ABC):
    """Parameters are dataclass fields. Building one finds its weights and loads no model."""

    name: ClassVar[str]
    kind: ClassVar[Kind]
    sample_rate: ClassVar[int]  # Hz
    revision: ClassVar[int]  # raised whenever what is heard changes
    batch: ClassVar[int] = 16  # recordings of similar length at a time
    requires: ClassVar[tuple[str, ...]] = ()  # distributions whose version changes what is heard
    extra: ClassVar[str] = ""  # the extra of speech-bench that brings `requires`
    asks: ClassVar[tuple[str, ...]] = ()  # fields of Clip besides audio that matter
    hidden: ClassVar[tuple[str, ...]] = ()  # fields that do not change what is heard (device)

    @abstractmethod
    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Listen to a batch; the order and size of the batch must not change what is heard."""

    def close(self) -> None:  # noqa: B027 - a tracker without a model has nothing to do
        """Let the model go; the next `observe` would load it again."""

    @property
    def weights(self) -> str:
        """The first 12 hex digits of the digest of the weights; empty where there are none."""
        return ""

    @property
    def signature(self) -> str:
        """Everything that can change what is heard: ``whisper(model=base,...)@1a2b3c``."""
        fields = [f.name for f in dataclasses.fields(self) if f.name not in self.hidden]
        parts = [f"{name}={Path(str(getattr(self, name))).name}" for name in fields]
        parts += [f"{package}={version(package)}" for package in self.requires]
        digest = f"@{self.weights}" if self.weights else ""
        return f"{self.name}({','.join([*parts, f'r={self.revision}'])}){digest}"


def digest_of(*paths: Path) -> str:
    """Return the first 12 hex digits of the SHA-256 over files, in the order of their names."""
    running = hashlib.sha256()
    for path in sorted(paths, key=lambda p: p.name):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                running.update(block)
    return running.hexdigest()[:12]
