"""What codecs with published checkpoints share: where the files lie, and codes as `Codes`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from systems._base import Audio, Codes


def folder_of(weights: str, files: Sequence[str]) -> Path:
    """Return the folder of a checkpoint: `weights` itself, or ``owner/name`` of the hub.

    The hub's cache is asked first, then the hub, unless ``BENCH_OFFLINE`` is 1.

    Raises:
        FileNotFoundError: not all `files` are there; the message says what to do.
    """
    folder = Path(weights).expanduser()
    if folder.is_dir():
        if lost := [name for name in files if not (folder / name).is_file()]:
            msg = f"folder {folder} has no {', '.join(lost)}"
            raise FileNotFoundError(msg)
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    offline = os.environ.get("BENCH_OFFLINE") == "1"
    for local in (True,) if offline else (True, False):
        try:
            found = snapshot_download(weights, allow_patterns=list(files), local_files_only=local)
        except (OSError, HfHubHTTPError, HFValidationError):
            continue
        if all((Path(found) / name).is_file() for name in files):
            return Path(found)
    msg = (
        f"the weights {weights} are not on this machine: run once with a network and without "
        f"--offline, or put {', '.join(files)} in a folder and say weights=FOLDER"
    )
    raise FileNotFoundError(msg)


def digest_of(folder: Path, files: Sequence[str]) -> str:
    """Return ``sha256:<hex>`` of a checkpoint's files, one after the other."""
    seen = hashlib.sha256()
    for name in files:
        seen.update((folder / name).read_bytes())
    return f"sha256:{seen.hexdigest()}"


def transformers_model(kind: str, folder: Path, device: str) -> Any:
    """Return a model class of transformers, by its name, with the weights of a folder.

    Raises:
        ValueError: the folder's weights are of another network.
        ImportError: transformers is not installed.
    """
    import transformers
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)  # what does not fit is an error below
    try:
        net, report = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except RuntimeError as error:  # sizes that do not fit
        msg = f"{folder} has weights of another network than its config.json says"
        raise ValueError(msg) from error
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
    if lost := report["missing_keys"]:
        msg = f"{folder} has no weights for {len(lost)} parameters of {kind}: {min(lost)} ..."
        raise ValueError(msg)
    return net.eval().to(device)


def layers_of(kbps: float, per_layer: float, most: int) -> int:
    """Return how many codebooks make a bitrate.

    Raises:
        ValueError: no whole number of the codebooks that the model has makes it.
    """
    layers = round(kbps / per_layer)
    if not (1 <= layers <= most and abs(layers * per_layer - kbps) < 0.01 * per_layer):
        msg = f"kbps={kbps:g} is no multiple of {per_layer:.6g} up to {most * per_layer:.6g}"
        raise ValueError(msg)
    return layers


def tensor_of(wav: Audio, device: str, multiple: int = 1) -> Tensor:
    """Return (1, 1, T') with zeros at the end, T' the next multiple.

    Raises:
        ValueError: not one channel of finite samples.
    """
    if wav.ndim != 1 or not wav.size or not np.isfinite(wav).all():
        msg = f"shape {wav.shape}: want finite mono samples, shape (T,), T at least 1"
        raise ValueError(msg)
    padded = np.pad(wav.astype(np.float32), (0, -wav.size % multiple))
    return torch.from_numpy(padded)[None, None].to(device)


def codes_of(layers: Sequence[Tensor], alphabet: int, samples: int) -> Codes:
    """Return streams, one for each tensor of shape (frames_i,)."""
    streams = tuple(layer.cpu().numpy().astype(np.int64) for layer in layers)
    return Codes(streams, (alphabet,) * len(streams), samples)


def layers_from(codes: Codes, device: str) -> list[Tensor]:
    """Return the streams as tensors of shape (frames_i,); the inverse of `codes_of`."""
    return [torch.from_numpy(stream).to(device) for stream in codes.streams]


def audio_of(wav: Tensor, samples: int) -> Audio:
    """Return float32 samples, shape ``(samples,)``, in [-1, 1]; zeros after the network's."""
    out = np.asarray(wav.float().cpu().numpy().reshape(-1)[:samples], np.float32)
    return np.clip(np.pad(out, (0, samples - out.size)), -1, 1)
