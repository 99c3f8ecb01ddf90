"""LibriSpeech and LibriTTS: layouts, texts, splits."""

import pytest

from bench.datasets import librispeech, libritts
from bench.plugins import load


def speech(tree, suffix="flac"):
    folder = "test-other/1688/142285"
    return tree(
        {
            f"{folder}/1688-142285-0001.{suffix}": None,
            f"{folder}/1688-142285-0000.{suffix}": None,
            f"{folder}/1688-142285-0002.{suffix}": None,
            f"{folder}/1688-142285.trans.txt": "1688-142285-0000 THERE'S IRON\n"
            "1688-142285-0001 MARGARET SAID MISTER HALE\n",
            f"test-other/367/130732/367-130732-0000.{suffix}": None,
            "SPEAKERS.TXT": ";",
        },
        "LibriSpeech",
    )


def tts(tree, suffix="wav"):
    name = "test-clean/1089/134686/1089_134686_000002_00000"
    return tree(
        {
            f"{name}0.{suffix}": None,
            f"{name}0.normalized.txt": "He hoped for twenty.\n",
            f"{name}0.original.txt": "He hoped for 20.",
            f"{name}1.{suffix}": None,
            "test-clean/1089/134686/1089_134686.book.tsv": "x",
        },
        "LibriTTS",
    )


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_librispeech_in_its_layout(tree, suffix):
    root = speech(tree, suffix)
    got = librispeech.load(str(root))
    assert [(u.id, u.text, u.speaker) for u in got.utterances] == [
        ("1688-142285-0000", "THERE'S IRON", "1688"),
        ("1688-142285-0001", "MARGARET SAID MISTER HALE", "1688"),
        ("1688-142285-0002", None, "1688"),
        ("367-130732-0000", None, "367"),
    ]
    assert got.utterances[0].audio.suffix == f".{suffix}"
    assert got.name == "librispeech:split=test-other"
    assert got.notes == (
        "excerpt: 4 of 2939 utterances, 2 of 33 speakers; 2 of 4 utterances have no text"
    )


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_libritts_in_its_layout(tree, suffix):
    root = tts(tree, suffix)
    got = load("datasets", f"libritts:root={root}")
    assert [(u.id, u.text, u.speaker) for u in got.utterances] == [
        ("1089_134686_000002_000000", "He hoped for twenty.", "1089"),
        ("1089_134686_000002_000001", None, "1089"),
    ]
    assert got.name == "libritts:split=test-clean"
    raw = load("datasets", f"libritts:root={root},text=original")
    assert raw.utterances[0].text == "He hoped for 20."
    assert raw.name == "libritts:split=test-clean,text=original"


def test_the_usual_folder_is_found_under_bench_data(tree, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(speech(tree).parent))
    tts(tree)
    assert len(librispeech.load().utterances) == 4
    assert len(libritts.load().utterances) == 2


def test_a_split_that_is_not_there_names_those_that_are(tree):
    with pytest.raises(FileNotFoundError, match=r"'test-othr'.*did you mean 'test-other'"):
        librispeech.load(str(speech(tree)), split="test-othr")
    with pytest.raises(FileNotFoundError, match=r"no split 'dev-clean'.* There: test-clean"):
        libritts.load(str(tts(tree)), split="dev-clean")
    with pytest.raises(FileNotFoundError, match=r"no recording in .*wanted <speaker>/<chapter>"):
        libritts.load(str(tree({"test-clean/1/2/x.txt": ""}, "bare")))


def test_wrong_texts(tree):
    with pytest.raises(ValueError, match="no text 'raw'; wanted one of normalized, original"):
        libritts.load(str(tts(tree)), text="raw")
    root = tree({"test-other/1/2/1-2.trans.txt": "1-2-0000 YES\n1-2-0001\n"})
    with pytest.raises(ValueError, match=r"1-2\.trans\.txt, line 2: '1-2-0001'; wanted an id"):
        librispeech.load(str(root))


def test_what_is_published_has_an_archive():
    for module in (librispeech, libritts):
        name = module.__name__.rpartition(".")[2]
        assert {f"{name}:split={split}" for split in module.ARCHIVES} == set(module.SIZES)
