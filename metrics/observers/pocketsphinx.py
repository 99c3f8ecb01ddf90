"""English words by PocketSphinx: the recogniser that always works offline, and is often wrong.

Heard: ``text``, the hypothesis, lower case, without fillers; ``logprob``, mean natural-log
posterior of its words (None where there are none); ``unheard``, the reason, alone, for any language
but English. It has no probability of silence.

Source: CMU Sphinx, package pocketsphinx with its en-us models: Gaussian mixtures on cepstra, a
trigram language model, cmudict. Licence of the code and the models: BSD.

Traps: its WER on 50 utterances of LibriSpeech test-other is 61 % (Whisper base: 10 %), so it tells
broken speech from speech and no more; two good systems are not to be ranked by it. Words that are
not in cmudict can never be heard. Cepstral means are taken over the whole recording and the front
end is made anew for each, since otherwise what is heard depends on what was heard before. A long
recording is one utterance: it is not cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from metrics._normalise import primary
from metrics.observers._base import Clip, Kind, Observation, Observer
from metrics.observers._words import digest, unheard, weighted

_FILLERS = ("<", "[")  # <s>, </s>, <sil>, [NOISE], [SPEECH]
_LEAST = 1e-30  # posterior below which a word is as good as impossible


@dataclass(frozen=True)
class PocketSphinx(Observer):
    """The en-us models in the package."""

    name: ClassVar[str] = "pocketsphinx"
    kind: ClassVar[Kind] = "words"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("pocketsphinx",)
    extra: ClassVar[str] = "asr"
    asks: ClassVar[tuple[str, ...]] = ("language",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", _found())
        object.__setattr__(self, "_loaded", None)

    @property
    def weights(self) -> str:
        """The digest of acoustic model, language model and dictionary."""
        return digest(vars(self)["_files"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return what was said in each recording."""
        return [self._words(clip) for clip in batch]

    def close(self) -> None:
        """Let the models go."""
        object.__setattr__(self, "_loaded", None)

    def _words(self, clip: Clip) -> Observation:
        if primary(clip.language) != "en":
            return unheard(self.name, clip.language, ["en"])
        decoder = self._decoder()
        decoder.reinit_feat()
        decoder.start_utt()
        pcm = (np.clip(clip.audio, -1, 1) * 32767).astype("<i2").tobytes()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        heard = decoder.hyp()
        if heard is None:  # shorter than a frame
            return {"text": "", "logprob": None}
        said = [s for s in decoder.seg() if not s.word.startswith(_FILLERS)]
        posteriors = ((math.log(max(s.prob, _LEAST)), 1) for s in said)
        return {"text": heard.hypstr, "logprob": weighted(posteriors)}

    def _decoder(self) -> Any:
        if vars(self)["_loaded"] is None:
            from pocketsphinx import Decoder

            object.__setattr__(self, "_loaded", Decoder(loglevel="FATAL", cmn="batch"))
        return vars(self)["_loaded"]


def _found() -> list[Path]:
    """Return the files of the models; the package is not imported."""
    package = find_spec("pocketsphinx")
    if package is None or not package.origin:
        msg = "No module named 'pocketsphinx'"
        raise ModuleNotFoundError(msg, name="pocketsphinx")
    folder = Path(package.origin).parent / "model" / "en-us"
    found = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    if not found:
        msg = f"pocketsphinx came without its models: put those of its wheel at {folder}"
        raise FileNotFoundError(msg)
    return found


load = PocketSphinx
