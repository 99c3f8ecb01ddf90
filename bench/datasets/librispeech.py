"""LibriSpeech: read English audio books, 16 kHz, about 1000 hours.

Source: V. Panayotov, G. Chen, D. Povey, S. Khudanpur, "Librispeech: an ASR corpus based on public
domain audio books", ICASSP 2015; OpenSLR resource 12.
Licence: CC BY 4.0.
Layout: ``LibriSpeech/<split>/<speaker>/<chapter>/<speaker>-<chapter>-<nnnn>.flac`` (or .wav) with
``<speaker>-<chapter>.trans.txt``, a line ``<id> <TEXT>`` each: upper case, no punctuation, numbers
in words, kept as they are.
Splits: dev-clean, dev-other, test-clean, test-other (the default), train-clean-100,
train-clean-360, train-other-500; speakers are disjoint. "other" is what an early recogniser found
harder.
Known holes: a chapter may be read in another room or recorded with another device than the next
one of the same speaker; the sources are MP3.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import Archive, Size, folders, notes, recordings, some, split_folder

FOLDER = "LibriSpeech"
RATE = 16000  # Hz
SIZES = {
    f"librispeech:split={split}": Size(speakers, utterances, RATE)
    for split, speakers, utterances in (  # the paper's table 1, and the transcripts' lines
        ("dev-clean", 40, 2703),
        ("dev-other", 33, 2864),
        ("test-clean", 40, 2620),
        ("test-other", 33, 2939),
        ("train-clean-100", 251, 28539),
        ("train-clean-360", 921, 104014),
        ("train-other-500", 1166, 148688),
    )
}
ARCHIVES = {
    split: (Archive(f"https://www.openslr.org/resources/12/{split}.tar.gz", sha256),)
    for split, sha256 in (  # as torchaudio 2 verifies them
        ("dev-clean", "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3"),
        ("dev-other", "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365"),
        ("test-clean", "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23"),
        ("test-other", "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29"),
        ("train-clean-100", "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2"),
        ("train-clean-360", "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf"),
        ("train-other-500", "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2"),
    )
}


def load(root: str | None = None, split: str = "test-other") -> Dataset:
    """Return the utterances of one split, by speaker and chapter.

    A recording without a line has no text.

    Args:
        root: the folder that holds the splits; else ``$BENCH_DATA/LibriSpeech``.
        split: the name of a folder in it.

    Raises:
        FileNotFoundError: no such folder, split or recording.
        ValueError: a transcript line without a text; a recording there twice.
    """
    home = root_of(root, FOLDER)
    place = split_folder(home, str(split))
    found = []
    for speaker in folders(place):
        for chapter in folders(place / speaker):
            folder = place / speaker / chapter
            texts = _texts(folder / f"{speaker}-{chapter}.trans.txt")
            found += [
                Utterance(id=name, audio=path, text=texts.get(name), speaker=speaker)
                for name, path in recordings(folder).items()
            ]
    utterances = some(found, place, "<speaker>/<chapter>/<id>.flac or .wav")
    name = f"librispeech:split={split}"
    return Dataset(name, "CC BY 4.0", utterances, notes(utterances, SIZES.get(name)))


def _texts(file: Path) -> dict[str, str]:
    if not os.path.isfile(file):
        return {}
    texts = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        name, _, text = line.strip().partition(" ")
        if name and not text:
            message = f"{file}, line {number}: {line!r}; wanted an id, a blank and the text"
            raise ValueError(message)
        if name:
            texts[name] = text.strip()
    return texts
