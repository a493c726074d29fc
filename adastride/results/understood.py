"""What recognisers understand of a codec's sound, as a table: the AdaStride paper's PER-R (table 4) with listeners of our own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from adastride.intelligibility import BASELINES, Heard
from adastride.intervals import cluster_difference, cluster_ratio

FLOOR = "mel"  # what is lost on the way to it is the mel's and the vocoder's, and not a codec's


def understood_table(lines: Sequence[Heard]) -> list[dict[str, str]]:
    """A row for each listener and sound: the error rate in % of every speaker with its 95 % interval over clips."""
    speakers = list(dict.fromkeys(line.speaker for line in lines))
    rows = []
    for listener in dict.fromkeys(line.listener for line in lines):
        for sound in dict.fromkeys(line.sound for line in lines):
            own = [line for line in lines if (line.listener, line.sound) == (listener, sound)]
            if own:
                cells = {f"Of {speaker} (%)": _rate([line for line in own if line.speaker == speaker]) for speaker in speakers}
                rows.append({"Listener": f"{listener}, {own[0].unit}", "Sound": BASELINES.get(sound, sound), **cells})
    return rows


def understood_sentences(lines: Sequence[Heard]) -> list[str]:
    """For each listener and speaker how much more of every codec's sound is misunderstood than of the sound of the mel."""
    texts = []
    for listener in dict.fromkeys(line.listener for line in lines):
        for speaker in dict.fromkeys(line.speaker for line in lines):
            own = {sound: _of(lines, listener, speaker, sound) for sound in dict.fromkeys(line.sound for line in lines)}
            codecs = {sound: _against(found, own[FLOOR]) for sound, found in own.items() if sound not in BASELINES and found and own.get(FLOOR)}
            if codecs:
                units, count = sum(line.units for line in own[FLOOR].values()), len(own[FLOOR])
                said = ", ".join(f"{sound} {text}" for sound, text in codecs.items())
                unit = next(iter(own[FLOOR].values())).unit
                of = f"**{listener}** hearing **{speaker}** ({units:,} {unit} in {count} clips)"
                texts.append(f"{of}: points more errors than in the sound of the mel: {said}.")
    return texts


def _of(lines: Iterable[Heard], listener: str, speaker: str, sound: str) -> dict[str, Heard]:
    return {line.clip: line for line in lines if (line.listener, line.speaker, line.sound) == (listener, speaker, sound)}


def _against(found: dict[str, Heard], floor: dict[str, Heard]) -> str:
    """The difference of two rates over the clips that both have, in points, with its interval."""
    clips = [clip for clip in found if clip in floor]
    counts = [np.array([(each[clip].errors, each[clip].units) for clip in clips]).T for each in (found, floor)]
    rates = [errors.sum() / max(units.sum(), 1) for errors, units in counts]
    ends = cluster_difference(*counts[0], *counts[1])
    return f"{100 * (rates[0] - rates[1]):+.1f}" + (f" ({100 * ends[0]:+.1f} to {100 * ends[1]:+.1f})" if ends else "")


def _rate(lines: Sequence[Heard]) -> str:
    if not lines:
        return "–"
    errors, units = (np.array([getattr(line, name) for line in lines]) for name in ("errors", "units"))
    ends = cluster_ratio(errors, units)
    return f"{100 * errors.sum() / max(units.sum(), 1):.1f}" + (f" ({100 * ends[0]:.1f}–{100 * ends[1]:.1f})" if ends else "")
