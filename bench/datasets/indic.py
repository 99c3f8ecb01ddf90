"""Three corpora of Indian languages for synthesis: IndicTTS, SYSPIN and Rasa.

Source: IndicTTS: A. Baby et al., "Resources for Indian languages", CBBLR 2016 (IIT Madras).
SYSPIN: Indian Institute of Science, "SYSPIN_S1.0 corpus", 2025, nine languages, 48 kHz. Rasa:
P. S. Varadhan, A. Sankar, G. Raju, M. Khapra, "Rasa: building expressive speech synthesis systems
for Indian languages in low-resource settings", Interspeech 2024 (AI4Bharat).
Licence: SYSPIN and Rasa CC BY 4.0; IndicTTS by agreement with IIT Madras. Read from your folder,
never downloaded.
Layout: three, by ``corpus``; recordings are .wav or .flac.
``rasa`` (the default): ``<LAN>_<F|M>_<STYLE>_<nnnnn>.wav`` in the folder itself, in ``wavs/``, or
in ``<language>/`` and ``<language>/wavs/``; a ``metadata.csv`` beside or above them with lines
``<id>|<text>``. LAN is ISO 639-3: KAN, MAR, TAM. The published table (Parquet) is to be unpacked.
``syspin``: ``IISc_SYSPINProject_<Language>_<Gender>_<Spk>_<HC|NHC>/``, which has ``wav/`` or
``wavs/`` and a JSON ``..._Transcripts.json``: ``{"Transcripts": {<id>: {"Transcript": ...,
"Domain": ...}}}``; these folders may lie in ``IISc_SYSPIN_Data/`` or ``<language>/``.
``indictts``: ``[IndicTTS_Phase<n>_]<Language>_<fem|female|male>[_Speaker<n>][_mono|_english]/``,
and somewhere in it ``txt.done.data``, with lines ``( <id> "<text>" )``, beside ``wav/``.
Splits: none is official. SYSPIN recommends its domain EVAL for tests: ``condition=EVAL``.
`condition` is Rasa's style, SYSPIN's domain, and for IndicTTS "mono" or "english". `emotion` is
filled for Rasa's six emotions and for its plain readings (WIKI, INDIC: neutral), which are also the
`prompt` of other sentences of the same voice; the other two corpora have neither. `speaker` is the
voice: ``KAN_F``, ``Hindi_Female_Spk001``, ``IndicTTS_Phase2_Tamil_fem_Speaker1``. `language` is
ISO 639-1 where there is one. IndicTTS ids repeat between voices, so that the folder is put before
them.
Known holes: one or two voices a language: an interval clustered by speaker has as few clusters. The
form of Rasa's metadata.csv follows its authors' training code, which wants LJSpeech's; where there
is none, there are no texts. NHC means that the recordings were not validated; such a folder counts
as the same voice. ``english`` is read by speakers of the language in the folder's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import folders, notes, recordings, some
from bench.datasets._prompts import neutral_prompts
from bench.plugins import nearest

FOLDERS = {"rasa": "Rasa", "syspin": "IISc_SYSPIN_Data", "indictts": "IndicTTS"}
LICENCES = {
    "rasa": "CC BY 4.0",
    "syspin": "CC BY 4.0",
    "indictts": "by agreement with IIT Madras",
}
LANGUAGES = {  # name -> ISO 639-1, or 639-3 where there is none
    "assamese": "as",
    "bengali": "bn",
    "bhojpuri": "bho",
    "bodo": "brx",
    "chhattisgarhi": "hne",
    "dogri": "doi",
    "english": "en",
    "gujarati": "gu",
    "hindi": "hi",
    "kannada": "kn",
    "konkani": "gom",
    "magahi": "mag",
    "maithili": "mai",
    "malayalam": "ml",
    "manipuri": "mni",
    "marathi": "mr",
    "nepali": "ne",
    "odia": "or",
    "punjabi": "pa",
    "rajasthani": "raj",
    "sanskrit": "sa",
    "tamil": "ta",
    "telugu": "te",
    "urdu": "ur",
}
SHORT = {  # ISO 639-3 -> 639-1
    "asm": "as",
    "ben": "bn",
    "guj": "gu",
    "hin": "hi",
    "kan": "kn",
    "mal": "ml",
    "mar": "mr",
    "nep": "ne",
    "ori": "or",
    "pan": "pa",
    "san": "sa",
    "tam": "ta",
    "tel": "te",
    "urd": "ur",
}
EMOTIONS = {  # Rasa's styles
    "ANGER": "angry",
    "DISGUST": "disgusted",
    "FEAR": "fearful",
    "HAPPY": "happy",
    "SAD": "sad",
    "SURPRISE": "surprised",
    "WIKI": "neutral",
    "INDIC": "neutral",
}
RASA = re.compile(
    r"(?P<voice>(?P<language>[A-Z]{3})_[FM])_(?P<style>[A-Z][A-Z0-9]*(_[A-Z0-9]+)*)_\d+"
)
SYSPIN = re.compile(r"IISc_SYSPINProject_(?P<voice>(?P<language>[A-Za-z]+)_.+?)(_N?HC)?")
INDICTTS = re.compile(
    r"(?P<voice>(IndicTTS_Phase\d+_)?(?P<language>[A-Za-z]+)_(fem|female|male)(_Speaker\d+)?)"
    r"(_(?P<kind>mono|english))?",
    re.IGNORECASE,
)
LINE = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')


def load(
    root: str | None = None, corpus: str = "rasa", language: str = "all", condition: str = "all"
) -> Dataset:
    """Return the utterances of one corpus, by voice and id.

    Args:
        root: the corpus folder; else ``$BENCH_DATA/Rasa``, ``IISc_SYSPIN_Data`` or ``IndicTTS``.
        corpus: "rasa", "syspin" or "indictts".
        language: "all", or one: its code ("kn") or English name ("Kannada").
        condition: "all", or one style, domain or kind.

    Raises:
        FileNotFoundError: no such folder, or no recording of this layout in it.
        ValueError: another corpus; a language or a condition that is not there; a recording or an
            id there twice; a recording whose name is none of Rasa's; a transcript file that cannot
            be read.
    """
    if corpus not in FOLDERS:
        message = f"indic has no corpus {corpus!r}; wanted one of {', '.join(FOLDERS)}"
        raise ValueError(message)
    home = root_of(root, FOLDERS[corpus])
    read = {"rasa": _rasa, "syspin": _syspin, "indictts": _indictts}[corpus]
    every: dict[str, Utterance] = {}
    for utterance in read(home):
        if utterance.id in every:
            message = f"indic has {utterance.id} twice: {every[utterance.id].audio} and "
            message += f"{utterance.audio}; keep one of them"
            raise ValueError(message)
        every[utterance.id] = utterance
    some(list(every.values()), home, f"the layout of {corpus} (see bench.datasets.indic)")
    chosen = sorted(every.values(), key=lambda u: (u.speaker or "", u.id))
    code = LANGUAGES.get(language.lower(), SHORT.get(language.lower(), language.lower()))
    chosen = _only(chosen, "language", code, [u.language for u in chosen])
    chosen = _only(chosen, "condition", condition, [u.condition for u in chosen])
    if corpus == "rasa":
        chosen = neutral_prompts(chosen, neutral=_neutral, same=_same)
    name = f"indic:corpus={corpus},language={code},condition={condition}"
    return Dataset(name, LICENCES[corpus], tuple(chosen), notes(chosen, None))


def _only(found: list[Utterance], what: str, wanted: str, values: list[str]) -> list[Utterance]:
    if wanted == "all":
        return found
    there = sorted(set(values))
    if wanted not in there:
        message = f"indic has no {what} {wanted!r} here{nearest(wanted, there)}"
        message += f" There: {', '.join(value or 'none' for value in there)}"
        raise ValueError(message)
    return [u for u, value in zip(found, values, strict=True) if value == wanted]


def _neutral(utterance: Utterance) -> bool:
    return "neutral" in utterance.emotion


def _same(one: Utterance, other: Utterance) -> bool:
    return one.text is not None and one.text == other.text


# -- Rasa ----------------------------------------------------------------------------------------


def _rasa(home: Path) -> Iterator[Utterance]:
    for place in (home, *(home / name for name in folders(home) if name != "wavs")):
        texts = _table(place / "metadata.csv")
        for folder in (place, place / "wavs"):
            if not folder.is_dir():
                continue
            beside = texts if folder == place else texts | _table(folder / "metadata.csv")
            for stem, path in recordings(folder).items():
                name = RASA.fullmatch(stem)
                if name is None:
                    message = f"{path} has no name of Rasa; wanted one like KAN_F_HAPPY_00001"
                    raise ValueError(message)
                emotion = EMOTIONS.get(name["style"])
                code = name["language"].lower()
                yield Utterance(
                    id=stem,
                    audio=path,
                    text=beside.get(stem),
                    language=SHORT.get(code, code),
                    speaker=name["voice"],
                    emotion={emotion: 1.0} if emotion else {},
                    condition=name["style"],
                )


def _table(file: Path) -> dict[str, str]:
    """Return id -> text of a table in LJSpeech's form, ``<id>|<text>[|...]``."""
    if not file.is_file():
        return {}
    texts = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        columns = [" ".join(column.split()) for column in line.split("|")]
        if len(columns) < 2:
            message = f"{file}, line {number}: {line!r}; wanted <id>|<text>"
            raise ValueError(message)
        if columns[1]:
            texts[Path(columns[0]).name.removesuffix(".wav")] = columns[1]
    return texts


# -- SYSPIN --------------------------------------------------------------------------------------


def _syspin(home: Path) -> Iterator[Utterance]:
    for folder, name in _named(home, SYSPIN, depth=3):
        transcripts = _transcripts(folder)
        for part in ("wav", "wavs"):
            if not (folder / part).is_dir():
                continue
            for stem, path in recordings(folder / part).items():
                known = transcripts.get(stem, {})
                yield Utterance(
                    id=stem,
                    audio=path,
                    text=" ".join(str(known.get("Transcript") or "").split()) or None,
                    language=_code(name["language"]),
                    speaker=name["voice"],
                    condition=str(known.get("Domain") or ""),
                )


def _transcripts(folder: Path) -> dict[str, dict[str, object]]:
    """Return id -> what the JSON of a voice says of it."""
    known: dict[str, dict[str, object]] = {}
    for file in sorted(folder.glob("*ranscripts.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8-sig"))
        except ValueError as error:  # not UTF-8, or not JSON
            message = f"{file} cannot be read ({error}); wanted JSON in UTF-8 (a cut download?)"
            raise ValueError(message) from error
        rows = content.get("Transcripts") if isinstance(content, dict) else None
        if not isinstance(rows, dict):
            message = f"{file} has no object Transcripts; wanted id -> Transcript and Domain"
            raise ValueError(message)
        known |= {
            stem.removesuffix(".wav"): row if isinstance(row, dict) else {"Transcript": row}
            for stem, row in rows.items()
        }
    return known


# -- IndicTTS ------------------------------------------------------------------------------------


def _indictts(home: Path) -> Iterator[Utterance]:
    for folder, name in _named(home, INDICTTS, depth=2):
        kind = (name["kind"] or "mono").lower()
        language = "en" if kind == "english" else _code(name["language"])
        for place in _inside(folder, depth=3):
            if not (place / "txt.done.data").is_file() or not (place / "wav").is_dir():
                continue
            texts = _prompts(place / "txt.done.data")
            for stem, path in recordings(place / "wav").items():
                yield Utterance(
                    id=f"{folder.name}-{stem}",
                    audio=path,
                    text=texts.get(stem),
                    language=language,
                    speaker=name["voice"],
                    condition=kind,
                )


def _prompts(file: Path) -> dict[str, str]:
    """Return id -> text of a Festival prompt list."""
    texts = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        entry = LINE.fullmatch(line.strip())
        if entry is None:
            message = f'{file}, line {number}: {line!r}; wanted ( <id> "<text>" )'
            raise ValueError(message)
        if text := " ".join(entry[2].replace('\\"', '"').split()):
            texts[entry[1]] = text
    return texts


# -- folders -------------------------------------------------------------------------------------


def _named(folder: Path, form: re.Pattern[str], depth: int) -> Iterator[tuple[Path, re.Match[str]]]:
    """Yield the folders of a voice and their names: `folder` itself, or those below it."""
    if match := form.fullmatch(folder.name):
        yield folder, match
    elif depth:
        for name in folders(folder):
            yield from _named(folder / name, form, depth - 1)


def _inside(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and those in it, but no folder of recordings."""
    yield folder
    for name in folders(folder) if depth else ():
        if name != "wav":
            yield from _inside(folder / name, depth - 1)


def _code(name: str) -> str:
    return LANGUAGES.get(name.lower(), name.lower())
