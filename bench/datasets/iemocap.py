"""IEMOCAP: dialogues of ten actors, scripted and improvised, rated turn by turn, 16 kHz.

Source: C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. Chang, S. Lee,
S. Narayanan, "IEMOCAP: interactive emotional dyadic motion capture database", Language Resources
and Evaluation 42, 2008.
Licence: by agreement with the University of Southern California; read from your folder, never
downloaded.
Layout: ``Session<n>/sentences/wav/<dialogue>/<turn>.wav`` (or .flac),
``Session<n>/dialog/EmoEvaluation/<dialogue>.txt`` and
``Session<n>/dialog/transcriptions/<dialogue>.txt``, n from 1 to 5. An evaluation has a line
``[<start> - <end>]<tab><turn><tab><label><tab>[<v>, <a>, <d>]`` for each turn and below it a line
``C-<rater>:<tab><label>; <label>;<tab>(<comment>)`` for each rater.
Splits: none is official; papers hold out one session after the other, which is speaker-independent.
The speaker of a turn is its session and the letter of its *last* part: ``Ses01F_impro01_M003`` is
said by Ses01M (the first letter says who wore the markers in that dialogue).
`ratings` are votes: one for every label of every rater, so that a rater who gave two labels has two
votes, and votes may be more than raters; a label of the list that got none is there with 0. The
actors' own reports (C-F, C-M) count only with ``raters=all``. `emotion` is the share of the votes.
`condition` is "scripted" or "improvised".
`prompt` is another turn of the same speaker, in what is loaded, that every vote called neutral.
Known holes: turns overlap with the other voice and carry room and clothing noise. The actors'
reports exist for some turns only. The corpus's own majority label (xxx where there is none) is not
used. Marks of sounds in brackets ([LAUGHTER]) are left out of the text; a turn of nothing else has
no text. "Excited" is kept apart from "happy", which many papers merge. A label that is not in the
corpus's list stays as it is, in lower case.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Size, folders, notes, recordings, some
from bench.datasets._prompts import neutral_prompts

FOLDER = "IEMOCAP_full_release"
RATE = 16000  # Hz
SESSIONS = ("all", "1", "2", "3", "4", "5")
PARTS = ("all", "scripted", "improvised")
RATERS = ("evaluators", "all")
LABELS = {
    "anger": "angry",
    "disgust": "disgusted",
    "excited": "excited",
    "fear": "fearful",
    "frustration": "frustrated",
    "happiness": "happy",
    "neutral": "neutral",
    "neutral state": "neutral",
    "other": "other",
    "sadness": "sad",
    "surprise": "surprised",
}
TURN = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(\S+)")
VOTE = re.compile(r"C-([A-Z])\w*:\s*([^(]*)")
SPOKEN = re.compile(r"(\S+) \[[\d.\s-]+\]:(.*)")
SOUND = re.compile(r"\[[A-Za-z]+\]")
LICENCE = "by agreement with the University of Southern California"
SIZES = {
    f"iemocap:session=all,part={part},raters={raters}": Size(10, count, RATE)
    for part, count in (("all", 10039), ("scripted", 5255), ("improvised", 4784))
    for raters in RATERS
}


def load(
    root: str | None = None, session: str = "all", part: str = "all", raters: str = "evaluators"
) -> Dataset:
    """Return the turns of the dialogues, by session, dialogue and id.

    Args:
        root: the folder that holds Session1 to Session5; else
            ``$BENCH_DATA/IEMOCAP_full_release``.
        session: "all", or one of "1" to "5".
        part: "all", "scripted" or "improvised".
        raters: whose votes count: "evaluators", or "all", with the actors' reports.

    Raises:
        FileNotFoundError: no such folder, session or turn.
        ValueError: another session, part or choice of raters; an evaluation whose votes belong to
            no turn; a turn there twice.
    """
    session = str(session)
    for what, given, known in (
        ("session", session, SESSIONS),
        ("part", part, PARTS),
        ("raters", raters, RATERS),
    ):
        if given not in known:
            message = f"iemocap: {what} is {given!r}; wanted one of {', '.join(known)}"
            raise ValueError(message)
    home = root_of(root, FOLDER)
    wanted = SESSIONS[1:] if session == "all" else (session,)
    found = []
    for number in wanted:
        place = home / f"Session{number}"
        if (place / "sentences" / "wav").is_dir():
            found += list(_turns(place, part, raters))
        elif session != "all":
            message = f"no session {number} in {home}; wanted {place.name}/sentences/wav/ in it"
            raise FileNotFoundError(message)
    made = neutral_prompts(
        found,
        neutral=lambda turn: set(turn.emotion) == {"neutral"},
        same=lambda one, other: one.text is not None and one.text == other.text,
    )
    utterances = some(made, home, "Session<n>/sentences/wav/<dialogue>/<turn>.wav or .flac")
    unrated = sum(not u.ratings for u in utterances)
    more = f"{unrated} of {len(utterances)} utterances have no ratings" if unrated else ""
    name = f"iemocap:session={session},part={part},raters={raters}"
    return Dataset(name, LICENCE, utterances, notes(utterances, SIZES.get(name), more))


def _turns(place: Path, part: str, raters: str) -> Iterator[Utterance]:
    """Yield the turns of one session."""
    audio = place / "sentences" / "wav"
    for dialogue in folders(audio):
        condition = "scripted" if "script" in dialogue else "improvised"
        if part not in (condition, "all"):
            continue
        votes = _votes(place / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", raters)
        texts = _texts(place / "dialog" / "transcriptions" / f"{dialogue}.txt")
        for turn, path in recordings(audio / dialogue).items():
            ratings = votes.get(turn, {})
            total = sum(ratings.values())
            yield Utterance(
                id=turn,
                audio=path,
                text=texts.get(turn),
                speaker=turn[:5] + turn.rpartition("_")[2][:1],
                emotion={label: count / total for label, count in ratings.items() if count},
                ratings=ratings,
                condition=condition,
            )


def _votes(file: Path, raters: str) -> dict[str, Mapping[str, int]]:
    """Return turn -> label -> votes, of the turns with votes; the labels of a turn sorted."""
    votes: dict[str, Counter[str]] = {}
    turn = ""
    for number, line in enumerate(_lines(file), 1):
        if head := TURN.match(line):
            turn = head[1]
            votes[turn] = Counter()
        elif vote := VOTE.match(line):
            if not turn:
                message = f"{file}, line {number}: {line!r} stands before the first turn; wanted a "
                message += "line [<start> - <end>] <turn> ... above the votes"
                raise ValueError(message)
            if vote[1] == "E" or raters == "all":
                labels = (" ".join(label.lower().split()) for label in vote[2].split(";"))
                votes[turn].update(LABELS.get(label, label) for label in labels if label)
    offered = dict.fromkeys(LABELS.values(), 0)
    return {turn: dict(sorted((offered | count).items())) for turn, count in votes.items() if count}


def _texts(file: Path) -> dict[str, str]:
    texts = {}
    for line in _lines(file):
        if spoken := SPOKEN.match(line):
            if text := " ".join(SOUND.sub(" ", spoken[2]).split()):
                texts[spoken[1]] = text
    return texts


def _lines(file: Path) -> list[str]:
    if not os.path.isfile(file):
        return []
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return [line.strip() for line in text.splitlines()]
