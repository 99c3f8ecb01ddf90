"""Which recording of a speaker shows a voice without giving away what is asked of it."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable

from bench.datasets._base import Utterance


def neutral_prompts(
    utterances: Iterable[Utterance],
    *,
    neutral: Callable[[Utterance], bool],
    same: Callable[[Utterance, Utterance], bool],
) -> list[Utterance]:
    """Return the utterances, each with a neutral recording of its speaker as the prompt.

    The n-th utterance of a speaker takes the n-th neutral one (they go round), or the next that
    says something else. One whose speaker has no other neutral sentence has no prompt. Only the
    utterances given are looked at, so that a prompt is of the same split.

    Args:
        utterances: in the order of the data set.
        neutral: whether an utterance can be a prompt; one without a speaker or a recording cannot.
        same: whether two utterances say the same sentence.
    """
    every = list(utterances)
    pools: defaultdict[str, list[Utterance]] = defaultdict(list)
    for utterance in every:
        if utterance.speaker and utterance.audio and neutral(utterance):
            pools[utterance.speaker].append(utterance)
    seen: defaultdict[str, int] = defaultdict(int)
    made = []
    for utterance in every:
        speaker = utterance.speaker or ""
        pool = pools.get(speaker, [])
        start = seen[speaker]
        seen[speaker] += 1
        turns = (pool[(start + step) % len(pool)] for step in range(len(pool)))
        found = next((p for p in turns if p.id != utterance.id and not same(utterance, p)), None)
        if found is not None:
            utterance = dataclasses.replace(utterance, prompt=found.audio, prompt_text=found.text)
        made.append(utterance)
    return made
