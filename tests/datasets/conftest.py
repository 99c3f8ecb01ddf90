"""Corpus folders in small: files in the real layouts, mostly with nothing in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return a function that writes files: a name and its text, None for an empty recording."""

    def write(files: dict[str, str | None], folder: str = "corpus") -> Path:
        root = tmp_path / folder
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text or "", encoding="utf-8")
        return root

    return write


@pytest.fixture
def record() -> Callable[..., Path]:
    """Return a function that writes a real recording of silence: frames, rate in Hz, channels."""

    def write(path: Path, frames: int = 160, rate: int = 16000, channels: int = 1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros((frames, channels)), rate, subtype="PCM_16")
        return path

    return write
