"""Text to words, by named rules; which rules were used is part of a score.

``whisper_english``: the rules of Radford et al., arXiv:2212.04356, appendix C, as openai-whisper
    20250625 has them (lower case, contractions and titles spelled out, hesitations dropped, numbers
    as digits, American spelling), through the package whisper-normalizer, which needs no ASR
    package; four contractions which that package added are taken out again. Languages other than
    English go through ``basic``. Traps: "007" becomes "7" but "zero zero seven" becomes "007", the
    O of "O'Neil" becomes 0, and "..." is left as the word ".".
``basic``: NFKC, lower case, punctuation and symbols to spaces, apostrophes inside words kept.
    Unlike Whisper's rules of this name it keeps combining marks, without which Indic scripts fall
    apart. In languages that put no spaces between words each character is a word.
``cocoemo``: what the authors of CoCoEmo released: NFKC, lower case, separators out of grouped
    digits, English number words to digits by the package word2num, punctuation and symbols to
    spaces. Its slips are kept: the space before a grouped number is lost ("in 10,000" becomes
    "in10000"), a number word without a count is 0 ("hundred"), one that cannot be read is "None"
    or stays.
``seed_tts``: seed-tts-eval: ASCII and Chinese punctuation removed (joining what it stood between)
    except the apostrophe; English in lower case, Chinese by characters. No other language. The
    benchmark's conversion to simplified characters belongs to its ASR and is not done here.
``none``: words are what white space separates; in languages without spaces, characters.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from metrics._base import Unscorable

#: Languages written without spaces between words: there a word error rate counts characters.
UNSPACED = frozenset({"zh", "yue", "cmn", "wuu", "ja", "th", "lo", "my", "km", "bo"})

#: Contractions that whisper-normalizer has and openai-whisper has not.
_ADDED = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")

#: Chinese punctuation as zhon 2.1.1 lists it, which seed-tts-eval uses.
_CHINESE = {
    *map(chr, [*range(0xFF02, 0xFF10), *range(0xFF1A, 0xFF21), *range(0xFF3B, 0xFF41)]),
    *map(chr, [*range(0xFF5B, 0xFF65), *range(0x3001, 0x3004), *range(0x3008, 0x3012)]),
    *map(chr, [*range(0x3014, 0x3020), 0x3000, 0x3030, 0x303E, 0x303F, 0xFF01]),
    *"–—‘’‛“”„‟…‧﹏﹑﹔·",  # noqa: RUF001 - these very characters
}
_REMOVED = str.maketrans("", "", "".join(_CHINESE | set(string.punctuation) - {"'"}))

_DIGITS = "zero one two three four five six seven eight nine".split()
_SCALES = [s + end for s in ("hundred", "thousand", "million", "billion") for end in ("", "s")]
_OTHERS = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty thirty forty fifty sixty seventy eighty ninety"
).split()
_NUMBER = re.compile(rf"\b(?:{'|'.join([*_DIGITS, *_OTHERS, *_SCALES])})\b")
_JOINT = re.compile(r"[\s\-]*(?:and|a)?[\s\-]*")
_GROUPED = re.compile(r"[$€£¥]?\s*\d{1,3}(?:[,.\s]\d{3})+(?:\.\d+)?")


def primary(language: str) -> str:
    """Return the language of a BCP 47 tag without script and region: ``en`` of ``en-GB``."""
    return language.replace("_", "-").partition("-")[0].lower()


def spaced(language: str) -> bool:
    """Return whether this language puts spaces between words."""
    return primary(language) not in UNSPACED


def words(text: str, language: str = "en", *, normaliser: str = "whisper_english") -> list[str]:
    """Return the words of `text` under a normaliser; characters where words have no spaces.

    Args:
        text: anything; it may be empty.
        language: BCP 47.
        normaliser: a name of `NORMALISERS`.

    Raises:
        ValueError: there is no such normaliser.
        Unscorable: the normaliser does not know the language.
    """
    return rules(normaliser).split(text, language)


def _basic(text: str, language: str) -> list[str]:
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    text = re.sub(r"(?<!\w)'|'(?!\w)", " ", text)
    return _cut("".join(_plain(c) for c in text), language)


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # joiners and marks of direction, which no listener can tell
        return ""
    return " " if category[0] in "PS" and character != "'" else character


def _cut(text: str, language: str) -> list[str]:
    if spaced(language):
        return text.split()
    found: list[str] = []
    for character in "".join(text.split()):
        if found and unicodedata.category(character)[0] == "M":
            found[-1] += character
        else:
            found.append(character)
    return found


def _whisper_english(text: str, language: str) -> list[str]:
    return _openai()(text).split() if primary(language) == "en" else _basic(text, language)


@lru_cache(maxsize=1)
def _openai() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    made = EnglishTextNormalizer()
    for pattern in _ADDED:
        made.replacers.pop(pattern, None)
    return made


def _cocoemo(text: str, language: str) -> list[str]:
    text = unicodedata.normalize("NFKC", text).lower()
    text = _numbers(_GROUPED.sub(lambda found: _ungrouped(found[0]), text))
    return "".join(" " if unicodedata.category(c)[0] in "PS" else c for c in text).split()


def _ungrouped(number: str) -> str:
    whole, point, cents = number.rpartition(".")
    if point and len(cents) <= 2:
        return re.sub(r"[,.\s]", "", whole) + point + cents
    return re.sub(r"[,.\s]", "", number)


def _numbers(text: str) -> str:
    """Replace number words: digits one by one, unless a scale follows; the rest in runs."""
    found = list(_NUMBER.finditer(text))
    parts: list[str] = []
    at = i = 0

    def joined(j: int) -> bool:
        gap = text[found[j - 1].end() : found[j].start()] if j < len(found) else "."
        return _JOINT.fullmatch(gap) is not None

    while i < len(found):
        j = i + 1
        if found[i][0] not in _DIGITS or (joined(j) and found[j][0] in _SCALES):
            while joined(j):
                j += 1
        start, end = found[i].start(), found[j - 1].end()
        parts += [text[at:start], _number(text[start:end])]
        at, i = end, j
    return "".join([*parts, text[at:]])


def _number(text: str) -> str:
    from word2num import word2num

    try:
        number = word2num(re.sub(r"\ba\s+(?=hundred|thousand|million)", "one ", text))
    except TypeError:  # it stumbles over a run such as "nine a forty"
        return text
    whole = isinstance(number, float) and number.is_integer()
    return str(int(number) if whole else number)  # type: ignore[arg-type]


def _seed_tts(text: str, language: str) -> list[str]:
    known = primary(language)
    if known not in {"en", "zh"}:
        msg = f"the normaliser seed_tts knows English and Chinese, not {language}"
        raise Unscorable(msg)
    text = text.translate(_REMOVED)
    return text.lower().split() if known == "en" else list("".join(text.split()))


@dataclass(frozen=True)
class Normaliser:
    """One set of rules."""

    split: Callable[[str, str], list[str]]  # text and language to words
    revision: int  # raised whenever the words of some text change
    requires: tuple[str, ...] = ()  # distributions whose version changes the words


NORMALISERS = {
    "whisper_english": Normaliser(_whisper_english, 1, ("whisper-normalizer",)),
    "basic": Normaliser(_basic, 1),
    "cocoemo": Normaliser(_cocoemo, 1, ("word2num",)),
    "seed_tts": Normaliser(_seed_tts, 1),
    "none": Normaliser(_cut, 1),
}


def rules(name: str) -> Normaliser:
    """Return the normaliser of that name.

    Raises:
        ValueError: there is none; the message lists them.
    """
    if name not in NORMALISERS:
        msg = f"there is no normaliser {name!r}; known: {', '.join(NORMALISERS)}"
        raise ValueError(msg)
    return NORMALISERS[name]
