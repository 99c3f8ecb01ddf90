"""Hibari: a small English voice with its weights in the package; 130 times real time on a core.

Source: https://github.com/MMWilliams/hibari, package `hibari-tts`.
Misleads: it was distilled from another synthesiser's speech, so an ASR or a MOS predictor that
likes synthetic speech likes it; the packaged voice is one speaker.
Licence: Apache-2.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from systems._base import Audio, Card, Request
from systems._spoken import said


class HibariVoice:
    """One voice, sentence by sentence."""

    def __init__(self, voice: str = "heart", speed: float = 1.0, model: str | None = None) -> None:
        """Load the weights; nothing is downloaded.

        Args:
            voice: Hibari's name of it; ``heart`` is in the package.
            speed: 0.5 (slow) to 2 (fast).
            model: path of another ONNX file for this voice.

        Raises:
            ValueError: no such voice, or its weights are not on this machine.
            ImportError: hibari-tts is not installed.
        """
        from hibari import SAMPLE_RATE, Hibari
        from hibari.voices import voice_path

        try:
            path = model or voice_path(voice, download_missing=False)
        except FileNotFoundError as missing:
            msg = f"hibari: the weights of {voice!r} are not here: fetch them to {missing}"
            raise ValueError(msg) from missing
        self.voice = Hibari(voice=voice, model=path)
        self.speed = speed
        settings = [f"voice={voice}"] + ([f"speed={speed}"] if speed != 1 else [])
        self.card = Card(
            name=f"hibari:{','.join(settings)}",
            task="tts",
            sample_rate=SAMPLE_RATE,
            weights=f"sha256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}",
            licence="Apache-2.0",
            versions=(f"hibari-tts=={version('hibari-tts')}",),
        )

    def synthesize(self, request: Request) -> Iterator[Audio]:
        """Yield one packet a sentence, shape ``(T,)``, at 24 kHz.

        Raises:
            ValueError: a language other than English.
        """
        if request.language.partition("-")[0] != "en":
            msg = f"hibari speaks English, not {request.language!r}"
            raise ValueError(msg)
        for wav in self.voice.stream(said(request), self.speed, request.seed):
            yield np.clip(wav, -1, 1).astype(np.float32)


load = HibariVoice
