"""Links that restore the Length page: ?task=speakers&data=fsdd&fixed=5&clips=16&row=2048&seed=3.

task: what networks were trained on. data: whose lengths are counted and drawn. fixed: seconds that clips are cropped and padded to.
clips, seed: of the draw. row: tokens of a row. seconds: what somebody has typed, "1.5,3,12", in place of a draw; the page says what is
wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from adastride.length.packs import MOST_CLIPS, MOST_SECONDS, ROW_SIZES
from adastride.ui.query import Query, number, one_of

FIXED = (0.1, MOST_SECONDS)  # seconds
MOST_SEED = 9999
MOST_LETTERS = 2000  # of what somebody has typed that a link has: an address may not be much longer


@dataclass(frozen=True)
class LengthLink:
    """What a link asks for. A field is None where it says nothing usable. problems: a sentence for each parameter that was wrong."""

    task: str | None
    data: str | None
    fixed: float | None
    clips: int | None
    row: int | None
    seed: int | None
    seconds: str | None
    problems: tuple[str, ...]


def parse(parameters: Mapping[str, str], tasks: Container[str], sources: Container[str]) -> LengthLink:
    """Reads the page's query parameters. Whatever is missing or wrong gets its default, and what is wrong is reported as a problem."""
    query = Query(parameters)
    return LengthLink(
        query.read("task", one_of(tasks, "measured here"), "the first is shown"),
        query.read("data", one_of(sources, "a data set here"), "the first is shown"),
        query.read("fixed", number(FIXED), "the usual is used"),
        query.read("clips", _whole(1, MOST_CLIPS), "the usual is used"),
        query.read("row", _row, "the usual is used"),
        query.read("seed", _whole(0, MOST_SEED), "the usual is used"),
        query.read("seconds", _typed, "clips are drawn"),
        tuple(query.problems),
    )


def _whole(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return convert


def _row(text: str) -> int:
    if text not in map(str, ROW_SIZES):
        raise ValueError(f"one of {', '.join(map(str, ROW_SIZES))}")
    return int(text)


def _typed(text: str) -> str:
    if len(text) > MOST_LETTERS:
        raise ValueError(f"at most {MOST_LETTERS} letters")
    return text
