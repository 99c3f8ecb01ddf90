"""RAVDESS: what the codes say, which recordings are read, and the crossed prompts."""

import pytest

from bench.datasets import ravdess
from bench.plugins import load


def corpus(tree, *codes, suffix="wav"):
    return tree({f"Actor_{code[-2:]}/{code}.{suffix}": None for code in codes})


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_codes(tree, suffix):
    root = corpus(tree, "03-01-06-01-02-01-12", "03-01-08-02-01-02-12", suffix=suffix)
    first, second = ravdess.load(str(root)).utterances
    assert (first.id, first.speaker) == ("03-01-06-01-02-01-12", "Actor_12")
    assert (first.emotion, first.condition) == ({"fearful": 1.0}, "fearful/normal")
    assert first.text == "Dogs are sitting by the door"
    assert (second.emotion, second.condition) == ({"surprised": 1.0}, "surprised/strong")
    assert second.text == "Kids are talking by the door"
    assert first.audio == root / "Actor_12" / f"{first.id}.{suffix}"
    assert (first.prompt, first.ratings, first.language) == (None, {}, "en")


def test_songs_and_films_are_left_out(tree):
    codes = ("03-01-01-01-01-01-02", "03-02-01-01-01-01-02", "01-01-01-01-01-01-02")
    got = ravdess.load(str(corpus(tree, *codes)))
    assert [u.id for u in got.utterances] == [codes[0]]
    assert got.licence == "CC BY-NC-SA 4.0"
    assert got.notes == (
        "2 recordings that are sung or of films are left out; "
        "excerpt: 1 of 1440 utterances, 1 of 24 speakers"
    )


def test_crossed_prompts(tree):
    neutral = ("03-01-01-01-01-01-01", "03-01-01-01-02-01-01")
    acted = ("03-01-05-01-01-01-01", "03-01-05-01-02-01-01", "03-01-05-02-02-02-03")
    got = ravdess.load(str(corpus(tree, *neutral, *acted)), prompt="crossed")
    assert got.name == "ravdess:prompt=crossed"
    prompts = {u.id: (u.prompt and u.prompt.stem, u.prompt_text) for u in got.utterances}
    kids, dogs = ravdess.TEXTS.values()
    assert prompts == {
        neutral[0]: (neutral[1], dogs),
        neutral[1]: (neutral[0], kids),
        acted[0]: (neutral[1], dogs),
        acted[1]: (neutral[0], kids),
        acted[2]: (None, None),  # actor 03 has no neutral recording here
    }


def test_what_is_wrong_is_named(tree):
    for number, code in enumerate(("03-01-09-01-01-01-01", "take-1", "03-01-01-01-01-01-02")):
        root = tree({f"Actor_01/{code}.wav": None}, f"c{number}")
        with pytest.raises(ValueError, match="has no name of RAVDESS; wanted seven codes"):
            ravdess.load(str(root))
    with pytest.raises(FileNotFoundError, match=r"no recording in .*wanted Actor_<nn>/03-01-"):
        ravdess.load(str(tree({"a/x.wav": None}, "other")))
    with pytest.raises(ValueError, match="no prompt 'neutral'; wanted one of none, crossed"):
        ravdess.load(str(tree({}, "none")), prompt="neutral")


def test_excerpt(real_speech, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(real_speech))
    got = load("datasets", "ravdess:prompt=crossed")
    assert len(got.utterances) == len({u.id for u in got.utterances}) == 1440
    assert len({u.speaker for u in got.utterances}) == 24
    count = {e: sum(e in u.emotion for u in got.utterances) for e in ravdess.EMOTIONS.values()}
    assert count.pop("neutral") == 96
    assert set(count.values()) == {192}
    assert not got.notes  # all of it
    for u in got.utterances:
        assert u.prompt.parent == u.audio.parent
        assert u.prompt.stem.startswith("03-01-01-01")
        assert u.prompt_text != u.text
