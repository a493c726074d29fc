"""The table of what recognisers understand of codecs' sounds: rates, intervals and differences of the same clips."""

from __future__ import annotations

import numpy as np
import pytest

from adastride.intelligibility import Heard
from adastride.results.understood import understood_sentences, understood_table

ERRORS = {"original": 2, "mel": 3, "codec-a": 6, "codec-b": 9}


def lines(clips: int = 12) -> list[Heard]:
    generator = np.random.default_rng(0)
    return [
        Heard(sound, "", listener, "1", "voice", speaker, f"{speaker}{number}.ogg", int(base + generator.integers(0, 3)), 20, unit)
        for listener, unit in (("pocketsphinx", "words"), ("phonemes-x", "phonemes"))
        for sound, base in ERRORS.items() for speaker in ("kathleen", "lj") for number in range(clips)
    ]


def test_a_row_for_each_listener_and_sound_and_a_column_for_each_speaker():
    found = understood_table(lines())
    assert [(row["Listener"], row["Sound"]) for row in found][:4] == [
        ("pocketsphinx, words", "The recording"), ("pocketsphinx, words", "Sound of its mel, by Griffin and Lim's method"),
        ("pocketsphinx, words", "codec-a"), ("pocketsphinx, words", "codec-b"),
    ]
    assert len(found) == 8
    own = [line for line in lines() if (line.listener, line.sound, line.speaker) == ("pocketsphinx", "codec-a", "lj")]
    rate, rest = found[2]["Of lj (%)"].split(" ", 1)
    assert float(rate) == pytest.approx(100 * sum(line.errors for line in own) / (20 * 12), abs=0.05)
    low, high = map(float, rest.strip("()").split("–"))
    assert low < float(rate) < high


def test_a_difference_is_of_the_same_clips():
    """A codec that was asked for some clips alone is compared with the mel of these."""
    some = [line for line in lines() if line.sound != "codec-b" or line.clip in {f"lj{n}.ogg" for n in range(8)}]
    sentences = understood_sentences(some)
    assert len(sentences) == 4
    both = {(line.sound, line.clip): line for line in some if line.listener == "pocketsphinx" and line.speaker == "lj"}
    clips = [clip for sound, clip in both if sound == "codec-b"]
    expected = 100 * sum(both["codec-b", clip].errors - both["mel", clip].errors for clip in clips) / (20 * len(clips))
    (text,) = [text for text in sentences if text.startswith("**pocketsphinx** hearing **lj**")]
    assert f"codec-b {expected:+.1f} (" in text
    assert "240 words in 12 clips" in text


def test_nothing_is_said_of_nothing():
    assert (understood_table([]), understood_sentences([])) == ([], [])
    alone = [line for line in lines() if line.sound == "codec-a"]
    assert understood_sentences(alone) == []
    assert len(understood_table(alone)) == 2
