"""LibriTTS: LibriSpeech's sources cut again for synthesis, 24 kHz, about 585 hours of English.

Source: H. Zen, V. Dang, R. Clark and others, "LibriTTS: a corpus derived from LibriSpeech for
text-to-speech", Interspeech 2019, arXiv:1904.02882; OpenSLR resource 60.
Licence: CC BY 4.0.
Layout: ``LibriTTS/<split>/<speaker>/<chapter>/<speaker>_<chapter>_<nnnnnn>_<nnnnnn>.wav`` (or
.flac) with ``<id>.normalized.txt`` (the default: numbers and abbreviations in words) and
``<id>.original.txt`` (as printed).
Splits: dev-clean, dev-other, test-clean (the default), test-other, train-clean-100,
train-clean-360, train-other-500; any other folder name is taken as a split too.
Known holes: lengths run from a fraction of a second, too short for STOI, to half a minute; the
sources are MP3, and some files hold nothing above 8 or 11 kHz although they are at 24 kHz.
"""

from __future__ import annotations

from bench.datasets._base import Dataset, Utterance, root_of
from bench.datasets._corpus import (
    Archive,
    Size,
    folders,
    notes,
    recordings,
    some,
    split_folder,
    text_of,
)

FOLDER = "LibriTTS"
RATE = 24000  # Hz
SIZES = {
    f"libritts:split={split}": Size(speakers, utterances, RATE)
    for split, speakers, utterances in (  # the paper's table 1; utterances counted by TFDS
        ("dev-clean", 40, 5736),
        ("dev-other", 33, 4613),
        ("test-clean", 39, 4837),
        ("test-other", 33, 5120),
        ("train-clean-100", 247, 33236),
        ("train-clean-360", 904, 116500),
        ("train-other-500", 1160, 205044),
    )
}
ARCHIVES = {
    split: (Archive(f"https://www.openslr.org/resources/60/{split}.tar.gz", sha256),)
    for split, sha256 in (  # as torchaudio 2 verifies them
        ("dev-clean", "da0864e1bd26debed35da8a869dd5c04dfc27682921936de7cff9c8a254dbe1a"),
        ("dev-other", "d413eda26f3a152ac7c9cf3658ef85504dfb1b625296e5fa83727f5186cca79c"),
        ("test-clean", "234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5"),
        ("test-other", "33a5342094f3bba7ccc2e0500b9e72d558f72eb99328ac8debe1d9080402f10d"),
        ("train-clean-100", "c5608bf1ef74bb621935382b8399c5cdd51cd3ee47cec51f00f885a64c6c7f6b"),
        ("train-clean-360", "ce7cff44dcac46009d18379f37ef36551123a1dc4e5c8e4eb73ae57260de4886"),
        ("train-other-500", "e35f7e34deeb2e2bdfe4403d88c8fdd5fbf64865cae41f027a185a6965f0a5df"),
    )
}
TEXTS = ("normalized", "original")


def load(root: str | None = None, split: str = "test-clean", text: str = "normalized") -> Dataset:
    """Return the utterances of one split, by speaker and chapter.

    A recording without a text file has none.

    Args:
        root: the folder that holds the splits; else ``$BENCH_DATA/LibriTTS``.
        split: the name of a folder in it.
        text: "normalized" or "original".

    Raises:
        FileNotFoundError: no such folder, split or recording.
        ValueError: another `text`; a recording there twice.
    """
    if text not in TEXTS:
        message = f"libritts has no text {text!r}; wanted one of {', '.join(TEXTS)}"
        raise ValueError(message)
    place = split_folder(root_of(root, FOLDER), str(split))
    found = []
    for speaker in folders(place):
        for chapter in folders(place / speaker):
            folder = f"{place}/{speaker}/{chapter}"
            found += [
                Utterance(
                    id=name,
                    audio=path,
                    text=text_of(f"{folder}/{name}.{text}.txt"),
                    speaker=speaker,
                )
                for name, path in recordings(place / speaker / chapter).items()
            ]
    utterances = some(found, place, "<speaker>/<chapter>/<id>.wav or .flac")
    name = f"libritts:split={split}"
    note = notes(utterances, SIZES.get(name))
    return Dataset(name + f",text={text}" * (text != TEXTS[0]), "CC BY 4.0", utterances, note)
