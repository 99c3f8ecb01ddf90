"""Speaker similarity (SIM): whether the output has the voice it should have.

Source: the cosine of two speaker embeddings, as in speaker verification; to the prompt it is the
SIM-o of zero-shot text-to-speech (Le et al., "Voicebox", arXiv:2306.15687), to the ground truth the
S-SIM of CoCoEmo (there with `encoder=wavlm_sv`). The default, `reference=ground_truth`, is what
every data set has and a codec must keep; `reference=prompt` is SIM-o, `reference=resynthesised` its
SIM-r: to the prompt as another run, of the codec or vocoder behind the system, renders it.

Misleads: a number means nothing without its encoder: unrelated voices reach 0.5 with one and 0.1
with another, so read it between the anchors under the table, the similarities within and across
speakers of the recordings that the outputs are compared with. SIM-r forgives what the codec loses.
Encoders hear the room, the microphone and the codec too: a clean output after a noisy prompt loses,
a copied room gains. Reads voices, not words: babble in the right voice scores high.

Deviations: that the codec of SIM-r is the system's own, nothing here can know: its run is named
under the table. With `reference=prompt`, an output that is the prompt itself (a cosine of 1
within 1e-4, which leaves room for 16 bits, another gain and resampling) has failed: it copied. A
prompt that was cut or moved, or went through a codec, is not caught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics._base import Metric, Rows, Unscorable, loader

#: A cosine this close to 1 is not another recording of the voice but the same recording.
COPY = 1e-4
_PAIRED = 2000  # recordings whose pairs are looked at; of more, these many evenly spread
_BLAMED: dict[str, Literal["reference", "estimate"]] = {"output": "estimate"}
#: What is compared with -> the input, and the column's head.
_REFERENCES = {
    "ground_truth": ("heard_reference", "SIM (ground truth)"),
    "prompt": ("heard_prompt", "SIM-o"),
    "resynthesised": ("heard_resynthesised", "SIM-r"),
}


def cosine(estimate: ArrayLike, reference: ArrayLike) -> float:
    """Return the cosine of the angle between two embeddings, -1 to 1 (best: 1, the same voice).

    Args:
        estimate: embedding of the output, shape ``(d,)``.
        reference: embedding of the voice it should have, shape ``(d,)``.

    Raises:
        ValueError: the shapes differ, or are not ``(d,)``.
        Unscorable: an embedding has no direction (all zeros) or is not finite.
    """
    e, r = np.asarray(estimate, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if e.shape != r.shape or e.ndim != 1:
        msg = f"need two embeddings of one shape (d,), got {e.shape} and {r.shape}"
        raise ValueError(msg)
    return float(np.clip(_unit(e, "output") @ _unit(r, "reference"), -1, 1))


class Separation(NamedTuple):
    """How far an encoder keeps speakers apart: what a similarity has to be read against."""

    same: float  # mean cosine of two recordings of one speaker
    different: float  # mean cosine of recordings of two speakers
    eer: float  # equal error rate of telling the former from the latter, 0 to 0.5 and worse


def separation(embeddings: ArrayLike, speakers: Sequence[str]) -> Separation:
    """Return mean cosines of all pairs within and across speakers, and their equal error rate.

    Args:
        embeddings: one per recording, shape ``(n, d)``.
        speakers: who speaks in each, length n.

    Raises:
        ValueError: lengths differ, or there is no pair of one of the two kinds.
        Unscorable: an embedding has no direction.
    """
    vectors, names = np.asarray(embeddings, dtype=np.float64), np.asarray(speakers)
    if vectors.ndim != 2 or names.shape != (len(vectors),):
        msg = f"need embeddings (n, d) and n speakers, got {vectors.shape} and {names.shape}"
        raise ValueError(msg)
    unit = np.stack([_unit(v, "recording") for v in vectors])
    first, second = np.triu_indices(len(unit), k=1)
    cosines = (unit @ unit.T)[first, second]
    alike = names[first] == names[second]
    return Separation(
        float(cosines[alike].mean()) if alike.any() else np.nan,
        float(cosines[~alike].mean()) if (~alike).any() else np.nan,
        equal_error_rate(cosines[alike], cosines[~alike]),
    )


def separation_intervals(
    embeddings: ArrayLike, speakers: Sequence[str], *, trials: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """Return ``[[low, high], [low, high]]`` of the means within and across speakers, 95 %.

    Bootstrap over speakers; two draws of one speaker make no pair of two. NaN below three speakers.

    Args:
        embeddings: one per recording, shape ``(n, d)``.
        speakers: who speaks in each, length n.
        trials: number of resamples.
        seed: of the resampling.

    Raises:
        Unscorable: an embedding has no direction.
    """
    unit = np.stack([_unit(v, "recording") for v in np.asarray(embeddings, dtype=np.float64)])
    names, whose = np.unique(np.asarray(speakers), return_inverse=True)
    if len(names) < 3:
        return np.full((2, 2), np.nan)
    belongs = np.eye(len(names))[whose]  # (n, speakers)
    n, summed = belongs.sum(axis=0), belongs.T @ unit  # (speakers,), (speakers, d)
    cosines, pairs = summed @ summed.T, np.outer(n, n)  # (speakers, speakers), of ordered pairs
    alike = np.stack([np.diag(cosines) - n, n * (n - 1)])  # a recording is no pair with itself
    np.fill_diagonal(cosines, 0)
    np.fill_diagonal(pairs, 0)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), trials)
    with np.errstate(invalid="ignore"):  # no pair of a kind among the speakers drawn
        within = (drawn @ alike[0]) / (drawn @ alike[1])
        across = ((drawn @ cosines) * drawn).sum(axis=1) / ((drawn @ pairs) * drawn).sum(axis=1)
    ends = [
        np.nanquantile(m, [0.025, 0.975]) if np.isfinite(m).any() else [np.nan] * 2
        for m in (within, across)
    ]
    return np.array(ends)


def equal_error_rate(same: ArrayLike, different: ArrayLike) -> float:
    """Return the rate at which false acceptances and false rejections are equal, 0 to 1 (best: 0).

    A pair is accepted from a threshold on; between two thresholds both rates go in a straight line.

    Args:
        same: scores of pairs that should be accepted, shape ``(m,)``.
        different: scores of pairs that should be rejected, shape ``(n,)``.

    Raises:
        ValueError: one of them is empty.
    """
    s, d = np.sort(np.asarray(same, dtype=np.float64)), np.sort(np.asarray(different, np.float64))
    if not s.size or not d.size:
        msg = f"need pairs of both kinds, got {s.size} of one speaker and {d.size} of two"
        raise ValueError(msg)
    thresholds = np.append(np.unique(np.concatenate([s, d])), np.inf)
    rejected = np.searchsorted(s, thresholds) / s.size
    accepted = 1 - np.searchsorted(d, thresholds) / d.size
    gap = accepted - rejected  # falls from 1 to -1
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(accepted[after - 1] + share * (accepted[after] - accepted[after - 1]))


def _unit(vector: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or not length:
        msg = f"no voice was found in the {what}"
        raise Unscorable(msg, blame=_BLAMED.get(what, "reference"))
    return vector / length


@dataclass(frozen=True)
class SpeakerSimilarity(Metric):
    """Mean cosine; a missing output counts as 0, a voice that has nothing in common."""

    name: ClassVar[str] = "speaker_similarity"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "arXiv:2306.15687"
    revision: ClassVar[int] = 1
    worst: ClassVar[tuple[float, ...] | None] = (0.0,)
    listens: ClassVar[str] = "encoder"
    encoder: str = "resemblyzer"
    reference: Literal["ground_truth", "prompt", "resynthesised"] = "ground_truth"

    def __post_init__(self) -> None:
        if self.reference not in _REFERENCES:
            msg = f"reference is one of {', '.join(_REFERENCES)}, got {self.reference!r}"
            raise ValueError(msg)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term, and the encoder where it is not the default."""
        term = _REFERENCES[self.reference][1]
        encoder = self.encoder.partition(":")[0]
        return term if encoder == "resemblyzer" else f"{term}, {encoder}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The output, and the one recording that it is compared with."""
        return "heard", _REFERENCES[self.reference][0]

    def statistic(  # type: ignore[override]
        self,
        heard: Mapping[str, Any],
        heard_reference: Mapping[str, Any] | None = None,
        heard_prompt: Mapping[str, Any] | None = None,
        heard_resynthesised: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Return ``[cosine]``; only the recording that `reference` names is looked at."""
        if self.reference == "prompt":
            voice = _embedding(heard_prompt or {}, "prompt")
        elif self.reference == "resynthesised":
            voice = _embedding(heard_resynthesised or {}, "resynthesised prompt")
        else:
            voice = _embedding(heard_reference or {}, "reference")
        value = cosine(_embedding(heard, "output"), voice)
        if self.reference == "prompt" and value >= 1 - COPY:
            msg = "a copy of the prompt"
            raise Unscorable(msg, blame="estimate")
        return np.array([value])

    def context(self, heard: Sequence[Mapping[str, Any]], speakers: Sequence[str | None]) -> str:
        """Return the anchors: similarities within and across speakers, with their error rate."""
        known = [
            (h["embedding"], s)
            for h, s in zip(heard, speakers, strict=True)
            if s is not None and np.any(h.get("embedding", 0))
        ]
        known = known[:: max(1, -(-len(known) // _PAIRED))]
        voices, names = [v for v, _ in known], [str(s) for _, s in known]
        if not 1 < len(set(names)) < len(names):
            return "no anchors: they need two speakers, and two recordings of one"
        found, (same, different) = separation(voices, names), separation_intervals(voices, names)
        return (
            f"anchors: same speaker {found.same:.3f}{_ends(same)}, different speakers "
            f"{found.different:.3f}{_ends(different)}, EER {100 * found.eer:.1f} % (pairs of "
            f"{len(names)} recordings it is compared with, {len(set(names))} speakers)"
        )


def _ends(interval: NDArray[np.float64]) -> str:
    low, high = interval
    return f" [{low:.3f}, {high:.3f}]" if np.isfinite(interval).all() else ""


def _embedding(observation: Mapping[str, Any], what: str) -> NDArray[np.float64]:
    blame = _BLAMED.get(what, "reference")
    if observation.get("silent"):
        msg = f"the {what} is silent"
        raise Unscorable(msg, blame=blame)
    if reason := observation.get("unheard"):
        msg = f"the {what} {reason}"
        raise Unscorable(msg, blame=blame)
    return _unit(np.asarray(observation["embedding"], dtype=np.float64), what)


load = loader(SpeakerSimilarity)
