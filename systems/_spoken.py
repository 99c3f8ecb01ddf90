"""Synthesisers that are commands: text goes in by a file, a recording comes out by another."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from systems._base import Audio, Request


def said(request: Request) -> str:
    """Return the whole text, also of a request that gives its words one by one."""
    return request.text if isinstance(request.text, str) else " ".join(request.text)


def found(command: str) -> str:
    """Return the path of a command.

    Raises:
        ImportError: it is not installed.
    """
    path = shutil.which(command)
    if path is None:
        raise ImportError(command, name=command)
    return path


def spoken(line: Callable[[Path, Path], Sequence[str]], text: str) -> tuple[Audio, int]:
    """Run a command over text and return its recording, shape ``(T,)``, and its rate in Hz.

    Args:
        line: gives the command for a text file and a wav file.
        text: what to say; nothing gives silence of no length.

    Raises:
        RuntimeError: the command failed; the message has its last words.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "text.txt", Path(folder) / "out.wav"
        source.write_text(text, encoding="utf-8")
        done = subprocess.run(line(source, target), capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode or not target.exists():
            words = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            msg = f"{done.args[0]} ended with status {done.returncode}: {words[-1]}"
            raise RuntimeError(msg)
        wav, rate = soundfile.read(target, dtype="float32")
    return np.asarray(wav, np.float32), int(rate)
