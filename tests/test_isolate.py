"""A system in another process: the same numbers, its own traceback, and what a crash costs."""

import dataclasses
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from material import voice

from bench import isolate, plugins
from bench.cli import main
from bench.isolate import ChildFailed, Isolated
from bench.suite import Options, load_metrics, load_system, run
from systems._base import Request

ODD = '''
import os, sys, time
import numpy as np
from systems._base import Card, Codes

class Odd:
    """Prints, raises or dies, as the first sample says."""
    def __init__(self, boom: bool = False, sleep: float = 0.0):
        if boom:
            raise KeyError("no such layer")
        self.sleep, self.calls = sleep, 0
        self.card = Card(name="odd", task="codec", sample_rate=16000, bitrates=(1.0,))
    def encode(self, wav):
        self.calls += 1
        print("this is no reply"); os.write(1, b"nor is this"); sys.stdout.flush()
        if wav[0] == 0.5:
            sys.stderr.write("last words"); sys.stderr.flush(); os._exit(3)
        if wav[0] == 0.25:
            return deeper(wav)
        time.sleep(self.sleep)
        return Codes((np.array([self.calls]), ), (1024,), wav.size)
    def decode(self, codes):
        return np.full(codes.samples, codes.streams[0][0] / 1024, np.float32)

class Talker:
    def __init__(self):
        self.card = Card(name="talker", task="tts", sample_rate=16000)
    def synthesize(self, request):
        yield np.full(1600, len(request.text) / 100, np.float32)
        yield request.prompt * request.emotion["joy"]

def deeper(wav):
    raise IndexError("the real reason")
'''


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """An installed package with systems of its own, seen by the child alone."""
    (tmp_path / "odd_systems.py").write_text(ODD)
    about = tmp_path / "odd-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    points = "odd = odd_systems:Odd\ntalker = odd_systems:Talker\n"
    (about / "entry_points.txt").write_text("[speech_bench.systems]\n" + points)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    systems = []

    def start(spec="odd"):
        systems.append(Isolated(spec, sys.executable))
        return systems[-1]

    yield start
    for system in systems:
        system.close()


def wav(first=0.0):
    return np.array([first, *np.zeros(1599)], np.float32)


@pytest.mark.parametrize("spec", ["mu_law:bits=6", "lc3:kbps=32"])
def test_it_is_the_same_system(spec):
    if line := plugins.lacking("systems", spec):
        pytest.skip(line)
    here, there = plugins.load("systems", spec), Isolated(spec, sys.executable)
    signal = voice(0.5, here.card.sample_rate).astype(np.float32)
    codes, ours = there.encode(signal), here.encode(signal)
    assert there.card == here.card
    assert (codes.alphabets, codes.samples, codes.packets) == (
        ours.alphabets,
        ours.samples,
        ours.packets,
    )
    assert codes.bits == ours.bits
    assert np.array_equal(there.decode(codes), here.decode(ours))
    there.close()


def test_what_it_prints_is_no_reply(odd):
    system = odd()
    assert system.decode(system.encode(wav()))[0] == np.float32(1 / 1024)


def test_its_traceback_is_the_childs(odd):
    system = odd()
    with pytest.raises(ChildFailed, match="IndexError: the real reason") as caught:
        system.encode(wav(0.25))
    assert "odd_systems.py" in str(caught.value)
    assert "in deeper" in str(caught.value)
    assert system.encode(wav()).streams[0][0] == 2, "it goes on in the same process"


def test_a_death_costs_one_call(odd):
    system = odd()
    system.encode(wav())
    with pytest.raises(ChildFailed, match=r"of odd ended with status 3:\n(.|\n)*last words"):
        system.encode(wav(0.5))
    assert system.encode(wav()).streams[0][0] == 1, "a new process"


def test_seconds_are_the_childs(odd, monkeypatch):
    system = odd("odd:sleep=0.05")
    start = system.clock()
    codes = system.encode(wav())
    assert system.clock() - start >= 0.05
    before = system.clock()
    plain = isolate.send
    monkeypatch.setattr(isolate, "send", lambda *a: (__import__("time").sleep(0.5), plain(*a)))
    system.decode(codes)
    assert system.clock() - before < 0.5, "the pipe is not counted"


def test_a_run_records_failures_and_goes_on(odd, tiny, tmp_path):
    paths = []
    for i, first in enumerate((0.0, 0.5, 0.25, 0.0)):
        paths.append(tmp_path / f"{i}.wav")
        soundfile.write(paths[-1], np.append(first, voice(0.5)[1:]), 16000, subtype="FLOAT")
    some = [dataclasses.replace(u, audio=p) for u, p in zip(tiny.utterances, paths, strict=False)]
    data = dataclasses.replace(tiny, utterances=tuple(some))
    record, _ = run(odd(), data, load_metrics("rtf"), Options(out=tmp_path / "runs"))
    assert [o.status for o in record.outputs] == ["ok", "failed", "failed", "ok"]
    assert "ended with status 3" in record.outputs[1].reason
    assert "in deeper" in record.outputs[2].reason
    assert record.score("rtf").n == 2


def test_speech_comes_in_packets(odd):
    system = odd("talker")
    prompt = np.linspace(0, 1, 800, dtype=np.float32)
    request = Request("four", prompt=prompt, emotion={"joy": 0.5})
    first, second = system.synthesize(request)
    assert first.shape == (1600,)
    assert first[0] == np.float32(0.04)
    assert np.array_equal(second, prompt * np.float32(0.5))


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("odd:boom=true", r"cannot be loaded by .*: KeyError: 'no such layer'\n(.|\n)*Traceback"),
        ("ood", "did you mean 'odd'"),
        ("odd:bom=1", "has no parameter 'bom'"),
    ],
)
def test_what_cannot_be_loaded(spec, part, odd):
    with pytest.raises((plugins.Unavailable, ValueError), match=part):
        odd(spec)


def test_codes_that_are_more_than_codes_stay_where_they_are():
    system = Isolated("identity", sys.executable)
    with pytest.raises(ChildFailed, match="only plain Codes can"):
        system.encode(wav())
    system.close()


def test_no_such_interpreter():
    with pytest.raises(plugins.Unavailable, match="--isolate /no/python: No such file"):
        load_system("mu_law", "cpu", "/no/python")


def test_an_environment_that_has_only_numpy(tmp_path):
    """No click, torch or soundfile there, and none is needed."""
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    packages = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    home = Path(np.__file__).parent
    os.symlink(home, packages / "numpy")
    if (home.parent / "numpy.libs").exists():
        os.symlink(home.parent / "numpy.libs", packages / "numpy.libs")
    probe = "import importlib.util as u; print(u.find_spec('click'), u.find_spec('torch'))"
    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == ["None", "None"]
    sound, file, out = (tmp_path / n for n in ("in.wav", "a.codes", "a.wav"))
    soundfile.write(sound, voice(0.5, 8000), 8000, subtype="FLOAT")
    for args in (["encode", "mu_law:bits=6", sound, file], ["decode", file, out]):
        done = CliRunner().invoke(main, [*map(str, args), "--isolate", str(python)])
        assert done.exit_code == 0, done.output
    system = plugins.load("systems", "mu_law:bits=6")
    expected = system.decode(system.encode(soundfile.read(sound, dtype="float32")[0]))
    assert np.array_equal(soundfile.read(out, dtype="float32")[0], expected)
