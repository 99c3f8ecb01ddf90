"""What raters together felt, and what an emotion observer heard, over the same labels.

Consensus is CoCoEmo's Eq. (9), arXiv:2602.03420: the share of each label among all votes. Its
release drops the neutral share and does not divide by what is left (wsssy/CoCoEmo, dcc3191).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from metrics._agreement import one_of
from metrics._base import Metric, Unscorable

NEUTRAL = "neutral"
POLICIES = ("keep", "drop", "renormalise")
Policy = Literal["keep", "drop", "renormalise"]

#: Other words for a label, as corpora and models have them; every other label is its own name.
ALIASES = {
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}


@dataclass(frozen=True)
class SoftLabelled(Metric):
    """A metric that compares what an observer hears with shares of emotions.

    The votes of `ratings` count where there are any, else the shares of `emotion`. `emotions` are
    the labels that count (``angry+happy+sad+surprised``), or all that were offered to the raters.
    What was given to other labels is divided out, and so is the neutral share under
    ``neutral=renormalise``; under ``neutral=drop`` both are left out and the rest is not divided,
    so that it sums to less than 1. Utterances with fewer than `raters` votes have no value.
    """

    listens: ClassVar[str] = "observer"
    observer: str = "emotion2vec"
    neutral: Policy = "keep"
    emotions: str = "all"
    raters: int = 0

    def __post_init__(self) -> None:
        one_of("neutral", self.neutral, POLICIES)
        if not labels_of(self.emotions):
            msg = f"emotions takes all, or labels joined by +, got {self.emotions!r}"
            raise ValueError(msg)

    def consensus(
        self, emotion: Mapping[str, float], ratings: Mapping[str, int]
    ) -> dict[str, float]:
        """Return the share of each label that counts."""
        return consensus(
            emotion,
            ratings,
            neutral=self.neutral,
            emotions=labels_of(self.emotions),
            raters=self.raters,
        )


def labels_of(emotions: str) -> tuple[str, ...]:
    """Return the labels of ``happy+sad``, ``("all",)`` for all."""
    return tuple(dict.fromkeys(name_of(label) for label in emotions.split("+") if label.strip()))


def name_of(label: str) -> str:
    """Return a label in lower case, under the name used here."""
    plain = label.strip().lower()
    return ALIASES.get(plain, plain)


def consensus(
    emotion: Mapping[str, float],
    ratings: Mapping[str, int],
    *,
    neutral: Policy = "keep",
    emotions: tuple[str, ...] = ("all",),
    raters: int = 0,
) -> dict[str, float]:
    """Eq. (9): return the share of each label among all votes; a label without votes has 0.

    Args:
        emotion: shares, taken where there are no votes.
        ratings: votes per label; a label that was offered and got none is there with 0.
        neutral: keep | drop | renormalise, as `SoftLabelled` says.
        emotions: the labels that count, or ``("all",)``.
        raters: least number of votes.

    Raises:
        ValueError: a negative or non-finite vote or share, or another policy.
        Unscorable: neither votes nor shares, too few votes, or nothing for a label that counts.
    """
    one_of("neutral", neutral, POLICIES)
    given = _added(ratings.items()) if sum(ratings.values()) else _added(emotion.items())
    total = sum(given.values())
    if not total:
        msg = "there are neither votes nor shares of emotions"
        raise Unscorable(msg)
    votes = sum(ratings.values())
    if votes < raters:
        msg = f"{votes} votes, fewer than the {raters} asked for"
        raise Unscorable(msg)
    wanted = list(given) if emotions == ("all",) else list(emotions)
    if neutral != "keep":
        wanted = [label for label in wanted if label != NEUTRAL]
    counted = {label: given.get(label, 0.0) for label in wanted}
    some = sum(counted.values())
    if not some:
        felt = ", ".join(label for label, share in given.items() if share)
        msg = f"nothing was felt that counts here, only {felt}"
        raise Unscorable(msg)
    return {k: v / (total if neutral == "drop" else some) for k, v in counted.items()}


def dominant(shares: Mapping[str, float]) -> tuple[str, ...]:
    """Return the labels with the largest share; more than one where they tie."""
    top = max(shares.values())
    return tuple(label for label, share in shares.items() if share >= top - 1e-9)


def posterior_of(heard: Mapping[str, Any]) -> dict[str, float]:
    """Return the probability of each label that an observer of emotions gave to a recording.

    Raises:
        ValueError: the observer gives no posterior.
        Unscorable: the recording, the output, is silent.
    """
    if heard.get("silent"):
        msg = "the output is silent"
        raise Unscorable(msg, blame="estimate")
    if "posterior" not in heard or len(heard["posterior"]) != len(heard.get("labels", ())):
        msg = f"needs an observer with posterior and labels, this one hears {', '.join(heard)}"
        raise ValueError(msg)
    pairs = zip(heard["labels"], (float(p) for p in heard["posterior"]), strict=True)
    return _added(pairs)


def probability(posterior: Mapping[str, float], label: str) -> float:
    """Return the probability of one label.

    Raises:
        Unscorable: the observer does not know this label.
    """
    if label not in posterior:
        msg = f"the observer does not know {label!r}, only {', '.join(posterior)}"
        raise Unscorable(msg)
    return posterior[label]


def side_by_side(
    shares: Mapping[str, float],
    posterior: Mapping[str, float],
    *,
    rest: Literal["renormalise", "bin"],
) -> tuple[list[float], list[float]]:
    """Return consensus and posterior as distributions over the same labels.

    Args:
        shares: consensus; its labels are the ones that count.
        posterior: what was heard, over the observer's labels.
        rest: what was heard of other labels: divided out, or a label more that nobody voted for.

    Raises:
        Unscorable: a label that was voted for is not known to the observer; only one label is
            left; or nothing of them was heard.
    """
    known = [label for label, share in shares.items() if share or label in posterior]
    felt = [shares[label] for label in known]
    heard = [probability(posterior, label) for label in known]
    if rest == "bin":
        return [*felt, 0.0], [*heard, max(0.0, 1 - sum(heard))]
    if len(known) < 2:
        msg = f"only {known[0]!r} was offered: nothing to divide (rest=bin has a value)"
        raise Unscorable(msg)
    if not sum(heard) > 0:
        msg = f"nothing was heard of {', '.join(known)}"
        raise Unscorable(msg, blame="estimate")
    return felt, [p / sum(heard) for p in heard]


def _added(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for label, share in pairs:
        if not 0 <= share < float("inf"):
            msg = f"{label!r} has {share}; votes and shares are 0 or more"
            raise ValueError(msg)
        found[name_of(label)] = found.get(name_of(label), 0.0) + share
    return found
