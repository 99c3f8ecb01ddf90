"""Emotion similarity (E-SIM): cosine of what an emotion model hears in output and reference.

Source: CoCoEmo, arXiv:2602.03420, as its release computes it: utterance embeddings of
emotion2vec_plus_large of the output and of the ground-truth recording.

Misleads: embeddings of emotion models also hold speaker, words and channel (arXiv:2604.26347): a
system that copies the voice gains. A value means little without two others beside it, of recordings
of the same and of another emotion: `metrics.speaker_similarity.separation`, given embeddings and
emotions, has both. Values of different observers are not on one scale.

Deviations: none known; the release leaves a failing file out without a word, here it is a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from metrics._base import Metric, Rows, Unscorable, loader


def cosine(estimate: ArrayLike, reference: ArrayLike) -> float:
    """Return the cosine of two embeddings, -1 to 1 (best 1).

    Args:
        estimate: shape ``(d,)``.
        reference: shape ``(d,)``.

    Raises:
        ValueError: the shapes differ or are not ``(d,)``.
        Unscorable: an embedding is zero or not finite; the blame is on its recording.
    """
    a, b = np.asarray(estimate, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        msg = f"need two embeddings of one length, got {a.shape} and {b.shape}"
        raise ValueError(msg)
    sides: tuple[tuple[Literal["reference", "estimate"], Any], ...]
    sides = (("reference", b), ("estimate", a))
    for blame, embedding in sides:
        if not (np.isfinite(embedding).all() and np.any(embedding)):
            msg = f"the embedding of the {blame} is zero or not finite"
            raise Unscorable(msg, blame=blame)
    return float(np.clip(a / np.linalg.norm(a) @ (b / np.linalg.norm(b)), -1, 1))


@dataclass(frozen=True)
class EmotionSimilarity(Metric):
    """E-SIM, mean over utterances; no worst value: unrelated recordings are well above 0."""

    name: ClassVar[str] = "emotion_similarity"
    title: ClassVar[str] = "E-SIM"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "arXiv:2602.03420"
    revision: ClassVar[int] = 1
    listens: ClassVar[str] = "observer"
    observer: str = "emotion2vec"

    def statistic(  # type: ignore[override]
        self, heard: Mapping[str, Any], heard_reference: Mapping[str, Any]
    ) -> Rows:
        """Return ``[cosine]``."""
        sides: tuple[tuple[Literal["reference", "estimate"], Mapping[str, Any]], ...]
        sides = (("reference", heard_reference), ("estimate", heard))
        for blame, heard_there in sides:
            if heard_there.get("silent"):
                msg = f"the {blame} is silent"
                raise Unscorable(msg, blame=blame)
            if "embedding" not in heard_there:
                msg = (
                    f"needs an observer with an embedding, this one hears {', '.join(heard_there)}"
                )
                raise ValueError(msg)
        return np.array([cosine(heard["embedding"], heard_reference["embedding"])])


load = loader(EmotionSimilarity)
