"""Recipe for `systems.vocodec`: autoencoder, then quantisers, then (optionally) adversaries.

Phases, as shares of the planned time or steps:

1. *Soft*: every quantiser layer passes its unit vector with growing noise, so that the network
   first learns the waveform through the very bottleneck it will have.
2. *Codes*: the codebooks are laid out one after another by k-means, then follow their vectors as
   moving averages; codes that nobody uses start anew. Random numbers of layers make one model
   serve all bitrates.
3. *Adversarial*: the multi-scale STFT discriminator joins with small weights (off by default).

The learning rate warms up, stays, and falls to zero over the last part. Every few minutes
a checkpoint is written whole and renamed into place; the same command goes on from it.

By hand: ``python -m systems.train.vocodec --files-from LIST --out DIR --minutes 60``.
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

from systems import vocodec
from systems.train import _trainer
from systems.train._trainer import WAVS
from systems.vocodec import Config, VoCodecNet


@dataclass(frozen=True)
class Recipe(_trainer.Recipe):
    """How to train; the paper leaves everything but the losses open."""

    codec: Config = field(default_factory=lambda: Config(features="compressed"))
    soft_share: float = 0.12
    noise: float = 0.25  # standard deviation per dimension at the end of the soft phase
    full_share: float = 0.6  # of the clips that use every layer
    smoothing: float = 0.99  # of the codebooks' moving averages
    lambda_rec: float = 1.5
    lambda_complex: float = 25.0
    lambda_magnitude: float = 1000.0
    lambda_commit: float = 0.25
    soft_lambdas: tuple[float, float, float] = (0.5, 200.0, 50.0)  # rec, complex, magnitude: soft
    mel_tilt: float = 0.5  # weight (window / 512) ** mel_tilt: short windows have steep slopes
    mel_scales: int = 2  # drawn anew for each step out of seven
    complex_windows: tuple[int, ...] = (256, 512, 1024)  # one drawn for each step
    adversarial_share: float = 1.0  # where the discriminator joins; 1 is never
    lambda_g: float = 0.02
    lambda_feat: float = 0.02
    channels: int = 16  # of the discriminator


CONFIGS: dict[str, Recipe] = {
    "paper": Recipe(),
    "small": Recipe(
        codec=Config(
            features="compressed",
            blocks=2,
            resnets=1,
            encoder_width=64,
            encoder_hidden=128,
            decoder_width=64,
            encoder_attention=32,
            decoder_attention=32,
        ),
        batch=4,
        crop=12000,
    ),
    "further": Recipe(rate=8e-4, soft_share=0.0, decay_share=0.6),  # from weights, with --start
}


def soften(z_e: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """Move unit vectors by noise and bring them back to the sphere. (..., 8) -> (..., 8)."""
    moved = z_e + noise * torch.randn(z_e.shape, generator=generator)
    return fn.normalize(moved, dim=-1)


@dataclass
class Quantised:
    """What one pass through the quantiser gives to the losses."""

    latents: Tensor  # (B, T, C)
    commit: Tensor  # scalar
    vectors: list[Tensor]  # per layer (B * T, 8), detached
    codes: list[Tensor]  # per layer (B * T,); empty in the soft phase


def quantise(
    net: vocodec.ResidualQuantiser,
    latents: Tensor,
    layers: Tensor,
    generator: torch.Generator,
    *,
    soft: bool = False,
    noise: float = 0.0,
) -> Quantised:
    """Pass latents through the layers; clip b uses its first layers[b].

    Args:
        net: the quantiser.
        latents: shape ``(B, T, C)``.
        layers: shape ``(B,)``, 1 to the number of codebooks.
        generator: of the noise.
        soft: add noise instead of choosing codes.
        noise: its standard deviation per dimension.
    """
    residual, total = latents, torch.zeros_like(latents)
    commit = latents.new_zeros(())
    vectors, codes = [], []
    for i in range(net.codebooks.shape[0]):
        z_e = fn.normalize(net.down[i](residual), dim=-1)
        vectors.append(z_e.detach().flatten(0, 1))
        if soft:
            q = soften(z_e, noise, generator)
        else:
            with torch.no_grad():
                code = net.codes_of(i, z_e)
            e_k = net.codebooks[i][code]
            commit = commit + vocodec.commitment_loss(z_e, e_k) / net.codebooks.shape[0]
            q = vocodec.straight_through(z_e, e_k)
            codes.append(code.flatten())
        part = net.up[i](q)
        total = total + part * (layers > i)[:, None, None]
        residual = residual - part
    return Quantised(total, commit, vectors, codes)


class Books:
    """Codebooks laid out by k-means and moved as averages of the vectors that chose them."""

    def __init__(self, net: vocodec.ResidualQuantiser, smoothing: float):
        self.net, self.smoothing = net, smoothing
        layers, size, _ = net.codebooks.shape
        self.count = torch.ones(layers, size)
        self.total = net.codebooks.detach().clone()

    @torch.no_grad()
    def lay_out(self, latents: Tensor, rng: np.random.Generator, rounds: int = 12) -> None:
        """Spherical k-means on what each layer is given. Latents (n, C)."""
        residual = latents
        size = self.net.codebooks.shape[1]
        for i in range(self.net.codebooks.shape[0]):
            z_e = fn.normalize(self.net.down[i](residual), dim=-1)
            pick = torch.from_numpy(rng.permutation(z_e.shape[0])[:size])
            self.net.codebooks[i, : pick.numel()] = z_e[pick]
            for _ in range(rounds):
                code = self.net.codes_of(i, z_e)
                count, total = self._sums(z_e, code)
                used = count > 0
                self.net.codebooks[i, used] = fn.normalize(total[used], dim=-1)
                idle = (~used).nonzero()[:, 0]
                again = torch.from_numpy(rng.integers(0, z_e.shape[0], idle.numel()))
                self.net.codebooks[i, idle] = z_e[again]
            code = self.net.codes_of(i, z_e)
            count, _ = self._sums(z_e, code)
            self.count[i] = count * (size / count.sum())
            self.total[i] = self.net.codebooks[i] * self.count[i][:, None]
            residual = residual - self.net.up[i](self.net.codebooks[i][code])

    def _sums(self, vectors: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        size, width = self.net.codebooks.shape[1:]
        count = torch.bincount(code, minlength=size).float()
        return count, torch.zeros(size, width).index_add_(0, code, vectors)

    @torch.no_grad()
    def follow(
        self, vectors: list[Tensor], codes: list[Tensor], rng: np.random.Generator, restart: bool
    ) -> None:
        """Move every code towards the vectors that chose it; restart the idle ones."""
        keep = self.smoothing
        sums = [self._sums(z_e, code) for z_e, code in zip(vectors, codes, strict=True)]
        counts, totals = (torch.stack(x) for x in zip(*sums, strict=True))
        _trainer.mean([counts, totals])
        for i, z_e in enumerate(vectors):
            count, total = counts[i], totals[i]
            share = self.count.shape[1] / codes[i].numel()  # so that the mean count is 1
            self.count[i].mul_(keep).add_(count, alpha=(1 - keep) * share)
            self.total[i].mul_(keep).add_(total, alpha=(1 - keep) * share)
            if restart:
                idle = (self.count[i] < 0.05).nonzero()[:, 0]
                fresh = z_e[torch.from_numpy(rng.integers(0, z_e.shape[0], idle.numel()))]
                self.count[i, idle], self.total[i, idle] = 0.5, 0.5 * fresh
            self.net.codebooks[i] = fn.normalize(self.total[i], dim=-1)
        if restart:
            self.share()

    def share(self) -> None:
        """Give every worker the first one's codebooks."""
        _trainer.share_first([self.net.codebooks.data, self.count, self.total])

    def perplexity(self) -> list[float]:
        """Exponential of the entropy of each layer's code counts; at most the codebook size."""
        p = self.count / self.count.sum(1, keepdim=True)
        return torch.exp(-(p * (p + 1e-12).log()).sum(1)).tolist()


def spectra(estimate: Tensor, reference: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Two complex spectrograms, hop = window / 4, a full-scale sine at 0.5. (B, L) each."""
    w = torch.hann_window(window)
    pair = torch.stft(
        torch.cat([estimate, reference]),
        window,
        window // 4,
        window,
        w / w.sum(),
        return_complex=True,
    )
    a, b = pair.chunk(2)
    return a, b


class Session(_trainer.Session):
    """The network, its codebooks and the discriminator under training."""

    name = "vocodec"
    curves = ("rec", "complex", "magnitude")
    net: VoCodecNet
    recipe: Recipe

    def __init__(self, recipe: Recipe, *, seed: int, rank: int, compiled: bool = False):
        self.codec = recipe.codec
        net = vocodec.build(self.codec, seed=seed)
        net.quantiser.codebooks.requires_grad_(False)
        super().__init__(net, recipe, sample_rate=self.codec.sample_rate, seed=seed, rank=rank)
        self.encoder = torch.compile(net.encoder) if compiled else net.encoder
        self.decoder = torch.compile(net.decoder) if compiled else net.decoder
        self.books, self.laid_out = Books(net.quantiser, recipe.smoothing), False
        with torch.random.fork_rng(devices=[]):
            self.judge = vocodec.MultiScaleStftDiscriminator(recipe.channels)
        vocodec.initialise(self.judge, torch.Generator().manual_seed(seed))
        self.judge_optimiser = torch.optim.AdamW(
            self.judge.parameters(), 3e-4, betas=recipe.betas, weight_decay=0.0
        )
        self.edge = self.codec.window - self.codec.hop

    def state(self) -> dict[str, Any]:
        """Return the codebooks' averages and the discriminator."""
        return {
            "judge": self.judge.state_dict(),
            "judge_optimiser": self.judge_optimiser.state_dict(),
            "count": self.books.count,
            "total": self.books.total,
            "laid_out": self.laid_out,
        }

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.judge.load_state_dict(state["judge"])
        self.judge_optimiser.load_state_dict(state["judge_optimiser"])
        self.books.count, self.books.total = state["count"], state["total"]
        self.laid_out = state["laid_out"]

    def begin(self, tensors: dict[str, Tensor]) -> None:
        """Start from weights whose codebooks stand already."""
        super().begin(tensors)
        self.net.quantiser.codebooks.copy_(fn.normalize(self.net.quantiser.codebooks, dim=-1))
        self.books.total, self.laid_out = self.net.quantiser.codebooks.detach().clone(), True

    def about(self) -> dict[str, Any]:
        """Return the sizes of the network."""
        return {"codec": asdict(self.codec)}

    def latents(self, wav: Tensor) -> Tensor:
        """Samples (B, L) -> the encoder's output (B, T, C)."""
        padded = fn.pad(wav, (self.edge, self.edge))
        features = self.net.features(vocodec.analyse(padded, self.codec.window, self.codec.hop))
        with torch.autocast("cpu", torch.bfloat16):
            return self.encoder(features).float()

    def samples(self, latents: Tensor) -> Tensor:
        """Quantised latents (B, T, C) -> samples (B, L)."""
        with torch.autocast("cpu", torch.bfloat16):
            coefficients = self.decoder(latents)
        spectrum = vocodec.spectrum_of(coefficients.float())
        wav = vocodec.synthesise(spectrum, self.codec.window, self.codec.hop)
        return wav[:, self.edge : -self.edge]

    def step(self, wav: Tensor, share: float) -> dict[str, float]:
        """Take one step of the optimiser; return the losses and each codebook's perplexity."""
        recipe, rng, every, batch = self.recipe, self.rng, self.codec.codebooks, len(wav)
        soft = share < recipe.soft_share
        if not soft and not self.laid_out:
            with torch.no_grad():
                seen = [self.latents(self.draw()).flatten(0, 1) for _ in range(25)]
            self.books.lay_out(torch.cat(seen), rng)
            self.books.share()
            self.laid_out = True
        some = rng.integers(1, every + 1, batch)
        layers = torch.from_numpy(np.where(rng.random(batch) < recipe.full_share, every, some))
        noise = recipe.noise * max(0.0, share / recipe.soft_share - 0.5) * 2 if soft else 0.0
        q = quantise(
            self.net.quantiser, self.latents(wav), layers, self.generator, soft=soft, noise=noise
        )
        made = self.samples(q.latents)
        parts = self.losses(made, wav, q)
        adversarial = share >= recipe.adversarial_share
        if adversarial:
            parts.update(self.rival(made, wav))
        zero = wav.new_zeros(())
        lambda_rec, lambda_complex, lambda_magnitude = (
            recipe.soft_lambdas  # the waveform first
            if soft
            else (recipe.lambda_rec, recipe.lambda_complex, recipe.lambda_magnitude)
        )
        weights = vocodec.Weights(
            lambda_rec, recipe.lambda_g, recipe.lambda_feat, 0.0, recipe.lambda_commit
        )
        loss = vocodec.generator_loss(
            parts["rec"], parts.get("g", zero), parts.get("feat", zero), zero, q.commit, weights
        )
        loss = loss + lambda_complex * parts["complex"]
        loss = loss + lambda_magnitude * parts["magnitude"]
        norm = self.descend(loss, share)
        if not soft:
            restart = self.progress.step % 20 == 0 and share < 0.8
            self.books.follow(q.vectors, q.codes, rng, restart)
        used = {f"perplexity {i}": p for i, p in enumerate(self.books.perplexity(), 1)}
        return {k: float(v.detach()) for k, v in {**parts, "norm": norm}.items()} | used

    def losses(self, made: Tensor, wav: Tensor, q: Quantised) -> dict[str, Tensor]:
        """Return Eq. (6) on some scales, Eqs. (3) and (4) on one, the commitment of Eq. (9)."""
        recipe = self.recipe
        window = recipe.complex_windows[int(self.rng.integers(len(recipe.complex_windows)))]
        a, b = spectra(made, wav, window)
        real, imag = vocodec.real_imag_loss(a, b)
        count = len(vocodec.MEL_WINDOWS)
        scales = tuple(int(i) for i in self.rng.permutation(count)[: recipe.mel_scales])
        rec = made.new_zeros(())
        for i in scales:
            weight = (vocodec.MEL_WINDOWS[i] / 512) ** recipe.mel_tilt / len(scales)
            rate = self.codec.sample_rate
            rec = rec + weight * vocodec.mel_loss(made, wav, sample_rate=rate, scales=(i,))
        return {
            "rec": rec,
            "complex": real + imag,
            "magnitude": vocodec.magnitude_loss(a, b),
            "commit": q.commit,
        }

    def check(self, wavs: WAVS) -> dict[str, list[float]]:
        """Return scores of held-out recordings at 6, 3 and 1 kbps and uncoded."""
        net: Any = self.best
        codec, edge = self.codec, self.edge
        training = net.training
        net.eval()
        found: dict[str, list[list[float]]] = {}
        for samples in wavs:
            wav = samples[: samples.size // codec.hop * codec.hop] / np.float32(32768)
            padded = fn.pad(torch.from_numpy(wav)[None], (edge, edge))
            with torch.inference_mode():
                features = net.features(vocodec.analyse(padded, codec.window, codec.hop))
                latents = net.encoder(features)
                for layers in (0, 6, 3, 1):
                    n = torch.tensor([layers or codec.codebooks])
                    q = quantise(net.quantiser, latents, n, torch.Generator(), soft=not layers)
                    spectrum = vocodec.spectrum_of(net.decoder(q.latents))
                    out = vocodec.synthesise(spectrum, codec.window, codec.hop)[0, edge:-edge]
                    row = _trainer.scores(out.numpy(), wav, codec.sample_rate)
                    found.setdefault(f"{layers} kbps" if layers else "uncoded", []).append(row)
        net.train(training)
        return _trainer.table(found)

    def rival(self, made: Tensor, wav: Tensor) -> dict[str, Tensor]:
        """Train the discriminator by Eq. (10); return Eqs. (7) and (8) against it."""
        real, _ = self.judge(wav)
        fake, _ = self.judge(made.detach())
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
        return {
            "d": loss.detach(),
            "g": vocodec.adversarial_loss(fake),
            "feat": vocodec.feature_matching_loss(real_maps, fake_maps),
        }


def train(
    dataset_files: Sequence[Path],
    out: Path,
    *,
    config: str | Recipe = "paper",
    compiled: bool = False,
    **options: Any,
) -> Path:
    """Train, or go on training; write ``vocodec.safetensors``, its card, log and curves.

    Args:
        dataset_files: audio of any rate and any container that libsndfile reads.
        out: folder for everything that is written.
        config: a key of `CONFIGS`, or a recipe.
        compiled: use ``torch.compile`` (needs a C++ compiler; worth it from 20 minutes on).
        options: as `systems.train._trainer.train` has them.

    Raises:
        ValueError: no file to train on, or an unknown configuration.
    """
    make = partial(Session, compiled=compiled)
    return _trainer.train(make, _trainer.chosen(CONFIGS, config), dataset_files, out, **options)


if __name__ == "__main__":
    _trainer.main(train, CONFIGS)
