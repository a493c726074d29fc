"""Recognition: CTC against torch's own for each clip alone and against a sum over all alignments, and what is made of its answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import jiwer
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adastride.audio import Waveform, from_samples
from adastride.clips import Clip, DataError
from adastride.inspection.tracing import trace
from adastride.models import Recogniser, RecogniserConfig
from adastride.tasks import KINDS, Batch, Metric, SegmentLane, task_of
from adastride.tasks.recognition import NOTHING, Recognition, ctc_losses
from adastride.tasks.transcript import Token, frames_needed, greedy
from adastride.text import Vocabulary

WORDS = ("one", "two", "three")
TASK = Recognition(Vocabulary("words", WORDS))
texts_of = st.lists(st.integers(0, 2), max_size=4)


def output_of(logits: Tensor, lengths: Sequence[int]) -> Any:
    """What the task needs of a network's output: logits (batch, frames, classes), and how many of the frames are valid."""
    return SimpleNamespace(head=logits, downsampled=(SimpleNamespace(lengths=torch.tensor(lengths)),))


def batch_of(texts: Sequence[Sequence[int]]) -> Batch:
    counts = torch.tensor([len(text) for text in texts])
    classes = torch.zeros(len(texts), max(1, int(counts.max())), dtype=torch.int64)
    for row, text in enumerate(texts):
        classes[row, : len(text)] = torch.tensor(text, dtype=torch.int64) + 1
    return Batch(torch.zeros(len(texts), 80, 1), torch.ones(len(texts), dtype=torch.int64), (classes, counts))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 2


def saying(text: str, classes: str = "-abc") -> Tensor:
    """Logits (frames, classes) that are sure of one class at each frame, "-" the blank."""
    return torch.stack([F.one_hot(torch.tensor(classes.index(letter)), len(classes)).float() * 5 for letter in text])


def collapsed(path: Sequence[int]) -> list[int]:
    """CTC's rule: repeats are one, then blanks are left out. Classes in, tokens out."""
    return [found - 1 for found, _ in itertools.groupby(path) if found]


# --- the loss


def summed(logits: Tensor, text: Sequence[int]) -> float:
    """The negative log-likelihood as the sum over every alignment of frames with classes that collapses to the text."""
    probabilities, classes = logits.double().softmax(dim=1), range(logits.shape[1])
    paths = [path for path in itertools.product(classes, repeat=len(logits)) if collapsed(path) == list(text)]
    total = sum(math.prod(float(probabilities[frame, found]) for frame, found in enumerate(path)) for path in paths)
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("text", [(), (0,), (0, 1), (1, 1), (2, 2, 2), (0, 0, 1), (0, 1, 0, 2)])
@pytest.mark.parametrize("frames", [1, 2, 4, 5])
def test_the_loss_is_a_sum_over_all_alignments(text: tuple[int, ...], frames: int):
    logits = noise(1, frames, 4, seed=frames)
    loss = float(ctc_losses(output_of(logits, [frames]), *batch_of([text]).targets)[0])
    assert loss == pytest.approx(summed(logits[0], text), rel=1e-4, abs=1e-6)
    assert math.isfinite(loss) == (frames >= frames_needed(text))


@given(st.lists(st.tuples(texts_of, st.integers(1, 9)), min_size=1, max_size=4), st.integers(0, 2))
@settings(max_examples=30)
def test_losses_and_gradients_of_a_batch_are_those_of_its_clips(clips: list[tuple[list[int], int]], padding: int):
    texts, lengths = [text for text, _ in clips], [length for _, length in clips]
    logits = noise(len(clips), max(lengths) + padding, 4).requires_grad_()
    losses = ctc_losses(output_of(logits, lengths), *batch_of(texts).targets)
    expected, readable = [], 0
    shares = []
    for row, (text, length) in enumerate(clips):
        own = logits[row, :length].log_softmax(dim=1)[:, None]
        alone = F.ctc_loss(own, torch.tensor([text], dtype=torch.int64) + 1, (length,), (len(text),), reduction="sum")
        expected.append(alone)
        if length >= frames_needed(text):
            readable += 1
            shares.append(alone / max(1, len(text)))
    torch.testing.assert_close(losses, torch.stack(expected))
    loss = TASK.loss(output_of(logits, lengths), batch_of(texts))
    mean = sum(shares, logits.sum() * 0) / max(1, readable)
    torch.testing.assert_close(loss, mean)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], torch.autograd.grad(mean, logits)[0])


def test_a_clip_with_too_few_frames_is_counted_and_changes_nothing():
    """Two equal words need a blank between them: three frames."""
    texts, lengths = [[1, 1], [0, 2], [0, 1, 2, 0]], [2, 3, 3]
    logits = noise(3, 3, 4).requires_grad_()
    output, batch = output_of(logits, lengths), batch_of(texts)
    assert ctc_losses(output, *batch.targets).isinf().tolist() == [True, False, True]
    assert TASK.measure(output, batch)["unreadable"].tolist() == [1.0, 0.0, 1.0]
    assert TASK.measure(output, batch)["tokens"].tolist() == [0.0, 2.0, 0.0]
    loss = TASK.loss(output, batch)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[[0, 2]].any()
    alone = TASK.loss(output_of(logits[1:2], [3]), batch_of([[0, 2]]))
    torch.testing.assert_close(loss, alone)
    torch.testing.assert_close(logits.grad, torch.autograd.grad(alone, logits)[0])


def test_a_batch_that_can_not_be_read_at_all_has_no_loss_and_no_gradient():
    logits = noise(2, 1, 4).requires_grad_()
    output, batch = output_of(logits, [1, 1]), batch_of([[0, 1], [2, 2]])
    loss = TASK.loss(output, batch)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()  # type: ignore[union-attr]
    with torch.no_grad():
        measured = TASK.measure(output, batch)
    assert all(values.isfinite().all() for values in measured.values())
    sums = {name: float(values.sum()) for name, values in measured.items()}
    assert TASK.metric("unreadable").mean(sums, 2) == 1.0
    assert math.isnan(TASK.metric("loss").mean(sums, 2))


def test_a_network_that_has_diverged_has_no_loss_that_looks_like_one():
    output, batch = output_of(torch.full((1, 3, 4), float("nan")), [3]), batch_of([[1]])
    assert TASK.loss(output, batch).isnan()
    assert TASK.measure(output, batch)["loss"].isnan().all()


def test_a_text_without_words_is_read_as_blanks():
    logits = noise(1, 4, 4)
    loss = TASK.loss(output_of(logits, [4]), batch_of([[]]))
    assert float(loss) == pytest.approx(-float(logits[0].log_softmax(dim=1)[:, 0].sum()), rel=1e-5)
    assert TASK.measure(output_of(logits, [4]), batch_of([[]]))["words"].tolist() == [0.0]


def test_labels_are_not_smoothed():
    output, batch = output_of(noise(1, 4, 4), [4]), batch_of([[1]])
    assert torch.equal(TASK.loss(output, batch, 0.5), TASK.loss(output, batch))


@given(texts_of)
def test_frames_needed_are_the_fewest_that_can_be_read(text: list[int]):
    needed = frames_needed(text)
    for frames in (needed - 1, needed):
        if frames >= 1:
            loss = ctc_losses(output_of(noise(1, frames, 4), [frames]), *batch_of([text]).targets)
            assert bool(loss.isfinite()) == (frames >= needed)


# --- what the network writes


@pytest.mark.parametrize(("frames", "text"), [
    ("", ""), ("---", ""), ("a", "a"), ("aaa", "a"), ("a-a", "aa"), ("aa-aab", "aab"), ("-ab-", "ab"), ("abab", "abab"), ("c--c", "cc"),
    ("aabbcc", "abc"),
])
def test_repeats_are_one_token_unless_a_blank_stands_between_them(frames: str, text: str):
    logits = saying(frames) if frames else torch.zeros(0, 4)
    assert "".join("abc"[token.index] for token in greedy(logits)) == text


def test_a_token_says_where_it_is_and_how_sure():
    logits = saying("-aab-b")
    logits[2] *= 2
    sure, surer = float(saying("a").softmax(dim=1).max()), float((2 * saying("a")).softmax(dim=1).max())
    tokens = greedy(logits)
    assert [(token.index, token.first, token.last) for token in tokens] == [(0, 1, 2), (1, 3, 3), (1, 5, 5)]
    assert [token.probability for token in tokens] == pytest.approx([surer, sure, sure])


@given(st.lists(st.integers(0, 3), max_size=30))
def test_greedy_is_the_rule_of_ctc(path: list[int]):
    logits = F.one_hot(torch.tensor(path, dtype=torch.int64), 4).float() + noise(len(path), 4) / 20
    expected, previous = [], 0
    for frame, found in enumerate(path):
        if found and found == previous:
            expected[-1][2] = frame
        elif found:
            expected.append([found - 1, frame, frame])
        previous = found
    tokens = greedy(logits)
    assert [[token.index, token.first, token.last] for token in tokens] == expected
    assert [token.index for token in tokens] == collapsed(path)


def test_what_lies_past_a_clip_is_not_written():
    logits = torch.stack([saying("a-bc"), saying("ab--")])
    assert TASK.answers(output_of(logits, [2, 4])) == [[0], [0, 1]]


# --- measures


def corpus_rate(
    task: Recognition, texts: Sequence[Sequence[int]], logits: Tensor, lengths: Sequence[int],
) -> tuple[float, list[str], list[str]]:
    """The error rate from the sums of what is measured, and all texts as said and as heard."""
    assert task.vocabulary is not None
    output = output_of(logits, lengths)
    sums = {name: float(values.sum()) for name, values in task.measure(output, batch_of(texts)).items()}
    heard = [task.vocabulary.decode(answer) for answer in task.answers(output)]
    return task.headline.mean(sums, len(texts)), [task.vocabulary.decode(text) for text in texts], heard


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=5), st.integers(0, 9))
@settings(max_examples=30)
def test_the_word_error_rate_is_that_of_all_words_together(texts: list[list[int]], seed: int):
    rate, said, heard = corpus_rate(TASK, texts, noise(len(texts), 8, 4, seed=seed), [8] * len(texts))
    assert rate == pytest.approx(jiwer.wer(said, heard))


typed = st.text("ab ", min_size=1, max_size=9).map(lambda text: " ".join(text.split())).filter(bool)


@given(st.lists(typed, min_size=1, max_size=4), st.integers(0, 9))
@settings(max_examples=30)
def test_the_character_error_rate_is_that_of_the_texts_that_are_shown(said: list[str], seed: int):
    """Blanks at the ends, and all but one of several, are in no text that anybody sees."""
    task = Recognition(Vocabulary("characters", (" ", "a", "b")))
    assert task.vocabulary is not None
    logits = noise(len(said), 14, 4, seed=seed) + torch.tensor([0.0, 2.0, 0.0, 0.0])
    rate, texts, heard = corpus_rate(task, [task.vocabulary.encode(text) for text in said], logits, [14] * len(said))
    assert texts == said
    assert rate == pytest.approx(jiwer.cer(said, heard))


def test_word_pieces_are_counted_as_words():
    task = Recognition(Vocabulary("pieces", ("see", "##ing", "is", "believ")))
    logits = saying("ab-c-db", "-abcd")[None]
    rate, said, heard = corpus_rate(task, [[0, 1, 2, 3]], logits, [7])
    assert said == ["seeing is believ"]
    assert heard == ["seeing is believing"]
    assert rate == pytest.approx(1 / 3)
    assert (task.headline.label, task.headline.per) == ("Word error rate", "words")


def test_a_rate_is_a_sum_over_a_sum():
    rate, mean = Metric("errors", "Errors", "%", 100.0, per="words"), Metric("loss", "Loss", "nats")
    assert rate.mean({"errors": 3.0, "words": 12.0}, 7) == 0.25
    assert mean.mean({"loss": 3.0}, 4) == 0.75
    assert rate.mean({"words": 2.0}, 7) == 0.0
    assert math.isnan(rate.mean({"errors": 3.0, "words": 0.0}, 7))
    assert math.isnan(rate.mean({"errors": 3.0}, 7))
    assert math.isnan(mean.mean({"loss": 0.0}, 0))


def test_metrics_have_the_names_of_the_units():
    for units, label, unit in (("characters", "Character error rate", "characters"), ("phonemes", "Phoneme error rate", "phonemes")):
        metric = Recognition(Vocabulary(units, ("a", "b"))).headline
        assert (metric.label, metric.per, metric.higher_is_better) == (label, unit, False)
    assert KINDS["recogniser"].task.headline.label == "Error rate"


def test_the_breakdown_counts_every_sort_of_error():
    network = Recogniser(RecogniserConfig("words", WORDS, width=8, blocks=1, heads=1))
    breakdown = TASK.breakdown(network, [[0, 1, 2], [1, 1], [0]], [[0, 2, 2], [1], []])
    assert breakdown.data == {"units": 6, "substitute": 1, "delete": 2, "insert": 0, "empty": 1}
    assert breakdown.table[0] == ("said", "heard", "times")
    assert set(breakdown.table[1:]) == {("two", "three", "1"), ("two", "–", "1"), ("one", "–", "1")}


# --- texts of clips


def clip(text: str, path: str = "a.wav") -> Clip:
    return Clip(np.zeros(8000, np.float32), "", path, text=text)


def recogniser(units: str = "characters", tokens: Sequence[str] = tuple(" abcdefghijklmnopqrstuvwxyz")) -> Recogniser:
    torch.manual_seed(0)
    return Recogniser(RecogniserConfig(units, tuple(tokens), width=16, blocks=1, heads=2)).eval()


def test_joined_texts_are_one_text():
    """Between words of characters stands a blank, but none beside a clip without words."""
    texts = ["one", "", "two three"]
    letters = Vocabulary("characters", tuple(" abcdefghijklmnopqrstuvwxyz"))
    for vocabulary in (letters, Vocabulary("words", WORDS), Vocabulary("pieces", WORDS)):
        task = Recognition(vocabulary)
        assert task.joined([vocabulary.encode(text) for text in texts]) == vocabulary.encode("one two three")
        assert task.joined([]) == []
        assert task.joined([[1]]) == [1]


def test_targets_are_the_tokens_of_the_texts():
    network = recogniser("words", WORDS)
    clips = [clip("Two, one!"), clip("")]
    assert TASK.targets(network, clips) == [[1, 0], []]
    with pytest.raises(DataError, match=r"the text of b.wav does not fit .*“four” is not in this network's vocabulary"):
        TASK.targets(network, [clip("one"), clip("four", "b.wav")])
    with pytest.raises(DataError, match="column text"):
        TASK.targets(network, [clip("")])


def test_a_vocabulary_is_learned_from_the_training_texts():
    task = KINDS["recogniser"].task
    clips = [clip("two one"), clip("")]
    assert task.learned_fields(clips, clips, {}) == {"units": "characters", "tokens": (" ", "e", "n", "o", "t", "w")}
    assert task.learned_fields(clips, clips, {"units": "words"})["tokens"] == ("one", "two")
    assert task.learned_fields(clips, clips, {"units": "words", "tokens": ("two", "one")})["tokens"] == ("two", "one")
    with pytest.raises(DataError, match="column text"):
        task.learned_fields([clip("")], [], {})


def test_texts_that_make_no_vocabulary_are_bad_data():
    """A word longer than any token, or more words than a vocabulary holds, is a matter of the texts and no mistake of the program."""
    task = KINDS["recogniser"].task
    with pytest.raises(DataError, match=r"“a{10,}…” has 50 letters.*characters"):
        task.learned_fields([clip("one " + "a" * 50)], [], {"units": "words"})
    letters = "abcdefghijklmnopqrstuvwxyz"
    many = ["".join(word) for word in itertools.islice(itertools.product(letters, repeat=3), 10_001)]
    with pytest.raises(DataError, match=r"10,001 different words.*characters"):
        task.learned_fields([clip(" ".join(many[begin : begin + 900])) for begin in range(0, len(many), 900)], [], {"units": "words"})
    pieces = task.learned_fields([clip("one " + "a" * 50)] * 2, [], {"units": "pieces"})
    assert RecogniserConfig("pieces", pieces["tokens"]).vocabulary.encode("a" * 50)


def test_a_batch_holds_mels_and_classes():
    network = recogniser("words", WORDS)
    batch = TASK.batch(network, [np.zeros(8000, np.float32), np.zeros(16_000, np.float32)], [[0, 2], []])
    assert batch.signal.shape[0] == 2
    assert batch.lengths[1] == batch.signal.shape[2] > batch.lengths[0]
    assert batch.targets[0].tolist() == [[1, 3], [0, 0]]
    assert batch.targets[1].tolist() == [2, 0]


# --- what is shown


def talkative(seed: int, sound: Waveform) -> Recogniser:
    """An untrained network whose answers change often: its logits have no mean over the sound."""
    network = recogniser()
    with torch.no_grad():
        network.head.weight.copy_(noise(*network.head.weight.shape, seed=seed) * 5)
        network.head.bias -= network(network.signal(sound)).head[0].mean(dim=0)
    return network


@pytest.mark.parametrize("seconds", [0.05, 0.7, 2.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_segments_lie_in_the_clip_where_the_network_decides(seed: int, seconds: float):
    sound = from_samples(noise(int(16_000 * seconds), seed=seed).numpy() / 20, 16_000, 16_000)
    network = talkative(seed, sound)
    seen = trace(network, sound)
    edges, prediction = seen.boundary_seconds(1), seen.prediction
    (lane,) = prediction.lanes
    frames, heard = prediction.arrays["token_frames"], prediction.arrays["tokens"]
    assert lane.title == "Characters"
    assert len(lane.segments) == len(frames) == len(heard)
    assert seconds < 0.1 or len(frames) > 3
    for segment, (first, last) in zip(lane.segments, frames, strict=True):
        assert 0 <= segment.start <= segment.end <= sound.seconds
        assert (segment.start, segment.end) == (edges[first], edges[last + 1])
    for one, other in itertools.pairwise(lane.segments):
        assert one.end <= other.start
    output = network(network.signal(sound))
    tokens = greedy(output.head[0])
    assert [token.index for token in tokens] == [segment.colour for segment in lane.segments] == task_of(network).answers(output)[0]
    assert prediction.arrays["text"] == network.config.vocabulary.decode([token.index for token in tokens])
    np.testing.assert_allclose(np.exp(prediction.arrays["log_probabilities"]).sum(axis=1), 1, rtol=1e-5)
    assert prediction.arrays["log_probabilities"].shape == (len(edges) - 1, len(prediction.arrays["vocabulary"]))


def test_a_network_that_writes_nothing_has_heard_nothing():
    network = recogniser()
    with torch.no_grad():
        network.head.bias[0] = 100.0
    prediction = trace(network, from_samples(np.zeros(8000, np.float32), 16_000, 16_000)).prediction
    assert prediction.headline == NOTHING
    assert prediction.lanes[0].segments == ()  # type: ignore[union-attr]
    assert prediction.arrays["token_frames"].shape == (0, 2)
    assert prediction.arrays["text"] == ""


def test_a_blank_and_the_rest_of_a_word_can_be_seen():
    output = output_of(saying("a-b")[None], [3])
    edges = np.array([0.0, 0.1, 0.2, 0.3])
    network: Any = SimpleNamespace(config=SimpleNamespace(vocabulary=Vocabulary("characters", (" ", "##ing", "x"))))
    (lane,) = TASK.predict(network, output, lambda: edges).lanes
    assert isinstance(lane, SegmentLane)
    assert [(segment.text, segment.start, segment.end) for segment in lane.segments] == [("␣", 0.0, 0.1), ("ing", 0.2, 0.3)]


def test_tokens_are_plain_values():
    assert greedy(saying("a")) == [Token(0, 0, 0, pytest.approx(float(saying("a").softmax(dim=1).max())))]
