import numpy as np
import pytest

from systems.identity import Identity
from systems.resample import Resample
from systems.silence import Silence


@pytest.mark.parametrize("system", [Identity(), Silence(), Resample(), Resample(7000, 16000)])
def test_anchors_keep_their_word_and_send_nothing(system, keeps_its_word):
    keeps_its_word(system)
    codes = system.encode(np.ones(100, np.float32))
    assert (codes.streams, codes.packets, codes.bits) == ((), (), 0)
    assert system.card.scale == "anchor"
    assert not system.card.paper_figures


def test_identity_is_exact_at_any_rate(speech):
    system, wav = Identity(), speech(11025, 0.5)
    assert np.array_equal(system.decode(system.encode(wav)), wav)
    assert system.card.sample_rate == 0


def test_identity_keeps_what_it_heard_when_the_caller_reuses_the_buffer():
    system, wav = Identity(), np.ones(5, np.float32)
    codes = system.encode(wav)
    wav[:] = 0
    assert system.decode(codes).tolist() == [1] * 5


def test_silence_is_silent():
    system = Silence()
    assert not system.decode(system.encode(np.ones(50, np.float32))).any()


@pytest.mark.parametrize("system", [Identity(), Resample()])
def test_codes_of_another_system_are_refused(system):
    with pytest.raises(ValueError, match="carry no samples"):
        system.decode(Silence().encode(np.zeros(5, np.float32)))


# The pass band of soxr's VHQ ends at 0.91 of 4000 Hz = 3650 Hz, its stop band begins at 4000 Hz;
# so a tone at 1 or 3.5 kHz comes back as it was, one at 4.1 or 10 kHz is gone.
@pytest.mark.parametrize(("hz", "kept"), [(1000, 1), (3500, 1), (4100, 0), (10000, 0)])
def test_resample_keeps_what_is_below_half_the_rate(hz, kept):
    system = Resample(rate=8000)
    wav = (0.5 * np.sin(2 * np.pi * hz * np.arange(48000) / 48000)).astype(np.float32)
    out = system.decode(system.encode(wav))
    inner = slice(4800, -4800)
    assert out[inner] == pytest.approx(kept * wav[inner], abs=1e-4)


def test_resample_does_not_shift(speech, lag):
    system, wav = Resample(rate=8000), speech(48000, 2)
    assert lag(system.decode(system.encode(wav)), wav, 48000) == 0


@pytest.mark.parametrize(("rate", "sample_rate"), [(999, 48000), (48001, 48000), (24000, 16000)])
def test_resample_refuses_a_rate_that_is_no_band_limit(rate, sample_rate):
    with pytest.raises(ValueError, match=f"rate={rate}"):
        Resample(rate, sample_rate)


def test_cards_rebuild_the_system():
    assert Resample(7000, 16000).card.name == "resample:rate=7000,sample_rate=16000"
    assert Resample(7000).card.name == "resample:rate=7000"
