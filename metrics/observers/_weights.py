"""Where the weights of an observer lie: a folder, the hub's cache, or, if allowed, the hub."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path


def device_of(choice: str) -> str:
    """Return ``cpu`` or ``cuda`` for ``auto``, anything else as it is."""
    if choice != "auto":
        return choice
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def folder_of(model: str, files: Sequence[Sequence[str]], *, parameter: str = "model") -> Path:
    """Return the folder that holds one of each row of `files`.

    A folder is taken as it is. Anything of the form ``owner/name`` is looked for in the cache of
    the Hugging Face hub and then, unless ``BENCH_OFFLINE`` is 1, fetched from there.

    Args:
        model: a folder, or ``owner/name`` on the hub.
        files: rows of names of which one is enough, the preferred one first.
        parameter: what the observer calls `model`, for the message.

    Raises:
        FileNotFoundError: with one line that says what to fetch and where to put it.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        for row in files:
            if not any((folder / name).is_file() for name in row):
                msg = f"folder {folder} has no {' or '.join(row)}"
                raise FileNotFoundError(msg)
        return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        msg = f"no folder {model} ({parameter} is a folder, or owner/name on the Hugging Face hub)"
        raise FileNotFoundError(msg)
    for local in (True, False):
        if not local and not _reached():
            break
        found = [_one(model, row, local=local) for row in files]
        homes = {path.parent for path in found if path}
        if None not in found and len(homes) == 1:  # of one revision
            return homes.pop()
    wanted = ", ".join(" or ".join(row) for row in files)
    msg = (
        f"the weights of {model} are not on this machine: run once with a network and without "
        f"--offline, or put {wanted} of {model} (Hugging Face hub) in a folder and say "
        f"{parameter}=FOLDER"
    )
    raise FileNotFoundError(msg)


def _reached() -> bool:
    """Return whether the hub may be asked and answers; its own client would try for minutes."""
    if os.environ.get("BENCH_OFFLINE") == "1":
        return False
    from huggingface_hub.constants import ENDPOINT

    try:
        urllib.request.urlopen(ENDPOINT, timeout=5).close()  # noqa: S310 - https, or the user's
    except urllib.error.HTTPError:  # an answer
        return True
    except OSError:
        return False
    return True


def _one(model: str, names: Sequence[str], *, local: bool) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for name in names:
        try:
            return Path(hf_hub_download(model, name, local_files_only=local))
        except (EntryNotFoundError, OSError):  # not there, not reached, or not allowed
            continue
    return None
