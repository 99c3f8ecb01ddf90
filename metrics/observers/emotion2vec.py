"""Emotion by emotion2vec+, through FunASR: embedding and nine emotions.

Heard: ``embedding``, float32, shape (1024,) for plus_large, (768,) for plus_base and plus_seed, the
mean over frames (20 ms) of the last layer; ``posterior``, float32, shares that sum to 1 over
``labels`` (list of str: angry, disgusted, fearful, happy, neutral, other, sad, surprised, unknown).
"other" and "unknown" keep their share: nothing is divided out.

Source: Ma, Zheng, Ye, Li, Gao, Zhang and Chen, "emotion2vec", ACL Findings 2024, arXiv:2312.15185;
``funasr.AutoModel``, ``generate(granularity="utterance", extract_embedding=True)``. `model` is
iic/emotion2vec_plus_large (or _base, _seed), found in the cache of ModelScope or of the Hugging
Face hub (there the owner is emotion2vec), or a folder with config.yaml, model.pt and tokens.txt.
Licence of the weights: FunASR's model licence.

Checked when the weights are read: every tensor that is used comes from the checkpoint, with its
shape, and no tensor of it is left over. FunASR itself prints a line and goes on with random weights
(once a public suite scored a whole table with an empty folder that way). The released checkpoints
come without the ``decoder`` of the pre-training, which is never run: it alone may be missing, which
is what the "miss key" lines of FunASR are about.

Labels are bilingual in the files and mapped to their English half, ``<unk>`` to "unknown"; those
that begin with "unuse" are left out by FunASR. The digest of the weights covers tokens.txt and
config.yaml, so that the same model with other labels is another column.

Traps: the embeddings also hold speaker, words and channel (arXiv:2604.26347), and cosines of the
768-d models stay above 0.9 between emotions (ddlBoJack/emotion2vec#66): read similarities beside a
shuffled baseline. A recording is heard whole: minutes cost memory by the square.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of
from metrics.observers._weights import device_of, folder_of

_FILES = (("config.yaml",), ("model.pt",), ("tokens.txt", "tokens.json"))
_SPARE = "modality_encoders.AUDIO.decoder."  # of the pre-training; not in the released files
_SHORTEST = 1600  # samples: 0.1 s; a shorter recording gets zeros behind it


@dataclass(frozen=True)
class Emotion2vec(Observer):
    """emotion2vec+; recordings go through one by one, as in FunASR: nothing is padded."""

    name: ClassVar[str] = "emotion2vec"
    kind: ClassVar[Kind] = "emotion"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("funasr",)
    extra: ClassVar[str] = "emotion"
    hidden: ClassVar[tuple[str, ...]] = ("device",)
    model: str = "iic/emotion2vec_plus_large"
    device: str = "auto"

    def __post_init__(self) -> None:
        folder = home_of(self.model)
        known = [path for row in _FILES for name in row if (path := folder / name).is_file()]
        for name, value in (("_folder", folder), ("_digest", digest_of(*known)), ("_ear", None)):
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> str:
        """The digest of configuration, weights and labels."""
        return str(vars(self)["_digest"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return posterior and embedding of each recording.

        Raises:
            ValueError: the checkpoint does not fit the model, or has no labels.
        """
        with undisturbed():
            ear = self._loaded()
            found = []
            for clip in batch:
                wav = np.pad(clip.audio, (0, max(0, _SHORTEST - clip.audio.size)))
                (heard,) = ear.generate(
                    [wav.astype(np.float32)],
                    granularity="utterance",
                    extract_embedding=True,
                    disable_pbar=True,
                )
                found.append(observation(heard))
        return found

    def close(self) -> None:
        """Let the model go."""
        object.__setattr__(self, "_ear", None)

    def _loaded(self) -> Any:
        if vars(self)["_ear"] is None:
            import torch
            from funasr import AutoModel

            folder: Path = vars(self)["_folder"]
            ear = AutoModel(
                model=str(folder),
                device=device_of(self.device),
                disable_update=True,
                check_latest=False,
                disable_pbar=True,
                log_level="ERROR",
                ncpu=torch.get_num_threads(),
            )
            refuse_strangers(folder / "model.pt", ear.model.state_dict())
            if ear.model.proj is None:
                msg = f"{folder} has no classifier: emotion2vec_plus_large, _base and _seed have"
                raise ValueError(msg)
            object.__setattr__(self, "_ear", ear)
        return vars(self)["_ear"]


def home_of(model: str) -> Path:
    """Return the folder of a model: itself, in ModelScope's cache, or from the Hugging Face hub.

    Raises:
        FileNotFoundError: with one line that says what to fetch and where to put it.
    """
    owner, _, name = model.rpartition("/")
    if not Path(model).expanduser().is_dir() and owner in {"iic", "emotion2vec"}:
        cache = Path(os.environ.get("MODELSCOPE_CACHE") or Path.home() / ".cache/modelscope/hub")
        for inside in ("models", "hub/models", "hub", "."):
            folder = cache / inside / "iic" / name
            if all(any((folder / f).is_file() for f in row) for row in _FILES):
                return folder
        return folder_of(f"emotion2vec/{name}", _FILES)
    return folder_of(model, _FILES)


def refuse_strangers(path: Path, wanted: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that does not hold exactly the tensors the model runs with.

    Args:
        path: the checkpoint, as FunASR takes it: tensors by name, or within "model",
            "state_dict" or "model_state_dict", with or without "module." before the name.
        wanted: the model's own tensors by name.

    Raises:
        ValueError: a tensor is missing, left over, or of another shape.
    """
    import torch

    state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    for inner in ("state_dict", "model_state_dict", "model"):
        state = state.get(inner, state)
    given = {k.removeprefix("module."): v for k, v in state.items() if hasattr(v, "shape")}
    ours = {k: v for k, v in wanted.items() if not k.startswith(_SPARE)}
    theirs = {k: v for k, v in given.items() if not k.startswith(_SPARE)}
    faults = {
        "missing": sorted(set(ours) - set(theirs)),
        "left over": sorted(set(theirs) - set(ours)),
        "of another shape": [k for k in ours if k in theirs and ours[k].shape != theirs[k].shape],
    }
    said = [f"{len(v)} {k} ({', '.join(v[:2])}{', ...' * (len(v) > 2)})" for k, v in faults.items()]
    if any(faults.values()):
        counts = "; ".join(text for text, names in zip(said, faults.values(), strict=True) if names)
        msg = f"{path} is not a checkpoint of the model in its config.yaml: {counts}"
        raise ValueError(msg)


def observation(heard: Mapping[str, Any]) -> Observation:
    """Return what FunASR says of one recording, labels in English.

    Raises:
        ValueError: no labels, labels that are the same in English, or values that are no numbers.
    """
    labels = [english(label) for label in heard["labels"]]
    posterior = np.asarray(heard["scores"], dtype=np.float32)
    embedding = np.asarray(heard["feats"], dtype=np.float32)
    if not labels or len(set(labels)) != len(labels) or posterior.shape != (len(labels),):
        msg = f"emotion2vec gave {posterior.size} shares for the labels {heard['labels']}"
        raise ValueError(msg)
    if not (np.isfinite(posterior).all() and np.isfinite(embedding).all()):
        msg = "emotion2vec gave values that are not finite: damaged weights?"
        raise ValueError(msg)
    return {"labels": labels, "posterior": posterior, "embedding": embedding}


def english(label: str) -> str:
    """Return ``angry`` for ``生气/angry`` and ``unknown`` for ``<unk>``."""
    plain = label.rpartition("/")[2].strip().lower()
    return "unknown" if plain == "<unk>" else plain


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep what FunASR changes: global seeds, threads, log handlers, lines on stdout."""
    import logging

    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    threads, root = torch.get_num_threads(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        torch.set_num_threads(threads)
        root.handlers[:] = handlers
        root.setLevel(level)


load = Emotion2vec
