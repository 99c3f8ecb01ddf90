import numpy as np
import pytest

from bench import plugins
from bench.suite import Options, load_metrics, load_system, run
from metrics._base import Unscorable
from metrics.dnsmos import load

HEARD = {"ovrl": 3.1, "sig": 3.5, "bak": 4.0, "p808": 3.7}


def test_hand_worked():
    # Two utterances at 3.1 and 2.5 OVRL: the mean is 2.8.
    metric = load()
    rows = np.stack([metric.statistic(heard=HEARD | {"ovrl": x}) for x in (3.1, 2.5)])
    assert metric.value(rows) == pytest.approx(2.8)


@pytest.mark.parametrize("scale", HEARD)
def test_each_scale(scale):
    metric = plugins.load("metrics", f"dnsmos:scale={scale}")
    assert metric.statistic(heard=HEARD)[0] == HEARD[scale]
    assert metric.needs == ("heard",)
    assert f"|scale:{scale}|" in metric.signature


def test_order_does_not_count():
    rows = np.random.default_rng(1).uniform(1, 4, (9, 1))
    assert load().value(rows) == pytest.approx(load().value(rows[::-1]))


def test_a_silent_output_is_blamed():
    with pytest.raises(Unscorable, match="the output is silent") as caught:
        load().statistic(heard={"silent": True})
    assert caught.value.blame == "estimate"


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="scale is one of ovrl, sig, bak, p808, got 'mos'"):
        load(scale="mos")


def test_declaration():
    assert [load(scale=s).title for s in HEARD] == [
        "DNSMOS OVRL",
        "DNSMOS SIG",
        "DNSMOS BAK",
        "DNSMOS P.808",
    ]
    assert load().worst == (1.0,)
    assert load().unit == "1 to 5"


def test_what_speechmos_gave(tiny, tmp_path):
    """Through the whole pipeline: resampled, heard, scored, with the weights in the signature."""
    for needed in ("onnxruntime", "speechmos"):
        pytest.importorskip(needed, reason="needs the mos extra")
    first = tiny.limit(2)
    metrics = load_metrics("dnsmos,dnsmos:scale=p808")
    record, _ = run(load_system("identity", "cpu"), first, metrics, Options(out=tmp_path))
    for score, top in zip(record.scores, (3.93, 5.0), strict=True):
        assert score.coverage == 1
        assert 0.5 < score.value < top
        assert "@" in score.signature
