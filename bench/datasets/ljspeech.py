"""LJSpeech 1.1: one American woman reads non-fiction, 22.05 kHz, 24 hours.

Source: K. Ito and L. Johnson, "The LJ Speech Dataset", 2017, version 1.1.
Licence: public domain.
Layout: ``LJSpeech-1.1/metadata.csv`` (``id|text|normalised text``, no quoting) and
``wavs/<id>.wav`` (or .flac).
Splits: none is official. One speaker: an interval clustered by speaker has one cluster.
Known holes: made from MP3 at 128 kbps; the room is heard in some chapters; 19 texts hold
characters beyond ASCII.
"""

from __future__ import annotations

from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Archive, Size, notes, recordings, some

FOLDER = "LJSpeech-1.1"
SIZES = {"ljspeech": Size(speakers=1, utterances=13100, sample_rate=22050)}
ARCHIVES = {
    "": (
        Archive(  # sha256 as torchaudio 2 verifies it
            "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
            "be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
        ),
    )
}
TEXTS = {"normalised": 2, "raw": 1}  # column of metadata.csv


def load(root: str | None = None, text: str = "normalised") -> Dataset:
    """Return the recordings, sorted by id; one that metadata.csv does not list has no text.

    Args:
        root: the folder with metadata.csv; else ``$BENCH_DATA/LJSpeech-1.1``.
        text: "normalised" (numbers and abbreviations in words) or "raw".

    Raises:
        FileNotFoundError: no folder, no metadata.csv, or no recording.
        ValueError: another `text`; a line without three columns; a recording there twice.
    """
    if text not in TEXTS:
        message = f"ljspeech has no text {text!r}; wanted one of {', '.join(TEXTS)}"
        raise ValueError(message)
    home = root_of(root, FOLDER)
    metadata = home / "metadata.csv"
    if not metadata.is_file() or not (home / "wavs").is_dir():
        message = f"{home} is not LJSpeech 1.1; wanted metadata.csv and wavs/ in it"
        raise FileNotFoundError(message)
    texts = _texts(metadata, TEXTS[text])
    found = [
        Utterance(id=name, audio=path, text=texts.get(name), speaker="LJ")
        for name, path in recordings(home / "wavs").items()
    ]
    utterances = some(found, home / "wavs", "<id>.wav or .flac")
    absent = len(texts) - sum(u.id in texts for u in utterances)
    more = f"{absent} lines of metadata.csv have no recording" if absent else ""
    note = notes(utterances, SIZES["ljspeech"], more)
    return Dataset(
        "ljspeech" + f":text={text}" * (text != "normalised"), "public domain", utterances, note
    )


def _texts(metadata: Path, column: int) -> dict[str, str]:
    texts = {}
    for number, line in enumerate(metadata.read_text(encoding="utf-8-sig").splitlines(), 1):
        columns = line.split("|")
        if len(columns) != 3 or not columns[column].strip():
            message = f"{metadata}, line {number}: {line[:60]!r}; wanted id|text|normalised"
            raise ValueError(message)
        texts[columns[0]] = columns[column].strip()
    return texts
