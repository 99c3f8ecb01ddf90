"""VCTK: both layouts, both suffixes, and each hole of the corpus."""

import pytest

from bench.datasets import vctk
from bench.plugins import load


def corpus(tree, suffix="flac"):
    """p225 and p362 complete, p280 without microphone 2, p315 without that and without text."""
    files = {}
    for speaker, mics in (("p225", (1, 2)), ("p280", (1,)), ("p315", (1,)), ("p362", (1, 2))):
        for number in ("001", "002"):
            for mic in mics:
                name = f"wav48_silence_trimmed/{speaker}/{speaker}_{number}_mic{mic}.{suffix}"
                files[name] = None
            if speaker != "p315":
                files[f"txt/{speaker}/{speaker}_{number}.txt"] = f" {speaker} says\n {number}. \n"
    files["wav48_silence_trimmed/log.txt"] = "not a speaker"
    files["wav48_silence_trimmed/p225/._p225_003_mic1.flac"] = None
    return tree(files)


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_every_speaker_of_microphone_1(tree, suffix):
    root = corpus(tree, suffix)
    got = vctk.load(str(root))
    assert [u.id for u in got.utterances] == [
        f"{speaker}_{number}"
        for speaker in ("p225", "p280", "p315", "p362")
        for number in ("001", "002")
    ]
    first = got.utterances[0]
    assert first.audio == root / f"wav48_silence_trimmed/p225/p225_001_mic1.{suffix}"
    assert (first.text, first.speaker, first.language) == ("p225 says 001.", "p225", "en")
    assert (got.name, got.licence) == ("vctk:mic=1,split=all", "CC BY 4.0")
    assert "excerpt: 8 of 44455 utterances, 4 of 110 speakers" in got.notes


def test_p315_is_there_without_text(tree):
    got = vctk.load(str(corpus(tree)), speakers="p315")
    assert [(u.id, u.text) for u in got.utterances] == [("p315_001", None), ("p315_002", None)]
    assert "2 of 2 utterances have no text" in got.notes


def test_microphone_2_lacks_p280_and_p315_and_says_so(tree):
    got = vctk.load(str(corpus(tree)), mic=2)
    assert {u.speaker for u in got.utterances} == {"p225", "p362"}
    assert all(u.audio.stem.endswith("_mic2") for u in got.utterances)
    assert "no mic 2: p280, p315" in got.notes


def test_the_parts_are_disjoint_and_leave_out_p280_and_p315(tree):
    root = str(corpus(tree))
    parts = {s: {u.speaker for u in vctk.load(root, split=s).utterances} for s in vctk.SPLITS}
    assert parts["heldout"] == {"p362"}
    assert parts["train"] == {"p225"}
    assert parts["all"] == {"p225", "p280", "p315", "p362"}
    assert len(vctk.HELD_OUT) == 8


def test_a_choice_of_speakers_is_in_the_name(tree):
    got = load("datasets", f"vctk:root={corpus(tree)},speakers=p362+p225,mic=2")
    assert [u.speaker for u in got.utterances] == ["p225", "p225", "p362", "p362"]
    assert got.name == "vctk:mic=2,split=all,speakers=p362+p225"
    assert got.notes == ""


def test_the_older_layout_has_one_microphone(tree):
    root = tree({"wav48/p225/p225_001.wav": None, "txt/p225/p225_001.txt": "Please call Stella."})
    got = vctk.load(str(root))
    assert [(u.id, u.text) for u in got.utterances] == [("p225_001", "Please call Stella.")]
    assert "VCTK 0.80" in got.notes
    with pytest.raises(ValueError, match="one microphone; leave out mic=2"):
        vctk.load(str(root), mic=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mic": 3}, "no microphone 3; wanted mic=1 or mic=2"),
        ({"split": "test"}, "no split 'test'; wanted one of all, heldout, train"),
        ({"speakers": "p226"}, "no speaker 'p226' in this folder; did you mean 'p225'"),
        ({"speakers": "p225", "split": "heldout"}, "no speaker 'p225' in split 'heldout'"),
    ],
)
def test_a_wrong_argument_says_what_was_wanted(tree, given, said):
    with pytest.raises(ValueError, match=said):
        vctk.load(str(corpus(tree)), **given)


def test_what_is_not_vctk(tree, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"is not VCTK; wanted wav48_silence_trimmed/"):
        vctk.load(str(tree({"readme.txt": "?"}, "other")))
    with pytest.raises(FileNotFoundError, match="no recording in"):
        vctk.load(str(tree({"wav48_silence_trimmed/p225/x.txt": "?"}, "empty")))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"set BENCH_DATA .* VCTK-Corpus-0\.92/"):
        vctk.load()


def test_a_recording_there_twice_is_refused(tree):
    names = [f"wav48_silence_trimmed/p225/p225_001_mic1.{suffix}" for suffix in ("wav", "flac")]
    with pytest.raises(ValueError, match=r"p225_001_mic1 both as \.wav and as \.flac"):
        vctk.load(str(tree(dict.fromkeys(names))))
