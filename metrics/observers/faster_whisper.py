"""Words by Whisper, through faster-whisper (CTranslate2): the fast one on a CPU.

Heard: ``text``, the raw hypothesis; ``logprob``, mean natural-log probability of its tokens, and
``no_speech``, probability that nothing is said, the lowest over windows (both None where there is
no text); ``unheard``, the reason, alone, where the model does not know the language.

Source: Radford et al., arXiv:2212.04356; package faster-whisper. `model` is one of its names
(``tiny`` to ``large-v3``, ``turbo``), ``owner/name`` on the Hugging Face hub, or a folder with
model.bin, config.json, tokenizer.json and vocabulary.json or .txt. Licence of the weights: MIT.

Decoding: as `whisper` here: temperature 0 and no fallback, ``beam=1`` greedy (the default), the
utterance's language, no conditioning, at most 224 tokens a window, nothing dropped for being
improbable, no voice activity detection. Up to 30 s is one window without time stamps; longer goes
through the library's own sliding window of 30 s.

Traps: ``compute=int8`` rounds the weights, so a word differs from float32 now and then (it is in
the signature), and the kernels behind it differ between processors. On silence and noise Whisper
says things, and it can repeat a phrase until the window's tokens are spent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from metrics.observers._base import Clip, Kind, Observation, Observer
from metrics.observers._words import (
    TOKENS,
    WINDOW,
    check_beam,
    digest,
    threads,
    unheard,
    weighted,
    whisper_code,
)

_NEEDED = (
    ("model.bin",),
    ("config.json",),
    ("tokenizer.json",),
    ("vocabulary.json", "vocabulary.txt"),
)
_USED = (*(name for row in _NEEDED for name in row), "preprocessor_config.json")


@dataclass(frozen=True)
class FasterWhisper(Observer):
    """Whisper in CTranslate2."""

    name: ClassVar[str] = "faster_whisper"
    kind: ClassVar[Kind] = "words"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("faster-whisper", "ctranslate2")
    extra: ClassVar[str] = "asr"
    asks: ClassVar[tuple[str, ...]] = ("language",)
    hidden: ClassVar[tuple[str, ...]] = ("device",)
    model: str = "base"
    compute: str = "int8"
    beam: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        check_beam(self.beam)
        object.__setattr__(self, "_folder", _found(self.model))
        object.__setattr__(self, "_loaded", None)

    @property
    def weights(self) -> str:
        """The digest of the model, its vocabulary and its configuration."""
        folder: Path = vars(self)["_folder"]
        return digest(folder / name for name in _USED if (folder / name).is_file())

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return what was said in each recording."""
        return [self._words(clip) for clip in batch]

    def close(self) -> None:
        """Let the model go."""
        object.__setattr__(self, "_loaded", None)

    def _words(self, clip: Clip) -> Observation:
        model, language = self._model(), whisper_code(clip.language)
        tokens = model.hf_tokenizer
        known = [c for c in model.supported_languages if tokens.token_to_id(f"<|{c}|>") is not None]
        if language not in (known if model.model.is_multilingual else ["en"]):
            return unheard(f"{self.name} {Path(self.model).name}", clip.language, known)
        found, _ = model.transcribe(
            clip.audio,
            language=language,
            temperature=0.0,
            beam_size=self.beam,
            condition_on_previous_text=False,
            compression_ratio_threshold=None,
            log_prob_threshold=None,
            no_speech_threshold=None,
            without_timestamps=clip.audio.size <= WINDOW * self.sample_rate,
            max_new_tokens=TOKENS,
            vad_filter=False,
        )
        segments = list(found)
        return {
            "text": "".join(s.text for s in segments).strip(),
            "logprob": weighted((s.avg_logprob, len(s.tokens)) for s in segments),
            "no_speech": min((s.no_speech_prob for s in segments), default=None),
        }

    def _model(self) -> Any:
        if vars(self)["_loaded"] is None:
            from faster_whisper import WhisperModel

            model = WhisperModel(
                str(vars(self)["_folder"]),
                device=self.device,
                compute_type=self.compute,
                cpu_threads=threads(),
            )
            object.__setattr__(self, "_loaded", model)
        return vars(self)["_loaded"]


def _found(model: str) -> Path:
    folder = Path(model).expanduser()
    if folder.is_dir():
        if lacking := _lacking(folder):
            msg = f"folder {folder} has no {lacking}: it is not a faster-whisper model"
            raise FileNotFoundError(msg)
        return folder
    from faster_whisper import available_models
    from faster_whisper.utils import _MODELS

    if "/" not in model and model not in available_models():
        known = ", ".join(available_models())
        msg = f"no faster-whisper model {model!r}: a folder, owner/name on the hub, or of {known}"
        raise FileNotFoundError(msg)
    offline = os.environ.get("BENCH_OFFLINE") == "1"
    for local in (True,) if offline else (True, False):
        found = _hub(model, local=local)
        if found and not _lacking(found):
            return found
    name = _MODELS.get(model, model)
    msg = (
        f"{name} is not on this machine: fetch huggingface.co/{name} (model.bin, config.json, "
        "tokenizer.json, vocabulary.*) into a folder and say model=FOLDER"
    )
    raise FileNotFoundError(msg)


def _lacking(folder: Path) -> str:
    missing = [row for row in _NEEDED if not any((folder / name).is_file() for name in row)]
    return " or ".join(missing[0]) if missing else ""


def _hub(model: str, *, local: bool) -> Path | None:
    """Return the folder of a model in the hub's cache, fetched unless `local`; None without it."""
    from faster_whisper import download_model

    try:
        return Path(download_model(model, local_files_only=local))
    except (OSError, ValueError):  # not there, not reached, or not a name
        return None


load = FasterWhisper
