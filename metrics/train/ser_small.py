"""Train `ser_small` on RAVDESS: ``python -m metrics.train.ser_small --ravdess DIR --out DIR``.

Actors are split, never files: 1 to 18 train, 19 and 20 are watched, 21 to 24 are held out and heard
once, at the end. RAVDESS file names say what is acted: the third of seven numbers is the emotion,
the last the actor (odd: male). Any container that libsndfile reads will do.

1,080 recordings of two sentences are few, so that no two crops are alike: three speeds, shifts by
bands, tilts, noise, masks over time and bands (SpecAugment: Park et al., Interspeech 2019,
arXiv:1904.08779) and mixtures of two recordings (mixup: Zhang et al., ICLR 2018,
arXiv:1710.09412). What is kept is the running mean of the weights.

``--out`` then holds features.npz (spectra, made once), checkpoint.pt (the same command goes on from
there), log.jsonl, and ser_small.safetensors with its card ser_small.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import math
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from torch.nn import functional as fn

from metrics.observers._ser_net import SerNet, export
from metrics.observers.ser_small import BANDS, LABELS, RATE, WINDOW, log_mels, windows

log = logging.getLogger(__name__)

WATCHED = (19, 20)
HELD_OUT = (21, 22, 23, 24)
SPEEDS = (1.0, 0.9, 1.1)
BATCH = 32
RATE_OF_LEARNING = 2e-3
SIZES = {"bands": BANDS, "labels": len(LABELS), "width": 24, "embedding": 128}
KEEP = 0.998  # of the running mean of the weights, at each step
_LOG_STEPS = 25

Mels = NDArray[np.float32]


class Spoken:
    """Spectra of recordings, their emotions (index into `LABELS`) and actors."""

    def __init__(self, mels: Sequence[Mels], emotions: Sequence[int], actors: Sequence[int]):
        self.mels, self.emotions, self.actors = list(mels), list(emotions), list(actors)


def read(files: Sequence[Path], speed: float = 1.0) -> Spoken:
    """Return the spectra of RAVDESS files, played that much faster.

    Raises:
        ValueError: a file whose name is not of the corpus.
    """
    mels, emotions, actors = [], [], []
    for path in files:
        codes = path.stem.split("-")
        if len(codes) != 7 or not all(code.isdigit() for code in codes):
            msg = f"{path.name}: a RAVDESS name has seven numbers, as 03-01-06-01-02-01-12.wav"
            raise ValueError(msg)
        wav, rate = soundfile.read(path, dtype="float64", always_2d=True)
        mels.append(log_mels(soxr.resample(wav.mean(axis=1), rate * speed, RATE, "VHQ")))
        emotions.append(int(codes[2]) - 1)
        actors.append(int(codes[6]))
    return Spoken(mels, emotions, actors)


def prepare(folder: Path, cache: Path) -> tuple[list[Spoken], Spoken, Spoken]:
    """Return training spectra by speed, those watched and those held out; made once.

    Raises:
        FileNotFoundError: the folder holds no such recording.
    """
    files = sorted(p for p in folder.rglob("03-01-*") if p.suffix in {".wav", ".flac"})
    parts: list[list[Path]] = [[], [], []]
    for path in files:
        actor = int(path.stem.split("-")[-1])
        parts[1 if actor in WATCHED else 2 if actor in HELD_OUT else 0].append(path)
    if not all(parts):
        msg = f"{folder} does not hold the speech of RAVDESS (Actor_01/03-01-..., 24 actors)"
        raise FileNotFoundError(msg)
    if cache.exists():
        with np.load(cache) as kept:
            return _unpack(dict(kept))
    made = [read(parts[0], speed) for speed in SPEEDS] + [read(p) for p in parts[1:]]
    packed: dict[str, np.ndarray] = {}
    for i, spoken in enumerate(made):
        packed[f"mels{i}"] = np.concatenate(spoken.mels)
        packed[f"frames{i}"] = np.array([len(m) for m in spoken.mels])
        packed[f"emotions{i}"] = np.array(spoken.emotions)
        packed[f"actors{i}"] = np.array(spoken.actors)
    draft = cache.with_suffix(".part.npz")
    np.savez(draft, **packed)  # type: ignore[arg-type]
    os.replace(draft, cache)
    return made[:-2], made[-2], made[-1]


def _unpack(kept: dict[str, np.ndarray]) -> tuple[list[Spoken], Spoken, Spoken]:
    made = []
    for i in range(len(SPEEDS) + 2):
        ends = np.cumsum(kept[f"frames{i}"])[:-1]
        mels = np.split(kept[f"mels{i}"], ends)
        made.append(Spoken(mels, kept[f"emotions{i}"].tolist(), kept[f"actors{i}"].tolist()))
    return made[:-2], made[-2], made[-1]


def varied(mels: Mels, rng: np.random.Generator) -> Mels:
    """Return one window ``(160, 80)`` of a recording as another voice, room or microphone."""
    frames = len(mels)
    if frames > WINDOW:
        at = int(rng.integers(frames - WINDOW + 1))
        x = mels[at : at + WINDOW].copy()
    else:
        before = int(rng.integers(WINDOW - frames + 1))
        sides = ((before, WINDOW - frames - before), (0, 0))
        x = np.pad(mels, sides, constant_values=mels.min())
    shift = int(rng.integers(-2, 3))
    x = np.roll(x, shift, axis=1)
    if shift > 0:
        x[:, :shift] = x[:, shift, None]
    elif shift < 0:
        x[:, shift:] = x[:, shift - 1, None]
    slope = np.linspace(-1, 1, BANDS, dtype=np.float32)
    x = x + np.float32(rng.normal(0, 2)) * slope + np.float32(rng.normal(0, 2)) * (slope**2 - 1 / 3)
    if rng.random() < 0.5:
        floor = x.max() - rng.uniform(15, 60) + rng.normal(0, 4) * slope
        noise = floor + 10 * np.log10(rng.exponential(size=x.shape) + 1e-3)
        x = 10 * np.log10(10 ** (x / 10) + 10 ** (noise / 10))
    x = (x - x.mean()) / 20
    for axis, most in ((0, 24), (0, 24), (1, 10), (1, 10)):
        width = int(rng.integers(most + 1))
        at = int(rng.integers(x.shape[axis] - width + 1))
        x[(slice(None),) * axis + (slice(at, at + width),)] = 0
    return x.astype(np.float32)


def drawn(
    train: Sequence[Spoken], count: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return windows ``(count, 160, 80)`` and what they should be called, ``(count, labels)``."""
    spoken = train[0]
    picks = rng.integers(len(spoken.mels), size=count)
    x = np.stack([varied(train[int(rng.integers(len(train)))].mels[i], rng) for i in picks])
    y = np.eye(len(LABELS), dtype=np.float32)[[spoken.emotions[i] for i in picks]]
    share = rng.beta(0.3, 0.3, size=count).astype(np.float32)
    share = np.maximum(share, 1 - share) * (rng.random(count) < 0.5)
    share[share == 0] = 1
    other = rng.permutation(count)
    x = share[:, None, None] * x + (1 - share)[:, None, None] * x[other]
    y = share[:, None] * y + (1 - share)[:, None] * y[other]
    return torch.from_numpy(x), torch.from_numpy(y)


def heard(net: SerNet, spoken: Spoken) -> NDArray[np.int64]:
    """Return the likeliest emotion of every recording, as the observer would hear it."""
    net.eval()
    found = []
    with torch.inference_mode():
        for mels in spoken.mels:
            _, logits = net(torch.from_numpy(windows(mels)))
            found.append(int(torch.softmax(logits, dim=1).mean(0).argmax()))
    return np.array(found)


def report(found: NDArray[np.int64], spoken: Spoken) -> dict[str, Any]:
    """Return accuracy with a 95 % interval (Wilson), what guessing gives, and the confusion."""
    right = found == np.array(spoken.emotions)
    n, p, z = len(right), float(right.mean()), 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    confusion = np.zeros((len(LABELS), len(LABELS)), dtype=int)
    np.add.at(confusion, (np.array(spoken.emotions), found), 1)
    actors = np.array(spoken.actors)
    there = confusion.sum(axis=1)
    recall = confusion.diagonal()[there > 0] / there[there > 0]
    return {
        "recordings": n,
        "accuracy": round(p, 4),
        "interval_95_wilson": [round(middle - half, 4), round(middle + half, 4)],
        "unweighted_recall": round(float(recall.mean()), 4),
        "chance": round(1 / len(LABELS), 4),
        "majority": round(float(there.max() / n), 4),
        "by_actor": {str(a): round(float(right[actors == a].mean()), 4) for a in np.unique(actors)},
        "confusion_rows_true": {
            label: row for label, row in zip(LABELS, confusion.tolist(), strict=True)
        },
    }


class Session:
    """Network, running mean of its weights, optimiser, and how far they are."""

    def __init__(self, seed: int):
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self.net = SerNet(**SIZES)
        self.mean = copy.deepcopy(self.net).requires_grad_(False)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(self.net.parameters(), weight_decay=0.05)
        self.rng = np.random.default_rng(seed)
        self.step, self.seconds = 0, 0.0

    def save(self, path: Path) -> None:
        """Write everything that going on needs."""
        state = {
            "net": self.net.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "torch": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        draft = path.with_suffix(".part")
        torch.save(state, draft)
        os.replace(draft, path)

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        torch.set_rng_state(state["torch"])
        self.step, self.seconds = state["step"], state["seconds"]

    def learn(self, train: Sequence[Spoken], share: float) -> float:
        """Take one step, `share` of the plan being done; return the loss."""
        self.net.train()
        warm = min(1.0, (self.step + 1) / 100)
        rate = RATE_OF_LEARNING * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        x, y = drawn(train, BATCH, self.rng)
        with torch.autocast("cpu", torch.bfloat16):
            _, logits = self.net(x)
        loss = fn.cross_entropy(logits.float(), y, label_smoothing=0.1)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimiser.step()
        self.step += 1
        keep = min(KEEP, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            pairs = zip(
                self.mean.state_dict().values(), self.net.state_dict().values(), strict=True
            )
            for mine, new in pairs:
                if mine.is_floating_point():
                    mine.lerp_(new, 1 - keep)
                else:
                    mine.copy_(new)
        return float(loss.detach())


def train(
    ravdess: Path,
    out: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    watch_minutes: float = 2.0,
) -> Path:
    """Train, or go on training, until the plan is done; write weights, card and log.

    Args:
        ravdess: folder with the speech of the corpus.
        out: folder for everything that is written.
        minutes: wall-clock time of all sittings together; the schedule follows it.
        steps: number of steps; with both, the nearer one ends the run.
        seed: of every random choice.
        watch_minutes: between checkpoints, at which the watched actors are heard.

    Returns:
        Path of the weights.

    Raises:
        ValueError: neither minutes nor steps.
        FileNotFoundError: no recordings.
    """
    if not minutes and not steps:
        msg = "say how long: minutes or steps"
        raise ValueError(msg)
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    training, watched, held = prepare(ravdess, out / "features.npz")
    log.info("%d recordings ready in %.0f s", len(training[0].mels), time.monotonic() - began)
    session, checkpoint = Session(seed), out / "checkpoint.pt"
    with torch.random.fork_rng(devices=()), (out / "log.jsonl").open("a") as record:
        torch.manual_seed(seed)  # dropout has no generator of its own
        if checkpoint.exists():
            session.restore(checkpoint)
        _loop(session, training, watched, checkpoint, record, minutes, steps, watch_minutes)
        session.save(checkpoint)
    scores = report(heard(session.mean, held), held)
    card = {
        "name": "ser_small",
        "summary": "8 acted emotions from log mel spectra; ours, small, not emotion2vec",
        "data": "RAVDESS speech (Livingstone and Russo 2018): 1,440 recordings, 24 actors, "
        "2 sentences",
        "licence": "CC BY-NC-SA 4.0 (that of RAVDESS): non-commercial, share alike",
        "labels": list(LABELS),
        "split": {
            "training actors": "1-18",
            "watched actors": list(WATCHED),
            "held-out actors": list(HELD_OUT),
        },
        "held_out": scores,
        "watched": report(heard(session.mean, watched), watched),
        "caveat": "held-out actors speak the sentences of the training; the interval takes "
        "recordings for independent, and four actors are few: see by_actor",
        "parameters": sum(p.numel() for p in session.net.parameters()),
        "steps": session.step,
        "seconds": round(session.seconds),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s) of "
        f"{os.cpu_count()} cores, torch {torch.__version__}",
        "seed": seed,
        "command": f"python -m metrics.train.ser_small --ravdess DIR --out DIR --minutes {minutes}"
        f" --seed {seed}",
    }
    weights = out / "ser_small.safetensors"
    export(session.mean, SIZES, weights, card)
    log.info("held-out accuracy %s %s", scores["accuracy"], scores["interval_95_wilson"])
    return weights


def _loop(
    session: Session,
    training: Sequence[Spoken],
    watched: Spoken,
    checkpoint: Path,
    record: TextIO,
    minutes: float | None,
    steps: int | None,
    watch_minutes: float,
) -> None:
    """Step until the plan is done; log, save and listen on the way."""
    last = saved = time.monotonic()
    total = 0.0

    def write(row: dict[str, Any]) -> None:
        where = {"step": session.step, "seconds": round(session.seconds, 1)}
        record.write(json.dumps({**where, **row}) + "\n")
        record.flush()

    while True:
        by_time = session.seconds / (60 * minutes) if minutes else 0.0
        by_steps = session.step / steps if steps else 0.0
        if (share := max(by_time, by_steps)) >= 1:
            return
        total += session.learn(training, share)
        now = time.monotonic()
        session.seconds += now - last
        last = now
        if session.step % _LOG_STEPS == 0:
            write({"loss": round(total / _LOG_STEPS, 4), "share": round(share, 4)})
            total = 0.0
        if now - saved > 60 * watch_minutes:
            session.save(checkpoint)
            right = heard(session.mean, watched) == np.array(watched.emotions)
            write({"watched_accuracy": round(float(right.mean()), 4)})
            session.seconds += time.monotonic() - last
            saved = last = time.monotonic()


def main() -> None:
    """Run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of torch")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if asked.threads:
        torch.set_num_threads(asked.threads)
    train(asked.ravdess, asked.out, minutes=asked.minutes, steps=asked.steps, seed=asked.seed)


if __name__ == "__main__":
    main()
