"""Recipe for `systems.ibpcodec`: VoCodec's three phases with a grouped quantiser.

*Soft*, *codes*, *adversarial* as in `systems.train.vocodec`. To Eq. (4) it adds distances of
compressed spectra, by which a waveform is learnt in minutes; the discriminator is off by default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from systems import ibpcodec, vocodec
from systems.ibpcodec import Config, IBPCodecNet, Weights
from systems.train import _trainer
from systems.train._trainer import WAVS
from systems.train.vocodec import Books, Quantised, quantise, spectra


@dataclass(frozen=True)
class Recipe(_trainer.Recipe):
    """How to train; the paper gives AdamW, the batch and the discriminator's windows."""

    codec: Config = field(default_factory=lambda: Config(features="compressed"))
    crop: int = 16000
    soft_share: float = 0.12
    noise: float = 0.25  # standard deviation per dimension at the end of the soft phase
    full_share: float = 0.6  # of the clips that use every layer
    smoothing: float = 0.99  # of the codebooks' moving averages
    weights: Weights = field(default_factory=lambda: Weights(wav=10.0, mel=1.5))
    complex: float = 25.0  # weights of the compressed spectra, ours
    magnitude: float = 1000.0
    soft: tuple[float, float, float] = (0.5, 200.0, 50.0)  # Eq. (4), complex, magnitude: soft
    mel_scales: int = 2  # drawn anew for each step
    complex_windows: tuple[int, ...] = (256, 512, 1024)  # one drawn for each step
    adversarial_share: float = 1.0  # where the discriminator joins; 1 is never
    channels: int = 16  # of the discriminator


CONFIGS: dict[str, Recipe] = {
    "paper": Recipe(),
    "small": Recipe(
        codec=Config(features="compressed", channels=(4, 4, 8, 8), focal_blocks=1, hidden=0.5),
        batch=4,
        crop=8000,
    ),
}


class Session(_trainer.Session):
    """The network, its codebooks and the discriminator under training."""

    name = "ibpcodec"
    curves = ("rec", "complex", "magnitude")
    net: IBPCodecNet
    recipe: Recipe

    def __init__(self, recipe: Recipe, *, seed: int, rank: int, compiled: bool = False):
        self.codec = c = recipe.codec
        net = ibpcodec.build(c, seed)
        for group in net.quantiser.groups:
            group.codebooks.requires_grad_(False)  # type: ignore[operator,union-attr]
        super().__init__(net, recipe, sample_rate=c.sample_rate, seed=seed, rank=rank)
        self.encoder = torch.compile(net.encoder) if compiled else net.encoder
        self.decoder = torch.compile(net.decoder) if compiled else net.decoder
        self.books = [Books(g, recipe.smoothing) for g in net.quantiser.groups]  # type: ignore[arg-type]
        self.laid_out = False
        self.judge = ibpcodec.discriminator(recipe.channels, seed)
        self.judge_optimiser = torch.optim.AdamW(
            self.judge.parameters(), 3e-4, betas=recipe.betas, weight_decay=0.0
        )
        self.edge = c.window - c.hop

    def state(self) -> dict[str, Any]:
        """Return the codebooks' averages and the discriminator."""
        return {
            "judge": self.judge.state_dict(),
            "judge_optimiser": self.judge_optimiser.state_dict(),
            "books": [(b.count, b.total) for b in self.books],
            "laid_out": self.laid_out,
        }

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.judge.load_state_dict(state["judge"])
        self.judge_optimiser.load_state_dict(state["judge_optimiser"])
        for books, (count, total) in zip(self.books, state["books"], strict=True):
            books.count, books.total = count, total
        self.laid_out = state["laid_out"]

    def begin(self, tensors: dict[str, Tensor]) -> None:
        """Start from weights whose codebooks stand already."""
        super().begin(tensors)
        for books in self.books:
            books.net.codebooks.copy_(fn.normalize(books.net.codebooks, dim=-1))
            books.total = books.net.codebooks.detach().clone()
        self.laid_out = True

    def about(self) -> dict[str, Any]:
        """Return the sizes of the network."""
        return {"codec": asdict(self.codec)}

    def latents(self, wav: Tensor) -> Tensor:
        """Samples (B, L) -> the encoder's output (B, T, D)."""
        spectrum = ibpcodec.analyse(fn.pad(wav, (self.edge, self.edge)), self.codec)
        with torch.autocast("cpu", torch.bfloat16):
            return self.encoder(spectrum).float()

    def samples(self, latents: Tensor) -> Tensor:
        """Quantised latents (B, T, D) -> samples (B, L)."""
        with torch.autocast("cpu", torch.bfloat16):
            low, high = self.decoder(latents)
        return ibpcodec.synthesise(low, high, self.codec)[:, self.edge : -self.edge]

    def quantised(self, latents: Tensor, layers: Tensor, noise: float | None) -> list[Quantised]:
        """Pass latents (B, T, D) through each group; noise in the place of codes if it is given."""
        slices = latents.chunk(len(self.books), -1)
        soft, size = noise is not None, noise or 0.0
        return [
            quantise(b.net, s, layers, self.generator, soft=soft, noise=size)
            for b, s in zip(self.books, slices, strict=True)
        ]

    def step(self, wav: Tensor, share: float) -> dict[str, float]:
        """Take one step of the optimiser; return the losses and the codebooks' perplexity."""
        recipe, rng, every, batch = self.recipe, self.rng, self.codec.layers, len(wav)
        soft = share < recipe.soft_share
        if not soft and not self.laid_out:
            with torch.no_grad():
                seen = torch.cat([self.latents(self.draw()).flatten(0, 1) for _ in range(40)])
            for books, part in zip(self.books, seen.chunk(len(self.books), -1), strict=True):
                books.lay_out(part, rng)
                books.share()
            self.laid_out = True
        some = rng.integers(1, every + 1, batch)
        layers = torch.from_numpy(np.where(rng.random(batch) < recipe.full_share, every, some))
        noise = recipe.noise * max(0.0, share / recipe.soft_share - 0.5) * 2 if soft else None
        made_of = self.quantised(self.latents(wav), layers, noise)
        made = self.samples(torch.cat([q.latents for q in made_of], -1))
        commit = torch.stack([q.commit for q in made_of]).mean()
        parts = self.losses(made, wav) | {"commit": commit}
        if share >= recipe.adversarial_share:
            parts.update(self.rival(made, wav))
        zero = wav.new_zeros(())
        rec, near, size = recipe.soft if soft else (1.0, recipe.complex, recipe.magnitude)
        loss = ibpcodec.generator_loss(
            rec * parts["rec"],
            parts.get("adv", zero),
            parts.get("feat", zero),
            commit,
            recipe.weights,
        )
        loss = loss + near * parts["complex"] + size * parts["magnitude"]
        norm = self.descend(loss, share)
        if not soft:
            restart = self.progress.step % 20 == 0 and share < 0.8
            for books, q in zip(self.books, made_of, strict=True):
                books.follow(q.vectors, q.codes, rng, restart)
        used = [p for books in self.books for p in books.perplexity()]
        named = {f"perplexity {i}": p for i, p in enumerate(used, 1)}
        return {k: float(v.detach()) for k, v in {**parts, "norm": norm}.items()} | named

    def losses(self, made: Tensor, wav: Tensor) -> dict[str, Tensor]:
        """Return Eq. (4) on some mel scales, and distances of compressed spectra on one."""
        window = self.recipe.complex_windows[
            int(self.rng.integers(len(self.recipe.complex_windows)))
        ]
        a, b = spectra(made, wav, window)
        real, imag = vocodec.real_imag_loss(a, b)
        scales = tuple(2 + int(i) for i in self.rng.permutation(5)[: self.recipe.mel_scales])
        rec = ibpcodec.reconstruction_loss(
            made, wav, self.recipe.weights, sample_rate=self.codec.sample_rate, scales=scales
        )
        return {
            "rec": rec / self.recipe.mel_scales,
            "complex": real + imag,
            "magnitude": vocodec.magnitude_loss(a, b),
        }

    def rival(self, made: Tensor, wav: Tensor) -> dict[str, Tensor]:
        """Train the discriminator; return the adversarial and the feature-matching loss."""
        real, fake = self.judge(wav)[0], self.judge(made.detach())[0]
        loss = vocodec.discriminator_loss(real, fake)
        self.judge_optimiser.zero_grad()
        loss.backward()
        self.mean_gradients(list(self.judge.parameters()))
        self.judge_optimiser.step()
        self.judge.requires_grad_(False)
        fake, fake_maps = self.judge(made)
        with torch.no_grad():
            _, real_maps = self.judge(wav)
        self.judge.requires_grad_(True)
        adversarial = vocodec.adversarial_loss(fake)
        feat = vocodec.feature_matching_loss(real_maps, fake_maps)
        return {"d": loss.detach(), "adv": adversarial, "feat": feat}

    def check(self, wavs: WAVS) -> dict[str, list[float]]:
        """Return scores of held-out recordings at 3, 2 and 1 kbps and uncoded."""
        net: Any = self.best
        training, edge = net.training, self.edge
        net.eval()
        found: dict[str, list[list[float]]] = {}
        for samples in wavs:
            wav = samples[: samples.size // self.codec.hop * self.codec.hop] / np.float32(32768)
            with torch.inference_mode():
                padded = fn.pad(torch.from_numpy(wav)[None], (edge, edge))
                latents = net.encoder(ibpcodec.analyse(padded, self.codec))
                for layers in (0, 3, 2, 1):
                    n = torch.tensor([layers or self.codec.layers])
                    z = self.quantised(latents, n, None if layers else 0.0)
                    low, high = net.decoder(torch.cat([q.latents for q in z], -1))
                    out = ibpcodec.synthesise(low, high, self.codec)[0, edge:-edge].numpy()
                    row = _trainer.scores(out, wav, self.codec.sample_rate)
                    found.setdefault(f"{layers} kbps" if layers else "uncoded", []).append(row)
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
    """Train, or go on training; write ``ibpcodec.safetensors``, its card, log and curves.

    Args:
        dataset_files: audio of any rate and any container that libsndfile reads.
        out: folder for everything that is written.
        config: a key of `CONFIGS`, or a recipe.
        compiled: use ``torch.compile``.
        options: as `systems.train._trainer.train` has them.

    Raises:
        ValueError: no file to train on, or an unknown configuration.
    """
    make = partial(Session, compiled=compiled)
    return _trainer.train(make, _trainer.chosen(CONFIGS, config), dataset_files, out, **options)


if __name__ == "__main__":
    _trainer.main(train, CONFIGS)
