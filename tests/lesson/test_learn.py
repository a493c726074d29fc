"""The lesson as data, and what its steps compute."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor
from written_links import written_bars

from adastride.alignment import Alignment, unit_positions
from adastride.downsampling import METHODS
from adastride.lesson import core as learn
from adastride.lesson.core import STEPS, Bars, Choice, Slider, Training

BY_KEY = {step.key: step for step in STEPS}


def test_there_are_ten_steps():
    assert len(STEPS) == len(BY_KEY) == 10
    assert learn.NUMBER["softmax"] == 4


@pytest.mark.parametrize("step", STEPS, ids=BY_KEY)
def test_a_step_is_whole(step: learn.Step):
    """Prose of two or three sentences, a question with an answer, and every term of the formula is there and can be in play."""
    assert 2 <= len(re.findall(r"\.(?:\s|$)", step.prose)) <= 3
    assert "?" in step.question
    assert step.answer.endswith((".", ")"))
    used = set(re.findall(r"«(\w+)»", "".join(step.formula)))
    assert used == set(step.terms)
    assert all(term.meaning.endswith(".") for term in step.terms.values())
    assert {control.term for control in step.controls} <= set(step.terms) | {"sigma", "stride"}
    for name in step.terms:
        text = step.latex(name, "#B86B00")
        assert text.count(r"\textcolor") == len(re.findall(f"«{name}»", "".join(step.formula)))
        assert "«" not in text
        assert text.count("{") == text.count("}")
    assert step.latex("nothing", "red") == step.latex(next(iter(step.terms)), "red")


@pytest.mark.parametrize("step", STEPS, ids=BY_KEY)
def test_what_a_step_opens_with_can_be_read_from_a_link(step: learn.Step):
    for control in step.controls:
        if isinstance(control, Slider):
            assert control.read(f"{control.usual:g}") == control.usual
            assert control.low <= control.usual <= control.high
        elif isinstance(control, Choice):
            assert control.read(control.usual) == control.usual
        else:
            assert control.read(written_bars(control.usual)) == pytest.approx(control.usual)
    assert step.check(step.usual) == step.usual


@pytest.mark.parametrize("text", ["", "e" * 23, "e" * 25, "_" * 24, "é" * 24])
def test_bars_that_cannot_be(text: str):
    with pytest.raises(ValueError, match="24 letters"):
        Bars("bars", "Scores", (0.0,) * 24, "dp").read(text)


@pytest.mark.parametrize("value", [float("nan"), 0.5, 9, "x"])
def test_a_stride_that_cannot_be(value: object):
    with pytest.raises(ValueError, match=r"expected 1 to 8|could not convert"):
        BY_KEY["positions"].check({**BY_KEY["positions"].usual, "stride": value})


def test_the_first_jump_is_one_that_hurts():
    """The position loss opens with something to see: a jump beyond 1."""
    bars = torch.tensor([learn.JUMP], dtype=torch.float64)
    positions = Alignment(unit_positions(bars, torch.tensor([24])), torch.tensor([24]), torch.tensor([12]), 0.447).positions
    assert float(positions.diff().max()) > 1.5


def test_the_word_is_where_it_is_loud():
    word = learn.word()
    begin, end = word.part
    assert 0.3 < (end - begin) / word.frames_per_second < 1.0
    assert word.energy[begin:end].mean() > 3 * np.delete(word.energy, np.arange(begin, end)).mean()
    assert len(learn.word_bars()) == learn.FRAMES
    assert max(map(abs, learn.word_bars())) <= learn.SCORE_LIMIT


# ------------------------------------------------------------------ tones


@pytest.mark.parametrize("stride", [2, 3, 4, 5, 6])
def test_tones_are_what_the_layers_make_of_them(stride: int):
    tone = learn.tone(0.13)
    x = torch.from_numpy(tone).float()[None, None]
    outputs = {key: (times, matrix @ tone) for key, (times, matrix) in learn.tone_layers(stride).items()}
    assert outputs["every-s-th"][1].tolist() == tone[::stride].tolist()
    for key in ("avg-pool", "blur-pool", "spectral-pool"):
        expected = METHODS[key].build(1, stride=stride)(x).values[0, 0]
        np.testing.assert_allclose(outputs[key][1], expected, atol=1e-6)
    for times, values in outputs.values():
        assert len(times) == len(values)
        assert times[0] >= 0
        assert times[-1] <= learn.TONE_FRAMES - 1


@pytest.mark.parametrize("stride", [2, 4, 6])
def test_gains_are_those_of_the_filters(stride: int):
    """Taking frames leaves everything, a window's mean and the binomial filter what theory says, spectral pooling a step."""
    gains, f = learn.tone_gains(stride), np.linspace(0, 0.5, learn.GAIN_POINTS)
    np.testing.assert_allclose(gains["every-s-th"], 1, atol=1e-4)
    with np.errstate(invalid="ignore"):
        window = np.where(f == 0, 1, np.abs(np.sin(np.pi * f * stride) / (stride * np.sin(np.pi * f))))
    np.testing.assert_allclose(gains["avg-pool"], window, atol=1e-3)
    np.testing.assert_allclose(gains["blur-pool"], np.cos(np.pi * f) ** 2, atol=1e-3)
    assert gains["spectral-pool"][f < 0.9 / (2 * stride)].min() > 0.9
    assert gains["spectral-pool"][f > 1.3 / (2 * stride)].max() < 0.1


def test_a_tone_folds_to_where_the_formula_says():
    """Every fourth frame of a tone at 0.2 has its peak at |0.8 - 1| = 0.2 cycles per output frame."""
    values = learn.tone_layers(4)["every-s-th"][1] @ learn.tone(0.2)
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values)), 1024))
    assert spectrum.argmax() / 1024 == pytest.approx(0.2, abs=0.01)


# ------------------------------------------------------------------ costs


def test_costs_are_measured():
    timings = learn.measure_costs(8, 2.0, 0.447, frames=(100, 800))
    assert [each.frames for each in timings] == [100, 800]
    assert all(0 < value < 5000 for each in timings for value in (each.dense, each.windows, each.nearest))
    assert timings[1].dense > timings[1].windows


# ------------------------------------------------------------------ the small network


def test_bursts_are_where_they_say():
    clips, labels, begin = learn.bursts(20, torch.Generator().manual_seed(3))
    assert clips.shape == (20, 3, learn.BURST_TIME)
    for clip, start in zip(clips, begin.tolist(), strict=True):
        inside = clip[2, start : start + learn.BURST_LENGTH]
        assert inside.mean() > 0.8
        assert abs(float(clip[2].sum() - inside.sum())) / learn.BURST_TIME < 0.1
    assert set(labels.tolist()) == set(range(learn.CLASSES))


def test_the_ratio_of_uniform_strides_is_one():
    lengths = torch.tensor([learn.BURST_TIME])
    even = Alignment(torch.linspace(0, 1, learn.BURST_TIME, dtype=torch.float64)[None], lengths, torch.tensor([12]), 0.447)
    assert learn.stride_ratio(even, torch.tensor([40])) == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("stride", [4, 8, 12])
def test_strides_gather_around_the_burst(stride: int):
    """With the page's seed and number of steps the network finds the class, because it has found the burst."""
    training = Training(stride)
    before = training.look()
    assert before["ratio"] == pytest.approx(1, rel=0.02)
    training.advance(10_000)
    after = training.look()
    assert training.finished
    assert len(training.losses) == len(training.ratios) == learn.MOST_STEPS
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
