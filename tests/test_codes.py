"""The `.codes` file: read a second time from docs/codes.md, byte by byte, and every refusal."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from material import voice

from bench import codes as files
from bench import plugins
from bench.cli import main
from systems._base import Card, Codes

CARD = Card(name="toy:x=1", task="codec", sample_rate=8000, weights="sha256:ab", versions=("a==1",))


def saved(*streams, packets=(), samples=5):
    found = tuple(np.array(s, np.int64) for s, _ in streams)
    codes = Codes(found, tuple(a for _, a in streams), samples, packets=packets)
    return files.Saved(codes, "toy:x=1", "sha256:ab", ("a==1", "b==2"), 8000)


def same(a, b):
    assert (a.alphabets, a.samples, a.packets) == (b.alphabets, b.samples, b.packets)
    assert all(np.array_equal(x, y) for x, y in zip(a.streams, b.streams, strict=True))
    assert all(s.dtype == np.int64 for s in b.streams)


def test_every_byte_by_hand():
    # two streams: 1, 2, 3 of 4 are 01 10 11; 1, 0 of 3 are the number 3 in base 3, of 0 to 8: 0011;
    # 0110 1100 11 and six zeros: 6C C0
    data = files.pack(saved(([1, 2, 3], 4), ([1, 0], 3), packets=(b"xy", b"z")))
    text = b"toy:x=1\nsha256:ab\na==1, b==2"
    at = 40 + len(text)
    assert data[:8] == bytes.fromhex("89434F4445530D0A")
    assert struct.unpack("<HHI", data[8:16]) == (1, 2, 2)
    assert struct.unpack("<QQII", data[16:40]) == (len(data), 5, 8000, len(text))
    assert data[40:at] == text
    assert struct.unpack("<IQIQ", data[at : at + 24]) == (4, 3, 3, 2)
    assert struct.unpack("<II", data[at + 24 : at + 32]) == (2, 1)
    assert data[at + 32 : -4] == bytes.fromhex("6CC0") + b"xyz"
    assert struct.unpack("<I", data[-4:]) == (zlib.crc32(data[:-4]),)


@pytest.mark.parametrize("alphabet", [2, 3, 5, 1000, 1024, 4097, 2**32 - 1])
def test_what_is_written_is_read(alphabet):
    rng = np.random.default_rng(alphabet)
    for size in (0, 1, 31, 32, 33, 100):
        stream = np.append(rng.integers(0, alphabet, size), [0, alphabet - 1])
        given = saved((stream, alphabet), ([0, 1], 2))
        again = files.unpack(files.pack(given))
        same(given.codes, again.codes)
        assert dataclasses.replace(again, codes=given.codes) == given


def test_the_payload_is_as_large_as_the_bits_that_are_counted():
    rng = np.random.default_rng(0)
    for alphabet in (2, 1024, 4096, 65536):
        given = saved((rng.integers(0, alphabet, 777), alphabet))
        overhead = 40 + len(b"toy:x=1\nsha256:ab\na==1, b==2") + 12 + 4
        assert len(files.pack(given)) - overhead == -(-given.codes.bits // 8)
    given = saved((rng.integers(0, 3, 3200), 3))  # 100 groups of 51 bits: 32 log2(3) = 50.7
    assert len(files.pack(given)) - overhead == 100 * 51 / 8 + 0.5
    assert given.codes.bits / 8 == pytest.approx(634, abs=0.1)


def test_real_packets_and_no_streams():
    given = saved(packets=(b"", b"ab", bytes(range(256))))
    same(given.codes, files.unpack(files.pack(given)).codes)


def test_whatever_is_cut_off_is_noticed():
    data = files.pack(saved(([1, 2, 3], 4), packets=(b"xy",)))
    for size in range(len(data)):
        with pytest.raises(
            files.Unreadable, match="not a .codes file" if size < 8 else "truncated"
        ):
            files.unpack(data[:size])
    with pytest.raises(files.Unreadable, match="too long"):
        files.unpack(data + b"\0")


def test_whatever_bit_is_flipped_is_noticed():
    data = files.pack(saved(([1, 2, 3], 4), packets=(b"xy",)))
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(files.Unreadable):
            files.unpack(bytes(bad))


def test_a_future_version_is_refused():
    data = bytearray(files.pack(saved(([1], 4))))
    data[8] = 2
    with pytest.raises(files.Unreadable, match="version 2 of the format; this reads version 1"):
        files.unpack(bytes(data))


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [(0, "<I", 1), (0, "<I", 0), (4, "<Q", 2**60), (4, "<Q", 99), (0, "<I", 3), (-40, "<B", 0xFF)],
)
def test_a_wrong_number_under_a_right_checksum_is_refused(at, form, value):
    # three codes of 4 in one byte; the table of the stream begins after the text
    data = bytearray(files.pack(saved(([3, 3, 3], 4))))
    table = 40 + len(b"toy:x=1\nsha256:ab\na==1, b==2")
    struct.pack_into(form, data, table + at if at >= 0 else 40, value)
    data[-4:] = struct.pack("<I", zlib.crc32(bytes(data[:-4])))
    with pytest.raises(files.Unreadable, match="damaged"):
        files.unpack(bytes(data))


@pytest.mark.parametrize("symbol", [-1, 4])
def test_a_code_outside_its_alphabet_is_never_written(symbol):
    with pytest.raises(ValueError, match="outside an alphabet of 4"):
        files.pack(saved(([symbol], 4)))


def test_the_same_system_elsewhere_may_decode():
    given = saved(([1], 4))
    files.check(given, CARD)
    files.check(given, dataclasses.replace(CARD, name="toy:weights=/there,x=1"))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"weights": "sha256:cd"}, "weights sha256:ab; toy:x=1 has sha256:cd"),
        ({"name": "toy:x=2"}, "system toy:x=1; toy:x=2 has toy:x=2"),
        ({"name": "top:x=1"}, "system toy:x=1"),
    ],
)
def test_another_system_may_not(change, part):
    with pytest.raises(files.Unreadable, match=part):
        files.check(saved(([1], 4)), dataclasses.replace(CARD, **change))


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "in.wav"
    soundfile.write(path, voice(0.5, 16000), 16000, subtype="FLOAT")
    return path


def invoke(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.mark.parametrize("spec", ["vocodec:kbps=3", "mu_law:bits=6,sample_rate=16000"])
def test_the_commands_give_what_the_system_gives(spec, recording, tmp_path):
    file, out = tmp_path / "a.codes", tmp_path / "a.wav"
    done = invoke("encode", spec, recording, file)
    assert done.exit_code == 0
    assert " kbps (" in done.stdout
    assert invoke("decode", file, out).exit_code == 0
    system = plugins.load("systems", spec)
    rate = system.card.sample_rate
    wav, _ = soundfile.read(recording, dtype="float32")
    from bench import audio

    expected = system.decode(system.encode(audio.resample(wav, 16000, rate)))
    got, found = soundfile.read(out, dtype="float32")
    assert found == rate
    assert np.array_equal(got, expected)
    assert invoke("decode", file, tmp_path / "a.flac").exit_code == 0
    got, _ = soundfile.read(tmp_path / "a.flac", dtype="float32")
    assert np.abs(got - expected).max() < 2**-22


def test_mistakes_are_one_line(recording, tmp_path):
    file, out = tmp_path / "a.codes", tmp_path / "a.wav"
    assert invoke("encode", "mu_law", recording, file).exit_code == 0
    short = tmp_path / "short.codes"
    short.write_bytes(file.read_bytes()[:-9])
    for args, part in (
        (("encode", "identity", recording, tmp_path / "b.codes"), "sends no codes"),
        (("encode", "mu_law", tmp_path / "no.wav", tmp_path / "b.codes"), "no.wav"),
        (("encode", "mu_lwa", recording, tmp_path / "b.codes"), "did you mean 'mu_law'"),
        (("decode", tmp_path / "no.codes", out), "no.codes"),
        (("decode", recording, out), "not a .codes file"),
        (("decode", short, out), "truncated"),
        (("decode", file, tmp_path / "a.mp3"), "has to end in .wav or .flac"),
        (("decode", file, out, "--system", "mu_law:bits=4"), "cannot decode this"),
        (("decode", file, out, "--system", "vocodec"), "encoded with system mu_law:bits=8"),
    ):
        done = invoke(*args)
        assert done.exit_code == 2, args
        assert part in done.stderr
        assert done.stderr.count("\n") == 1
    assert not out.exists()
