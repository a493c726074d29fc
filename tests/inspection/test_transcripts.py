"""TextGrids as a library for Praat's files reads them, subtitles, and the transcript as data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid

from adastride import audio
from adastride.inspection import trace, transcripts
from adastride.inspection.tracing import Trace
from adastride.models import Recogniser, RecogniserConfig
from adastride.tasks.transcript import Transcript, greedy
from adastride.text import Vocabulary

WORDS = Vocabulary("words", ("one", "two", "three"))


def heard(classes: list[int], edges: np.ndarray | None = None, vocabulary: Vocabulary = WORDS) -> Trace:
    """A trace of a network that says these classes, one a frame."""
    torch.manual_seed(0)
    network = Recogniser(RecogniserConfig("words", WORDS.tokens, width=8, blocks=1, heads=2)).eval()
    frames = len(classes)
    edges = np.arange(frames + 1) * 0.5 if edges is None else edges
    seen = trace(network, audio.from_samples(np.zeros(max(2, round(edges[-1] * 16_000)), np.float32), 16_000))
    logs = np.log(np.full((frames, 1 + len(vocabulary.tokens)), 0.05, np.float32))
    logs[np.arange(frames), classes] = np.log(0.85)
    written = Transcript(vocabulary, tuple(greedy(torch.from_numpy(logs))), logs, edges)
    return replace(seen, prediction=replace(seen.prediction, transcript=written))


def test_a_textgrid_opens_in_a_library_for_praat(tmp_path: Path):
    seen = heard([0, 1, 0, 2, 2, 0, 0])
    (tmp_path / "clip.TextGrid").write_text(transcripts.textgrid(seen), encoding="utf-8")
    read = textgrid.openTextgrid(str(tmp_path / "clip.TextGrid"), includeEmptyIntervals=True)
    assert (read.tierNames, read.maxTimestamp) == (("words",), 3.5)
    assert [tuple(entry) for entry in read.getTier("words").entries] == [
        (0.0, 0.5, ""), (0.5, 1.0, "one"), (1.0, 1.5, ""), (1.5, 2.5, "two"), (2.5, 3.5, ""),
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 0.3)), min_size=1, max_size=12))
def test_intervals_fill_the_clip_without_holes(frames: list[tuple[int, float]]):
    """Also where output frames stand for no time."""
    edges = np.concatenate([[0.0], np.cumsum([width for _, width in frames])])
    if edges[-1] < 0.01:
        return
    text = transcripts.textgrid(heard([label for label, _ in frames], edges))
    numbers = [float(number) for number in re.findall(r"xm(?:in|ax) = ([\d.]+)", text)][4:]
    starts, ends = numbers[::2], numbers[1::2]
    assert starts[0] == 0
    assert starts[1:] == ends[:-1]
    assert all(stop > start for start, stop in zip(starts, ends, strict=True))


def test_quotes_in_a_token_are_doubled():
    assert 'text = "o""clock"' in transcripts.textgrid(heard([1], vocabulary=Vocabulary("words", ('o"clock',))))


def test_subtitles_end_with_a_pause_and_stay_long_enough():
    lines = transcripts.srt(heard([1, 2, 0, 0, 0, 3, 0])).splitlines()
    assert lines == [
        "1", "00:00:00,000 --> 00:00:01,000", "one two", "", "2", "00:00:02,500 --> 00:00:03,000", "three",
    ]
    quick = transcripts.srt(heard([1, 0, 0, 0], np.array([0.0, 0.04, 1.0, 2.0, 3.0]))).splitlines()
    assert quick[1] == "00:00:00,000 --> 00:00:00,400"


def test_nothing_heard():
    seen = heard([0, 0])
    assert transcripts.srt(seen) == ""
    assert transcripts.summary(seen)["segments"] == []
    assert 'text = ""' in transcripts.textgrid(seen)


def test_the_summary_is_json():
    summary = json.loads(json.dumps(transcripts.summary(heard([1, 0, 2])), allow_nan=False))
    assert summary["text"] == "one two"
    assert [list(each) for each in summary["segments"]] == [["text", "start", "end", "probability"]] * 2
    assert summary["segments"][1]["start"] == 1.0
    assert summary["seconds"] == 1.5


def test_a_network_that_writes_nothing():
    seen = heard([1])
    with pytest.raises(ValueError, match="writes no text"):
        transcripts.transcript_of(replace(seen, prediction=replace(seen.prediction, transcript=None)))
