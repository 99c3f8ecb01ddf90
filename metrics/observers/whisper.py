"""Words by Whisper, through openai-whisper.

Heard: ``text``, the raw hypothesis; ``logprob``, mean natural-log probability of its tokens (None
where there are none); ``no_speech``, probability that nothing is said (the lowest over windows);
``unheard``, the reason, alone, where the checkpoint does not know the language.

Source: Radford et al., arXiv:2212.04356; package openai-whisper. `model` is one of its names
(``tiny`` to ``large-v3``, ``turbo``) or the path of a ``.pt`` file. Licence of the weights: MIT.

Decoding: temperature 0 and no fallback to others, ``beam=1`` greedy (the default) or a beam of
that width, the utterance's language, no text of the window before as prompt, at most 224 tokens a
window, and nothing dropped for being improbable. Up to 30 s is one window without time stamps;
longer goes through the library's own sliding window of 30 s, which moves to the last time stamp.

Traps: on silence and noise Whisper says things ("Thank you.") and it can repeat a phrase until the
window's tokens are spent; both count as insertions. Recordings are heard one by one: in a batch a
sum ends in another last bit, and now and then in another word. Single precision on CUDA too, for
the same reason.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from metrics.observers._base import Clip, Kind, Observation, Observer
from metrics.observers._words import (
    WINDOW,
    check_beam,
    digest,
    unheard,
    weighted,
    whisper_code,
)

_FILES = {"large": "large-v3", "turbo": "large-v3-turbo"}  # the other names are their file's


@dataclass(frozen=True)
class Whisper(Observer):
    """Whisper in torch."""

    name: ClassVar[str] = "whisper"
    kind: ClassVar[Kind] = "words"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("openai-whisper",)
    extra: ClassVar[str] = "asr"
    asks: ClassVar[tuple[str, ...]] = ("language",)
    hidden: ClassVar[tuple[str, ...]] = ("device",)
    model: str = "base"
    beam: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        check_beam(self.beam)
        object.__setattr__(self, "_path", _found(self.model))
        object.__setattr__(self, "_loaded", None)

    @property
    def weights(self) -> str:
        """The digest of the checkpoint."""
        return digest([vars(self)["_path"]])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return what was said in each recording."""
        return [self._words(clip) for clip in batch]

    def close(self) -> None:
        """Let the model go."""
        object.__setattr__(self, "_loaded", None)

    def _words(self, clip: Clip) -> Observation:
        from whisper.tokenizer import LANGUAGES

        model, language = self._model(), whisper_code(clip.language)
        known = list(LANGUAGES)[: model.num_languages] if model.is_multilingual else ["en"]
        if language not in known:
            return unheard(f"{self.name} {Path(self.model).name}", clip.language, known)
        found = model.transcribe(
            clip.audio,
            language=language,
            temperature=0.0,
            beam_size=self.beam if self.beam > 1 else None,
            condition_on_previous_text=False,
            compression_ratio_threshold=None,
            logprob_threshold=None,
            no_speech_threshold=None,
            without_timestamps=clip.audio.size <= WINDOW * self.sample_rate,
            fp16=False,
        )
        segments = found["segments"]
        return {
            "text": found["text"].strip(),
            "logprob": weighted((s["avg_logprob"], len(s["tokens"])) for s in segments),
            "no_speech": min((s["no_speech_prob"] for s in segments), default=None),
        }

    def _model(self) -> Any:
        if vars(self)["_loaded"] is None:
            import whisper

            device = None if self.device == "auto" else self.device  # None: CUDA if there is one
            model = whisper.load_model(str(vars(self)["_path"]), device)
            object.__setattr__(self, "_loaded", model)
        return vars(self)["_loaded"]


def _found(model: str) -> Path:
    path = Path(model).expanduser()
    if path.is_file():
        return path
    import whisper

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "whisper")
    path = cache / f"{_FILES.get(model, model)}.pt"
    if model not in whisper.available_models():
        known = ", ".join(whisper.available_models())
        msg = f"no Whisper checkpoint {model!r}: it is the path of a .pt file or one of {known}"
        raise FileNotFoundError(msg)
    if not path.is_file() and os.environ.get("BENCH_OFFLINE") != "1":
        _fetch(model, cache)
    if not path.is_file():
        msg = f"Whisper {model!r} is not on this machine: put {whisper._MODELS[model]} at {path}"
        raise FileNotFoundError(msg)
    return path


def _fetch(model: str, cache: Path) -> None:
    """Let the library download a checkpoint; without a network nothing happens."""
    import whisper

    try:
        whisper._download(whisper._MODELS[model], str(cache), in_memory=False)
    except OSError:  # no network: the caller says what to fetch
        return


load = Whisper
