"""Character error rate (CER) of what a recogniser hears in the output, against the text.

Source: Levenshtein distance over characters, counts by jiwer 4.0, of the same normalised words as
`wer`; CER = (S + D + I) / N over the corpus.

Misleads: as `wer`, and it forgives a wrong word that is spelled alike. English as digits ("7" for
"seven") makes one character of five.

Deviations: characters are Unicode code points after normalisation, so a Devanagari or Thai vowel
sign counts; the one space between two words counts as a character, as in jiwer (which also counts
doubled spaces), and in languages without spaces between words there is none, so that the CER of
Chinese equals its WER.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from metrics import _normalise
from metrics._base import Unscorable, loader
from metrics.wer import Errors, Wer


def character_errors(estimate: str, reference: str) -> Errors:
    """Return the counts of a cheapest alignment of characters (best: no edits).

    Args:
        estimate: hypothesis; white space is one space between words, none at the ends.
        reference: what should have been said, likewise.

    Raises:
        Unscorable: the reference has no characters.
    """
    import jiwer

    estimate, reference = (" ".join(text.split()) for text in (estimate, reference))
    if not reference:
        msg = "the text has no words"
        raise Unscorable(msg)
    found = jiwer.process_characters(reference, estimate)
    return Errors(found.substitutions, found.insertions, found.deletions, len(reference))


@dataclass(frozen=True)
class Cer(Wer):
    """CER in percent; a missing output is all its characters deleted."""

    name: ClassVar[str] = "cer"
    source: ClassVar[str] = "Levenshtein distance over characters, jiwer"
    revision: ClassVar[int] = 1
    term: ClassVar[str] = "CER"

    def errors(self, estimate: str, text: str | None, language: str) -> Errors:
        """Return the counts of a raw hypothesis against the text, both normalised.

        Raises:
            Unscorable: the text has no words, or the normaliser does not know the language.
        """
        between = " " if _normalise.spaced(language) else ""
        sides = (between.join(self._words(t, language)) for t in (estimate, text or ""))
        return character_errors(*sides)


load = loader(Cer)
