"""RAVDESS, speech: 24 actors say two sentences in 8 emotions, North American English, 48 kHz.

Source: S. R. Livingstone and F. A. Russo, "The Ryerson Audio-Visual Database of Emotional Speech
and Song (RAVDESS)", PLoS ONE 13(5), 2018, Zenodo 1188976.
Licence: CC BY-NC-SA 4.0 (what is trained on it carries the licence).
Layout: ``Actor_<nn>/03-01-05-02-01-02-<nn>.wav`` (or .flac), seven codes of two digits: modality,
channel, emotion, intensity, statement, repetition, actor. Only sound (modality 03) and speech
(channel 01) are read; songs and the sound of films in the same folders are left out and counted.
Splits: none is official. Actors with odd numbers are men, those with even numbers women.
`emotion` is what was acted, with share 1; `condition` is emotion and intensity ("angry/strong").
``prompt=crossed`` gives each utterance a neutral recording of the same actor saying the other
statement, so that a prompt shows the voice and neither words nor emotion.
Known holes: neutral is there at normal intensity only, so that it has half as many recordings.
Two sentences of six words: recognisers and language models see nothing but these. The votes of the
perception test are published elsewhere and not read: there are no `ratings`. The audio is quiet and
has long pauses at both ends; five recordings have two channels.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Archive, Size, folders, notes, recordings, some
from bench.datasets._prompts import neutral_prompts

FOLDER = "RAVDESS"
RATE = 48000  # Hz
LICENCE = "CC BY-NC-SA 4.0"
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}
INTENSITIES = {"01": "normal", "02": "strong"}
TEXTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
PROMPTS = ("none", "crossed")
NAME = re.compile(
    r"(?P<modality>0[123])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>\d\d)"
)
SIZES = {name: Size(24, 1440, RATE) for name in ("ravdess", "ravdess:prompt=crossed")}
ARCHIVES = {
    "": (
        Archive(  # Zenodo publishes no SHA-256
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip", None
        ),
    )
}


def load(root: str | None = None, prompt: str = "none") -> Dataset:
    """Return the spoken recordings, sorted by actor and code.

    Args:
        root: the folder with ``Actor_01`` and the others; else ``$BENCH_DATA/RAVDESS``.
        prompt: "none", or "crossed" for a neutral recording of the other statement.

    Raises:
        FileNotFoundError: no such folder, or no spoken recording in it.
        ValueError: another `prompt`; a recording whose name is no code, or of another actor than
            its folder's; one there twice.
    """
    if prompt not in PROMPTS:
        message = f"ravdess has no prompt {prompt!r}; wanted one of {', '.join(PROMPTS)}"
        raise ValueError(message)
    home = root_of(root, FOLDER)
    found, left = [], 0
    for actor in (name for name in folders(home) if name.startswith("Actor_")):
        for stem, path in recordings(home / actor).items():
            code = _code(stem, path, actor)
            if (code["modality"], code["channel"]) == ("03", "01"):
                found.append(_utterance(stem, path, code, actor))
            else:
                left += 1
    if prompt == "crossed":
        found = neutral_prompts(
            found,
            neutral=lambda utterance: "neutral" in utterance.emotion,
            same=lambda one, other: one.text == other.text,
        )
    utterances = some(found, home, "Actor_<nn>/03-01-*.wav or .flac")
    name = "ravdess" + f":prompt={prompt}" * (prompt != "none")
    more = f"{left} recordings that are sung or of films are left out" if left else ""
    return Dataset(name, LICENCE, utterances, notes(utterances, SIZES[name], more))


def _code(stem: str, path: Path, actor: str) -> re.Match[str]:
    code = NAME.fullmatch(stem)
    if code is None or f"Actor_{code['actor']}" != actor:
        message = f"{path} has no name of RAVDESS; wanted seven codes of two digits, the last the "
        message += f"number of {actor}, as in 03-01-05-02-01-02-{actor.removeprefix('Actor_')}"
        raise ValueError(message)
    return code


def _utterance(stem: str, path: Path, code: re.Match[str], actor: str) -> Utterance:
    acted = EMOTIONS[code["emotion"]]
    return Utterance(
        id=stem,
        audio=path,
        text=TEXTS[code["statement"]],
        speaker=actor,
        emotion={acted: 1.0},
        condition=f"{acted}/{INTENSITIES[code['intensity']]}",
    )
