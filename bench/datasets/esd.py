"""ESD, the Emotional Speech Database: 350 sentences in 5 emotions by 20 speakers, 16 kHz.

Source: K. Zhou, B. Sisman, R. Liu, H. Li, "Emotional voice conversion: theory, databases and ESD",
Speech Communication 137, 2022 (and ICASSP 2021); the corpus's ReadMe.
Licence: for research only, on agreement with its authors; read from your folder, never downloaded.
Layout: ``<speaker>/<Emotion>/<speaker>_<nnnnnn>.wav`` (or .flac), in most copies with ``train``,
``evaluation`` or ``test`` between the last two, and ``<speaker>/<speaker>.txt`` with a line
``<id><tab><text><tab><emotion>`` each. Speakers 0001 to 0010 speak Mandarin, 0011 to 0020 English.
Splits: the three folders, each with every speaker and emotion; ``all`` (the default) is all of
them. A copy without the folders has only ``all``.
`emotion` is the emotion that was acted, with share 1, by the name of the folder. `prompt` is a
neutral recording of the same speaker, of the same split, that says another sentence.
Known holes: the transcripts are in several encodings (UTF-8, UTF-16, GB 2312, Latin-1, seen by
public readers of the corpus); some lines lack a tab. A line that holds no text leaves the
utterance without one. Nobody rated these recordings: `ratings` are empty. That sentence n of an
emotion is sentence n of every other (350 a piece) is how the ids are read for the prompt.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Size, folders, notes, recordings, some
from bench.datasets._prompts import neutral_prompts
from bench.plugins import nearest

FOLDER = "ESD"
INSIDE = ("", "Emotion Speech Dataset", "Emotional Speech Dataset (ESD)/Emotion Speech Dataset")
RATE = 16000  # Hz
LANGUAGES = ("en", "zh", "all")
SPLITS = ("all", "train", "evaluation", "test")
SENTENCES = 350  # of each emotion, the same in all
EMOTIONS = {
    "Angry": "angry",
    "Happy": "happy",
    "Neutral": "neutral",
    "Sad": "sad",
    "Surprise": "surprised",
}
LICENCE = "research only, on agreement with its authors"
SIZES = {
    "esd:language=en,split=all": Size(10, 17500, RATE),
    "esd:language=zh,split=all": Size(10, 17500, RATE),
    "esd:language=all,split=all": Size(20, 35000, RATE),
}


def load(root: str | None = None, language: str = "en", split: str = "all") -> Dataset:
    """Return the utterances of one language, by speaker, emotion and id.

    Args:
        root: the folder that holds 0001 to 0020; else ``$BENCH_DATA/ESD``.
        language: "en", "zh" or "all".
        split: "all", "train", "evaluation" or "test".

    Raises:
        FileNotFoundError: no such folder, or no recording of this layout in it.
        ValueError: another language or split; a split of a copy without the split folders; an
            emotion folder of another name; a recording there twice.
    """
    for what, given, known in (("language", language, LANGUAGES), ("split", split, SPLITS)):
        if given not in known:
            message = f"esd has no {what} {given!r}; wanted one of {', '.join(known)}"
            raise ValueError(message)
    home = _home(root_of(root, FOLDER))
    found: dict[str, Utterance] = {}
    for speaker in _speakers(home):
        spoken = "zh" if int(speaker) <= 10 else "en"
        if language not in (spoken, "all"):
            continue
        texts = _texts(home / speaker / f"{speaker}.txt", spoken)
        for emotion, name, path in _recordings(home / speaker, split):
            if name in found:
                message = f"esd has {name} twice: {found[name].audio} and {path}; keep one of them"
                raise ValueError(message)
            found[name] = Utterance(
                id=name,
                audio=path,
                text=texts.get(name),
                language=spoken,
                speaker=speaker,
                emotion={emotion: 1.0},
            )
    made = neutral_prompts(found.values(), neutral=_neutral, same=_same)
    layout = f"<speaker>/<Emotion>/[<split>/]<id>.wav or .flac of language {language!r}"
    utterances = some(made, home, layout)
    name = f"esd:language={language},split={split}"
    return Dataset(name, LICENCE, utterances, notes(utterances, SIZES.get(name)))


def _home(root: Path) -> Path:
    """Return the folder of the speakers: the root, or where the archive puts them in it."""
    return next((root / p for p in INSIDE if (root / p).is_dir() and _speakers(root / p)), root)


def _speakers(folder: Path) -> list[str]:
    return [n for n in folders(folder) if re.fullmatch(r"00(0[1-9]|1\d|20)", n)]


def _recordings(folder: Path, split: str) -> Iterator[tuple[str, str, Path]]:
    """Yield emotion, id and path of one speaker's recordings of a split."""
    for name in folders(folder):
        if name not in EMOTIONS:
            message = f"{folder} has a folder {name!r}{nearest(name, EMOTIONS)}"
            message += f" Wanted only {', '.join(EMOTIONS)}"
            raise ValueError(message)
        parts = [part for part in folders(folder / name) if part in SPLITS[1:]]
        if split != "all":
            if not parts and recordings(folder / name):
                message = f"{folder / name} has no folder {split}/: this copy is without splits, "
                message += "which leaves split=all"
                raise ValueError(message)
            parts = [part for part in parts if part == split]
        places = [folder / name / part for part in parts]
        for place in [folder / name, *places] if split == "all" else places:
            for stem, path in recordings(place).items():
                yield EMOTIONS[name], stem, path


def _texts(file: Path, language: str) -> dict[str, str]:
    if not file.is_file():
        return {}
    texts = {}
    for line in _decoded(file.read_bytes(), language).splitlines():
        columns = [" ".join(column.split()) for column in line.split("\t")]
        columns = [column for column in columns if column]
        if not columns or not (start := re.match(r"(\d{4}_\d{6})\b\s*", columns[0])):
            continue
        rest = [columns[0][start.end() :], *columns[1:]]
        rest = [column for column in rest if column]
        if len(rest) == 1:  # text and emotion in one column
            text, _, last = rest[0].rpartition(" ")
            rest = [text, last] if last in EMOTIONS else rest
        if rest and rest[0] and rest[0] not in EMOTIONS:
            texts[start[1]] = rest[0]
    return texts


def _decoded(data: bytes, language: str) -> str:
    """Return a transcript's text, whichever of the corpus's encodings it is in."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if b"\0" in data[:64]:
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030" if language == "zh" else "cp1252", errors="replace")


def _neutral(utterance: Utterance) -> bool:
    return "neutral" in utterance.emotion


def _same(one: Utterance, other: Utterance) -> bool:
    if one.text is not None and one.text == other.text:
        return True
    first, second = (u.id.rpartition("_")[2] for u in (one, other))
    if not (first.isdecimal() and second.isdecimal()):
        return first == second
    return (int(first) - int(second)) % SENTENCES == 0
