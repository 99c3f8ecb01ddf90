"""eSpeak NG: formant synthesis by rule, intelligible in a hundred languages, human in none.

Source: https://github.com/espeak-ng/espeak-ng; the command ``espeak-ng`` (the Debian package is
called so too). Each utterance has a process of its own: within one, the library's noise goes on
from where the last utterance left it, and the same text would not give the same audio.
Misleads: its voice has no speaker, so speaker similarity of it is noise; and an ASR that never
heard formant synthesis makes more errors than a listener does.
Licence: GPL-3.0-or-later.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

from systems._base import Audio, Card, Request
from systems._spoken import found, said, spoken


class Espeak:
    """One voice; the language is the request's unless `voice` fixes it."""

    def __init__(self, voice: str = "", words_per_minute: int = 160) -> None:
        """Find the command.

        Args:
            voice: eSpeak NG's name, such as ``en-gb`` or ``en-us+f3``; empty: the language.
            words_per_minute: 80 to 450.

        Raises:
            ValueError: another pace.
            ImportError: the command is not installed.
        """
        if not 80 <= words_per_minute <= 450:
            msg = f"words_per_minute={words_per_minute}: want 80 to 450"
            raise ValueError(msg)
        self.command, self.voice, self.pace = found("espeak-ng"), voice, words_per_minute
        told = subprocess.run([self.command, "--version"], capture_output=True, text=True)  # noqa: S603
        number = re.search(r"(\d+\.\d+\S*)", told.stdout)
        settings = [f"voice={voice}"] if voice else []
        settings += [f"words_per_minute={words_per_minute}"] if words_per_minute != 160 else []
        self.card = Card(
            name=":".join(filter(None, ("espeak", ",".join(settings)))),
            task="tts",
            sample_rate=22050,
            licence="GPL-3.0-or-later",
            versions=(f"espeak-ng {number[1]}" if number else "espeak-ng",),
        )

    def synthesize(self, request: Request) -> Iterator[Audio]:
        """Yield the whole utterance, shape ``(T,)``, at 22,050 Hz.

        Raises:
            RuntimeError: no such voice, or none of the request's language.
        """
        voice, pace = self.voice or request.language, str(self.pace)
        line = [self.command, "-v", voice, "-s", pace]
        yield spoken(lambda a, b: [*line, "-f", str(a), "-w", str(b)], said(request))[0]


load = Espeak
