import math

import numpy as np
import pytest

from systems.mu_law import MuLaw, compress, expand


def compress_by_the_book(x, mu):
    """The equation, written a second time from the standard and with loops only."""
    return [math.copysign(math.log(1 + mu * abs(v)) / math.log(1 + mu), v) for v in x]


def test_compress_against_the_equation():
    x = [-1.0, -0.25, 0.0, 1e-4, 0.5, 1.0]
    assert compress(np.array(x), 255) == pytest.approx(compress_by_the_book(x, 255))


def test_by_hand():
    # mu = 255, x = 1/17: 1 + 255/17 = 16 = sqrt(256), so F(x) = 1/2; with 4 bits (16 cells) that is
    # (1/2 + 1)/2 * 16 = cell 12, whose centre is y = 12.5/16*2 - 1 = 0.5625 = 9/16,
    # and F^-1(9/16) = (256^(9/16) - 1)/255 = (2^4.5 - 1)/255 = 0.0848116.
    system = MuLaw(bits=4)
    codes = system.encode(np.array([1 / 17 + 1e-6], np.float32))
    assert codes.streams[0].tolist() == [12]
    assert system.decode(codes) == pytest.approx([(2**4.5 - 1) / 255])


def test_expand_inverts_compress():
    x = np.linspace(-1, 1, 101)
    assert expand(compress(x, 255), 255) == pytest.approx(x)


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_bits_are_counted(bits):
    codes = MuLaw(bits=bits).encode(np.zeros(8000, np.float32))
    assert codes.bits == 8000 * bits


def test_a_second_is_what_the_card_says():
    system = MuLaw(bits=6, sample_rate=16000)
    assert system.encode(np.zeros(16000, np.float32)).bits / 1000 == system.card.bitrates[0] == 96
    assert system.card.name == "mu_law:bits=6,sample_rate=16000"


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_keeps_its_word(bits, keeps_its_word):
    keeps_its_word(MuLaw(bits=bits))


def test_codes_stay_in_their_alphabet_beyond_full_scale():
    codes = MuLaw().encode(np.array([-2, -1, 0, 1, 2], np.float32))
    assert codes.streams[0].tolist() == [0, 0, 128, 255, 255]


def test_more_bits_follow_the_wave_better(speech):
    wav = speech(8000, 2)
    errors = [np.square(s.decode(s.encode(wav)) - wav).sum() for s in map(MuLaw, (2, 4, 6, 8, 12))]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("bits", [0, 17])
def test_bits_outside_the_range_are_refused(bits):
    with pytest.raises(ValueError, match="outside 1 to 16"):
        MuLaw(bits=bits)
