"""What every recipe shares: recordings and crops, the loop, checkpoints, log, curves and card.

A recipe is a frozen dataclass derived from `Recipe` and a `Session`, which holds the network and
says what one step does. The rest is here: the same command goes on from the last checkpoint, which
is written whole and renamed into place every few minutes.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, TextIO

import numpy as np
import soundfile
import soxr
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

log = logging.getLogger(__name__)

LOG_STEPS = 50  # a line of the log holds means over so many
WAVS = list[NDArray[np.int16]]


@dataclass(frozen=True)
class Recipe:
    """What the loop needs to know of any recipe."""

    batch: int = 16
    crop: int = 24000  # samples
    speeds: tuple[float, ...] = (1.0, 0.89, 1.12)  # copies of every recording, pitch moves along
    rate: float = 1.5e-3  # peak learning rate
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient norm
    warmup: int = 100  # steps
    decay_share: float = 0.35
    average: float = 0.0  # of the weights that are scored and shipped: kept per step; 0: none
    steps: int = 50_000  # when neither minutes nor steps are asked for


def read(path: Path, sample_rate: int, speed: float = 1.0) -> NDArray[np.int16]:
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

    wavs: WAVS
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


def mean(tensors: Sequence[Tensor]) -> None:
    """Average over the workers, in place, in one message."""
    if dist.is_initialized():
        flat = torch.cat([t.flatten() for t in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor) / dist.get_world_size())


def share_first(tensors: Sequence[Tensor]) -> None:
    """Give every worker the first one's values."""
    if dist.is_initialized():
        for tensor in tensors:
            dist.broadcast(tensor, 0)


@dataclass
class Progress:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0  # of training, over all sittings

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


class Session(ABC):
    """Everything that a run changes, what one step does, and how it is saved and found again.

    A subclass builds its network from `seed`, calls ``super().__init__`` with it, and gives `step`
    and `check`; what else it changes (codebooks, a discriminator) goes through `state`.
    """

    name: ClassVar[str]  # of the system: weights and command
    curves: ClassVar[tuple[str, ...]]  # the losses to draw

    def __init__(
        self, net: nn.Module, recipe: Any, *, sample_rate: int, seed: int = 0, rank: int = 0
    ):
        self.net, self.recipe, self.sample_rate = net, recipe, sample_rate
        self.seed, self.rank = seed, rank
        self.net.train()
        self.optimiser = torch.optim.AdamW(
            [p for p in net.parameters() if p.requires_grad],
            recipe.rate,
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
        )
        self.average = _average(net, recipe.average) if recipe.average else None
        self.progress = Progress()
        self.rng = np.random.default_rng([seed, rank])
        self.generator = torch.Generator().manual_seed(seed + 1000 * rank)
        self.clips = Clips([np.zeros(recipe.crop, np.int16)], recipe.crop)
        self.batch = recipe.batch

    @abstractmethod
    def step(self, wav: Tensor, share: float) -> dict[str, float]:
        """Take one step of the optimiser on crops (B, L); return the losses.

        Args:
            wav: clean crops at the session's rate.
            share: how much of the plan is done, 0 to 1.
        """

    @abstractmethod
    def check(self, wavs: WAVS) -> dict[str, list[float]]:
        """Return scores (see `scores`) of held-out recordings, by what was run."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what a subclass has to save beside the network."""

    @abstractmethod
    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""

    def begin(self, tensors: dict[str, Tensor]) -> None:
        """Start from the weights of an earlier training."""
        self.net.load_state_dict(tensors)

    def about(self) -> dict[str, Any]:
        """Return what the weights need beside them to be read: sizes of the network."""
        return {}

    def draw(self) -> Tensor:
        """Return fresh crops, shape ``(B, L)``."""
        return self.clips.draw(self.batch, self.rng)

    def mean_gradients(self, parameters: Sequence[nn.Parameter] | None = None) -> None:
        """Average the gradients over the workers."""
        wanted = list(self.net.parameters()) if parameters is None else parameters
        mean([p.grad for p in wanted if p.grad is not None])

    def descend(self, loss: Tensor, share: float) -> Tensor:
        """Take the gradient step of the network at the schedule's rate; return the norm."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, self.progress.step, share)
        self.optimiser.zero_grad()
        loss.backward()
        self.mean_gradients()
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        self.optimiser.step()
        if self.average:
            self.average.update_parameters(self.net)
        return norm

    @property
    def best(self) -> nn.Module:
        """The network to score and ship: the averaged one where there is one."""
        return self.average.module if self.average else self.net

    def save(self, path: Path) -> None:
        """Write beside the target and rename: a kill leaves the old one or the new one."""
        part = path.with_suffix(".part")
        state = {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "progress": asdict(self.progress),
            "generator": self.generator.get_state(),
            "rng": self.rng.bit_generator.state,
            "more": self.state(),
        }
        torch.save(state, part)
        os.replace(part, path)

    def restore(self, path: Path) -> None:
        """Go on where `save` was called."""
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.progress = Progress(**state["progress"])
        self.restore_state(state["more"])
        if self.rank == 0:
            self.generator.set_state(state["generator"])
            self.rng.bit_generator.state = state["rng"]
        else:
            self.rng = np.random.default_rng([self.seed, self.rank, self.progress.step])


def _average(net: nn.Module, keep: float) -> Any:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    return AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(keep), use_buffers=False)


def scores(estimate: NDArray, reference: NDArray, sample_rate: int) -> list[float]:
    """Return PESQ-WB, STOI (both at 16 kHz) and SI-SDR (dB).

    Args:
        estimate: shape ``(T,)``.
        reference: shape ``(T,)``.
        sample_rate: of both, Hz.
    """
    from pesq import pesq
    from pystoi import stoi

    a, b = estimate.astype(float), reference.astype(float)
    target = b * (a @ b) / (b @ b)
    ratio = (target @ target) / ((a - target) @ (a - target) + 1e-12)
    low_a, low_b = (soxr.resample(v, sample_rate, 16000, "VHQ") for v in (a, b))
    wide = float(pesq(16000, low_b, low_a, "wb"))
    return [wide, float(stoi(low_b, low_a, 16000)), 10 * math.log10(ratio + 1e-12)]


def table(rows: Mapping[str, Sequence[list[float]]]) -> dict[str, list[float]]:
    """Return the means of `scores` by what was run, to three places."""
    return {k: [round(float(m), 3) for m in np.mean(v, 0)] for k, v in rows.items()}


def train(
    make: Callable[..., Session],
    recipe: Recipe,
    dataset_files: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = True,
    start: Path | None = None,
    check_files: Sequence[Path] = (),
    save_minutes: float = 4.0,
    threads: int | None = None,
    rank: int = 0,
    workers: int = 1,
    licence: str = "that of the training data",
) -> Path:
    """Train, or go on training; write weights (named after the system), card, log and curves.

    Args:
        make: called with ``recipe, seed=, rank=``, gives the session.
        recipe: how to train.
        dataset_files: audio of any rate and any container that libsndfile reads.
        out: folder for everything that is written.
        seed: of every random choice.
        minutes: planned wall-clock time over all sittings; the schedule follows it.
        steps: planned number of steps; with both, the nearer one ends the run, and with neither
            the recipe's own number.
        resume: go on from the checkpoint in `out` if there is one.
        start: weights (safetensors) to begin from where there is no checkpoint.
        check_files: left out of training; their first 5 s are scored at every checkpoint.
        save_minutes: between checkpoints.
        threads: of torch; None leaves them.
        rank: this process among the workers, 0 the one that writes.
        workers: processes that share each batch; start one command for each rank.
        licence: of the weights, for their card.

    Returns:
        Path of the weights.

    Raises:
        ValueError: no file to train on.
    """
    if not dataset_files:
        msg = "no audio file to train on"
        raise ValueError(msg)
    if minutes is None and steps is None:
        steps = recipe.steps
    if threads:
        torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    if workers > 1:
        meeting = (out / "meeting").absolute().as_uri()
        dist.init_process_group("gloo", meeting, rank=rank, world_size=workers)
    session = make(recipe, seed=seed, rank=rank)
    rate = session.sample_rate
    wavs = [read(f, rate, speed) for speed in recipe.speeds for f in dataset_files]
    held = [read(f, rate)[: 5 * rate] for f in check_files] if rank == 0 else []
    session.clips, session.batch = Clips(wavs, recipe.crop), recipe.batch // workers
    path = out / "checkpoint.pt"
    if resume and path.exists():
        session.restore(path)
    elif start:
        from safetensors.torch import load_file

        session.begin({k: v.float() for k, v in load_file(start).items()})
    hours = sum(w.size for w in wavs[: len(dataset_files)]) / rate / 3600
    size = sum(p.numel() for p in session.net.parameters())
    log.info("%.2f h of speech, %d parameters, step %d", hours, size, session.progress.step)
    with (out / f"log{rank or ''}.jsonl").open("a") as record:
        _loop(session, held, path, record, minutes, steps, save_minutes, workers)
    weights = out / f"{session.name}.safetensors"
    if rank == 0:
        session.save(path)
        spent = round(session.progress.seconds / 60)
        about = {
            "summary": f"trained on {hours:.1f} h of speech for {session.progress.step} steps, "
            f"{spent} CPU minutes",
            "data_hours": round(hours, 2),
            "files": len(dataset_files),
            "licence": licence,
            "steps": session.progress.step,
            "seconds": round(session.progress.seconds),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
            "scores": session.check(held) if held else {},
            "command": f"bench train {session.name}",
            "recipe": asdict(recipe),
            "seed": seed,
        }
        export(session.best, weights, about | session.about())
        draw(out / "log.jsonl", out / "curves.png", session.curves)
    if workers > 1:
        dist.destroy_process_group()
        if rank == 0:
            (out / "meeting").unlink(missing_ok=True)
    return weights


def _loop(
    session: Session,
    held: WAVS,
    path: Path,
    record: TextIO,
    minutes: float | None,
    steps: int | None,
    save_minutes: float,
    workers: int,
) -> None:
    """Step until the plan is fulfilled; log, save and score on the way."""
    progress = session.progress
    last = saved = time.monotonic()
    first = True  # compiling, which does not count
    sums: dict[str, float] = {}
    count = 0  # of steps in the sums: fewer than LOG_STEPS after a resumption

    def write(row: dict[str, Any]) -> None:
        where = {"step": progress.step, "seconds": round(progress.seconds, 1)}
        record.write(json.dumps({**where, **row}) + "\n")
        record.flush()

    while (share := progress.share(minutes, steps)) < 1:
        values = session.step(session.draw(), share)
        progress.step += 1
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
            write({k: round(v / count, 5) for k, v in sums.items()})
            sums.clear()
            count = 0
        if due:
            if session.rank == 0:
                session.save(path)
            if held:
                write({"check": session.check(held)})
            saved = last = time.monotonic()


def export(net: nn.Module, path: Path, about: dict[str, Any]) -> None:
    """Write float16 weights, with their card inside and beside them (same name, ``.json``)."""
    tensors = {k: v.detach().half().contiguous() for k, v in net.state_dict().items()}
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={"about": json.dumps(about, sort_keys=True)})
    os.replace(part, path)
    path.with_suffix(".json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


def draw(log_file: Path, picture: Path, losses: Sequence[str]) -> None:
    """Draw losses, codebook use and scores over time, if matplotlib is there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        log.info("no matplotlib, no curves: pip install 'speech-bench[report]'")
        return
    rows = [json.loads(line) for line in log_file.read_text().splitlines()]
    steps = [r for r in rows if "check" not in r]
    checks = [r for r in rows if "check" in r]
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    used = sorted({k for r in steps for k in r if k.startswith("perplexity")})
    for axis, keys in ((axes[0], losses), (axes[1], used)):
        for key in keys:
            points = [(r["seconds"] / 60, r[key]) for r in steps if key in r]
            axis.plot(*zip(*points, strict=True), label=key) if points else None
    axes[0].set(title="losses", yscale="log")
    axes[1].set(title="codebook perplexity")
    for axis, column, title in ((axes[2], 0, "PESQ-WB"), (axes[3], 2, "SI-SDR (dB)")):
        for key in sorted({k for r in checks for k in r["check"]}):
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


def chosen(configs: Mapping[str, Any], config: Any) -> Any:
    """Return the recipe of this name, or the recipe itself.

    Raises:
        ValueError: there is none of this name.
    """
    if not isinstance(config, str):
        return config
    if config not in configs:
        msg = f"config={config!r}: want one of {', '.join(configs)}"
        raise ValueError(msg)
    return configs[config]


def main(run: Callable[..., Path], configs: Mapping[str, Any]) -> None:
    """Run a recipe on files that a list names, one path a line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--files-from", type=Path, required=True)
    parser.add_argument("--check-from", type=Path, help="files to score, not to train on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to begin from")
    parser.add_argument("--config", choices=sorted(configs), default="paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--save-minutes", type=float, default=4.0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--licence", default="that of the training data")
    given = vars(parser.parse_args())
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def listed(path: Path | None) -> list[Path]:
        return [] if path is None else [Path(p) for p in path.read_text().splitlines() if p]

    files, held, out = listed(given.pop("files_from")), given.pop("check_from"), given.pop("out")
    run(files, out, check_files=listed(held), **given)
