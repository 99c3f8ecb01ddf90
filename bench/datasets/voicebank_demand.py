"""VoiceBank-DEMAND: clean speech and the same with noise, 48 kHz; what enhancement is measured on.

Source: C. Valentini-Botinhao, "Noisy speech database for training speech enhancement algorithms
and TTS models", Edinburgh DataShare 10283/2791, 2017.
Licence: CC BY 4.0.
Layout: ``clean_testset_wav/<id>.wav``, ``noisy_testset_wav/<id>.wav`` and
``testset_txt/<id>.txt``; for training the same names with ``trainset_28spk`` or
``trainset_56spk``; .flac is read too. Where the folder has a ``manifest.jsonl`` instead, that is
read (an excerpt).
Splits: test (the default: 824 pairs, speakers p232 and p257, at 2.5, 7.5, 12.5 and 17.5 dB in
noises unseen in training), train (28 speakers), train56 (56 speakers).
`audio` is the clean reference and `input` the noisy recording: a system gets the noisy one, a
metric compares with the clean one.
Known holes: two test speakers only, so an interval clustered by speaker has two clusters; papers
mostly measure at 16 kHz. No checksum is published: the first one seen is recorded.
"""

from __future__ import annotations

from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Archive, Size, notes, recordings, some, text_of
from bench.datasets.manifest import read

FOLDER = "voicebank_demand"
RATE = 48000  # Hz
SPLITS = {"test": "testset", "train": "trainset_28spk", "train56": "trainset_56spk"}
SIZES = {
    "voicebank_demand:split=test": Size(2, 824, RATE),
    "voicebank_demand:split=train": Size(28, 11572, RATE),
    "voicebank_demand:split=train56": Size(56, 23075, RATE),
}
ARCHIVES = {
    split: tuple(
        Archive(f"https://datashare.ed.ac.uk/bitstream/handle/10283/2791/{file}.zip", None)
        for file in (f"clean_{part}_wav", f"noisy_{part}_wav", f"{part}_txt")
    )
    for split, part in SPLITS.items()
}


def load(root: str | None = None, split: str = "test") -> Dataset:
    """Return the pairs of one split, sorted by id; the cluster is the speaker, as in ``p232_003``.

    Args:
        root: the folder that holds the folders; else ``$BENCH_DATA/voicebank_demand``.
        split: "test", "train" (28 speakers) or "train56".

    Raises:
        FileNotFoundError: no such folder, or nothing of this layout in it.
        ValueError: another split; a recording without its pair, or there twice.
    """
    if split not in SPLITS:
        message = f"voicebank_demand has no split {split!r}; wanted one of {', '.join(SPLITS)}"
        raise ValueError(message)
    home = root_of(root, FOLDER)
    part = SPLITS[split]
    clean, noisy = home / f"clean_{part}_wav", home / f"noisy_{part}_wav"
    if split == "test" and not clean.is_dir() and (home / "manifest.jsonl").is_file():
        utterances = read(home / "manifest.jsonl")
    else:
        utterances = some(_pairs(clean, noisy, home / f"{part}_txt"), clean, "<id>.wav or .flac")
    name = f"voicebank_demand:split={split}"
    return Dataset(name, "CC BY 4.0", utterances, notes(utterances, SIZES[name]))


def _pairs(clean: Path, noisy: Path, texts: Path) -> list[Utterance]:
    for folder in (clean, noisy):
        if not folder.is_dir():
            message = (
                f"no folder {folder}; wanted {clean.name}/ and {noisy.name}/ in {clean.parent}"
            )
            raise FileNotFoundError(message)
    references, inputs = recordings(clean), recordings(noisy)
    if alone := sorted(references.keys() ^ inputs.keys()):
        message = f"{len(alone)} recordings of {clean.parent} have no pair: {', '.join(alone[:3])}"
        message += f"; wanted each id in {clean.name}/ and in {noisy.name}/ (a cut download?)"
        raise ValueError(message)
    return [
        Utterance(
            id=name,
            audio=path,
            input=inputs[name],
            text=text_of(f"{texts}/{name}.txt"),
            speaker=name.partition("_")[0],
        )
        for name, path in references.items()
    ]
