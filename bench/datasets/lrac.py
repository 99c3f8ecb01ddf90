"""LRAC 2025 open test set: English speech, clean, noisy and reverberant, for tiny codecs, 24 kHz.

Source: the Low-Resource Audio Codec Challenge 2025, arXiv:2510.23312; recordings:
cisco/multilingual-speech-testing, ``LRAC-2025-test-data/open-test-set``.
Licence: CC BY-SA 4.0 for the repository; each line of ``meta.csv`` has the licence of the speech,
the noise and the room: some speech is non-commercial, some noise has none.
Layout: ``track_<n>/clean/<id>.wav``; ``track_<n>/noisy/<id>.wav`` with the same id in
``track_<n>/reference_noisy/``; ``track_<n>/reverb/<id>.wav`` with ``track_<n>/reference_reverb/``;
.flac is read too. Each of the three may have a ``meta.csv`` (filename, language, speaker_id, ...).
Splits: track 1 (the default: transparent coding, mild degradation; 600 clean, 200 noisy, 200
reverberant) and track 2 (coding and enhancement; 300, 500 and 200), as their meta.csv count.
`audio` is the clean reference and `input` the degraded recording, which a system gets; a clean
utterance is its own input. `condition` is "clean", "noisy" or "reverb".
Known holes: there are no texts. That the references are clean is what the challenge's own
inventory calls them; they were not listened to. Track 1's reverberant recordings carry noise as
well. The same sentence may stand in several conditions and in both tracks. Speech is from DNS5,
EARS, GLOBE, LibriTTS and VCTK (p232, p257 and s5: test speakers of other corpora's splits, too).
Without ``meta.csv`` there is no speaker. The blind test set has no references and is not read.
"""

from __future__ import annotations

import csv
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import notes, recordings, some

FOLDER = "LRAC-2025-test-data"
INSIDE = ("", "open-test-set", "LRAC-2025-test-data/open-test-set")
TRACKS = (1, 2)
CONDITIONS = ("all", "clean", "noisy", "reverb")
LANGUAGES = {"english": "en"}
LICENCE = "CC BY-SA 4.0; parts non-commercial or unstated: see meta.csv"


def load(root: str | None = None, track: int = 1, condition: str = "all") -> Dataset:
    """Return the pairs of one track, by condition and id.

    Args:
        root: the folder that holds ``track_1`` and ``track_2``, or one above it; else
            ``$BENCH_DATA/LRAC-2025-test-data``.
        track: 1 or 2.
        condition: "all", "clean", "noisy" or "reverb".

    Raises:
        FileNotFoundError: no such folder, track, condition, reference or recording.
        ValueError: another track or condition; a recording without its pair, or there twice; a
            meta.csv without its columns.
    """
    if track not in TRACKS:
        message = f"lrac has no track {track!r}; wanted track=1 or track=2"
        raise ValueError(message)
    if condition not in CONDITIONS:
        message = f"lrac has no condition {condition!r}; wanted one of {', '.join(CONDITIONS)}"
        raise ValueError(message)
    root_ = root_of(root, FOLDER)
    part = f"track_{track}"
    home = next((root_ / p / part for p in INSIDE if (root_ / p / part).is_dir()), None)
    if home is None:
        message = f"no {part}/ in {root_}; wanted the open test set's folder"
        raise FileNotFoundError(message)
    wanted = CONDITIONS[1:] if condition == "all" else (condition,)
    there = [name for name in wanted if (home / name).is_dir()]
    if lacking := [name for name in wanted if name not in there]:
        if condition != "all" or not there:
            message = f"no folder {home / lacking[0]}; wanted {', '.join(wanted)} in {home}"
            raise FileNotFoundError(message)
    found = [utterance for name in there for utterance in _pairs(home, name)]
    utterances = some(found, home, "<condition>/<id>.wav or .flac")
    name = f"lrac:track={track},condition={condition}"
    more = f"no folder {', '.join(lacking)}" if lacking else ""
    return Dataset(name, LICENCE, utterances, notes(utterances, None, more))


def _pairs(home: Path, condition: str) -> list[Utterance]:
    inputs = recordings(home / condition)
    references = inputs
    if condition != "clean":
        folder = home / f"reference_{condition}"
        if not folder.is_dir():
            message = f"no folder {folder}; wanted the clean recordings of {condition}/ in it"
            raise FileNotFoundError(message)
        references = recordings(folder)
        if alone := sorted(inputs.keys() ^ references.keys()):
            message = f"{len(alone)} recordings of {home} have no pair: {', '.join(alone[:3])}; "
            message += f"wanted each id in {condition}/ and in {folder.name}/ (a cut download?)"
            raise ValueError(message)
    known = _meta(home / condition / "meta.csv")
    return [
        Utterance(
            id=stem,
            audio=references[stem],
            input=None if condition == "clean" else path,
            language=known.get(stem, ("en", None))[0],
            speaker=known.get(stem, ("en", None))[1],
            condition=condition,
        )
        for stem, path in inputs.items()
    ]


def _meta(file: Path) -> dict[str, tuple[str, str | None]]:
    """Return stem -> language and speaker."""
    if not file.is_file():
        return {}
    known: dict[str, tuple[str, str | None]] = {}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        table = csv.DictReader(lines)
        if lacking := {"filename", "speaker_id"} - set(table.fieldnames or ()):
            message = f"{file} has no column {', '.join(sorted(lacking))}; wanted the challenge's "
            message += "meta.csv"
            raise ValueError(message)
        for row in table:
            spoken = (row.get("language") or "english").lower()
            stem = row["filename"].rpartition(".")[0] or row["filename"]
            known[stem] = LANGUAGES.get(spoken, spoken), row["speaker_id"] or None
    return known
