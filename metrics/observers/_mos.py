"""What predictors of opinion have in common: one network, one recording at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of
from metrics.observers._weights import device_of

SHORTEST = 0.25  # s; below, windows and receptive fields are mostly padding
UNHEARD: Observation = {"unheard": f"shorter than {SHORTEST} s"}


@dataclass(frozen=True)
class Predictor(Observer):
    """Recordings go through alone: padding to a common length would change what is predicted."""

    kind: ClassVar[Kind] = "mos"
    sample_rate: ClassVar[int] = 16000
    extra: ClassVar[str] = "mos"
    hidden: ClassVar[tuple[str, ...]] = ("device",)
    device: str = "auto"

    def keep(self, *paths: Path) -> None:
        """Remember where the weights are, and their digest."""
        object.__setattr__(self, "_paths", paths)
        object.__setattr__(self, "_digest", digest_of(*paths))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of the weights."""
        return tuple(vars(self)["_paths"])

    @property
    def weights(self) -> str:
        """The digest of the weights."""
        return str(vars(self)["_digest"])

    @abstractmethod
    def build(self, device: str) -> Any:
        """Return the network, ready to predict."""

    @abstractmethod
    def predict(self, network: Any, wave: NDArray[np.float32], device: str) -> Observation:
        """Return the scores of one recording of shape ``(T,)``."""

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return the scores of each recording; what is below 0.25 s is not heard."""
        import torch

        device = device_of(self.device)
        network = vars(self).get("_network")
        if network is None:
            network = self.build(device)
            object.__setattr__(self, "_network", network)
        with torch.inference_mode():
            return [
                self.predict(network, np.ascontiguousarray(clip.audio, dtype=np.float32), device)
                if clip.audio.size >= SHORTEST * self.sample_rate
                else UNHEARD
                for clip in batch
            ]

    def close(self) -> None:
        """Let the network go."""
        object.__setattr__(self, "_network", None)


def package_folder(package: str, install: str) -> Path:
    """Return the folder of an installed package, without importing it.

    Raises:
        FileNotFoundError: it is not installed; `install` is what brings it.
    """
    found = find_spec(package)
    places = list(found.submodule_search_locations or []) if found else []
    if not places:
        msg = f"the weights are in the package {package}, which is not installed: {install}"
        raise FileNotFoundError(msg)
    return Path(places[0])
