from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import plugins
from bench.suite import Options, load_metrics, score_folder
from metrics._base import Unscorable
from metrics.predicted_mos import load

NISQA = {"mos": 3.5, "noi": 4.5, "dis": 2.5, "col": 3.0, "loud": 4.0}


def test_hand_worked():
    # Two outputs of 3 and 4: 3.5 on average.
    metric = load()
    rows = np.stack([metric.statistic({"mos": 3.0}), metric.statistic({"mos": 4.0})])
    assert metric.value(rows) == 3.5


def test_each_scale_is_its_own_column():
    for scale, value in NISQA.items():
        metric = load(predictor="nisqa", scale=scale)
        assert metric.statistic(NISQA) == [value]
        assert metric.title == "NISQA" + (f" {scale.upper()}" if scale != "mos" else "")
    assert load(predictor="nisqa").statistic(NISQA) == [3.5]
    assert load(predictor="audiobox").statistic({"ce": 6.0, "pq": 7.0}) == [6.0]


@pytest.mark.parametrize("heard", [{"silent": True}, {"unheard": "shorter than 0.25 s"}])
def test_what_cannot_be_heard_is_the_outputs_fault(heard):
    with pytest.raises(Unscorable, match="the output is s") as caught:
        load().statistic(heard)
    assert caught.value.blame == "estimate"


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="nisqa has the scales mos, noi"):
        load(predictor="nisqa", scale="ovrl")
    with pytest.raises(ValueError, match="only nisqa:model=nisqa"):
        load(predictor="nisqa:model=nisqa_tts", scale="noi")


def test_declaration():
    titles = {
        "utmos": "UTMOS",
        "distillmos": "DistillMOS",
        "scoreq": "SCOREQ",
        "audiobox": "Audiobox CE",
        "nisqa:model=nisqa_tts": "NISQA-TTS",
        "elsewhere": "elsewhere mos",  # another package's
    }
    for predictor, title in titles.items():
        assert load(predictor=predictor).title == title
    assert load(predictor="audiobox").unit == "1 to 10"
    assert load().worst == (1.0,)
    assert load(predictor="nisqa", scale="mos") == load(predictor="nisqa")
    assert "|scale:mos|" in load().signature
    assert "|scale:ce|" in load(predictor="audiobox").signature
    squim = load(predictor="squim", scale="si_sdr")
    assert (squim.title, squim.unit, squim.worst) == ("SQUIM SI-SDR", "dB", None)
    spec = "predicted_mos:predictor=nisqa,predictor.model=nisqa_tts"
    assert plugins.load("metrics", spec).spec == spec


def test_through_the_suite(tmp_path):
    for package in ("distillmos", "xls_r_sqa"):
        if not plugins.find_spec(package):
            pytest.skip(f"{package} is not installed: pip install .[mos]")
    demo = plugins.load("datasets", "demo")
    out = tmp_path / "out"
    out.mkdir()
    some = [u for u in demo.utterances if u.id in {"heart_01", "espeak-us_01", "kal_01"}]
    for utterance in some:
        wave, rate = soundfile.read(utterance.audio)
        soundfile.write(
            out / f"{utterance.id}.wav", 0 * wave if "kal" in utterance.id else wave, rate
        )
    record, _ = score_folder(
        out, demo, load_metrics("predicted_mos"), Options(out=Path(tmp_path / "r"))
    )
    score = record.score("predicted_mos")
    assert score.cells["heart_01"].row[0] == pytest.approx(4.384, abs=2e-3)
    assert score.cells["espeak-us_01"].row[0] == pytest.approx(2.151, abs=2e-3)
    assert score.cells["kal_01"].state == "failed"
    assert "distillmos(xls-r-sqa=" in score.signature
