"""How far one text is from another, against the textbook's table."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastride.text import Edits, compare

# Units that jiwer, which splits at blanks, would take apart or together if they were given to it as they are.
UNITS = ["one", "two", "a b", " ", "␣", "0", "1", "##ing", "é"]
sequences = st.lists(st.sampled_from(UNITS), max_size=7)


def distance(reference: list[str], hypothesis: list[str]) -> int:
    """Levenshtein's table."""
    table = [[max(i, j) if not i or not j else 0 for j in range(len(hypothesis) + 1)] for i in range(len(reference) + 1)]
    for i, before in enumerate(reference, start=1):
        for j, after in enumerate(hypothesis, start=1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (before != after))
    return table[-1][-1]


@given(st.lists(st.tuples(sequences, sequences), max_size=4))
def test_errors_are_as_few_as_can_be_and_make_one_text_of_the_other(texts: list[tuple[list[str], list[str]]]):
    every = compare([reference for reference, _ in texts], [hypothesis for _, hypothesis in texts])
    assert len(every) == len(texts)
    for edits, (reference, hypothesis) in zip(every, texts, strict=True):
        assert edits.errors == distance(reference, hypothesis)
        assert edits.units == len(reference)
        assert [before for operation, before, _ in edits.pairs if operation != "insert"] == reference
        assert [after for operation, _, after in edits.pairs if operation != "delete"] == hypothesis
        assert edits.errors == edits.count("substitute") + edits.count("insert") + edits.count("delete")
        for operation, before, after in edits.pairs:
            assert (before == after) == (operation == "equal")
            assert (before == "") == (operation == "insert")
            assert (after == "") == (operation == "delete")


def test_rates():
    (edits,) = compare([["one", "two", "three", "four"]], [["one", "three", "five"]])
    assert (edits.errors, edits.units, edits.rate) == (2, 4, 0.5)
    assert Edits((), 0).rate == 0.0
    assert math.isinf(compare([[]], [["one"]])[0].rate)
    assert compare([["one"]], [[]])[0].rate == 1.0
    assert compare([], []) == []


def test_as_many_answers_as_texts():
    with pytest.raises(ValueError, match="must match"):
        compare([["one"], ["two"]], [["one"]])
