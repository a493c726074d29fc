"""Links to the Length page: what they restore, and a sentence for what is wrong in one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastride.ui.length import link as length_link
from adastride.ui.length.link import LengthLink

NAMES = ("task", "data", "fixed", "clips", "row", "seed", "seconds")


def parse(**query: str) -> LengthLink:
    return length_link.parse(query, ("speakers", "scenes"), ("speakers", "fsdd"))


def test_a_link_says_everything():
    link = parse(task="scenes", data="fsdd", fixed="2.5", clips="9", row="512", seed="3", seconds="1.5,3")
    assert link == LengthLink("scenes", "fsdd", 2.5, 9, 512, 3, "1.5,3", ())


@pytest.mark.parametrize("text", ["", "1, x", "three"])
def test_what_was_typed_comes_back_as_it_was(text: str):
    """The page says what is wrong with it, as it did before it was opened again."""
    assert parse(seconds=text) == LengthLink(None, None, None, None, None, None, text, ())


def test_no_link_says_nothing():
    assert parse() == LengthLink(None, None, None, None, None, None, None, ())


@pytest.mark.parametrize(("name", "text", "expected"), [
    ("task", "letters", "measured here"), ("data", "mine", "a data set here"), ("fixed", "0", "a number from 0.1 to 60"),
    ("clips", "65", "a whole number from 1 to 64"), ("clips", "1.5", "a whole number"), ("clips", "²", "a whole number"),
    ("clips", "9" * 5000, "a whole number"), ("row", "300", "one of 256, 512"), ("seed", "-1", "a whole number from 0"),
    ("seconds", "1," * 2000, "at most 2000 letters"),
])
def test_what_is_wrong_is_one_sentence(name: str, text: str, expected: str):
    link = parse(**{name: text})
    assert getattr(link, name) is None
    assert len(link.problems) == 1
    assert f"This link has {name} = " in link.problems[0]
    assert expected in link.problems[0]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, st.text(max_size=20))))
def test_any_link_opens(query: dict[str, str]):
    link = parse(**query)
    assert len(link.problems) <= len(query)
