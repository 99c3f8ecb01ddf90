"""VoiceBank-DEMAND: the official folders, the manifest form, and pairs that are none."""

import pytest

from bench.datasets import voicebank_demand


def corpus(tree, part="testset", suffix="wav"):
    return tree(
        {
            f"clean_{part}_wav/p257_002.{suffix}": None,
            f"clean_{part}_wav/p232_001.{suffix}": None,
            f"noisy_{part}_wav/p232_001.{suffix}": None,
            f"noisy_{part}_wav/p257_002.{suffix}": None,
            f"{part}_txt/p232_001.txt": "Please call Stella.\n",
        }
    )


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize(("split", "part"), list(voicebank_demand.SPLITS.items()))
def test_the_reference_is_clean_and_the_input_noisy(tree, split, part, suffix):
    root = corpus(tree, part, suffix)
    got = voicebank_demand.load(str(root), split=split)
    first, second = got.utterances
    assert first.audio == root / f"clean_{part}_wav/p232_001.{suffix}"
    assert first.input == root / f"noisy_{part}_wav/p232_001.{suffix}"
    assert (first.speaker, first.text) == ("p232", "Please call Stella.")
    assert (second.id, second.speaker, second.text) == ("p257_002", "p257", None)
    assert got.name == f"voicebank_demand:split={split}"


def test_a_manifest_stands_in_for_the_folders(tree):
    line = '{"id": "p232_003", "audio": "clean/x.flac", "input": "noisy/x.flac", "speaker": "p232"}'
    root = tree({"manifest.jsonl": line, "clean/x.flac": None, "noisy/x.flac": None})
    got = voicebank_demand.load(str(root))
    assert [(u.audio, u.input) for u in got.utterances] == [
        (root / "clean/x.flac", root / "noisy/x.flac")
    ]
    assert got.notes.startswith("excerpt: 1 of 824 utterances, 1 of 2 speakers")


def test_what_is_wrong_is_named(tree):
    root = corpus(tree)
    with pytest.raises(ValueError, match="no split 'dev'; wanted one of test, train, train56"):
        voicebank_demand.load(str(root), split="dev")
    with pytest.raises(FileNotFoundError, match=r"no folder .*clean_trainset_28spk_wav"):
        voicebank_demand.load(str(root), split="train")
    (root / "noisy_testset_wav/p257_002.wav").unlink()
    with pytest.raises(ValueError, match=r"1 recordings of .* have no pair: p257_002"):
        voicebank_demand.load(str(root))
