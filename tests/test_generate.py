"""Text-to-speech systems: packets, the first audible sample, and what the request carries."""

import dataclasses
import time

import numpy as np
import pytest

from bench.suite import Options, load_metrics, run
from systems._base import Card


class Talker:
    """Yields a silent packet at once, then speech after a while."""

    card = Card(name="talker", task="tts", sample_rate=16000)

    def __init__(self):
        self.requests = []

    def synthesize(self, request):
        self.requests.append(request)
        yield np.zeros(1600, np.float32)
        time.sleep(0.05)
        yield 0.1 * np.sin(np.arange(16000) / 5).astype(np.float32)


def test_the_first_audible_sample_is_not_the_first_packet(tiny, tmp_path):
    system = Talker()
    some = dataclasses.replace(tiny, utterances=tiny.utterances[:3])
    record, _ = run(system, some, load_metrics("rtf,first_audible"), Options(out=tmp_path))
    for output in record.outputs:
        assert output.status == "ok"
        assert output.bits is None
        assert output.seconds == pytest.approx(1.1)
        assert 0.05 <= output.first_audible_seconds <= output.wall_seconds
    assert record.score("first_audible").value >= 0.05
    assert [r.text for r in system.requests] == ["ah"] * 4  # three, and one to warm up
    assert {r.seed for r in system.requests} == {0}


def test_a_talker_that_says_nothing_has_failed(tiny, tmp_path):
    class Mute(Talker):
        def synthesize(self, request):
            yield from ()

    some = dataclasses.replace(tiny, utterances=tiny.utterances[:1])
    record, _ = run(Mute(), some, load_metrics("rtf"), Options(out=tmp_path))
    assert record.outputs[0].status == "failed"
    assert "empty" in record.outputs[0].reason
