"""VCTK 0.92: 110 English speakers with many accents, two microphones, 48 kHz, 44 hours.

Source: J. Yamagishi, C. Veaux, K. MacDonald, "CSTR VCTK Corpus: English multi-speaker corpus for
CSTR voice cloning toolkit (version 0.92)", Edinburgh DataShare 10283/3443, 2019.
Licence: CC BY 4.0.
Layout: ``wav48_silence_trimmed/<speaker>/<speaker>_<nnn>_mic<m>.flac`` (or .wav) and
``txt/<speaker>/<speaker>_<nnn>.txt``. The older one (0.80) is read too:
``wav48/<speaker>/<id>.wav``, one microphone, silence not trimmed.
Splits: none is official. ``heldout`` and ``train`` are the 8 and 100 speakers that are left of the
110 when p280 (no second microphone) and p315 (neither text nor second microphone) are set aside,
in sorted order, the last 8 held out: p360, p361, p362, p363, p364, p374, p376, s5. These 8 are
what bandwidth extension tests on (NU-Wave 2, arXiv:2206.08545, and its successors). IBPCodec
trains on 100 speakers and tests on "the remaining 8" without naming them: that they are the same 8
is our choice, not its statement. ``all`` (the default) keeps every speaker.
Known holes: p315 has no text: its utterances are there with `text` None. With ``mic=2`` p280 and
p315 are not there at all. p362 and others lack some recordings of some texts. The two microphones
differ in noise and in level; the older layout is not sample-aligned with this one.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Archive, Size, folders, notes, recordings, some, text_of
from bench.plugins import nearest

FOLDER = "VCTK-Corpus-0.92"
RATE = 48000  # Hz
HELD_OUT = ("p360", "p361", "p362", "p363", "p364", "p374", "p376", "s5")
SET_ASIDE = ("p280", "p315")  # of neither part
SPLITS = ("all", "heldout", "train")
WITHOUT_TEXT = ("p315",)  # as published
SIZES = {  # as TFDS counts the recordings; the two parts add up to those of microphone 2
    "vctk:mic=1,split=all": Size(110, 44455, RATE),
    "vctk:mic=2,split=all": Size(108, 43873, RATE),
    "vctk:mic=1,split=heldout": Size(8, 2937, RATE),
    "vctk:mic=2,split=heldout": Size(8, 2937, RATE),
    "vctk:mic=1,split=train": Size(100, 40936, RATE),
    "vctk:mic=2,split=train": Size(100, 40936, RATE),
}
ARCHIVES = {
    "": (
        Archive(  # sha256 as torchaudio 2 verifies it
            "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
            "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
        ),
    )
}


def load(
    root: str | None = None, mic: int = 1, split: str = "all", speakers: str | None = None
) -> Dataset:
    """Return the utterances of one microphone, sorted by id; the id has no microphone in it.

    Args:
        root: the corpus folder; else ``$BENCH_DATA/VCTK-Corpus-0.92``.
        mic: 1 or 2.
        split: "all", "heldout" (8 speakers) or "train" (100); see the top of this file.
        speakers: only these, as in "p225+p226".

    Raises:
        FileNotFoundError: no such folder, or no recording of this layout in it.
        ValueError: another microphone or split; a speaker that is not there or not in the split; a
            recording there twice.
    """
    if mic not in (1, 2):
        message = f"vctk has no microphone {mic!r}; wanted mic=1 or mic=2"
        raise ValueError(message)
    if split not in SPLITS:
        message = f"vctk has no split {split!r}; wanted one of {', '.join(SPLITS)}"
        raise ValueError(message)
    home = root_of(root, FOLDER)
    audio, suffix = _layout(home, mic)
    wanted = _chosen(folders(audio), split, speakers)
    found = [
        Utterance(
            id=stem.removesuffix(suffix),
            audio=path,
            text=text_of(f"{home}/txt/{speaker}/{stem.removesuffix(suffix)}.txt"),
            speaker=speaker,
        )
        for speaker in wanted
        for stem, path in recordings(audio / speaker).items()
        if stem.endswith(suffix)
    ]
    layout = f"<speaker>/<speaker>_<nnn>{suffix}.flac or .wav of {', '.join(wanted[:3])}, ..."
    utterances = some(found, audio, layout)
    name = f"vctk:mic={mic},split={split}"
    size = None if speakers else SIZES[name]
    if not suffix:
        note = notes(utterances, None, "VCTK 0.80: one microphone, silence not trimmed")
    else:
        mute = sorted(set(wanted) - {u.speaker for u in utterances if u.speaker})
        note = notes(utterances, size, f"no mic {mic}: {', '.join(mute)}" if mute else "")
    return Dataset(
        name + (f",speakers={speakers}" if speakers else ""), "CC BY 4.0", utterances, note
    )


def _layout(home: Path, mic: int) -> tuple[Path, str]:
    """Return the folder of the recordings, and what follows the utterance's name in theirs."""
    if (home / "wav48_silence_trimmed").is_dir():
        return home / "wav48_silence_trimmed", f"_mic{mic}"
    if not (home / "wav48").is_dir():
        message = f"{home} is not VCTK; wanted wav48_silence_trimmed/ (0.92) or wav48/ (0.80) in it"
        raise FileNotFoundError(message)
    if mic != 1:
        message = f"{home} is VCTK 0.80 (wav48/), which has one microphone; leave out mic={mic}"
        raise ValueError(message)
    return home / "wav48", ""


def _chosen(there: list[str], split: str, speakers: str | None) -> list[str]:
    """Return the speakers of a split that are there, or those asked for."""
    aside = {*HELD_OUT, *SET_ASIDE}
    parts = {
        "all": there,
        "heldout": [name for name in there if name in HELD_OUT],
        "train": [name for name in there if name not in aside],
    }
    part = parts[split]
    if not speakers:
        return part
    asked = [name for name in re.split(r"\+", str(speakers)) if name]
    for name in asked:
        if name not in part:
            where = "this folder" if split == "all" else f"split {split!r} of this folder"
            message = f"vctk has no speaker {name!r} in {where}{nearest(name, part)}"
            message += f" There: {', '.join(part[:8])}{', ...' if len(part) > 8 else ''}"
            raise ValueError(message)
    return sorted(set(asked))
