"""Somebody else's words in Markdown, letter by letter; what the browser makes of them is in tests/e2e/test_explore_files.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastride.ui.query import quoted
from adastride.ui.text import plain
from adastride.wording import one_line, visible

JOINER = "\N{WORD JOINER}"
# What Streamlit looks for in text that has been read already: no backslash helps there.
FOUND_LATER = re.compile(r"https?://|www(?=\.)|[-.\w+]@[-\w]|:[\w/+-]+:|<-|->|--|>=|<=", re.IGNORECASE)


def shown(text: str) -> str:
    """What CommonMark makes of a backslash before punctuation."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


@pytest.mark.parametrize("text", [
    "www.evil.com", "WWW.EVIL.COM", "http://evil.com/x", "a@evil.com", ":material/home:", ":smile:", "a -> b <- c -- d >= e",
    "![x](http://y.z)", "_www.a.b_",
])
def test_nothing_is_left_to_be_found_later(text: str):
    assert not FOUND_LATER.search(shown(plain(text)))
    assert shown(plain(text)).replace(JOINER, "") == text


@given(st.text(st.sampled_from("www.:/@-><=~*_[]()$`\\&#;+1 ab\n!|^{}"), max_size=20))
def test_any_text_stays_what_it_is(text: str):
    made = plain(text)
    assert not FOUND_LATER.search(shown(made))
    assert [line.strip() for line in shown(made).replace(JOINER, "").split("\n")] == [line.strip() for line in text.split("\n")]


@pytest.mark.parametrize("letter", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\x1b\x00\r\u2028\u2029")
def test_no_letter_turns_the_text_round_or_steers_a_terminal(letter: str):
    for show in (plain, visible, one_line, quoted):
        assert letter not in show(f"a{letter}b.wav")
        assert len(show(f"a{letter}b.wav").strip("“”")) == len("a?b.wav")


def test_a_text_is_one_line_of_a_few_letters():
    assert one_line("a\nb", 10) == "a�b"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"
    assert one_line("שלום 😀 é.wav") == "שלום 😀 é.wav"


@pytest.mark.parametrize("text", ["www.evil.com", "WWW.EVIL.COM", "a@b.cd", ":smile:", "[x](y)", "http://a.b"])
def test_what_a_link_says_is_quoted_without_being_a_link(text: str):
    assert not re.search(r"www\.|[@:/\[\]()]", quoted(text), re.IGNORECASE)
