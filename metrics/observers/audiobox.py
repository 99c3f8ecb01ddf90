"""Predicted aesthetics by Audiobox Aesthetics, from weights that have to be fetched.

Heard, each from about 1 to 10 (regressions: they may leave that range): ``ce`` (content enjoyment),
``cu`` (content usefulness), ``pc`` (production complexity: more is not better), ``pq`` (production
quality).

Source: Tjandra et al., "Meta Audiobox Aesthetics: unified automatic quality assessment for speech,
music, and sound", 2025, arXiv:2502.05139; package audiobox-aesthetics 0.0.4 (WavLM base and four
heads). Weights: config.json and model.safetensors of facebook/audiobox-aesthetics on the Hugging
Face hub; licence CC BY 4.0.

Preparation: 16 kHz, parts of 10 s side by side, the last filled with zeros that are masked; mean
over parts by duration. Level untouched.

Traps: of audio at large, music included: speech alone takes up a small part of each scale. What is
enjoyed depends on the text and the voice. Nothing above 8 kHz is heard. Deterministic. The hub's
own loader takes a file that lacks weights; here it is refused.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Observation
from metrics.observers._mos import Predictor
from metrics.observers._weights import folder_of

_FILES = ("config.json", "model.safetensors")
_PART = 160000  # samples: 10 s


@dataclass(frozen=True)
class Audiobox(Predictor):
    """The published network; `model` is a folder with its files, or a repository of the hub."""

    name: ClassVar[str] = "audiobox"
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("audiobox-aesthetics",)
    model: str = "facebook/audiobox-aesthetics"

    def __post_init__(self) -> None:
        folder = folder_of(self.model, [[name] for name in _FILES])
        self.keep(*(folder / name for name in _FILES))

    def build(self, device: str) -> Any:
        """Return the package's network.

        Raises:
            RuntimeError: the file lacks weights of the network, or has others.
        """
        from audiobox_aesthetics.model.aes import AesMultiOutput

        folder = str(self.paths[0].parent)
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):  # the hub's class prints
            warnings.simplefilter("ignore", FutureWarning)  # of its weight norm
            network = AesMultiOutput.from_pretrained(folder, strict=True, local_files_only=True)
        return network.eval().to(device)

    def predict(self, network: Any, wave: NDArray[np.float32], device: str) -> Observation:
        """Return the four scales."""
        import torch

        count = -(-wave.size // _PART)
        filled = np.zeros(count * _PART, dtype=np.float32)
        filled[: wave.size] = wave
        parts = torch.from_numpy(filled).reshape(count, 1, _PART).to(device)
        there = torch.arange(count * _PART, device=device).reshape(count, 1, _PART) < wave.size
        shares = there.sum(dim=(1, 2)) / wave.size
        with warnings.catch_warnings():  # its masks are of two types
            warnings.simplefilter("ignore", UserWarning)
            heard = network({"wav": parts, "mask": there})
        found = {}
        for axis, answers in heard.items():
            scale = network.target_transform[axis]
            value = (answers.float().flatten() * scale["std"] + scale["mean"]) @ shares
            found[axis.lower()] = float(value)
        return found


load = Audiobox
