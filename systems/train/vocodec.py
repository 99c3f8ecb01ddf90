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

import argparse
import json
import logging
import math
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import soundfile
import soxr
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as fn

from systems import vocodec
from systems.vocodec import Config, VoCodecNet

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How to train; the paper leaves everything but the losses open."""

    codec: Config = field(default_factory=lambda: Config(features="compressed"))
    batch: int = 16
    crop: int = 24000  # samples, whole hops
    speeds: tuple[float, ...] = (1.0, 0.89, 1.12)  # copies of every recording, pitch moves along
    rate: float = 1.5e-3  # peak learning rate
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient norm
    warmup: int = 100  # steps
    soft_share: float = 0.12
    decay_share: float = 0.35
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
    steps: int = 50_000  # when neither minutes nor steps are asked for
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
}


def read(path: Path, sample_rate: int, speed: float = 1.0) -> np.ndarray:
    """Decode one file to mono 16-bit samples at this rate, shape ``(T,)``.

    Args:
        path: any file of libsndfile.
        sample_rate: Hz.
        speed: above 1, faster and higher.
    """
    wav, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(wav.mean(1), rate * speed, sample_rate, "VHQ")
    return (np.clip(mono, -1, 1) * 32767).astype(np.int16)


@dataclass
class Clips:
    """Recordings in memory, and random crops of them."""

    wavs: list[np.ndarray]
    crop: int

    def __post_init__(self) -> None:
        sizes = np.array([w.size for w in self.wavs], dtype=np.float64)
        self.share = np.cumsum(sizes) / sizes.sum()

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """Crops at random levels and polarities, shape ``(count, crop)``."""
        out = np.zeros((count, self.crop), np.float32)
        for row in out:
            wav = self.wavs[int(np.searchsorted(self.share, rng.random()))]
            start = int(rng.integers(0, max(1, wav.size - self.crop + 1)))
            part = wav[start : start + self.crop].astype(np.float32) / 32768
            peak = max(1e-3, float(np.abs(part).max()))
            gain = min(10 ** rng.uniform(-0.5, 0.3), 0.99 / peak) * rng.choice([-1, 1])
            row[: part.size] = part * gain
        return torch.from_numpy(out)


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
        _mean([counts, totals])
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
        if dist.is_initialized():
            for tensor in (self.net.codebooks.data, self.count, self.total):
                dist.broadcast(tensor, 0)

    def perplexity(self) -> list[float]:
        """Exponential of the entropy of each layer's code counts; at most the codebook size."""
        p = self.count / self.count.sum(1, keepdim=True)
        return torch.exp(-(p * (p + 1e-12).log()).sum(1)).tolist()


def _mean(tensors: list[Tensor]) -> None:
    """Average over workers, in place, in one message."""
    if dist.is_initialized():
        flat = torch.cat([t.flatten() for t in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor) / dist.get_world_size())


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


@dataclass
class Progress:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0  # of training, over all sittings
    laid_out: bool = False

    def share(self, minutes: float | None, steps: int | None) -> float:
        """How much of the plan is done, 0 to 1; the nearer of two limits counts."""
        done = [0.0]
        if steps is not None:
            done.append(self.step / steps)
        if minutes is not None:
            done.append(self.seconds / (60 * minutes))
        return min(1.0, max(done))


def learning_rate(recipe: Recipe, step: int, share: float) -> float:
    """Linear warm-up, flat, then linear to zero over the last part."""
    warm = min(1.0, (step + 1) / recipe.warmup)
    fall = min(1.0, (1 - share) / recipe.decay_share)
    return recipe.rate * warm * fall


class Session:
    """Everything that a run changes, and how it is saved and found again."""

    def __init__(self, recipe: Recipe, seed: int, rank: int, compiled: bool):
        codec = recipe.codec
        self.recipe, self.codec, self.rank = recipe, codec, rank
        self.net = vocodec.build(codec, seed=seed)
        self.net.quantiser.codebooks.requires_grad_(False)
        self.net.train()
        self.encoder = torch.compile(self.net.encoder) if compiled else self.net.encoder
        self.decoder = torch.compile(self.net.decoder) if compiled else self.net.decoder
        self.books = Books(self.net.quantiser, recipe.smoothing)
        self.optimiser = torch.optim.AdamW(
            [p for p in self.net.parameters() if p.requires_grad],
            recipe.rate,
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
        )
        with torch.random.fork_rng(devices=[]):
            self.judge = vocodec.MultiScaleStftDiscriminator(recipe.channels)
        vocodec.initialise(self.judge, torch.Generator().manual_seed(seed))
        self.judge_optimiser = torch.optim.AdamW(
            self.judge.parameters(), 3e-4, betas=recipe.betas, weight_decay=0.0
        )
        self.progress = Progress()
        self.rng = np.random.default_rng([seed, rank])
        self.generator = torch.Generator().manual_seed(seed + 1000 * rank)
        self.edge = codec.window - codec.hop

    def save(self, path: Path) -> None:
        """Write beside the target and rename: a kill leaves the old one or the new one."""
        part = path.with_suffix(".part")
        state = {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "judge": self.judge.state_dict(),
            "judge_optimiser": self.judge_optimiser.state_dict(),
            "count": self.books.count,
            "total": self.books.total,
            "progress": asdict(self.progress),
            "generator": self.generator.get_state(),
            "rng": self.rng.bit_generator.state,
            "codec": asdict(self.codec),
        }
        torch.save(state, part)
        os.replace(part, path)

    def restore(self, path: Path, seed: int) -> None:
        """Go on where `save` was called."""
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        if "judge" in state:
            self.judge.load_state_dict(state["judge"])
            self.judge_optimiser.load_state_dict(state["judge_optimiser"])
        self.books.count, self.books.total = state["count"], state["total"]
        self.progress = Progress(**state["progress"])
        if self.rank == 0:
            self.generator.set_state(state["generator"])
            self.rng.bit_generator.state = state["rng"]
        else:
            self.rng = np.random.default_rng([seed, self.rank, self.progress.step])

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

    def step(self, clips: Clips, batch: int, share: float) -> dict[str, float]:
        """Take one step of the optimiser; return the losses."""
        recipe, rng, every = self.recipe, self.rng, self.codec.codebooks
        soft = share < recipe.soft_share
        if not soft and not self.progress.laid_out:
            with torch.no_grad():
                seen = [self.latents(clips.draw(batch, rng)).flatten(0, 1) for _ in range(25)]
            self.books.lay_out(torch.cat(seen), rng)
            self.books.share()
            self.progress.laid_out = True
        wav = clips.draw(batch, rng)
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
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(recipe, self.progress.step, share)
        self.optimiser.zero_grad()
        loss.backward()
        _mean([p.grad for p in self.net.parameters() if p.grad is not None])
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self.optimiser.step()
        if not soft:
            restart = self.progress.step % 20 == 0 and share < 0.8
            self.books.follow(q.vectors, q.codes, rng, restart)
        self.progress.step += 1
        return {k: float(v.detach()) for k, v in {**parts, "norm": norm}.items()}

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

    def rival(self, made: Tensor, wav: Tensor) -> dict[str, Tensor]:
        """Train the discriminator by Eq. (10); return Eqs. (7) and (8) against it."""
        real, _ = self.judge(wav)
        fake, _ = self.judge(made.detach())
        loss = vocodec.discriminator_loss(real, fake)
        self.judge_optimiser.zero_grad()
        loss.backward()
        _mean([p.grad for p in self.judge.parameters() if p.grad is not None])
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
    seed: int = 0,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = True,
    check_files: Sequence[Path] = (),
    save_minutes: float = 4.0,
    compiled: bool = False,
    threads: int | None = None,
    rank: int = 0,
    workers: int = 1,
    licence: str = "that of the training data",
) -> Path:
    """Train, or go on training; write ``vocodec.safetensors``, its card, log and curves.

    Args:
        dataset_files: audio of any rate and any container that libsndfile reads.
        out: folder for everything that is written.
        config: a key of `CONFIGS`, or a recipe.
        seed: of every random choice.
        minutes: planned wall-clock time over all sittings; the schedule follows it.
        steps: planned number of steps; with both, the nearer one ends the run, and with neither
            the recipe's own number.
        resume: go on from the checkpoint in `out` if there is one.
        check_files: left out of training; their first 5 s are scored at every checkpoint.
        save_minutes: between checkpoints.
        compiled: use ``torch.compile`` (needs a C++ compiler; worth it from 20 minutes on).
        threads: of torch; None leaves them.
        rank: this process among the workers, 0 the one that writes.
        workers: processes that share each batch; start one command for each rank.
        licence: of the weights, for their card.

    Returns:
        Path of the weights.

    Raises:
        ValueError: no file to train on, or an unknown configuration.
    """
    if not dataset_files:
        msg = "no audio file to train on"
        raise ValueError(msg)
    if isinstance(config, str) and config not in CONFIGS:
        msg = f"config={config!r}: want one of {', '.join(CONFIGS)}"
        raise ValueError(msg)
    recipe = CONFIGS[config] if isinstance(config, str) else config
    if minutes is None and steps is None:
        steps = recipe.steps
    if threads:
        torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    if workers > 1:
        meeting = (out / "meeting").absolute().as_uri()
        dist.init_process_group("gloo", meeting, rank=rank, world_size=workers)
    rate = recipe.codec.sample_rate
    wavs = [read(f, rate, speed) for speed in recipe.speeds for f in dataset_files]
    held = [read(f, rate)[: 5 * rate] for f in check_files] if rank == 0 else []
    session = Session(recipe, seed, rank, compiled)
    path = out / "checkpoint.pt"
    if resume and path.exists():
        session.restore(path, seed)
    hours = sum(w.size for w in wavs[: len(dataset_files)]) / rate / 3600
    size = sum(p.numel() for p in session.net.parameters())
    log.info("%.2f h of speech, %d parameters, step %d", hours, size, session.progress.step)
    with (out / f"log{rank or ''}.jsonl").open("a") as record:
        _loop(
            session,
            Clips(wavs, recipe.crop),
            held,
            path,
            record,
            minutes,
            steps,
            save_minutes,
            workers,
        )
    weights = out / "vocodec.safetensors"
    if rank == 0:
        session.save(path)
        scores = check(session.net, held) if held else {}
        minutes_spent = round(session.progress.seconds / 60)
        about = {
            "summary": f"trained on {hours:.1f} h of speech for {session.progress.step} steps, "
            f"{minutes_spent} CPU minutes, instead of the LRAC set",
            "data_hours": round(hours, 2),
            "files": len(dataset_files),
            "licence": licence,
            "steps": session.progress.step,
            "seconds": round(session.progress.seconds),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
            "scores": scores,
            "command": "bench train vocodec",
            "recipe": {k: v for k, v in asdict(recipe).items() if k != "codec"},
            "seed": seed,
        }
        export(session.net, weights, about)
        curves(out / "log.jsonl", out / "curves.png")
    if workers > 1:
        dist.destroy_process_group()
        if rank == 0:
            (out / "meeting").unlink(missing_ok=True)
    return weights


def _loop(
    session: Session,
    clips: Clips,
    held: list[np.ndarray],
    path: Path,
    record: TextIO,
    minutes: float | None,
    steps: int | None,
    save_minutes: float,
    workers: int,
) -> None:
    """Step until the plan is fulfilled; log, save and score on the way."""
    progress = session.progress
    batch = session.recipe.batch // workers
    last = saved = time.monotonic()
    first = True  # compiling, which does not count
    sums: dict[str, float] = {}
    count = 0  # of steps in the sums: fewer than LOG_STEPS after a resumption

    def write(row: dict[str, Any]) -> None:
        where = {"step": progress.step, "seconds": round(progress.seconds, 1)}
        record.write(json.dumps({**where, **row}) + "\n")
        record.flush()

    while (share := progress.share(minutes, steps)) < 1:
        values = session.step(clips, batch, share)
        now = time.monotonic()
        progress.seconds += 0 if first else now - last
        first, last = False, now
        due = now - saved > 60 * save_minutes
        if workers > 1:  # one clock for all
            clock = torch.tensor([progress.seconds, float(due)], dtype=torch.float64)
            dist.broadcast(clock, 0)
            progress.seconds, due = float(clock[0]), bool(clock[1])
        for key, value in values.items():
            sums[key] = sums.get(key, 0.0) + value
        count += 1
        if progress.step % LOG_STEPS == 0:
            perplexity = [round(v) for v in session.books.perplexity()]
            means = {k: round(v / count, 5) for k, v in sums.items()}
            write({**means, "perplexity": perplexity})
            sums.clear()
            count = 0
        if due:
            if session.rank == 0:
                session.save(path)
            if held:
                write({"check": check(session.net, held)})
            saved = last = time.monotonic()


LOG_STEPS = 50  # a line of the log holds means over so many


def check(net: VoCodecNet, wavs: list[np.ndarray]) -> dict[str, list[float]]:
    """Mean PESQ-WB, STOI and SI-SDR (dB) of held-out files at 6, 3 and 1 kbps and uncoded."""
    from pesq import pesq
    from pystoi import stoi

    codec, edge = net.config, net.config.window - net.config.hop
    training = net.training
    net.eval()
    scores: dict[str, list[list[float]]] = {}
    for samples in wavs:
        whole = samples[: samples.size // codec.hop * codec.hop]
        wav = torch.from_numpy(whole / 32768).float()
        padded = fn.pad(wav[None], (edge, edge))
        with torch.inference_mode():
            features = net.features(vocodec.analyse(padded, codec.window, codec.hop))
            latents = net.encoder(features)
            for layers in (0, 6, 3, 1):
                n = torch.tensor([layers or codec.codebooks])
                z = quantise(net.quantiser, latents, n, torch.Generator(), soft=not layers).latents
                spectrum = vocodec.spectrum_of(net.decoder(z))
                out = vocodec.synthesise(spectrum, codec.window, codec.hop)[0, edge:-edge]
                a, b = out.double().numpy(), wav.double().numpy()
                target = b * (a @ b) / (b @ b)
                low_a, low_b = (soxr.resample(v, codec.sample_rate, 16000, "VHQ") for v in (a, b))
                row = [
                    float(pesq(16000, low_b, low_a, "wb")),
                    float(stoi(low_b, low_a, 16000)),
                    10 * math.log10((target @ target) / ((a - target) @ (a - target) + 1e-12)),
                ]
                scores.setdefault(f"{layers} kbps" if layers else "uncoded", []).append(row)
    net.train(training)
    return {k: [round(float(m), 3) for m in np.mean(v, 0)] for k, v in scores.items()}


def export(net: VoCodecNet, path: Path, about: dict[str, Any]) -> None:
    """Write float16 weights, with their card inside and beside them (same name, ``.json``)."""
    card = {**about, "codec": asdict(net.config)}
    tensors = {k: v.detach().half().contiguous() for k, v in net.state_dict().items()}
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={"about": json.dumps(card, sort_keys=True)})
    os.replace(part, path)
    path.with_suffix(".json").write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")


def curves(log_file: Path, picture: Path) -> None:
    """Draw losses, codebook use and scores over time, if matplotlib is there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        log.info("no matplotlib, no curves: pip install 'speech-bench[report]'")
        return
    rows = [json.loads(line) for line in log_file.read_text().splitlines()]
    losses = [r for r in rows if "rec" in r]
    checks = [r for r in rows if "check" in r]
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    for key in ("rec", "complex", "magnitude"):
        points = [r[key] for r in losses]
        axes[0].semilogy([r["seconds"] / 60 for r in losses], points, label=key)
    axes[0].set(title="losses")
    for i in range(len(losses[0]["perplexity"]) if losses else 0):
        points = [r["perplexity"][i] for r in losses]
        axes[1].plot([r["seconds"] / 60 for r in losses], points, label=f"layer {i + 1}")
    axes[1].set(title="codebook perplexity")
    for axis, column, title in ((axes[2], 0, "PESQ-WB"), (axes[3], 2, "SI-SDR (dB)")):
        for key in ("uncoded", "6 kbps", "3 kbps", "1 kbps"):
            found = [r for r in checks if key in r["check"]]
            points = [r["check"][key][column] for r in found]
            axis.plot([r["seconds"] / 60 for r in found], points, label=key)
        axis.set(title=title)
    axes[3].set_ylim(bottom=-20)
    for axis in axes:
        axis.set_xlabel("minutes")
        if axis.lines:
            axis.legend(fontsize="small")
    figure.savefig(picture, dpi=90)


def main() -> None:
    """Run the recipe on files that a list names, one path a line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--files-from", type=Path, required=True)
    parser.add_argument("--check-from", type=Path, help="files to score, not to train on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--licence", default="that of the training data")
    a = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def listed(path: Path | None) -> list[Path]:
        return [] if path is None else [Path(p) for p in path.read_text().splitlines() if p]

    train(
        listed(a.files_from),
        a.out,
        config=a.config,
        seed=a.seed,
        minutes=a.minutes,
        steps=a.steps,
        check_files=listed(a.check_from),
        threads=a.threads,
        rank=a.rank,
        workers=a.workers,
        compiled=a.compiled,
        licence=a.licence,
    )


if __name__ == "__main__":
    main()
