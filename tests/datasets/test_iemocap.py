"""IEMOCAP: whose turn it is, whose votes count, and what is left out of the text."""

import pytest

from bench.datasets import iemocap
from bench.plugins import load

IMPROVISED = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral state;\t()
C-E4:\tNeutral;\t(calm; cool)
C-F1:\tNeutral; Anger;\t(curious)
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M001\txxx\t[2.5000, 2.5000, 2.5000]
C-E2:\tAnger; Frustration;\t()
C-E3:\tFrustration;\t()
C-E4:\tOther;\t(sarcastic)
C-M1:\tExcited;\t()

[12.0000 - 13.0000]\tSes01F_impro01_M002\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
[14.0000 - 15.0000]\tSes01F_impro01_F003\thap\t[2.5000, 2.5000, 2.5000]
C-E2:\tHappiness;\t()
C-E3:\tBewilderment;\t()
"""
TEXTS = """Ses01F_impro01_F000 [006.2901-008.2357]: Good evening.
Ses01F_impro01_M001 [010.0100-011.3925]: Where is the ladder?  [LAUGHTER]
Ses01F_impro01_MXX0 [011.5000-011.9000]: Hm.
Ses01F_impro01_M002 [012.0000-013.0000]: Yes.
Ses01F_impro01_F003 [014.0000-015.0000]: [BREATHING]
M: Not a turn.
"""
SCRIPTED = """[1.0000 - 2.0000]\tSes02M_script01_1b_F000\tsad\t[2.0000, 2.0000, 2.0000]
C-E2:\tSadness;\t()
"""


def corpus(tree, suffix="wav"):
    files = {
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": IMPROVISED,
        "Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt": "\0",
        "Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro01_e2_cat.txt": "other",
        "Session1/dialog/transcriptions/Ses01F_impro01.txt": TEXTS,
        "Session2/dialog/EmoEvaluation/Ses02M_script01_1b.txt": SCRIPTED,
        "Session1/sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav": None,
        f"Session2/sentences/wav/Ses02M_script01_1b/Ses02M_script01_1b_F000.{suffix}": None,
        f"Session2/sentences/wav/Ses02M_script01_1b/Ses02M_script01_1b_M000.{suffix}": None,
    }
    for turn in ("F000", "M001", "M002", "F003"):
        files[f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_{turn}.{suffix}"] = None
    return tree(files)


def felt(turn):
    """The labels with votes; all others were offered."""
    assert set(turn.ratings) >= set(iemocap.LABELS.values())
    return {label: count for label, count in turn.ratings.items() if count}


def turns(got):
    return {u.id.partition("_")[2]: u for u in got.utterances}


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_the_speaker_is_the_turns_and_not_the_dialogues(tree, suffix):
    root = corpus(tree, suffix)
    got = iemocap.load(str(root))
    assert [(u.id, u.speaker, u.condition) for u in got.utterances] == [
        ("Ses01F_impro01_F000", "Ses01F", "improvised"),
        ("Ses01F_impro01_F003", "Ses01F", "improvised"),
        ("Ses01F_impro01_M001", "Ses01M", "improvised"),
        ("Ses01F_impro01_M002", "Ses01M", "improvised"),
        ("Ses02M_script01_1b_F000", "Ses02F", "scripted"),
        ("Ses02M_script01_1b_M000", "Ses02M", "scripted"),
    ]
    assert got.utterances[0].audio.name == f"Ses01F_impro01_F000.{suffix}"
    assert got.name == "iemocap:session=all,part=all,raters=evaluators"
    assert "excerpt: 6 of 10039 utterances, 4 of 10 speakers" in got.notes
    assert "1 of 6 utterances have no ratings" in got.notes
    assert got == load("datasets", f"iemocap:root={root}")


def test_every_label_of_every_evaluator_is_a_vote(tree):
    got = turns(iemocap.load(str(corpus(tree))))
    assert felt(got["impro01_F000"]) == {"neutral": 3}
    # three raters, one of them with two labels: four votes
    assert felt(got["impro01_M001"]) == {"angry": 1, "frustrated": 2, "other": 1}
    assert got["impro01_M001"].emotion == {"angry": 0.25, "frustrated": 0.5, "other": 0.25}
    assert felt(got["impro01_F003"]) == {"bewilderment": 1, "happy": 1}  # not in the list: kept
    assert got["script01_1b_M000"].ratings == got["script01_1b_M000"].emotion == {}


def test_the_actors_own_reports_count_on_request(tree):
    got = turns(iemocap.load(str(corpus(tree)), raters="all"))
    assert felt(got["impro01_F000"]) == {"angry": 1, "neutral": 4}
    assert felt(got["impro01_M001"]) == {"angry": 1, "excited": 1, "frustrated": 2, "other": 1}


def test_sounds_are_left_out_of_the_text(tree):
    got = turns(iemocap.load(str(corpus(tree))))
    assert got["impro01_F000"].text == "Good evening."
    assert got["impro01_M001"].text == "Where is the ladder?"
    assert got["impro01_F003"].text is None
    assert got["script01_1b_F000"].text is None  # no transcript in this copy


def test_the_prompt_is_a_turn_that_all_called_neutral(tree):
    got = turns(iemocap.load(str(corpus(tree))))
    assert got["impro01_M001"].prompt.stem == "Ses01F_impro01_M002"
    assert got["impro01_M001"].prompt_text == "Yes."
    assert got["impro01_M002"].prompt is None  # the only neutral one of this voice
    assert got["impro01_F003"].prompt.stem == "Ses01F_impro01_F000"


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"session": "1"}, 4),
        ({"session": 2}, 2),
        ({"part": "scripted"}, 2),
        ({"part": "improvised"}, 4),
    ],
)
def test_a_session_or_a_part(tree, given, count):
    got = iemocap.load(str(corpus(tree)), **given)
    assert len(got.utterances) == count
    assert ",".join(f"{k}={v}" for k, v in given.items()) in got.name


def test_published_sizes_add_up():
    of = {n.split("part=")[1].split(",")[0]: s.utterances for n, s in iemocap.SIZES.items()}
    assert of["scripted"] + of["improvised"] == of["all"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"session": "6"}, "session is '6'; wanted one of all, 1, 2"),
        ({"part": "impro"}, "part is 'impro'; wanted one of all, scripted, improvised"),
        ({"raters": "self"}, "raters is 'self'; wanted one of evaluators, all"),
    ],
)
def test_a_wrong_argument_says_what_was_wanted(tree, given, said):
    with pytest.raises(ValueError, match=said):
        iemocap.load(str(corpus(tree)), **given)


def test_what_is_not_iemocap(tree):
    root = str(corpus(tree))
    with pytest.raises(FileNotFoundError, match="no session 3 in"):
        iemocap.load(root, session="3")
    with pytest.raises(FileNotFoundError, match="no recording in"):
        iemocap.load(str(tree({"readme.txt": "?"}, "other")))


def test_votes_without_a_turn_are_refused(tree):
    root = corpus(tree)
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    file.write_text("C-E2:\tNeutral;\t()\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"Ses01F_impro01\.txt, line 1: .* before the first turn"):
        iemocap.load(str(root))


def test_a_transcript_in_another_encoding(tree):
    root = corpus(tree)
    file = root / "Session1/dialog/transcriptions/Ses01F_impro01.txt"
    file.write_bytes("Ses01F_impro01_F000 [006.2901-008.2357]: It\u2019s.".encode("cp1252"))
    assert turns(iemocap.load(str(root)))["impro01_F000"].text == "It\u2019s."
