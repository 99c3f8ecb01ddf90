"""Seed-TTS test sets: four and five columns, with and without a ground truth."""

import pytest

from bench.datasets import seed_tts
from bench.plugins import load

LINES = {
    "en/meta.lst": (
        "c_1-c_2|The prompt.|prompt-wavs/c_1.wav|To be said.\n"
        "\n"
        "c_1-c_3.wav|The prompt.|prompt-wavs/c_1.wav|Said, too.|wavs/other.wav\n"
        "c_4-c_5||prompt-wavs/c_4.wav|No ground truth.\n"
    ),
    "zh/meta.lst": "1-2|你好。|prompt-wavs/1.wav|再见。|wavs/1-2.wav\n",
    "zh/hardcase.lst": "h-1|你好。|prompt-wavs/1.wav|四是四十是十。\n",
}


def corpus(tree, **lists):
    files = LINES | {f"en/{name}.lst": text for name, text in lists.items()}
    for name in ("en/prompt-wavs/c_1", "en/prompt-wavs/c_4", "en/wavs/c_1-c_2", "en/wavs/other"):
        files[f"{name}.wav"] = None
    for name in ("zh/prompt-wavs/1", "zh/wavs/1-2"):
        files[f"{name}.wav"] = None
    return tree(files)


def test_english(tree):
    root = corpus(tree)
    got = seed_tts.load(str(root))
    first, second, third = got.utterances
    assert (first.id, first.text, first.language) == ("c_1-c_2", "To be said.", "en")
    assert (first.prompt, first.prompt_text) == (root / "en/prompt-wavs/c_1.wav", "The prompt.")
    assert first.audio == root / "en/wavs/c_1-c_2.wav"  # beside the list
    assert (second.id, second.audio) == ("c_1-c_3", root / "en/wavs/other.wav")  # fifth column
    assert (third.audio, third.prompt_text) == (None, None)
    assert [u.speaker for u in got.utterances] == ["c_1", "c_1", "c_4"]
    assert (got.name, got.notes) == (
        "seed_tts:subset=en",
        "1 of 3 utterances have no ground truth",
    )
    assert got == load("datasets", f"seed_tts:root={root}")


@pytest.mark.parametrize(("subset", "name", "truth"), [("zh", "1-2", True), ("hardcase", "h-1", 0)])
def test_mandarin(tree, subset, name, truth):
    got = seed_tts.load(str(corpus(tree)), subset=subset)
    (only,) = got.utterances
    assert (only.id, only.language, only.audio is not None) == (name, "zh", bool(truth))
    assert only.prompt_text == "你好。"
    assert got.licence.startswith("DiDiSpeech-2")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a|b|prompt-wavs/c_1.wav", "line 2: 3 columns; wanted 4 or 5"),
        ("a|b|c|d|e|f", "line 2: 6 columns; wanted 4 or 5"),
        ("../a|b|prompt-wavs/c_1.wav|d", "line 2: id is '../a'; wanted a name without slashes"),
        ("|b|prompt-wavs/c_1.wav|d", "line 2: id is ''"),
        ("a|b|prompt-wavs/c_1.wav|", "line 2: no text to say"),
        ("a|b|prompt-wavs/no.wav|d", "line 2: prompt 'prompt-wavs/no.wav' is missing"),
        ("a|b||d", "line 2: prompt '' is missing"),
        ("a|b|prompt-wavs/c_1.wav|d|wavs/no.wav", "line 2: ground truth 'wavs/no.wav' is missing"),
        ("x|b|prompt-wavs/c_1.wav|d", "line 2: id 'x' is repeated; it is already on line 1"),
    ],
)
def test_a_line_that_is_no_utterance(tree, line, said):
    root = corpus(tree, meta=f"x|b|prompt-wavs/c_1.wav|d\n{line}\n")
    with pytest.raises(ValueError, match=said):
        seed_tts.load(str(root))


def test_what_is_not_there(tree, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no subset 'de'; wanted one of en, zh, hardcase"):
        seed_tts.load(str(corpus(tree)), subset="de")
    with pytest.raises(FileNotFoundError, match=r"no list .*hardcase\.lst"):
        seed_tts.load(str(tree({"readme.txt": "?"}, "other")), subset="hardcase")
    with pytest.raises(FileNotFoundError, match="no recording in"):
        seed_tts.load(str(tree({"en/meta.lst": "\n"}, "empty")))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"set BENCH_DATA .* seedtts_testset/"):
        seed_tts.load()
