"""IndicTTS, SYSPIN and Rasa: each layout, its texts, its emotions, and its holes."""

import json

import pytest
import soundfile

from bench.datasets import indic
from bench.plugins import load

RASA = ("KAN_F_HAPPY_00001", "KAN_F_WIKI_00002", "KAN_F_INDIC_00001", "TAM_M_PROPER_NOUN_00007")


def rasa(tree, place="", suffix="wav", texts=True, folder="corpus"):
    files = {f"{place}{name}.{suffix}": None for name in RASA}
    if texts:
        above = place.removesuffix("wavs/")
        files[f"{above}metadata.csv"] = (
            "KAN_F_HAPPY_00001|ಒಂದು  ಎರಡು.\nKAN_F_WIKI_00002.wav|ಮೂರು.|ಮೂರು.\n\nTAM_M_X_1|\n"
        )
    return tree(files, folder)


def syspin(tree, place="", part="wav", content=None):
    voice = f"{place}IISc_SYSPINProject_Hindi_Female_Spk001"
    said = {
        "MetaData": {},
        "Transcripts": {
            "IISc_SYSPINProject_hi_f_AGRI_00001": {
                "Transcript": " एक  दो। ",
                "Domain": "AGRICULTURE",
            },
            "IISc_SYSPINProject_hi_f_EVAL_00002": {"Transcript": "तीन।", "Domain": "EVAL"},
        },
    }
    return tree(
        {
            f"{voice}_HC/{part}/IISc_SYSPINProject_hi_f_AGRI_00001.wav": None,
            f"{voice}_HC/{part}/IISc_SYSPINProject_hi_f_EVAL_00002.wav": None,
            f"{voice}_HC/{part}/IISc_SYSPINProject_hi_f_EVAL_00003.wav": None,
            f"{voice}_HC/IISc_SYSPINProject_Hindi_Female_Spk001_HC_Transcripts.json": (
                json.dumps(said, ensure_ascii=False) if content is None else content
            ),
            f"{voice}_NHC/{part}/IISc_SYSPINProject_hi_f_BOOK_00009.wav": None,
        }
    )


def indictts(tree):
    phase2, phase3 = "IndicTTS_Phase2_Tamil_fem_Speaker1", "IndicTTS_Phase3_Tamil_fem_Speaker1"
    return tree(
        {
            f"{phase2}_mono/mono/Read_speech/txt.done.data": (
                '( t_1 "ஒன்று  இரண்டு." )\n\n( t_2 "" )\n'
            ),
            f"{phase2}_mono/mono/Read_speech/wav/t_1.wav": None,
            f"{phase2}_mono/mono/Read_speech/wav/t_2.wav": None,
            f"{phase2}_english/english/txt.done.data": '(t_1 "He said \\"no\\".")\n',
            f"{phase2}_english/english/wav/t_1.wav": None,
            f"{phase3}_mono/speaker1/txt.done.data": '( t_1 "மூன்று." )\n',
            f"{phase3}_mono/speaker1/wav/t_1.wav": None,
            "Hindi_male/txt.done.data": '( t_1 "एक।" )\n',
            "Hindi_male/wav/t_1.wav": None,
        }
    )


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("place", ["", "wavs/", "Kannada/", "Kannada/wavs/"])
def test_rasa(tree, place, suffix):
    root = rasa(tree, place, suffix)
    got = indic.load(str(root))
    assert [(u.id, u.speaker, u.language, u.condition, u.text) for u in got.utterances] == [
        ("KAN_F_HAPPY_00001", "KAN_F", "kn", "HAPPY", "ಒಂದು ಎರಡು."),
        ("KAN_F_INDIC_00001", "KAN_F", "kn", "INDIC", None),
        ("KAN_F_WIKI_00002", "KAN_F", "kn", "WIKI", "ಮೂರು."),
        ("TAM_M_PROPER_NOUN_00007", "TAM_M", "ta", "PROPER_NOUN", None),
    ]
    happy, plain, other, names = got.utterances
    assert (happy.emotion, plain.emotion, names.emotion) == ({"happy": 1.0}, {"neutral": 1.0}, {})
    assert happy.prompt.stem == "KAN_F_INDIC_00001"
    assert (plain.prompt, plain.prompt_text) == (other.audio, "ಮೂರು.")
    assert names.prompt is None  # no plain reading by this voice
    assert happy.audio == root / f"{place}KAN_F_HAPPY_00001.{suffix}"
    assert (got.name, got.licence) == (
        "indic:corpus=rasa,language=all,condition=all",
        "CC BY 4.0",
    )
    assert "2 of 4 utterances have no text" in got.notes


@pytest.mark.parametrize("language", ["kn", "KAN", "Kannada", "kannada"])
def test_a_language_by_code_or_name(tree, language):
    got = load("datasets", f"indic:root={rasa(tree)},language={language}")
    assert {u.language for u in got.utterances} == {"kn"}
    assert got.name == "indic:corpus=rasa,language=kn,condition=all"


@pytest.mark.parametrize("part", ["wav", "wavs"])
@pytest.mark.parametrize("place", ["", "IISc_SYSPIN_Data/", "hindi/IISc_SYSPIN_Data/"])
def test_syspin(tree, place, part):
    got = indic.load(str(syspin(tree, place, part)), corpus="syspin")
    assert [(u.id[-10:], u.condition, u.text) for u in got.utterances] == [
        ("AGRI_00001", "AGRICULTURE", "एक दो।"),
        ("BOOK_00009", "", None),  # this folder has no transcripts
        ("EVAL_00002", "EVAL", "तीन।"),
        ("EVAL_00003", "", None),  # not in the transcripts
    ]
    assert {(u.speaker, u.language) for u in got.utterances} == {("Hindi_Female_Spk001", "hi")}
    assert {u.prompt for u in got.utterances} == {None}
    assert got.licence == "CC BY 4.0"


def test_the_folder_of_one_voice_is_enough(tree):
    root = syspin(tree) / "IISc_SYSPINProject_Hindi_Female_Spk001_HC"
    assert len(indic.load(str(root), corpus="syspin").utterances) == 3


def test_a_condition(tree):
    got = indic.load(str(syspin(tree)), corpus="syspin", condition="EVAL")
    assert [u.text for u in got.utterances] == ["तीन।"]
    assert got.name == "indic:corpus=syspin,language=all,condition=EVAL"


def test_indictts(tree):
    got = indic.load(str(indictts(tree)), corpus="indictts")
    assert [(u.id, u.language, u.condition, u.text) for u in got.utterances] == [
        ("Hindi_male-t_1", "hi", "mono", "एक।"),
        ("IndicTTS_Phase2_Tamil_fem_Speaker1_english-t_1", "en", "english", 'He said "no".'),
        ("IndicTTS_Phase2_Tamil_fem_Speaker1_mono-t_1", "ta", "mono", "ஒன்று இரண்டு."),
        ("IndicTTS_Phase2_Tamil_fem_Speaker1_mono-t_2", "ta", "mono", None),
        ("IndicTTS_Phase3_Tamil_fem_Speaker1_mono-t_1", "ta", "mono", "மூன்று."),
    ]
    assert [u.speaker for u in got.utterances] == [
        "Hindi_male",
        *["IndicTTS_Phase2_Tamil_fem_Speaker1"] * 3,  # one voice in two languages
        "IndicTTS_Phase3_Tamil_fem_Speaker1",
    ]
    assert got.licence == "by agreement with IIT Madras"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"corpus": "indicvoices"}, "no corpus 'indicvoices'; wanted one of rasa, syspin, indict"),
        ({"language": "hi"}, "no language 'hi' here. There: kn, ta"),
        ({"condition": "HAPY"}, "no condition 'HAPY' here; did you mean 'HAPPY'"),
    ],
)
def test_a_wrong_argument_says_what_was_wanted(tree, given, said):
    with pytest.raises(ValueError, match=said):
        indic.load(str(rasa(tree)), **given)


@pytest.mark.parametrize("corpus", list(indic.FOLDERS))
def test_a_folder_with_nothing_of_the_layout(tree, corpus, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=f"wanted the layout of {corpus}"):
        indic.load(str(tree({"readme.txt": "?"}, "other")), corpus=corpus)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=f"set BENCH_DATA .* {indic.FOLDERS[corpus]}/"):
        indic.load(corpus=corpus)


def test_a_name_that_is_none_of_rasas(tree):
    root = tree({"KAN_F_HAPPY_00001.wav": None, "kan1.wav": None})
    with pytest.raises(ValueError, match=r"kan1\.wav has no name of Rasa; wanted one like KAN_F"):
        indic.load(str(root))


def test_a_recording_there_twice_is_refused(tree):
    names = [f"{place}KAN_F_HAPPY_00001.wav" for place in ("", "wavs/")]
    with pytest.raises(ValueError, match="KAN_F_HAPPY_00001 twice"):
        indic.load(str(tree(dict.fromkeys(names))))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", r"Transcripts\.json cannot be read .* wanted JSON in UTF-8"),
        ("[]", r"Transcripts\.json has no object Transcripts"),
        ('{"Transcripts": []}', r"Transcripts\.json has no object Transcripts"),
    ],
)
def test_transcripts_that_cannot_be_read(tree, content, said):
    with pytest.raises(ValueError, match=said):
        indic.load(str(syspin(tree, content=content)), corpus="syspin")


def test_lines_that_are_none(tree):
    root = tree({"KAN_F_HAPPY_00001.wav": None, "metadata.csv": "KAN_F_HAPPY_00001 no bar\n"})
    with pytest.raises(ValueError, match=r"metadata\.csv, line 1: .* wanted <id>\|<text>"):
        indic.load(str(root))
    root = tree({"Hindi_male/wav/a.wav": None, "Hindi_male/txt.done.data": '( a "b"\n'}, "prompts")
    with pytest.raises(ValueError, match=r"txt\.done\.data, line 1: .* wanted \( <id>"):
        indic.load(str(root), corpus="indictts")


def test_the_excerpt_of_real_recordings(real_speech):
    got = indic.load(str(real_speech / "indic_rasa_prompts"))
    assert len(got.utterances) == 7
    assert {u.language for u in got.utterances} == {"kn", "mr", "pa", "ta"}
    assert {u.speaker for u in got.utterances} == {"KAN_F", "MAR_F", "MAR_M", "PAN_F", "TAM_F"}
    prompted = [u for u in got.utterances if u.prompt]
    assert [(u.id, u.prompt.stem) for u in prompted] == [
        ("MAR_F_HAPPY_00001", "MAR_F_WIKI_00001"),
    ]
    assert all(soundfile.info(u.audio).samplerate == 24000 for u in got.utterances)
