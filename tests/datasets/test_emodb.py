"""EmoDB: the codes of its names, the sentences, and the perception test."""

import pytest

from bench.datasets import emodb
from bench.plugins import load
from metrics._soft_labels import consensus

NAMES = ("03a01Fa", "03a01Nc", "03a02Nc", "08b10Wb", "16c99Tb")
JUDGED = """Satz      erkannt   natürlich
03a01Fa.wav   90,00   100,00
03a01Nc.wav   100,00\xa0  90,00
08b10Wb   97,5   80
16a07La.wav
"""


def corpus(tree, judged=JUDGED, suffix="wav", names=NAMES):
    root = tree({f"wav/{name}.{suffix}": None for name in names})
    if judged:
        (root / "erkennung.txt").write_bytes(judged.encode("latin-1"))
    return root


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_names_give_speaker_sentence_and_emotion(tree, suffix):
    root = corpus(tree, suffix=suffix)
    got = emodb.load(str(root))
    assert [u.id for u in got.utterances] == list(NAMES)
    first = got.utterances[0]
    assert first.audio == root / "wav" / f"03a01Fa.{suffix}"
    assert (first.speaker, first.language) == ("03", "de")
    assert (first.text, first.emotion) == (
        "Der Lappen liegt auf dem Eisschrank.",
        {"happy": 1.0},
    )
    assert [next(iter(u.emotion)) for u in got.utterances] == [
        *("happy", "neutral", "neutral", "angry", "sad"),
    ]
    assert (got.name, got.licence) == ("emodb", emodb.LICENCE)
    assert got == load("datasets", f"emodb:root={root}")


def test_a_sentence_of_an_unknown_code_has_no_text(tree):
    got = emodb.load(str(corpus(tree)))
    assert got.utterances[-1].text is None
    assert "1 of 5 utterances have no text" in got.notes


def test_shares_of_20_listeners_become_votes(tree):
    got = {u.id: u.ratings for u in emodb.load(str(corpus(tree))).utterances}
    offered = dict.fromkeys(emodb.EMOTIONS.values(), 0)
    assert got["03a01Fa"] == offered | {"happy": 18, "unrecognised": 2}  # 90 % of 20
    assert got["03a01Nc"] == offered | {"neutral": 20}
    assert got["08b10Wb"] == offered | {"angry": 20}  # 97.5 % of 20 is 19.5: half to even
    assert got["03a02Nc"] == {}  # not in the file


def test_a_metric_reads_the_votes(tree):
    first = emodb.load(str(corpus(tree))).utterances[0]
    shares = consensus(first.emotion, first.ratings)
    assert (shares["happy"], shares["unrecognised"], shares["sad"]) == (0.9, 0.1, 0.0)
    assert consensus(first.emotion, {}) == {"happy": 1.0}


def test_without_the_perception_test_there_are_no_ratings(tree):
    got = emodb.load(str(corpus(tree, judged=None)))
    assert all(u.ratings == {} for u in got.utterances)
    assert "5 of 5 utterances have no ratings" in got.notes


def test_the_prompt_is_neutral_of_the_same_speaker_and_another_sentence(tree):
    got = {u.id: u for u in emodb.load(str(corpus(tree))).utterances}
    assert got["03a01Fa"].prompt.stem == "03a02Nc"  # 03a01Nc says the same
    assert got["03a01Fa"].prompt_text == "Das will sie am Mittwoch abgeben."
    assert got["03a01Nc"].prompt.stem == "03a02Nc"
    assert got["03a02Nc"].prompt.stem == "03a01Nc"
    assert got["08b10Wb"].prompt is None


def test_every_letter_and_every_sentence_is_known():
    assert len(emodb.EMOTIONS) == 7
    assert len(emodb.TEXTS) == 10
    assert len({*emodb.EMOTIONS.values()}) == 7


@pytest.mark.parametrize("name", ["03a01Xa", "3a01Fa", "03a01Fab", "hello"])
def test_a_name_that_is_none_is_refused(tree, name):
    with pytest.raises(ValueError, match=f"{name}.wav has no name of EmoDB; wanted one like"):
        emodb.load(str(corpus(tree, names=(name,))))


@pytest.mark.parametrize("line", ["03a01Fa.wav", "03a01Fa.wav many", "03a01Fa.wav 101,0"])
def test_a_line_of_the_perception_test_that_is_none(tree, line):
    with pytest.raises(ValueError, match=r"erkennung\.txt, line 2: .* the percentage"):
        emodb.load(str(corpus(tree, judged=f"Satz erkannt\n{line}\n")))


def test_what_is_not_emodb(tree):
    with pytest.raises(FileNotFoundError, match="is not EmoDB; wanted wav/ in it"):
        emodb.load(str(tree({"readme.txt": "?"}, "other")))
    with pytest.raises(FileNotFoundError, match="no recording in"):
        emodb.load(str(tree({"wav/readme.txt": "?"}, "empty")))
    twice = tree(dict.fromkeys(("wav/03a01Fa.wav", "wav/03a01Fa.flac")), "twice")
    with pytest.raises(ValueError, match=r"both as \.wav and as \.flac"):
        emodb.load(str(twice))
