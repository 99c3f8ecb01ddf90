"""Recipe for the enhancement front end of `systems.vocodec`.

The front end learns by Eq. (5) to mask clean speech plus noise at a random ratio. The noise is
made here: coloured noise that swells and fades, other recordings at once, knocks that ring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as fn

from systems import vocodec
from systems.train import _trainer
from systems.train._trainer import WAVS, Clips
from systems.vocodec import Config, EnhancerConfig


@dataclass(frozen=True)
class Recipe(_trainer.Recipe):
    """How to train; the paper names only the loss and the data."""

    batch: int = 8
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    speeds: tuple[float, ...] = (1.0,)
    snr: tuple[float, float] = (-5.0, 20.0)  # dB, uniform
    talkers: int = 5  # most in a babble
    lambda_1: float = 0.2
    lambda_2: float = 70.0  # compressed spectra of speech have squares of 0.01 and less
    lambda_3: float = 30.0
    steps: int = 20_000


CONFIGS: dict[str, Recipe] = {"paper": Recipe(), "small": Recipe(batch=2, crop=6000)}


def coloured(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gaussian noise with a random spectral slope and swell. Shape ``(size,)``."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    bins = np.arange(1, spectrum.size + 1) / spectrum.size
    shape = bins ** -rng.uniform(0, 1.2)
    for centre, width, height in rng.uniform((0, 0.02, -1), (0.7, 0.3, 1), (3, 3)):
        shape = shape * np.exp(2 * height * np.exp(-(((bins - centre) / width) ** 2)))
    noise = np.fft.irfft(spectrum * shape, size)
    knots = np.exp(rng.uniform(0, 1.5) * rng.standard_normal(int(rng.integers(2, 9))))
    return noise * np.interp(np.linspace(0, 1, size), np.linspace(0, 1, knots.size), knots)


def knocks(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Short bursts that ring in a few resonances. Shape ``(size,)``."""
    out = np.zeros(size)
    for _ in range(int(rng.integers(1, 8))):
        start, length = int(rng.integers(0, size)), int(rng.integers(500, 8000))
        t = np.arange(min(length, size - start))
        ring = sum(
            np.sin(w * t + p)
            for w, p in rng.uniform((0.01, 0), (1.2, 6.3), (int(rng.integers(1, 6)), 2))
        )
        burst = (ring + rng.standard_normal(t.size)) * np.exp(-t * 8 / length)
        out[start : start + t.size] += burst * rng.uniform(0.2, 1)
    return out + 1e-4 * coloured(size, rng)


def babble(clips: Clips, size: int, talkers: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return several recordings at once, shape ``(size,)``."""
    voices = Clips(clips.wavs, size).draw(int(rng.integers(2, talkers + 1)), rng)
    return voices.sum(0).double().numpy()


def mixed(
    wav: Tensor, clips: Clips, recipe: Recipe, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Add noise; both are scaled down together where the sum would clip.

    Args:
        wav: clean, shape ``(B, L)``.
        clips: where babble comes from.
        recipe: range of ratios.
        rng: of every choice.

    Returns:
        Noisy and clean, shape ``(B, L)`` each.
    """
    noisy, clean = torch.empty_like(wav), wav.clone()
    for i, speech in enumerate(wav):
        size = speech.numel()
        kind = rng.random()
        noise = coloured(size, rng)
        if kind < 0.35:
            other = babble(clips, size, recipe.talkers, rng)
            noise = noise * 0.1 * other.std() / noise.std() + other
        elif kind < 0.55:
            noise = knocks(size, rng)
        gain = float(speech.std()) / (noise.std() + 1e-9) * 10 ** (-rng.uniform(*recipe.snr) / 20)
        both = speech + torch.from_numpy(noise * gain).float()
        scale = min(1.0, 0.99 / (float(both.abs().max()) + 1e-9))
        noisy[i], clean[i] = both * scale, speech * scale
    return noisy, clean


def enhanced(net: vocodec.Enhancer, wav: Tensor, codec: Config) -> Tensor:
    """Return masked spectra of all frames that touch the signal. (B, L) -> (B, T, F) complex."""
    edge, ahead = codec.window - codec.hop, net.config.ahead
    padded = fn.pad(wav, (edge, edge + ahead * codec.hop))
    spectrum = vocodec.analyse(padded, codec.window, codec.hop)
    return spectrum[:, : spectrum.shape[1] - ahead] * net(spectrum)[:, ahead:]


class Session(_trainer.Session):
    """The front end under training."""

    name = "vocodec_enhancer"
    curves = ("loss",)
    net: vocodec.Enhancer
    recipe: Recipe

    def __init__(self, recipe: Recipe, *, seed: int, rank: int):
        self.codec = Config(features="compressed")
        net: Any = vocodec.build(self.codec, EnhancerConfig(), seed).enhancer
        super().__init__(net, recipe, sample_rate=self.codec.sample_rate, seed=seed, rank=rank)
        self.edge = self.codec.window - self.codec.hop

    def state(self) -> dict[str, Any]:
        """There is nothing beside the network."""
        return {}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """There is nothing beside the network."""

    def samples(self, spectrum: Tensor) -> Tensor:
        """(B, T, F) complex -> (B, L)."""
        wav = vocodec.synthesise(spectrum, self.codec.window, self.codec.hop)
        return wav[:, self.edge : -self.edge]

    def step(self, wav: Tensor, share: float) -> dict[str, float]:
        """Take one step of the optimiser by Eq. (5)."""
        noisy, clean = mixed(wav, self.clips, self.recipe, self.rng)
        target = vocodec.analyse(
            fn.pad(clean, (self.edge, self.edge)), self.codec.window, self.codec.hop
        )
        estimate = enhanced(self.net, noisy, self.codec)
        loss = vocodec.enhancement_loss(
            self.samples(estimate),
            clean,
            estimate,
            target,
            lambda_1=self.recipe.lambda_1,
            lambda_2=self.recipe.lambda_2,
            lambda_3=self.recipe.lambda_3,
        )
        norm = self.descend(loss, share)
        return {"loss": float(loss.detach()), "norm": float(norm)}

    def check(self, wavs: WAVS) -> dict[str, list[float]]:
        """Return scores of held-out recordings at 5 dB, noisy and enhanced, always alike."""
        from dataclasses import replace

        rng, recipe = np.random.default_rng(0), replace(self.recipe, snr=(5.0, 5.0))
        net: Any = self.best
        found: dict[str, list[list[float]]] = {"noisy": [], "enhanced": []}
        for samples in wavs:
            whole = samples[: samples.size // self.codec.hop * self.codec.hop]
            wav = torch.from_numpy(whole / np.float32(32768))[None]
            noisy, clean = mixed(wav, Clips(wavs, whole.size), recipe, rng)
            with torch.inference_mode():
                out = self.samples(enhanced(net, noisy, self.codec))
            rate = self.codec.sample_rate
            found["noisy"].append(_trainer.scores(noisy[0].numpy(), clean[0].numpy(), rate))
            found["enhanced"].append(_trainer.scores(out[0].numpy(), clean[0].numpy(), rate))
        return _trainer.table(found)


def train(
    dataset_files: Sequence[Path], out: Path, *, config: str | Recipe = "paper", **options: Any
) -> Path:
    """Train, or go on training; write ``vocodec_enhancer.safetensors``, card, log and curves.

    Args:
        dataset_files: clean speech of any rate and any container that libsndfile reads.
        out: folder for everything that is written.
        config: a key of `CONFIGS`, or a recipe.
        options: as `systems.train._trainer.train` has them.

    Raises:
        ValueError: no file to train on, or an unknown configuration.
    """
    options.pop("compiled", None)
    recipe = _trainer.chosen(CONFIGS, config)
    return _trainer.train(Session, recipe, dataset_files, out, **options)


if __name__ == "__main__":
    _trainer.main(train, CONFIGS)
