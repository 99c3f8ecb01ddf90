"""LJSpeech: metadata.csv, its two texts, and recordings it does not list."""

import pytest

from bench.datasets import ljspeech

METADATA = 'LJ001-0002|in "1880"|in "eighteen eighty"\nLJ001-0001|Printing|Printing\n'


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_texts_and_one_speaker(tree, suffix):
    audio = {f"wavs/LJ001-000{n}.{suffix}": None for n in (1, 2, 3)}
    root = tree({"metadata.csv": METADATA, **audio})
    got = ljspeech.load(str(root))
    assert [(u.id, u.text) for u in got.utterances] == [
        ("LJ001-0001", "Printing"),
        ("LJ001-0002", 'in "eighteen eighty"'),
        ("LJ001-0003", None),
    ]
    assert {u.speaker for u in got.utterances} == {"LJ"}
    assert (got.name, got.licence) == ("ljspeech", "public domain")
    raw = ljspeech.load(str(root), text="raw")
    assert (raw.utterances[1].text, raw.name) == ('in "1880"', "ljspeech:text=raw")


def test_lines_without_a_recording_are_counted(tree):
    got = ljspeech.load(str(tree({"metadata.csv": METADATA, "wavs/LJ001-0001.wav": None})))
    assert len(got.utterances) == 1
    assert got.notes.startswith("1 lines of metadata.csv have no recording; excerpt: 1 of 13100")


def test_what_is_wrong_is_named(tree):
    with pytest.raises(FileNotFoundError, match=r"wanted metadata\.csv and wavs/"):
        ljspeech.load(str(tree({"wavs/x.wav": None}, "a")))
    root = tree({"metadata.csv": "LJ001-0001|Printing\n", "wavs/LJ001-0001.wav": None}, "b")
    with pytest.raises(ValueError, match=r"metadata\.csv, line 1: .*wanted id\|text\|normalised"):
        ljspeech.load(str(root))
    with pytest.raises(ValueError, match="no text 'normalized'; wanted one of normalised, raw"):
        ljspeech.load(str(root), text="normalized")
    with pytest.raises(FileNotFoundError, match="no recording in"):
        ljspeech.load(str(tree({"metadata.csv": METADATA, "wavs/x.txt": ""}, "c")))
