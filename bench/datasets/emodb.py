"""EmoDB, the Berlin database of emotional speech: 10 German sentences in 7 emotions, 16 kHz.

Source: F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss, "A database of German
emotional speech", Interspeech 2005.
Licence: free of charge from its authors; no licence text comes with the archive that this file was
written for. Read from your folder, never downloaded.
Layout: ``wav/<speaker><text><emotion><version>.wav`` (or .flac), as in ``03a01Fa.wav``: speaker 03,
sentence a01, F for Freude, version a. Beside ``wav/`` may be ``erkennung.txt``, the perception
test: a header line, then ``<file> <recognised %> <natural %>``, Latin-1, decimal comma.
Splits: none is official; 5 women, 5 men.
`emotion` is the emotion that was acted, with share 1; `ratings` are votes of the 20 listeners of
the perception test; `prompt` is a neutral recording of the same speaker of another sentence.
Known holes: the perception test gives the share of listeners who recognised the acted emotion, so
that `ratings` have that emotion's votes, 0 for the six others, and under ``unrecognised`` all who
chose one of those six, whichever it was: no emotion that an observer knows, so that a divergence
has no value there unless its ``emotions`` say which labels count. Agreement between raters
computed from these votes is too high, and entropy too low.
Shares are rounded to whole votes of 20. Only recordings that were recognised well and sounded
natural were published. The sentences are those of the corpus's documentation; a recording of any
other code has no text. Emotions are unevenly filled (anger most, disgust least).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Size, notes, recordings, some
from bench.datasets._prompts import neutral_prompts

FOLDER = "emodb"
RATE = 16000  # Hz
LISTENERS = 20
EMOTIONS = {  # by the German word's first letter: Wut, Langeweile, Ekel, Angst, Freude, Trauer
    "W": "angry",
    "L": "bored",
    "E": "disgusted",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
NAME = re.compile(r"(?P<speaker>\d\d)(?P<text>[a-z]\d\d)(?P<emotion>[A-Z])(?P<version>[a-z]?)")
LICENCE = "free of charge; no licence text in the archive"
SIZES = {"emodb": Size(10, 535, RATE)}


def load(root: str | None = None) -> Dataset:
    """Return all utterances, sorted by id.

    Args:
        root: the folder that holds ``wav/``; else ``$BENCH_DATA/emodb``.

    Raises:
        FileNotFoundError: no such folder, or no recording in it.
        ValueError: a recording whose name is no name of EmoDB, or there twice; a line of
            ``erkennung.txt`` that is none.
    """
    home = root_of(root, FOLDER)
    folder = home / "wav"
    if not folder.is_dir():
        message = f"{home} is not EmoDB; wanted wav/ in it"
        raise FileNotFoundError(message)
    there = recordings(folder)
    judged = _recognised(home / "erkennung.txt", there)
    found = [_utterance(stem, path, judged) for stem, path in there.items()]
    made = neutral_prompts(
        found,
        neutral=lambda utterance: "neutral" in utterance.emotion,
        same=lambda one, other: one.id[2:5] == other.id[2:5],
    )
    utterances = some(made, folder, "<speaker><text><emotion><version>.wav or .flac")
    unrated = sum(not u.ratings for u in utterances)
    more = f"{unrated} of {len(utterances)} utterances have no ratings" if unrated else ""
    return Dataset("emodb", LICENCE, utterances, notes(utterances, SIZES["emodb"], more))


def _utterance(stem: str, path: Path, judged: dict[str, float]) -> Utterance:
    name = NAME.fullmatch(stem)
    if name is None or name["emotion"] not in EMOTIONS:
        message = f"{path} has no name of EmoDB; wanted one like 03a01Fa: two digits, a letter and "
        message += f"two digits, one of {''.join(EMOTIONS)}, a letter"
        raise ValueError(message)
    acted = EMOTIONS[name["emotion"]]
    ratings = {}
    if (percent := judged.get(stem)) is not None:
        votes = round(percent / 100 * LISTENERS)
        ratings = dict.fromkeys(sorted(EMOTIONS.values()), 0) | {acted: votes}
        if votes < LISTENERS:
            ratings["unrecognised"] = LISTENERS - votes
    return Utterance(
        id=stem,
        audio=path,
        text=TEXTS.get(name["text"]),
        language="de",
        speaker=name["speaker"],
        emotion={acted: 1.0},
        ratings=ratings,
    )


def _recognised(file: Path, there: Collection[str]) -> dict[str, float]:
    """Return stem -> listeners who recognised the emotion, in percent, of the recordings there."""
    if not file.is_file():
        return {}
    judged = {}
    lines = file.read_text(encoding="latin-1").splitlines()
    for number, line in enumerate(lines, 1):
        columns = line.split()  # no-break spaces divide, too
        stem = columns[0].partition(".")[0] if columns else ""
        if stem not in there:  # the header; recordings that were judged and not published
            continue
        try:
            percent = float(columns[1].replace(",", "."))
        except (IndexError, ValueError):
            percent = -1.0
        if not 0 <= percent <= 100:
            message = f"{file}, line {number}: {line!r}; wanted a file and the percentage (0 to "
            message += "100) of listeners who recognised its emotion"
            raise ValueError(message)
        judged[stem] = percent
    return judged
