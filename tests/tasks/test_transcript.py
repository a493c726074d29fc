"""What a recogniser has written: tokens, placed texts, other readings and the frames that tokens got, on hand-made answers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adastride import audio
from adastride.inspection import letters, trace
from adastride.inspection.glance import Sound, sound_of
from adastride.models import Recogniser, RecogniserConfig
from adastride.tasks.transcript import Token, Transcript, frames_between_equals, frames_needed, greedy
from adastride.text import TextError, Vocabulary

DIGITS = Vocabulary("words", ("one", "two", "three"))


def transcript(classes: list[int], sure: float = 0.9, vocabulary: Vocabulary = DIGITS) -> Transcript:
    """A network that says these classes, one a frame of 40 ms, each with this probability; the others share the rest."""
    count = 1 + len(vocabulary.tokens)
    probabilities = np.full((len(classes), count), (1 - sure) / (count - 1))
    probabilities[np.arange(len(classes)), classes] = sure
    logs = np.log(probabilities).astype(np.float32)
    return Transcript(vocabulary, tuple(greedy(torch.from_numpy(logs))), logs, np.arange(len(classes) + 1) * 0.04)


def brute(logs: np.ndarray) -> dict[tuple[int, ...], float]:
    """The log-probability of every text: a sum over all alignments."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(logs.shape[1]), repeat=len(logs)):
        text = tuple(label - 1 for label, _ in itertools.groupby(path) if label)
        found[text] = np.logaddexp(found.get(text, -math.inf), float(logs[np.arange(len(logs)), path].sum()))
    return found


def test_tokens_their_times_and_text():
    heard = transcript([0, 1, 1, 0, 1, 2, 2, 0])
    assert heard.text == "one one two"
    assert [(token.first, token.last) for token in heard.tokens] == [(1, 2), (4, 4), (5, 6)]
    assert [(round(each.start, 2), round(each.end, 2), each.text, each.frames) for each in heard.segments()] == [
        (0.04, 0.12, "one", (1, 2)), (0.16, 0.2, "one", (4, 4)), (0.2, 0.28, "two", (5, 6)),
    ]
    assert all(abs(token.probability - 0.9) < 1e-5 for token in heard.tokens)


def test_nothing_heard():
    heard = transcript([0, 0, 0])
    assert (heard.text, heard.tokens, heard.segments()) == ("", (), ())


def test_against_what_was_said_by_alignment_and_not_by_position():
    """One word more in front is one error, though every place differs."""
    edits = transcript([1, 0, 2, 0, 3]).against("three one two three")
    assert (edits.errors, edits.units, edits.count("delete")) == (1, 4, 1)
    assert transcript([1, 0, 2]).against("1, 2!").errors == 0
    with pytest.raises(TextError, match=r"^“four” is not in this network's vocabulary: it writes one, two, three\.$"):
        transcript([1]).against("four")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=7), st.lists(st.integers(0, 2), min_size=1, max_size=4))
def test_a_placed_text_is_the_likeliest_alignment(classes: list[int], said: list[int]):
    """As a search over all alignments finds it; a text with too few frames gets a sentence.

    torchaudio's search goes astray where two paths are exactly as likely, which no trained network's are: so a little noise.
    """
    heard, text = transcript(classes, 0.7), DIGITS.decode(said)
    heard = replace(heard, log_probabilities=heard.log_probabilities + 1e-3 * np.random.default_rng(0).random((len(classes), 4), np.float32))
    if frames_needed(said) > len(classes):
        with pytest.raises(TextError, match="output frames and the clip has"):
            heard.place(text)
        return
    placed = heard.place(text)
    assert [DIGITS.tokens.index(each.text) for each in placed] == said
    frames = [each.frames for each in placed]
    assert all(one[1] < other[0] for one, other in itertools.pairwise(frames))
    path = np.zeros(len(classes), int)
    for token, (first, last) in zip(said, frames, strict=True):
        path[first : last + 1] = token + 1
    paths = (p for p in itertools.product(range(4), repeat=len(classes)) if [k - 1 for k, _ in itertools.groupby(p) if k] == said)
    best = max(float(heard.log_probabilities[np.arange(len(classes)), p].sum()) for p in paths)
    assert float(heard.log_probabilities[np.arange(len(classes)), path].sum()) == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_readings_are_the_likeliest_texts(seed: int):
    """Beam search without pruning against the sum over all alignments: the same two texts with the same probabilities."""
    logs = torch.randn(5, 4, generator=torch.Generator().manual_seed(seed)).mul(2).log_softmax(1).numpy()
    heard = Transcript(DIGITS, tuple(greedy(torch.from_numpy(logs))), logs, np.arange(6) * 0.04)
    expected = sorted(brute(logs).items(), key=lambda item: -item[1])[:2]
    found = heard.readings(50)
    assert [reading.text for reading in found] == [DIGITS.decode(text) for text, _ in expected]
    assert [reading.log_probability for reading in found] == pytest.approx([score for _, score in expected], abs=5e-3)


def test_frames_needed_and_between_equals():
    assert frames_needed([]) == 0
    assert frames_needed([1, 1, 2, 2, 2]) == 8
    tokens = [Token(0, 0, 1, 1.0), Token(0, 4, 4, 1.0), Token(1, 5, 5, 1.0), Token(1, 7, 7, 1.0)]
    assert frames_between_equals(tokens) == 1
    assert frames_between_equals(tokens[1:3]) is None


@pytest.fixture(scope="module")
def network() -> Recogniser:
    torch.manual_seed(0)
    made = Recogniser(RecogniserConfig("words", DIGITS.tokens, width=16, blocks=1, heads=2)).eval().requires_grad_(False)
    torch.nn.init.normal_(made.downsamplers[0].score.weight, std=0.5)
    return made


def test_frames_that_tokens_got(network: Recogniser):
    """Tokens and silence share all output frames; seconds add up to the seconds of sound."""
    samples = np.zeros(32_000, np.float32)
    samples[6000:20_000] = 0.3 * np.sin(np.arange(14_000) / 5)
    seen = trace(network, audio.from_samples(samples, 16_000))
    frames = seen.layers[-1].output_frames
    classes = [0] * frames
    classes[frames // 4], classes[frames // 2] = 1, 2
    edges = seen.boundary_seconds(1)
    made = transcript(classes)
    heard = Transcript(DIGITS, made.tokens, made.log_probabilities, edges)
    sound = sound_of(seen)
    found = letters.shares(seen, heard, sound)
    assert found.frames.sum() + found.silent * frames == pytest.approx(frames)
    assert found.seconds.sum() == pytest.approx(sound.until[-1])
    assert found.even.sum() == pytest.approx(sound.share * frames)
    names = dict(letters.facts(seen, heard, found))
    assert names["Output frames in silence"] == f"{100 * found.silent:.0f} % of {frames}"
    assert names["Can be read up to"].startswith(f"an overall stride of {seen.mel.shape[1] / 2:.1f}")


def test_facts_of_nothing(network: Recogniser):
    seen = trace(network, audio.from_samples(np.zeros(16_000, np.float32), 16_000))
    heard = transcript([0] * seen.layers[-1].output_frames)
    edges = np.array([0.0, 1.0])
    assert dict(letters.facts(seen, heard, letters.shares(seen, heard, Sound(edges, np.zeros(2))))) == {"Output frames in silence": "100 % of 26"}
