"""Seed-TTS test sets: a prompt, its text, and another text to say in that voice; English, Mandarin.

Source: P. Anastassiou et al., "Seed-TTS: a family of high-quality versatile speech generation
models", arXiv:2406.02430; lists and recordings: BytedanceSpeech/seed-tts-eval.
Licence: of the recordings' own corpora: Common Voice (en), DiDiSpeech-2 (zh); the list states none.
Read from your folder, never downloaded.
Layout: ``en/meta.lst``, ``zh/meta.lst``, ``zh/hardcase.lst``, with a line
``<id>|<text of the prompt>|<prompt>|<text to say>`` each, sometimes with a fifth column: the
recording of that text by the speaker of the prompt. Recordings are relative to the list. Without a
fifth column ``wavs/<id>.wav`` beside the list is that recording, where it is there.
`audio` is the real speaker's recording of the text (the ground truth); an utterance without one
has none, and a metric that needs a reference cannot score it. `speaker` is the prompt's name:
utterances of one prompt are one cluster.
Splits: none; ``subset`` chooses the list.
Known holes: who speaks is not published: one person may stand behind several prompts, so that an
interval clustered by prompt may be too narrow. Common Voice prompts are noisy and of many rates.
``hardcase`` repeats words and syllables on purpose and has no ground truth. The lists for voice
conversion (two or three columns) are not read.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import some

FOLDER = "seedtts_testset"
LISTS = {"en": "en/meta.lst", "zh": "zh/meta.lst", "hardcase": "zh/hardcase.lst"}
LANGUAGES = {"en": "en", "zh": "zh", "hardcase": "zh"}
LICENCES = {
    "en": "Common Voice (CC0); the list states none",
    "zh": "DiDiSpeech-2 (its owner's terms); the list states none",
    "hardcase": "DiDiSpeech-2 (its owner's terms); the list states none",
}


def load(root: str | None = None, subset: str = "en") -> Dataset:
    """Return the utterances of one list, in its order.

    Args:
        root: the folder that holds ``en/`` and ``zh/``; else ``$BENCH_DATA/seedtts_testset``.
        subset: "en", "zh" or "hardcase".

    Raises:
        FileNotFoundError: no such folder or list; a list without a line.
        ValueError: another subset; a line that is no utterance, a repeated id, a missing recording
            (the message has file and line).
    """
    if subset not in LISTS:
        message = f"seed_tts has no subset {subset!r}; wanted one of {', '.join(LISTS)}"
        raise ValueError(message)
    file = root_of(root, FOLDER) / LISTS[subset]
    if not file.is_file():
        message = f"no list {file}; wanted {LISTS[subset]} in the folder of the test sets"
        raise FileNotFoundError(message)
    found: dict[str, Utterance] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            utterance = _utterance(line, str(file.parent), LANGUAGES[subset])
            if utterance.id in found:
                message = f"id {utterance.id!r} is repeated; it is already on line "
                message += str(lines[utterance.id])
                raise ValueError(message)
        except ValueError as error:
            message = f"{file}, line {number}: {error}"
            raise ValueError(message) from error
        found[utterance.id], lines[utterance.id] = utterance, number
    utterances = some(list(found.values()), file, "<id>|<prompt text>|<prompt>|<text>[|<audio>]")
    without = sum(u.audio is None for u in utterances)
    note = f"{without} of {len(utterances)} utterances have no ground truth" if without else ""
    return Dataset(f"seed_tts:subset={subset}", LICENCES[subset], utterances, note)


def _utterance(line: str, folder: str, language: str) -> Utterance:
    columns = [column.strip() for column in line.split("|")]
    if len(columns) not in (4, 5):
        message = f"{len(columns)} columns; wanted 4 or 5, divided by |: id, text of the prompt, "
        message += "prompt, text to say and, if there is one, its recording"
        raise ValueError(message)
    name = columns[0].removesuffix(".wav")
    if not name or "/" in name or "\\" in name or name in {".", ".."}:
        message = f"id is {name!r}; wanted a name without slashes: outputs are named <id>.wav"
        raise ValueError(message)
    if not columns[3]:
        message = "no text to say in the fourth column"
        raise ValueError(message)
    prompt = _recording("prompt", columns[2], folder)
    if len(columns) == 5 and columns[4]:
        audio: Path | None = _recording("ground truth", columns[4], folder)
    else:
        beside = os.path.join(folder, "wavs", f"{name}.wav")
        audio = Path(beside) if os.path.isfile(beside) else None
    return Utterance(
        id=name,
        audio=audio,
        text=columns[3],
        language=language,
        speaker=prompt.stem,
        prompt=prompt,
        prompt_text=columns[1] or None,
    )


def _recording(what: str, given: str, folder: str) -> Path:
    path = os.path.join(folder, given)
    if not given or not os.path.isfile(path):
        message = f"{what} {given!r} is missing: no file {path}"
        raise ValueError(message)
    return Path(path)
