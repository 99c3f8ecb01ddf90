"""Festival: the classical diphone and HTS synthesiser, with voices for Indian languages too.

Source: Taylor, Black and Caley, "The architecture of the Festival speech synthesis system",
SSW3 1998; the commands ``festival`` and ``text2wave`` (Debian package festival).
Misleads: which voices there are depends on the machine; the card names the one used.
Licence: BSD-like (Edinburgh); voices have their own.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cached_property

from systems._base import Audio, Card, Request
from systems._spoken import found, said, spoken


class Festival:
    """One installed voice, such as ``kal_diphone`` or ``cmu_us_slt_arctic_hts``."""

    def __init__(self, voice: str = "kal_diphone", language: str = "en") -> None:
        """Find the commands and the voice.

        Args:
            voice: Festival's name without ``voice_``.
            language: what it speaks; requests in another are refused.

        Raises:
            ValueError: the voice is not installed.
            ImportError: the commands are not installed.
        """
        self.command, self.voice, self.language = found("text2wave"), voice, language
        if voice not in self.voices:
            msg = f"voice={voice!r} is not installed; there are: {', '.join(self.voices) or 'none'}"
            raise ValueError(msg)
        told = subprocess.run([found("festival"), "--version"], capture_output=True, text=True)  # noqa: S603
        number = re.search(r"(\d+\.\d+\S*)", told.stdout)
        _, rate = self._say("a")
        self.card = Card(
            name=f"festival:voice={voice}" + ("" if language == "en" else f",language={language}"),
            task="tts",
            sample_rate=rate,
            licence="BSD-like; the voice has its own",
            versions=(f"festival {number[1]}" if number else "festival",),
        )

    @cached_property
    def voices(self) -> list[str]:
        """Names of the installed voices."""
        script = "(print (voice.list))"
        told = subprocess.run(  # noqa: S603
            [found("festival"), "-b", script], capture_output=True, text=True, check=False
        )
        return sorted(re.findall(r"[\w-]+", told.stdout))

    def _say(self, text: str) -> tuple[Audio, int]:
        chosen = f"(voice_{self.voice})"
        return spoken(lambda a, b: [self.command, str(a), "-o", str(b), "-eval", chosen], text)

    def synthesize(self, request: Request) -> Iterator[Audio]:
        """Yield the whole utterance, shape ``(T,)``.

        Raises:
            ValueError: another language.
        """
        if request.language.partition("-")[0] != self.language:
            msg = f"this voice speaks {self.language!r}, not {request.language!r}"
            raise ValueError(msg)
        yield self._say(said(request))[0]


load = Festival
