"""ESD: both layouts, each encoding of the transcripts, and the prompts."""

import pytest

from bench.datasets import esd
from bench.datasets._base import Utterance
from bench.datasets._prompts import neutral_prompts
from bench.plugins import load

TEXTS = {
    "0011_000001": "The kettle is cold again.",
    "0011_000002": "Nobody asked about the ladder.",
    "0011_000351": "The kettle is cold again.",
    "0011_000702": "Nobody asked about the ladder.",
}
FOLDERS = {"000001": "Neutral", "000002": "Neutral", "000351": "Angry", "000702": "Happy"}


def lines(texts):
    return "".join(f"{n}\t{t}\t{FOLDERS[n.partition('_')[2]]}\n" for n, t in texts.items())


def corpus(tree, split="", suffix="wav", inside=""):
    """Two neutral, an angry and a happy recording of 0011; one of 0001, in Mandarin."""
    files = {f"{inside}0011/0011.txt": lines(TEXTS), f"{inside}ReadMe.txt": "not a speaker"}
    part = f"{split}/" if split else ""
    for name in TEXTS:
        files[f"{inside}0011/{FOLDERS[name[5:]]}/{part}{name}.{suffix}"] = None
    files[f"{inside}0001/Surprise/{part}0001_001401.{suffix}"] = None
    files[f"{inside}0011/Angry/{part}._0011_000351.{suffix}"] = None
    return tree(files)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("split", ["", "train", "evaluation", "test"])
def test_english_with_and_without_split_folders(tree, split, suffix):
    root = corpus(tree, split, suffix)
    got = esd.load(str(root), split=split or "all")
    assert [(u.id, dict(u.emotion)) for u in got.utterances] == [
        ("0011_000351", {"angry": 1.0}),
        ("0011_000702", {"happy": 1.0}),
        ("0011_000001", {"neutral": 1.0}),
        ("0011_000002", {"neutral": 1.0}),
    ]
    first = got.utterances[0]
    assert first.audio.parent == root / "0011" / "Angry" / split
    assert (first.speaker, first.language, first.text) == ("0011", "en", TEXTS["0011_000001"])
    assert (first.ratings, got.name) == ({}, f"esd:language=en,split={split or 'all'}")
    assert got == load("datasets", f"esd:root={root},split={split or 'all'}")


def test_the_prompt_is_neutral_of_the_same_speaker_and_another_sentence(tree):
    got = esd.load(str(corpus(tree)))
    # sentences 1, 2, 1, 2 with 1 = 351 and 2 = 702 modulo 350
    assert [(u.prompt.stem, u.prompt_text) for u in got.utterances] == [
        ("0011_000002", TEXTS["0011_000002"]),
        ("0011_000001", TEXTS["0011_000001"]),
        ("0011_000002", TEXTS["0011_000002"]),
        ("0011_000001", TEXTS["0011_000001"]),
    ]


def test_a_voice_without_a_neutral_recording_has_no_prompt(tree):
    (got,) = esd.load(str(corpus(tree)), language="zh").utterances
    assert (got.prompt, got.prompt_text) == (None, None)
    assert (got.language, got.speaker, got.emotion) == ("zh", "0001", {"surprised": 1.0})
    assert got.text is None


def test_prompts_go_round_and_need_a_speaker(tmp_path):
    told = [Utterance(id=f"n{i}", audio=tmp_path / f"n{i}", speaker="a") for i in range(3)]
    others = [Utterance(id=f"x{i}", audio=tmp_path / f"x{i}", speaker="a") for i in range(4)]
    alone = Utterance(id="z", audio=tmp_path / "z")
    got = neutral_prompts(
        [*told, *others, alone],
        neutral=lambda u: u.id.startswith("n"),
        same=lambda one, other: False,
    )
    assert [u.prompt and u.prompt.name for u in got] == [
        *("n1", "n2", "n0"),  # its own turn is passed over
        *("n0", "n1", "n2", "n0"),
        None,
    ]


def test_both_languages(tree):
    got = esd.load(str(corpus(tree)), language="all")
    assert [u.speaker for u in got.utterances] == ["0001", "0011", "0011", "0011", "0011"]
    assert got.notes.startswith("excerpt: 5 of 35000 utterances, 2 of 20 speakers")
    assert "1 of 5 utterances have no text" in got.notes
    assert got.licence == esd.LICENCE


@pytest.mark.parametrize("inside", [f"{place}/" for place in esd.INSIDE[1:]])
def test_the_archives_own_folders(tree, inside):
    got = esd.load(str(corpus(tree, "test", inside=inside)))
    assert len(got.utterances) == 4


@pytest.mark.parametrize(
    ("encoding", "speaker", "text"),
    [
        ("utf-8", "0011", "It\u2019s café."),
        ("utf-8-sig", "0011", "It\u2019s café."),
        ("utf-16", "0012", "It\u2019s café."),
        ("utf-16-le", "0012", "It's late."),
        ("utf-16-be", "0012", "It's late."),
        ("cp1252", "0016", "It\u2019s café."),
        ("gb2312", "0001", "外面下雨了。"),
        ("utf-16", "0003", "外面下雨了。"),
    ],
)
def test_every_encoding_of_the_transcripts(tree, encoding, speaker, text):
    root = tree({f"{speaker}/Neutral/{speaker}_000001.wav": None})
    line = f"{speaker}_000001\t{text}\tNeutral\r\n"
    (root / speaker / f"{speaker}.txt").write_bytes(line.encode(encoding))
    (got,) = esd.load(str(root), language="all").utterances
    assert got.text == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("0011_000001\tLet it be.\tNeutral", "Let it be."),
        ("0011_000001 Let it be.\tNeutral", "Let it be."),
        ("0011_000001\tLet it be. Neutral", "Let it be."),
        ("0011_000001 Let it be. Neutral", "Let it be."),
        ("0011_000001\t Let  it be.", "Let it be."),
        ("0011_000001\t\tNeutral", None),
        ("0011_000001", None),
        ("Let it be.\tNeutral", None),
        ("", None),
    ],
)
def test_lines_that_lack_a_tab_or_a_text(tree, line, text):
    root = tree({"0011/Neutral/0011_000001.wav": None, "0011/0011.txt": line})
    (got,) = esd.load(str(root)).utterances
    assert got.text == text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"language": "de"}, "no language 'de'; wanted one of en, zh, all"),
        ({"split": "dev"}, "no split 'dev'; wanted one of all, train, evaluation, test"),
        ({"split": "test"}, r"no folder test/: this copy is without splits"),
    ],
)
def test_a_wrong_argument_says_what_was_wanted(tree, given, said):
    with pytest.raises(ValueError, match=said):
        esd.load(str(corpus(tree)), **given)


def test_what_is_not_esd(tree, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no recording in"):
        esd.load(str(tree({"readme.txt": "?"}, "other")))
    with pytest.raises(FileNotFoundError, match="of language 'zh'"):
        esd.load(str(tree({"0011/Sad/0011_001051.wav": None}, "en")), language="zh")
    with pytest.raises(ValueError, match="has a folder 'Angri'; did you mean 'Angry'"):
        esd.load(str(tree({"0011/Angri/0011_000351.wav": None}, "names")))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"set BENCH_DATA .* ESD/"):
        esd.load()


def test_a_recording_there_twice_is_refused(tree):
    names = [f"0011/Sad/{split}/0011_001051.wav" for split in ("train", "test")]
    with pytest.raises(ValueError, match="0011_001051 twice"):
        esd.load(str(tree(dict.fromkeys(names))))
