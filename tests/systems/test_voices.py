"""Synthesisers that other people made: they speak, repeat themselves, and name their mistakes."""

import numpy as np
import pytest

from bench import plugins
from systems._base import Request
from systems._spoken import spoken

SPECS = (
    "espeak", "flite", "flite:voice=kal", "festival", "hibari", "piper",
)  # fmt: skip
TEXT = "The old bridge was closed for repairs. Nobody minded."


def load(spec):
    try:
        return plugins.load("systems", spec)
    except plugins.Unavailable as missing:
        pytest.skip(str(missing))


def say(system, text=TEXT, **more):
    return np.concatenate([np.zeros(0, np.float32), *system.synthesize(Request(text, **more))])


@pytest.mark.parametrize("spec", SPECS)
def test_a_voice_speaks_and_repeats_itself(spec):
    system = load(spec)
    wav = say(system)
    assert wav.dtype == np.float32
    assert wav.ndim == 1
    assert 2.0 < wav.size / system.card.sample_rate < 8.0
    assert np.abs(wav).max() <= 1
    assert wav.std() > 0.01
    np.testing.assert_array_equal(say(system), wav)
    assert say(system, "One two three four. " * 6).size > 2 * wav.size
    np.testing.assert_array_equal(say(system, iter(TEXT.split())), wav)
    assert plugins.load("systems", system.card.name).card == system.card


@pytest.mark.parametrize("spec", ["espeak", "hibari", "piper"])
def test_nothing_to_say_gives_nothing_or_silence(spec):
    assert np.abs(say(load(spec), "")).max(initial=0) < 0.01


@pytest.mark.parametrize("spec", ["flite", "festival", "hibari", "piper"])
def test_a_language_it_does_not_speak_is_refused(spec):
    with pytest.raises(ValueError, match="speaks"):
        say(load(spec), "bonjour", language="fr")


def test_espeak_follows_the_language_and_the_pace():
    system = load("espeak")
    assert say(system, "Hund", language="de").size != say(system, "Hund", language="en").size
    assert say(load("espeak:words_per_minute=300")).size < say(system).size
    with pytest.raises(RuntimeError, match="voice does not exist"):
        say(system, "a", language="xx")
    with pytest.raises(ValueError, match="want 80 to 450"):
        plugins.load("systems", "espeak:words_per_minute=9")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("flite:voice=nobody", "kal, kal16"),
        ("festival:voice=nobody", "kal_diphone"),
        ("piper:voice=none.onnx", r"none\.onnx"),
    ],
)
def test_a_voice_that_is_not_there(spec, message):
    load(spec.partition(":")[0])
    with pytest.raises(ValueError, match=message):
        plugins.load("systems", spec)


def test_a_hibari_voice_is_never_downloaded(monkeypatch, tmp_path):
    load("hibari")
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    from hibari.voices import VOICES

    other = next(name for name, about in VOICES.items() if not about.get("bundled"))
    with pytest.raises(ValueError, match="fetch them to"):
        plugins.load("systems", f"hibari:voice={other}")


def test_a_missing_command_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(plugins.Unavailable, match="Debian package: flite"):
        plugins.load("systems", "flite")


def test_a_command_that_fails_is_an_error_with_its_last_words():
    with pytest.raises(RuntimeError, match="status 3: no voice today"):
        spoken(lambda a, b: ["sh", "-c", "echo no voice today >&2; exit 3"], "a")
