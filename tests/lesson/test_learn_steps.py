"""The lesson as data: its steps, their controls, and the word they look at."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from written_links import written_bars

from adastride.alignment import Alignment, unit_positions
from adastride.lesson import NUMBER, STEPS, Step
from adastride.lesson.controls import FRAMES, SCORE_LIMIT, Bars, Choice, Slider
from adastride.lesson.costs import FRAMES_PER_SECOND, TAIL
from adastride.lesson.prose import JUMP
from adastride.lesson.training import BURST_LENGTH, BURST_TIME
from adastride.lesson.word import excerpt, signal, word, word_bars, word_levels

BY_KEY = {step.key: step for step in STEPS}


def test_there_are_eleven_steps():
    assert len(STEPS) == len(BY_KEY) == 11
    assert NUMBER["softmax"] == 4


@pytest.mark.parametrize("step", STEPS, ids=BY_KEY)
def test_a_step_is_whole(step: Step):
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
def test_what_a_step_opens_with_can_be_read_from_a_link(step: Step):
    for control in step.controls:
        if isinstance(control, Slider):
            assert control.read(f"{control.usual:g}") == control.usual
            assert control.low <= control.usual <= control.high
        elif isinstance(control, Choice):
            assert control.read(control.usual) == control.usual
        else:
            assert control.read(written_bars(control.usual)) == pytest.approx(control.usual)
    assert step.check(step.opening_settings) == step.opening_settings


@pytest.mark.parametrize("text", ["", "e" * 23, "e" * 25, "_" * 24, "é" * 24])
def test_bars_that_cannot_be(text: str):
    with pytest.raises(ValueError, match="24 letters"):
        Bars("bars", "Scores", (0.0,) * 24, "dp").read(text)


@pytest.mark.parametrize("value", [float("nan"), 0.5, 9, "x"])
def test_a_stride_that_cannot_be(value: object):
    with pytest.raises(ValueError, match=r"expected 1 to 8|could not convert"):
        BY_KEY["positions"].check({**BY_KEY["positions"].opening_settings, "stride": value})


def test_the_first_jump_is_one_that_hurts():
    """The position loss opens with something to see: a jump beyond 1."""
    bars = torch.tensor([JUMP], dtype=torch.float64)
    positions = Alignment(unit_positions(bars, torch.tensor([24])), torch.tensor([24]), torch.tensor([12]), 0.447).positions
    assert float(positions.diff().max()) > 1.5


def test_the_word_is_where_it_is_loud():
    clip = word()
    begin, end = clip.part
    assert 0.3 < (end - begin) / clip.frames_per_second < 1.0
    assert clip.energy[begin:end].mean() > 3 * np.delete(clip.energy, np.arange(begin, end)).mean()
    first, frames = excerpt()
    assert first < begin < end < first + frames <= len(clip.energy)
    assert abs(float(signal().mean())) < 1e-6
    assert len(word_bars()) == FRAMES
    assert max(map(abs, word_bars())) <= SCORE_LIMIT
    assert all(0 <= level <= 1 for level in word_levels())


def test_the_prose_names_the_numbers_that_are_computed():
    """A sentence of a step says what its picture draws."""
    assert f"{TAIL:g} + " in BY_KEY["cost"].terms["sigma"].latex
    assert f"{FRAMES_PER_SECOND:g} frames a second" in BY_KEY["cost"].question
    assert f"one burst of {BURST_LENGTH} frames" in BY_KEY["learning"].prose
    assert f"{BURST_TIME}/s" in BY_KEY["learning"].answer
