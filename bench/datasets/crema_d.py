"""CREMA-D: 91 actors say 12 sentences in 6 emotions, about ten raters vote on each; 16 kHz.

Source: H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma, "CREMA-D:
Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Trans. Affective Computing 5(4), 2014;
GitHub CheyneyComputerScience/CREMA-D (Git LFS).
Licence: ODbL 1.0, its contents DbCL 1.0.
Layout: ``AudioWAV/<actor>_<sentence>_<emotion>_<level>.wav`` (or .flac) and
``processedResults/tabulatedVotes.csv``, a line for each clip and way of showing it; the first digit
of the line's number says which: 1 the voice alone, 2 the face alone, 3 both.
Splits: none is official.
`ratings` are the votes (A, D, F, H, N, S) of raters who got what `votes` names, labels without a
vote with 0; `emotion` is their share, CoCoEmo's Eq. (9), or what was acted where nobody voted;
`condition` is what was acted, and its level ("angry/high"). ``prompt=crossed`` gives each utterance
a neutral recording of the same actor saying another sentence.
Known holes: raters agree little. Over all 7,442 clips Krippendorff's alpha is 0.28 for the voice,
0.46 for the face, 0.50 for both, and the acted emotion has the most votes in 46, 69 and 75 %; of
the votes on the voice 44 % are neutral. They could choose none but the six labels, and are not
named: agreement is over votes per clip. Levels other than unspecified are there for one sentence
(IEO) only. In the published folder 1076_MTI_SAD_XX is silent, 1064_IEO_DIS_MD holds every emotion
in a minute, and 1040_ITH_SAD_XX is called 1040_ITH_SAD_X. The sentences are those of the corpus's
page; no table of it holds them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Size, notes, recordings, some
from bench.datasets._prompts import neutral_prompts
from metrics._agreement import entropy, krippendorff_alpha
from metrics._base import Unscorable

FOLDER = "CREMA-D"
RATE = 16000  # Hz
LICENCE = "ODbL 1.0, DbCL 1.0"
VOTES = {"voice": "1", "face": "2", "audiovisual": "3"}  # first digit of a line's number
PROMPTS = ("none", "crossed")
LABELS = {"A": "angry", "D": "disgusted", "F": "fearful", "H": "happy", "N": "neutral", "S": "sad"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
TEXTS = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
NAME = re.compile(
    r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)"
    r"_(?P<level>LO|MD|HI|XX?)"
)


def _name(votes: str, prompt: str) -> str:
    said = [f"votes={votes}"] * (votes != "voice") + [f"prompt={prompt}"] * (prompt != "none")
    return ":".join(["crema_d", ",".join(said)] if said else ["crema_d"])


SIZES = {_name(v, p): Size(91, 7442, RATE) for v in VOTES for p in PROMPTS}


def load(root: str | None = None, votes: str = "voice", prompt: str = "none") -> Dataset:
    """Return the recordings, sorted by id, with the votes of one way of showing them.

    Args:
        root: the folder that holds ``AudioWAV/``; else ``$BENCH_DATA/CREMA-D``.
        votes: of raters who got the "voice", the "face", or both ("audiovisual").
        prompt: "none", or "crossed" for a neutral recording of another sentence.

    Raises:
        FileNotFoundError: no such folder, or no recording in it.
        ValueError: other `votes` or `prompt`; a recording whose name is no code or that is there
            twice; a line of the votes whose counts are none, or do not add up.
    """
    for what, value, known in (("votes", votes, tuple(VOTES)), ("prompt", prompt, PROMPTS)):
        if value not in known:
            message = f"crema_d has no {what} {value!r}; wanted one of {', '.join(known)}"
            raise ValueError(message)
    home = root_of(root, FOLDER)
    if not (home / "AudioWAV").is_dir():
        message = f"{home} is not CREMA-D; wanted AudioWAV/ in it"
        raise FileNotFoundError(message)
    table = _votes(home / "processedResults" / "tabulatedVotes.csv", VOTES[votes])
    found = [_utterance(stem, p, table) for stem, p in recordings(home / "AudioWAV").items()]
    if prompt == "crossed":
        found = neutral_prompts(
            found,
            neutral=lambda utterance: utterance.condition.startswith("neutral/"),
            same=lambda one, other: one.id.split("_")[1] == other.id.split("_")[1],
        )
    layout = "<actor>_<sentence>_<emotion>_<level>.wav or .flac"
    utterances = some(found, home / "AudioWAV", layout)
    name = _name(votes, prompt)
    note = notes(utterances, SIZES[name], _agreement(utterances, votes))
    return Dataset(name, LICENCE, utterances, note)


def _utterance(stem: str, path: Path, table: Mapping[str, dict[str, int]]) -> Utterance:
    name = NAME.fullmatch(stem)
    if name is None:
        message = f"{path} has no name of CREMA-D; wanted one like 1001_DFA_ANG_XX"
        raise ValueError(message)
    acted = LABELS[name["emotion"][0]]
    ratings = table.get(f"{stem}X" if name["level"] == "X" else stem, {})
    given = sum(ratings.values())
    shares = {label: count / given for label, count in ratings.items() if count}
    return Utterance(
        id=stem,
        audio=path,
        text=TEXTS.get(name["sentence"]),
        speaker=name["actor"],
        emotion=shares or {acted: 1.0},
        ratings=ratings,
        condition=f"{acted}/{LEVELS[name['level']]}",
    )


def _votes(file: Path, digit: str) -> dict[str, dict[str, int]]:
    """Return clip -> label -> votes, of the lines whose number begins with a digit."""
    if not file.is_file():
        return {}
    found = {}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        for line in reader:
            if not (line.get("") or "").startswith(digit):
                continue
            try:
                counts = {label: int(line[letter]) for letter, label in LABELS.items()}
                clip, said = line["fileName"], int(line["numResponses"])
            except (KeyError, TypeError, ValueError) as error:
                message = f"{file}, line {reader.line_num}: {error}; wanted counts in the columns "
                message += f"{', '.join(LABELS)} and numResponses, and a fileName"
                raise ValueError(message) from error
            if sum(counts.values()) != said or min(counts.values()) < 0:
                message = f"{file}, line {reader.line_num}: {clip} has {sum(counts.values())} votes"
                message += f", and {said} responses"
                raise ValueError(message)
            found[clip] = counts
    return found


def _agreement(utterances: tuple[Utterance, ...], votes: str) -> str:
    """Return how many raters there were, and how far they agree."""
    rated = [list(u.ratings.values()) for u in utterances if u.ratings]
    without = len(utterances) - len(rated)
    said = [f"{without} of {len(utterances)} utterances have no votes"] if without else []
    if rated:
        raters = np.sum(rated, axis=1)
        try:
            alpha = f"Krippendorff's alpha {krippendorff_alpha(rated):.2f}"
        except Unscorable as fact:
            alpha = f"no agreement: {fact}"
        few, many = int(raters.min()), int(raters.max())
        bits = float(np.mean([entropy(counts).bits for counts in rated]))
        said.append(
            f"{votes} votes of {few} to {many} raters an utterance, entropy {bits:.2f} bit, {alpha}"
        )
    return "; ".join(said)
