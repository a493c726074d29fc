"""The small network that learns where to look (step 10)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from adastride.alignment import Alignment
from adastride.lesson.training import BURST_LENGTH, BURST_TIME, CLASSES, MOST_STEPS, Training, bursts, stride_ratio


def test_bursts_are_where_they_say():
    clips, labels, begin = bursts(20, torch.Generator().manual_seed(3))
    assert clips.shape == (20, 3, BURST_TIME)
    for clip, start in zip(clips, begin.tolist(), strict=True):
        inside = clip[2, start : start + BURST_LENGTH]
        assert inside.mean() > 0.8
        assert abs(float(clip[2].sum() - inside.sum())) / BURST_TIME < 0.1
    assert set(labels.tolist()) == set(range(CLASSES))


def test_the_ratio_of_uniform_strides_is_one():
    lengths = torch.tensor([BURST_TIME])
    even = Alignment(torch.linspace(0, 1, BURST_TIME, dtype=torch.float64)[None], lengths, torch.tensor([12]), 0.447)
    assert stride_ratio(even, torch.tensor([40])) == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("stride", [4, 8, 12])
def test_strides_gather_around_the_burst(stride: int):
    """With the page's seed and number of steps the network finds the class, because it has found the burst."""
    training = Training(stride)
    before = training.look()
    assert before["ratio"] == pytest.approx(1, rel=0.02)
    training.advance(10_000)
    after = training.look()
    assert training.finished
    assert len(training.losses) == len(training.ratios) == MOST_STEPS
    assert after["ratio"] > 3
    assert after["accuracy"] > 0.9 > 0.5 > before["accuracy"]
    assert after["guess"] == after["label"]
    assert sum(training.losses[-20:]) < 0.3 * sum(training.losses[:20])


def test_training_is_the_same_every_time_and_nobody_elses():
    """Two sessions' networks start alike, one's steps leave the other alone, and torch's own generator is not touched."""
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, other = Training(8), Training(8)

    def weights(training: Training) -> Tensor:
        return torch.cat([each.detach().flatten() for each in training.network.parameters()])

    start = weights(other)
    one.advance(3)
    assert torch.equal(weights(other), start)
    assert not torch.equal(weights(one), start)
    other.advance(1)
    other.advance(2)
    assert torch.equal(weights(one), weights(other))
    assert torch.equal(torch.get_rng_state(), state)
