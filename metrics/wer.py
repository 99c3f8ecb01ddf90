"""Word error rate (WER) of what a recogniser hears in the output, against the text.

Source: Levenshtein distance over words, counts by jiwer 4.0; WER = (S + D + I) / N over the corpus,
with S substituted, D deleted and I inserted words against the N words of the text.

Misleads: the recogniser errs too, so ``wer:of=ground_truth`` belongs beside it; a large language
model inside guesses words that were never intelligible, and a recogniser taught on synthetic speech
is kind to it. Normalisers differ by several points. Short utterances weigh by their words here, and
as much as long ones under ``average=utterance``, which lets one bad word of two cost 50 points.

Deviations: none from the counts. An empty or silent output is N deletions. Where a language has no
spaces between words (Chinese, Japanese, Thai, Lao, Burmese, Khmer, Tibetan) each character counts
as a word. How a total splits into S, D and I is not unique; jiwer's choice is kept. sclite, where a
substitution costs 4 and the others 3, splits some differently: in its own first test (51 sentences,
169 errors in 1406 words) every total is the same, and one split is not.
CoCoEmo and seed-tts-eval publish the mean of the utterances' rates: ``average=utterance`` with
``normaliser=cocoemo`` or ``seed_tts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from metrics import _normalise
from metrics._base import Metric, Rows, Unscorable, loader


class Errors(NamedTuple):
    """Edits that turn the reference into the estimate, and the reference's length."""

    substitutions: int
    insertions: int
    deletions: int
    reference_words: int


def word_errors(estimate: str | Sequence[str], reference: str | Sequence[str]) -> Errors:
    """Return the counts of a cheapest word alignment (best: no edits).

    Args:
        estimate: hypothesis, as words or as a string that white space separates; it may be empty.
        reference: what should have been said, likewise.

    Raises:
        ValueError: a word of a list is empty or has white space in it.
        Unscorable: the reference has no words.
    """
    return _edits(_listed(estimate), _listed(reference))


def _listed(words: str | Sequence[str]) -> list[str]:
    if isinstance(words, str):
        return words.split()
    if bad := [w for w in words if w.split() != [w]]:
        msg = f"a word has white space in it or is empty: {bad[0]!r}"
        raise ValueError(msg)
    return list(words)


def _edits(estimate: list[str], reference: list[str]) -> Errors:
    import jiwer

    if not reference:
        msg = "the text has no words"
        raise Unscorable(msg)
    found = jiwer.process_words(" ".join(reference), " ".join(estimate))
    return Errors(found.substitutions, found.insertions, found.deletions, len(reference))


def rate(row: Errors) -> float:
    """Return the error rate of one utterance in percent: 0 is best, above 100 is possible."""
    return 100 * (row.substitutions + row.insertions + row.deletions) / row.reference_words


@dataclass(frozen=True)
class Wer(Metric):
    """WER in percent; a missing output is all its words deleted."""

    name: ClassVar[str] = "wer"
    unit: ClassVar[str] = "%"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "Levenshtein distance over words, jiwer"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 2
    extra: ClassVar[str] = "asr"
    listens: ClassVar[str] = "asr"
    term: ClassVar[str] = "WER"
    asr: str = "faster_whisper:model=base"
    normaliser: str = "whisper_english"
    average: str = "corpus"
    of: str = "output"

    def __post_init__(self) -> None:
        _normalise.rules(self.normaliser)
        for field, known in (("average", ("corpus", "utterance")), ("of", ("output", _TRUTH))):
            if getattr(self, field) not in known:
                msg = f"{self.name}: {field} is {' or '.join(known)}, got {getattr(self, field)!r}"
                raise ValueError(msg)

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """Distributions whose version changes the value."""
        return "jiwer", *_normalise.rules(self.normaliser).requires

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term, which says what is not as usual: who listened to what, and how."""
        chosen = ((type(self).asr, self.asr), (type(self).normaliser, self.normaliser))
        names = [[text.partition(":")[0] for text in pair] for pair in chosen]
        notes = [mine for usual, mine in names if mine != usual]
        notes += ["ground truth"] * (self.of == _TRUTH)
        notes += ["mean of utterances"] * (self.average == "utterance")
        return self.term + (f" ({', '.join(notes)})" if notes else "")

    @property
    def beside(self) -> str:
        """The same of the ground truth: what the recogniser itself gets wrong."""
        return "" if self.of == _TRUTH else replace(self, of=_TRUTH).spec

    @property
    def signature(self) -> str:
        """As any metric's, with the revision of the normaliser."""
        known = f"normaliser:{self.normaliser}"
        revision = _normalise.rules(self.normaliser).revision
        return super().signature.replace(f"{known}|", f"{known}@{revision}|")

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs; what was heard in the one recording that is scored."""
        unused = "heard" if self.of == _TRUTH else "heard_reference"
        return tuple(name for name in super().needs if name != unused)

    def errors(self, estimate: str, text: str | None, language: str) -> Errors:
        """Return the counts of a raw hypothesis against the text, both normalised.

        Raises:
            Unscorable: the text has no words, or the normaliser does not know the language.
        """
        return _edits(self._words(estimate, language), self._words(text or "", language))

    def _words(self, text: str, language: str) -> list[str]:
        return _normalise.words(text, language, normaliser=self.normaliser)

    def statistic(  # type: ignore[override]
        self,
        text: str | None,
        language: str,
        heard: Mapping[str, Any] | None = None,
        heard_reference: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Return ``[S, D, I, N]``, or ``[rate]`` for the mean of rates.

        Raises:
            Unscorable: the text has no words, the recogniser or the normaliser does not know the
                language, or the ground truth is silent.
        """
        observation = (heard_reference if self.of == _TRUTH else heard) or {}
        if self.of == _TRUTH and observation.get("silent"):
            msg = "the reference is silent"
            raise Unscorable(msg)
        if reason := observation.get("unheard"):
            raise Unscorable(str(reason))
        return self._row(self.errors(str(observation.get("text", "")), text, language))

    def worst_row(self, **facts: Any) -> tuple[float, ...] | None:
        """Return the row of an output without a word: all deleted; None where there is no text."""
        try:
            found = self.errors("", facts.get("text"), facts.get("language") or "en")
        except Unscorable:
            return None
        return tuple(self._row(found).tolist())

    def _row(self, found: Errors) -> Rows:
        if self.average == "utterance":
            return np.array([rate(found)])
        s, i, d, n = found
        return np.array([s, d, i, n], dtype=np.float64)

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return errors over reference words, in percent, or the mean of the utterances' rates."""
        if self.average == "utterance":
            return super().pool(totals, n)
        return 100 * totals[..., :3].sum(axis=-1) / totals[..., 3]


_TRUTH = "ground_truth"
load = loader(Wer)
