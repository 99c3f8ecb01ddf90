"""Flite: Festival's small run-time, with a diphone voice and four statistical or unit ones.

Source: Black and Lenzo, "Flite: a small fast run-time synthesis engine", SSW4 2001; the command
``flite`` of the distribution (Debian package flite).
Misleads: `slt` and `rms` are built from CMU ARCTIC speakers, whose recordings some speaker encoders
were trained on.
Licence: BSD-like (CMU).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

from systems._base import Audio, Card, Request
from systems._spoken import found, said, spoken

RATES = {"kal": 8000, "kal16": 16000, "awb": 16000, "rms": 16000, "slt": 16000}


class Flite:
    """One of the voices that the command has built in."""

    def __init__(self, voice: str = "slt") -> None:
        """Find the command.

        Args:
            voice: kal (8 kHz), kal16, awb, rms or slt.

        Raises:
            ValueError: another voice.
            ImportError: the command is not installed.
        """
        if voice not in RATES:
            msg = f"voice={voice!r}: want one of {', '.join(RATES)}"
            raise ValueError(msg)
        self.command, self.voice = found("flite"), voice
        told = subprocess.run([self.command, "--version"], capture_output=True, text=True)  # noqa: S603
        number = re.search(r"version:\s*(\S+)", told.stdout + told.stderr)
        self.card = Card(
            name=f"flite:voice={voice}",
            task="tts",
            sample_rate=RATES[voice],
            licence="BSD-like (CMU)",
            versions=(number[1] if number else "flite",),
        )

    def synthesize(self, request: Request) -> Iterator[Audio]:
        """Yield the whole utterance, shape ``(T,)``.

        Raises:
            ValueError: a language other than English.
        """
        if request.language.partition("-")[0] != "en":
            msg = f"flite speaks English, not {request.language!r}"
            raise ValueError(msg)
        wav, _ = spoken(
            lambda a, b: [self.command, "-voice", self.voice, "-f", str(a), "-o", str(b)],
            said(request),
        )
        yield wav


load = Flite
