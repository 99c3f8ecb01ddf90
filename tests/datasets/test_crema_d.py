"""CREMA-D: names, sentences, and the votes of three kinds of raters."""

import pytest

from bench.datasets import crema_d
from bench.plugins import load
from metrics._soft_labels import consensus

HEADER = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"'
LINES = (  # voice, face, both
    '"100001",1,0,0,2,5,0,"1001_DFA_HAP_XX",8,0.6,"N"',
    '"100002",9,0,0,0,0,0,"1001_IEO_ANG_HI",9,1,"A"',
    '"200001",0,0,0,7,0,0,"1001_DFA_HAP_XX",7,1,"H"',
    '"300001",0,0,0,3,1,0,"1001_DFA_HAP_XX",4,0.75,"H"',
)
NAMES = ("1001_DFA_HAP_XX", "1001_IEO_ANG_HI")


def corpus(tree, *names, lines=LINES, suffix="wav", folder="corpus"):
    table = {"processedResults/tabulatedVotes.csv": "\n".join([HEADER, *lines]) + "\n"}
    return tree((table if lines else {}) | {f"AudioWAV/{n}.{suffix}": None for n in names}, folder)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_votes_of_the_voice(tree, suffix):
    got = crema_d.load(str(corpus(tree, *NAMES, suffix=suffix)))
    happy, angry = got.utterances
    assert (happy.id, happy.speaker, happy.text) == (NAMES[0], "1001", "Don't forget a jacket.")
    assert happy.ratings == {
        **{"angry": 1, "disgusted": 0, "fearful": 0},
        **{"happy": 2, "neutral": 5, "sad": 0},
    }
    assert happy.emotion == {"angry": 0.125, "happy": 0.25, "neutral": 0.625}
    assert (happy.condition, angry.condition) == ("happy/unspecified", "angry/high")
    assert (angry.emotion, angry.text) == ({"angry": 1.0}, "It's eleven o'clock.")
    assert (got.name, got.licence) == ("crema_d", "ODbL 1.0, DbCL 1.0")
    for utterance in got.utterances:  # the metrics' reading of Eq. (9) is the data set's
        shares = consensus({}, utterance.ratings)
        assert {k: v for k, v in shares.items() if v} == pytest.approx(dict(utterance.emotion))


def test_agreement_is_reported(tree):
    got = crema_d.load(str(corpus(tree, *NAMES)))
    # Units (1, 2, 5) and (9): n = 17, totals 10, 2, 5. Observed: (64 - 30) / 7 = 34/7; expected
    # (289 - 129) / 16 = 10: alpha = 1 - 0.4857. Entropy: 3/8 + 2/4 + 5/8 * 0.678 = 1.299, and 0.
    assert got.notes == (
        "voice votes of 8 to 9 raters an utterance, entropy 0.65 bit, Krippendorff's alpha 0.51; "
        "excerpt: 2 of 7442 utterances, 1 of 91 speakers"
    )


@pytest.mark.parametrize(
    ("votes", "shares"),
    [("face", {"happy": 1.0}), ("audiovisual", {"happy": 0.75, "neutral": 0.25})],
)
def test_votes_of_the_face_and_of_both(tree, votes, shares):
    got = crema_d.load(str(corpus(tree, *NAMES)), votes=votes)
    assert got.name == f"crema_d:votes={votes}"
    assert got.utterances[0].emotion == shares
    unrated = got.utterances[1]
    assert (unrated.ratings, unrated.emotion) == ({}, {"angry": 1.0})  # what was acted
    assert f"1 of 2 utterances have no votes; {votes} votes of" in got.notes


def test_without_the_table_and_with_votes_for_one_label(tree):
    bare = crema_d.load(str(corpus(tree, *NAMES, lines=(), folder="a")))
    assert [dict(u.emotion) for u in bare.utterances] == [{"happy": 1.0}, {"angry": 1.0}]
    assert "2 of 2 utterances have no votes; excerpt" in bare.notes
    got = crema_d.load(str(corpus(tree, NAMES[1], folder="b")))
    assert "no agreement: all votes are for one label" in got.notes


def test_the_one_that_is_called_otherwise(tree):
    line = '"100005",0,0,0,0,0,8,"1040_ITH_SAD_XX",8,1,"S"'
    (got,) = crema_d.load(str(corpus(tree, "1040_ITH_SAD_X", lines=(line,)))).utterances
    assert (got.id, got.ratings["sad"]) == ("1040_ITH_SAD_X", 8)
    assert got.condition == "sad/unspecified"


def test_crossed_prompts(tree):
    names = ("1001_DFA_ANG_XX", "1001_DFA_NEU_XX", "1001_TSI_NEU_XX", "1002_DFA_SAD_XX")
    got = crema_d.load(str(corpus(tree, *names)), prompt="crossed")
    assert got.name == "crema_d:prompt=crossed"
    prompts = {u.id: u.prompt and u.prompt.stem for u in got.utterances}
    assert prompts == dict(zip(names, [names[2], names[2], names[1], None], strict=True))
    assert got.utterances[0].prompt_text == "The surface is slick."


def test_what_is_wrong_is_named(tree):
    with pytest.raises(ValueError, match="no votes 'ears'; wanted one of voice, face, audiovisual"):
        crema_d.load(str(tree({}, "a")), votes="ears")
    with pytest.raises(ValueError, match="no prompt 'some'; wanted one of none, crossed"):
        crema_d.load(str(tree({}, "b")), prompt="some")
    with pytest.raises(FileNotFoundError, match="is not CREMA-D; wanted AudioWAV/"):
        crema_d.load(str(tree({"x.wav": None}, "c")))
    with pytest.raises(ValueError, match="no name of CREMA-D; wanted one like 1001_DFA_ANG_XX"):
        crema_d.load(str(corpus(tree, "1001_DFA_JOY_XX", folder="d")))
    wrong = '"100001",1,0,0,2,x,0,"1001_DFA_HAP_XX",8,0.6,"N"'
    with pytest.raises(ValueError, match=r"line 2: .*wanted counts in the columns A, D, F, H"):
        crema_d.load(str(corpus(tree, *NAMES, lines=(wrong,), folder="e")))
    wrong = wrong.replace("x", "4")
    with pytest.raises(ValueError, match="1001_DFA_HAP_XX has 7 votes, and 8 responses"):
        crema_d.load(str(corpus(tree, *NAMES, lines=(wrong,), folder="f")))


def test_excerpt(real_speech, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(real_speech))
    got = load("datasets", "crema_d")
    assert [u.speaker for u in got.utterances] == ["1001"] * 6 + ["1002"] * 6
    assert all(sum(u.ratings.values()) >= 8 and u.text for u in got.utterances)
    assert got.utterances[0].ratings["angry"] == 6  # 1001_DFA_ANG_XX, by the table itself
    other = (real_speech / "CREMA-D" / "voice_only_votes.csv").read_text().splitlines()
    by_clip = {line.split(",")[0]: list(map(int, line.split(",")[2:8])) for line in other[1:]}
    for u in got.utterances:
        assert list(u.ratings.values()) == by_clip[u.id]
