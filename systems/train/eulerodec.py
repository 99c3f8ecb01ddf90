"""Recipe for `systems.eulerodec`: an autoencoder for a few steps, then with its quantiser.

As in the paper: no adversary; codebooks laid out from the encoder's output after a warm-up, then
moved as averages; codes that nobody uses are sown anew with a small probability. Two cores have a
smaller batch, a higher learning rate, and draw for each step one resolution of the spectral losses
and two scales of the mel loss.

By hand: ``python -m systems.train.eulerodec --files-from LIST --out DIR --minutes 60``.
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

from systems import eulerodec, vocodec
from systems.eulerodec import ComplexRvq, Config, EuleroDecNet
from systems.train import _trainer
from systems.train._trainer import WAVS


@dataclass(frozen=True)
class Recipe(_trainer.Recipe):
    """How to train; losses, learning rate, decay and quantiser are the paper's."""

    codec: Config = field(default_factory=Config)
    batch: int = 4  # the paper's is 16
    crop: int = 448 + 256 * 64  # samples: 256 whole frames
    rate: float = 1e-3  # the paper's is 3e-4, for 35,000 steps
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 7e-4
    average: float = 0.998
    warm_steps: int = 30  # without a quantiser
    smoothing: float = 0.99  # of the codebooks' moving averages
    refresh: float = 0.015  # probability of a dead code, at each step
    sigma: float = 0.001  # of the noise that is added to a code when it is sown
    dead: float = 0.03  # of the mean use: at or below it a code is dead
    mel_scales: int = 2  # drawn anew for each step
    resolutions: int = 1  # drawn anew for each step
    half: bool = False  # bfloat16, where it is faster


_SMALL = Config(stem=2, channels=(4, 4, 8, 8), heads=2, hidden=8, width=4, stages=3)
CONFIGS: dict[str, Recipe] = {
    "paper": Recipe(),
    "paper_12": Recipe(codec=Config(strides=eulerodec.STRIDES[12])),
    "small": Recipe(codec=_SMALL, batch=2),
}


class Codebooks:
    """EMA of counts and of feature sums, and the sowing of dead codes."""

    def __init__(self, net: ComplexRvq, recipe: Recipe):
        self.net, self.recipe = net, recipe
        self.use = torch.ones(net.codebooks.shape[:2])  # of the mean use
        self.total = net.codebooks.detach().clone()

    @torch.no_grad()
    def lay_out(self, latents: Tensor, rng: np.random.Generator) -> None:
        """Take centroids from the encoder's output, stage by stage, with noise. Latents (n, 2D)."""
        residual = latents
        for i, book in enumerate(self.net.codebooks):
            pick = torch.from_numpy(rng.integers(0, len(residual), len(book)))
            book.copy_(residual[pick] + self._noise(len(book), rng))
            self.use[i], self.total[i] = 1.0, book
            residual = residual - book[eulerodec.nearest(residual, book)]

    def _noise(self, count: int, rng: np.random.Generator) -> Tensor:
        shape = (count, self.net.codebooks.shape[2])
        drawn = rng.normal(0, self.recipe.sigma / 2**0.5, shape)
        return torch.from_numpy(drawn).float()

    @torch.no_grad()
    def follow(self, residuals: Sequence[Tensor], codes: Tensor, rng: np.random.Generator) -> None:
        """Move centroids towards the residuals that chose them, and sow dead codes.

        Args:
            residuals: what each stage was given, shapes ``(n, 2 D)``.
            codes: what it chose, shape ``(n, S)``.
            rng: of the sowing.
        """
        keep, size = self.recipe.smoothing, self.net.codebooks.shape[1]
        counts = torch.stack([torch.bincount(c, minlength=size).float() for c in codes.unbind(-1)])
        totals = torch.zeros_like(self.total)
        for total, r, c in zip(totals, residuals, codes.unbind(-1), strict=True):
            total.index_add_(0, c, r)
        _trainer.mean([counts, totals])
        share = size / len(codes)  # so that the mean use is 1
        self.use.mul_(keep).add_(counts, alpha=(1 - keep) * share)
        self.total.mul_(keep).add_(totals, alpha=(1 - keep) * share)
        self.net.codebooks.copy_(self.total / self.use.clamp(min=1e-6)[..., None])
        if _first():
            for i, r in enumerate(residuals):
                self._sow(i, r, rng)
        _trainer.share_first([self.net.codebooks, self.use, self.total])

    def _sow(self, stage: int, residual: Tensor, rng: np.random.Generator) -> None:
        recipe = self.recipe
        dead = (self.use[stage] <= recipe.dead).nonzero()[:, 0]
        dead = dead[torch.from_numpy(rng.random(len(dead)) < recipe.refresh)]
        pick = torch.from_numpy(rng.integers(0, len(residual), len(dead)))
        fresh = residual[pick] + self._noise(len(dead), rng)
        self.net.codebooks[stage, dead] = fresh
        self.use[stage, dead] = recipe.dead + 1
        self.total[stage, dead] = fresh * (recipe.dead + 1)

    def perplexity(self) -> list[float]:
        """Exponential of the entropy of each stage's use; at most the codebook size."""
        p = self.use / self.use.sum(1, keepdim=True)
        return torch.exp(-(p * (p + 1e-12).log()).sum(1)).tolist()


def _first() -> bool:
    from torch import distributed as dist

    return not dist.is_initialized() or dist.get_rank() == 0


class Session(_trainer.Session):
    """The network and its codebooks under training."""

    name = "eulerodec"
    curves = ("mel", "near", "size")
    net: EuleroDecNet
    recipe: Recipe

    def __init__(self, recipe: Recipe, *, seed: int, rank: int, compiled: bool = False):
        self.codec = c = recipe.codec
        net = eulerodec.build(c, seed)
        super().__init__(net, recipe, sample_rate=c.sample_rate, seed=seed, rank=rank)
        if compiled:  # not the complex ends, which the compiler leaves as they are
            net.analysis.compile(dynamic=False)
            net.synthesis.compile(dynamic=False)
        self.books = Codebooks(net.quantiser, recipe)
        self.laid_out = False
        self.edge = c.window - c.hop

    def state(self) -> dict[str, Any]:
        """Return the codebooks' averages."""
        return {"use": self.books.use, "total": self.books.total, "laid_out": self.laid_out}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.books.use, self.books.total = state["use"], state["total"]
        self.laid_out = state["laid_out"]

    def begin(self, tensors: dict[str, Tensor]) -> None:
        """Start from weights whose codebooks stand already."""
        super().begin(tensors)
        self.books.total = self.net.quantiser.codebooks.detach().clone()
        self.laid_out = True

    def about(self) -> dict[str, Any]:
        """Return the sizes of the network."""
        return {"codec": asdict(self.codec)}

    def latents(self, wav: Tensor) -> Tensor:
        """Samples (B, 448 + T * 64) -> the encoder's output (B, T', 2 D)."""
        spectrum = eulerodec.analyse(wav, self.codec)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.half):
            return self.net.encoder(spectrum).float()

    def samples(self, latents: Tensor) -> Tensor:
        """Quantised latents (B, T', 2 D) -> samples without the edges (B, T * 64 - 448)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.half):
            spectrum = self.net.decoder(latents)
        return eulerodec.synthesise(spectrum, self.codec)[:, self.edge : -self.edge]

    def step(self, wav: Tensor, share: float) -> dict[str, float]:
        """Take one step of the optimiser; return the losses and the codebooks' perplexity."""
        z_e = self.latents(wav)
        zero = wav.new_zeros(())
        if self.progress.step < self.recipe.warm_steps:
            z_q, commit = z_e, zero
            seen, codes = list[Tensor](), None
        else:
            if not self.laid_out:
                self.lay_out()
            z_q, commit, seen, codes = self.quantised(z_e)
        made = self.samples(z_q)
        parts = self.losses(made, wav[:, self.edge : -self.edge]) | {"commit": commit}
        loss = eulerodec.total_loss(parts["mel"], parts["near"], parts["size"], commit)
        norm = self.descend(loss, share)
        named: dict[str, float] = {}
        if codes is not None:
            self.books.follow(seen, codes, self.rng)
            named = {f"perplexity {i}": p for i, p in enumerate(self.books.perplexity(), 1)}
        return {k: float(v.detach()) for k, v in {**parts, "norm": norm}.items()} | named

    def lay_out(self) -> None:
        """Lay out the codebooks on the encoder's output for many crops."""
        with torch.no_grad():
            seen = torch.cat([self.latents(self.draw()).flatten(0, 1) for _ in range(24)])
        self.books.lay_out(seen, self.rng)
        _trainer.share_first([self.net.quantiser.codebooks, self.books.total])
        self.laid_out = True

    def quantised(self, z_e: Tensor) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
        """Return z_q with the gradient of z_e, the commitment, each stage's residuals and codes."""
        with torch.no_grad():
            codes = self.net.quantiser.encode(z_e)
            seen, residual = [], z_e.detach()
            for book, code in zip(self.net.quantiser.codebooks, codes.unbind(-1), strict=True):
                seen.append(residual.flatten(0, 1))
                residual = residual - book[code]
        commit = eulerodec.commitment_loss(z_e, z_e.detach() - residual)
        z_q = vocodec.straight_through(z_e, z_e.detach() - residual)
        return z_q, commit, seen, codes.flatten(0, 1)

    def losses(self, made: Tensor, wav: Tensor) -> dict[str, Tensor]:
        """Return the mel loss on some scales and the spectral losses on some resolutions."""
        recipe = self.recipe
        scales = tuple(2 + int(i) for i in self.rng.permutation(5)[: recipe.mel_scales])
        drawn = self.rng.permutation(eulerodec.RESOLUTIONS)[: recipe.resolutions]
        mel = vocodec.mel_loss(made, wav, sample_rate=self.codec.sample_rate, scales=scales)
        near, size = eulerodec.spectral_losses(made, wav, tuple(map(int, drawn)))
        return {"mel": mel / recipe.mel_scales, "near": near, "size": size}

    def check(self, wavs: WAVS) -> dict[str, list[float]]:
        """Return scores of held-out recordings, coded and uncoded."""
        net: Any = self.best
        training = net.training
        net.eval()
        found: dict[str, list[list[float]]] = {}
        c, edge = self.codec, self.edge
        for samples in wavs:
            span = c.segment * c.hop
            wav = samples[: edge + (samples.size - edge) // span * span] / np.float32(32768)
            pieces = torch.from_numpy(wav).unfold(0, edge + span, span)
            for name in ("uncoded", "coded"):
                out = np.zeros(wav.size, np.float32)
                with torch.inference_mode():
                    for i, piece in enumerate(pieces):
                        z = net.encoder(eulerodec.analyse(piece[None], c))
                        if name == "coded":
                            z = net.quantiser.decode(net.quantiser.encode(z))
                        made = eulerodec.synthesise(net.decoder(z), c)[0].numpy()
                        at = i * span
                        out[at : at + made.size] += made
                inner = slice(edge, -edge)
                row = _trainer.scores(out[inner], wav[inner], c.sample_rate)
                found.setdefault(name, []).append(row)
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
    """Train, or go on training; write ``eulerodec.safetensors``, its card, log and curves.

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
