import sys
from importlib.metadata import version

import numpy as np
import pesq as package
import pytest
import soxr

from metrics._base import Unscorable
from metrics.pesq import Pesq, load, pesq, utterances

TOPS = {"wb": (16000, 4.643888), "nb": (8000, 4.548638)}


@pytest.mark.parametrize("band", ["wb", "nb"])
def test_top_of_the_range(pair, band):
    # P.862.2: 0.999 + 4 / (1 + exp(-1.3669 * 4.5 + 3.8224)) = 4.6439 for a raw score of 4.5;
    # P.862.1: 0.999 + 4 / (1 + exp(-1.4945 * 4.5 + 4.6607)) = 4.5486.
    rate, top = TOPS[band]
    _, reference = pair(2, rate, 1)
    assert pesq(reference, reference, band=band) == pytest.approx(top, abs=1e-5)


@pytest.mark.parametrize("band", ["wb", "nb"])
def test_equals_the_package(pair, band):
    rate = TOPS[band][0]
    for seed in (1, 2, 3):
        estimate, reference = pair(1.7, rate, seed, noise=0.003 * seed)
        expected = package.pesq(rate, reference, estimate, band)
        assert pesq(estimate, reference, band=band) == expected


@pytest.mark.parametrize("band", ["wb", "nb"])
def test_equals_the_package_on_speech(speech, band):
    rate = TOPS[band][0]
    for pair_of in speech[::4]:
        estimate, reference = (soxr.resample(s, 16000, rate, "VHQ") for s in pair_of)
        expected = package.pesq(rate, reference, estimate, band)
        assert pesq(estimate, reference, band=band) == expected


def test_long_recording_is_scored_whole(speech):
    estimate, reference = (np.concatenate(signals) for signals in zip(*speech[:8], strict=True))
    assert reference.size > 19 * 16000
    assert pesq(estimate, reference) == package.pesq(16000, reference, estimate, "wb")


def test_gain_of_the_output_does_not_count(pair):
    estimate, reference = pair(2, 16000, 4)
    expected = pesq(estimate, reference)
    assert pesq(0.1 * estimate, reference) == pytest.approx(expected, abs=2e-3)


def test_falls_as_noise_rises(pair):
    values = [pesq(*pair(2, 16000, 5, noise=noise)) for noise in (1e-4, 1e-3, 1e-2, 0.1)]
    assert values == sorted(values, reverse=True)
    assert min(values) > Pesq.worst[0]


def test_swapped_arguments_give_another_value(pair):
    estimate, reference = pair(2, 16000, 6)
    assert abs(pesq(estimate, reference) - pesq(reference, estimate)) > 0.05


def test_a_delay_is_aligned_away(speech, late):
    estimate, reference = speech[0]
    at_once = pesq(estimate, reference)
    assert pesq(late(estimate, 800), reference) == pytest.approx(at_once, abs=0.1)


@pytest.mark.parametrize("which", ["estimate", "reference"])
def test_silence_is_unscorable_and_blamed(pair, which):
    signals = dict(zip(("estimate", "reference"), pair(1, 16000, 7), strict=True))
    signals[which] = np.zeros(16000)
    with pytest.raises(Unscorable, match=f"the {which} is silent") as caught:
        pesq(**signals)
    assert caught.value.blame == which


def test_both_silent_is_the_references_fault():
    with pytest.raises(Unscorable, match="the reference is silent") as caught:
        pesq(np.zeros(16000), np.zeros(16000))
    assert caught.value.blame == "reference"


def test_near_silent_output_has_a_state_or_a_score(pair):
    estimate, reference = pair(1, 16000, 8)
    assert 0.999 <= pesq(1e-6 * estimate, reference) <= 4.644


@pytest.mark.parametrize("samples", [1, 800, 4000])
def test_a_quarter_second_is_too_short(pair, samples):
    estimate, reference = pair(1, 16000, 1)
    cut = slice(3000, 3000 + samples)
    with pytest.raises(Unscorable, match="silent" if samples == 1 else "too short"):
        pesq(estimate[cut], reference[cut])


def test_a_third_of_a_second_is_scored_where_it_holds_an_utterance(pair):
    rng = np.random.default_rng(1)
    reference, noise = rng.standard_normal((2, 5600))  # 0.35 s
    estimate = reference + noise
    assert pesq(estimate, reference) == package.pesq(16000, reference, estimate, "wb")
    cut = slice(2000, 7600)
    estimate, reference = (s[cut] for s in pair(1, 16000, 1))
    with pytest.raises(Unscorable, match="no utterance in the reference") as caught:
        pesq(estimate, reference)
    assert caught.value.blame == "reference"


class Broken:
    """Stands in for the package: raises what it raises, or gives what it gives."""

    NoUtterancesError = package.NoUtterancesError
    BufferTooShortError = package.BufferTooShortError

    def __init__(self, outcome):
        self.outcome = outcome

    def pesq(self, *, fs, ref, deg, mode):
        outcome = self.outcome(ref is deg) if callable(self.outcome) else self.outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.mark.parametrize(
    ("outcome", "reason", "blame"),
    [
        (package.NoUtterancesError(b"none"), "no utterance in the reference", "reference"),
        (
            lambda same: 4.6 if same else package.NoUtterancesError(b"none"),
            "no utterance of the reference in the output",
            "estimate",
        ),
        (package.BufferTooShortError(b"short"), "too short for PESQ", "reference"),
        (ValueError("cannot convert float NaN to integer"), "too faint", "estimate"),
        (float("nan"), "too faint", "estimate"),
    ],
)
def test_what_the_package_raises_becomes_a_state(pair, monkeypatch, outcome, reason, blame):
    monkeypatch.setitem(sys.modules, "pesq", Broken(outcome))
    with pytest.raises(Unscorable, match=reason) as caught:
        pesq(*pair(1, 16000, 1))
    assert caught.value.blame == blame


def bursts(count, rate):
    one = np.concatenate([np.ones(int(0.3 * rate)), np.zeros(int(0.3 * rate))])
    tone = np.sin(2 * np.pi * 440 * np.arange(one.size * count) / rate)
    return 0.3 * tone * np.tile(one, count)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("count", [1, 7, 60])
def test_utterances_are_counted(rate, count):
    assert utterances(bursts(count, rate), rate) == count


def test_short_pauses_do_not_separate():
    # 0.15 s of silence is less than the 0.2 s that P.862 asks for.
    one = np.concatenate([np.ones(4800), np.zeros(2400)])
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(one.size * 20) / 16000)
    assert utterances(tone * np.tile(one, 20), 16000) == 1


def test_so_many_utterances_that_the_c_code_could_overflow():
    reference = bursts(60, 16000)
    with pytest.raises(Unscorable, match="about 60 utterances") as caught:
        pesq(reference, reference)
    assert caught.value.blame == "reference"


def test_unknown_band():
    with pytest.raises(ValueError, match="'swb'"):
        load(band="swb")
    with pytest.raises(ValueError, match="band must be"):
        pesq(np.ones(4), np.ones(4), band="fb")


def test_declaration():
    wide, narrow = load(), load(band="nb")
    assert (wide.title, wide.sample_rate) == ("PESQ-WB", 16000)
    assert (narrow.title, narrow.sample_rate) == ("PESQ-NB", 8000)
    assert narrow.spec == "pesq:band=nb"
    assert wide.crashes
    assert "|band:wb|" in wide.signature
    assert f"|pesq:{version('pesq')}|" in wide.signature
    assert wide.signature.endswith("|corr2:no|r:1")


def test_statistic_names_its_arguments(pair):
    estimate, reference = pair(1, 16000, 1)
    row = load().statistic(estimate=estimate, reference=reference)
    assert row.shape == (1,)
    assert row[0] == package.pesq(16000, reference, estimate, "wb")
