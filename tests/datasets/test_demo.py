"""The shipped corpus: what the README and the licence list promise about it."""

import json
from collections import Counter

import numpy as np
import pesq
import pytest
import soundfile
import soxr

from bench.datasets import demo
from bench.plugins import load

DATASET = load("datasets", "demo")
SOURCES = json.loads((demo.HERE / "sources.json").read_text(encoding="utf-8"))


def test_size_and_names():
    files = sorted(demo.HERE.iterdir())
    assert sum(file.stat().st_size for file in files) < 6_000_000
    listed = {u.audio for u in DATASET.utterances} | {
        demo.HERE / "demo.jsonl",
        demo.HERE / "sources.json",
    }
    assert set(files) == listed
    assert len(DATASET.utterances) == len({u.id for u in DATASET.utterances}) == 48
    assert "synthetic" in DATASET.notes


def test_voices_are_enough_for_a_clustered_interval():
    counts = Counter(u.speaker for u in DATASET.utterances)
    assert len(counts) == 14
    assert min(counts.values()) >= 2
    assert len({u.speaker for u in DATASET.limit(14).utterances}) == 14  # the voices take turns


def test_no_sentence_is_said_twice():
    texts = [u.text for u in DATASET.utterances]
    assert all(texts)
    assert len(set(texts)) == len(texts)
    assert all(u.language == "en" for u in DATASET.utterances)


def test_the_prompt_is_another_recording_of_the_voice():
    by_file = {u.audio: u for u in DATASET.utterances}
    for utterance in DATASET.utterances:
        prompt = by_file[utterance.prompt]
        assert prompt.id != utterance.id
        assert (prompt.speaker, prompt.text) == (utterance.speaker, utterance.prompt_text)


def test_every_voice_has_its_engine_version_and_licence():
    voices = SOURCES["voices"]
    assert set(voices) == {u.speaker for u in DATASET.utterances}
    for voice in voices.values():
        assert voice["engine"] in voice["versions"]
        assert all(voice["versions"].values())
        assert voice["licence"]
        assert voice["description"]


@pytest.mark.parametrize("utterance", DATASET.utterances, ids=lambda u: u.id)
def test_recording(utterance):
    info = soundfile.info(utterance.audio)
    assert (info.samplerate, info.channels, info.subtype) == (24000, 1, "PCM_16")
    wave, _ = soundfile.read(utterance.audio)
    assert 2.5 < len(wave) / 24000 < 5.5
    assert np.abs(wave).max() < 10 ** (-0.9 / 20)  # peak at or below -1 dBFS, and a dither step
    power = (wave[: len(wave) // 480 * 480].reshape(-1, 480) ** 2).mean(axis=1)
    active = power > power.max() * 10**-3.5
    assert 10 * np.log10(power[active].mean()) == pytest.approx(-26, abs=0.1)
    assert 0.5 < active.mean() < 0.95  # speech, with pauses around it
    assert power.min() > 0  # dithered: no digital silence


@pytest.mark.parametrize("speaker", sorted(SOURCES["voices"]))
def test_pesq_hears_no_difference_from_itself(speaker):
    file = next(u.audio for u in DATASET.utterances if u.speaker == speaker)
    wave = soxr.resample(soundfile.read(file)[0], 24000, 16000, quality="VHQ")
    assert pesq.pesq(16000, wave, wave, "wb") == pytest.approx(4.6439, abs=1e-3)
