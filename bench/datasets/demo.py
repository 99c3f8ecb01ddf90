"""The data set that is shipped: 48 sentences by 14 synthetic voices, 3 minutes at 24 kHz.

Source: `examples/make_demo.py`. The sentences are our own; Kokoro-82M, Hibari, Piper, Festival,
flite and espeak-ng speak them. ``demo_data/sources.json`` names each voice, its engine's version
and its licence.
Licence: Apache-2.0, as the rest of this package.
Layout: ``demo_data/demo.jsonl`` (a manifest) and ``demo_data/<voice>_<nn>.flac``: mono, 16 bit,
active level -26 dBFS. The voices take turns: the first 14 utterances have one of each. Every
utterance has another one of its voice as prompt.
Is: enough to see every command work with no download, with 14 clusters for an interval.
Is not: a benchmark of natural speech. The voices are synthetic, without a room or noise, and those
of flite, Festival (but slt) and Piper hold next to nothing above 8 kHz. A codec's numbers here do
not carry over to VCTK.
"""

from __future__ import annotations

from pathlib import Path

from bench.datasets._base import Dataset
from bench.datasets._corpus import Size
from bench.datasets.manifest import read

HERE = Path(__file__).with_name("demo_data")
SIZES = {"demo": Size(speakers=14, utterances=48, sample_rate=24000)}
NOTES = "synthetic speech, the shipped default; not a benchmark of natural speech"


def load() -> Dataset:
    """Return the 48 shipped utterances, with text, voice and prompt."""
    return Dataset("demo", "Apache-2.0", read(HERE / "demo.jsonl"), NOTES)
