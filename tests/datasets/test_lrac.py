"""LRAC 2025 open test set: pairs, conditions, and who speaks."""

import pytest

from bench.datasets import lrac
from bench.plugins import load

META = (
    "filename,language,speaker_id,pred_speaker_gender\n"
    "T1_clean_file000.wav,english,vctk_s5,female\n"
    "T1_clean_file001.wav,,,\n"
)


def corpus(tree, track=1, suffix="wav", inside="", meta=META):
    t = f"{inside}track_{track}"
    names = (
        *(f"clean/T1_clean_file00{n}" for n in (1, 0, 2)),
        *("noisy/T1_noise_speech_file000", "reference_noisy/T1_noise_speech_file000"),
        *("reverb/T1_reverb_speech_file000", "reference_reverb/T1_reverb_speech_file000"),
    )
    return tree({f"{t}/{name}.{suffix}": None for name in names} | {f"{t}/clean/meta.csv": meta})


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("track", lrac.TRACKS)
def test_the_reference_is_clean_and_the_input_degraded(tree, track, suffix):
    root = corpus(tree, track, suffix)
    got = lrac.load(str(root), track=track)
    assert [(u.id, u.condition) for u in got.utterances] == [
        *((f"T1_clean_file00{n}", "clean") for n in range(3)),
        ("T1_noise_speech_file000", "noisy"),
        ("T1_reverb_speech_file000", "reverb"),
    ]
    home = root / f"track_{track}"
    noisy = got.utterances[3]
    assert noisy.audio == home / "reference_noisy" / f"T1_noise_speech_file000.{suffix}"
    assert noisy.input == home / "noisy" / f"T1_noise_speech_file000.{suffix}"
    assert got.utterances[0].input is None  # a clean one is its own input
    assert (got.name, got.licence) == (f"lrac:track={track},condition=all", lrac.LICENCE)
    assert got == load("datasets", f"lrac:root={root},track={track}")


def test_meta_names_the_speaker_where_it_does(tree):
    got = lrac.load(str(corpus(tree))).utterances
    assert [(u.speaker, u.language) for u in got] == [
        ("vctk_s5", "en"),
        *((None, "en") for _ in range(4)),
    ]


@pytest.mark.parametrize("inside", [f"{place}/" for place in lrac.INSIDE[1:]])
def test_a_folder_above(tree, inside):
    got = lrac.load(str(corpus(tree, inside=inside)), condition="noisy")
    assert [u.id for u in got.utterances] == ["T1_noise_speech_file000"]
    assert got.name == "lrac:track=1,condition=noisy"


def test_a_condition_that_is_not_there_is_said(tree):
    got = lrac.load(str(tree({"track_2/clean/a.wav": None})), track=2)
    assert len(got.utterances) == 1
    assert got.notes.startswith("no folder noisy, reverb")


def test_what_is_wrong_is_named(tree):
    root = corpus(tree)
    with pytest.raises(ValueError, match="no track 3; wanted track=1 or track=2"):
        lrac.load(str(root), track=3)
    with pytest.raises(ValueError, match="no condition 'noise'; wanted one of all, clean"):
        lrac.load(str(root), condition="noise")
    with pytest.raises(FileNotFoundError, match="no track_2/ in"):
        lrac.load(str(root), track=2)
    (root / "track_1/reverb/extra.wav").touch()
    with pytest.raises(ValueError, match=r"1 recordings of .* have no pair: extra; .* reverb/"):
        lrac.load(str(root))
    with pytest.raises(FileNotFoundError, match=r"no folder .*reference_noisy"):
        lrac.load(str(tree({"track_1/noisy/a.wav": None}, "blind")))
    with pytest.raises(FileNotFoundError, match=r"no folder .*clean; wanted clean"):
        lrac.load(str(tree({"track_1/noisy/a.wav": None}, "noisy")), condition="clean")
    with pytest.raises(FileNotFoundError, match=r"no folder .*clean; wanted clean, noisy, reverb"):
        lrac.load(str(tree({"track_1/readme.txt": "?"}, "none")))
    with pytest.raises(FileNotFoundError, match="no recording in"):
        lrac.load(str(tree({"track_1/clean/readme.txt": "?"}, "empty")))


def test_a_meta_without_its_columns_is_refused(tree):
    with pytest.raises(ValueError, match=r"meta\.csv has no column filename, speaker_id"):
        lrac.load(str(corpus(tree, meta="name,speaker\n")))
