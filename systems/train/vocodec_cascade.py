"""Recipe for VoCodec behind its front end, which stays as it is while the codec adapts to it.

It begins from weights that know clean speech (``--start``), as the paper does in its last step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from systems import vocodec as paper
from systems.train import _trainer, vocodec
from systems.train import vocodec_enhancer as front
from systems.train._trainer import WAVS, Clips


@dataclass(frozen=True)
class Recipe(vocodec.Recipe):
    """How to train; `mixing` says how speech and noise are mixed."""

    rate: float = 5e-4
    soft_share: float = 0.0
    decay_share: float = 0.6
    mixing: front.Recipe = field(default_factory=front.Recipe)
    clean_share: float = 0.25  # of the clips that stay without noise
    front: str = str(paper.SHIPPED_ENHANCER)


CONFIGS: dict[str, Recipe] = {"paper": Recipe()}


class Session(vocodec.Session):
    """VoCodec under training, hearing what the front end makes of noisy clips."""

    name = "vocodec_cascade"
    recipe: Recipe

    def __init__(self, recipe: Recipe, *, seed: int, rank: int, compiled: bool = False):
        super().__init__(recipe, seed=seed, rank=rank, compiled=compiled)
        self.front = paper.read_enhancer(Path(recipe.front), self.codec).requires_grad_(False)
        self.heard = torch.zeros(0)

    def step(self, wav: Tensor, share: float) -> dict[str, float]:
        """Take one step: noisy clips in, clean ones the target."""
        noisy, clean = front.mixed(wav, self.clips, self.recipe.mixing, self.rng)
        still = torch.from_numpy(self.rng.random(len(wav)) < self.recipe.clean_share)
        self.heard = torch.where(still[:, None], clean, noisy)
        return super().step(clean, share)

    def latents(self, wav: Tensor) -> Tensor:
        """Return the encoder's output for the noisy twin of `wav`, shape ``(B, T, C)``."""
        with torch.no_grad():
            spectrum = front.enhanced(self.front, self.heard, self.codec)
        with torch.autocast("cpu", torch.bfloat16):
            return self.encoder(self.net.features(spectrum)).float()

    def check(self, wavs: WAVS) -> dict[str, list[float]]:
        """Return scores against clean speech at 5 dB: not coded, and by the cascade at 6 kbps."""
        mixing = replace(self.recipe.mixing, snr=(5.0, 5.0))
        rng, net, codec = np.random.default_rng(0), self.best, self.codec
        training = net.training
        net.eval()
        found: dict[str, list[list[float]]] = {"noisy": [], "6 kbps": []}
        for samples in wavs:
            whole = samples[: samples.size // codec.hop * codec.hop]
            wav = torch.from_numpy(whole / np.float32(32768))[None]
            self.heard, clean = front.mixed(wav, Clips(wavs, whole.size), mixing, rng)
            with torch.inference_mode():
                every = torch.tensor([codec.codebooks])
                q = vocodec.quantise(
                    self.net.quantiser, self.latents(clean), every, torch.Generator()
                )
                out = self.samples(q.latents)[0].float().numpy()
            for name, heard in (("noisy", self.heard[0].numpy()), ("6 kbps", out)):
                row = _trainer.scores(heard, clean[0].numpy(), codec.sample_rate)
                found[name].append(row)
        net.train(training)
        return _trainer.table(found)


def train(
    dataset_files: Sequence[Path],
    out: Path,
    *,
    config: str | Recipe = "paper",
    compiled: bool = False,
    **options: Any,
) -> Path:
    """Train, or go on training; write ``vocodec_cascade.safetensors``, card, log and curves.

    Args:
        dataset_files: clean speech of any rate and any container that libsndfile reads.
        out: folder for everything that is written.
        config: a key of `CONFIGS`, or a recipe.
        compiled: use ``torch.compile``.
        options: as `systems.train._trainer.train` has them.

    Raises:
        ValueError: no file to train on, no weights of the front end, or an unknown configuration.
    """
    make = partial(Session, compiled=compiled)
    return _trainer.train(make, _trainer.chosen(CONFIGS, config), dataset_files, out, **options)


if __name__ == "__main__":
    _trainer.main(train, CONFIGS)
