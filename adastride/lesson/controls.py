"""The controls of a step's picture: sliders, choices and bars. Each reads its value from a link and checks what a browser sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adastride import letters

FRAMES = 24  # whose displacements a person drags
SCORE_LIMIT = 3.0  # a displacement goes from exp(-3) to exp(3)
LETTER_STEPS = 60  # between the lowest and the highest bar in a link, so that tenths are met exactly

Value = float | str | tuple[float, ...]
Settings = dict[str, Value]


@dataclass(frozen=True)
class Slider:
    """A control for a number.

    low, high: its range. usual: the value it opens with. step: by how much an arrow key moves it. term: the key of the term that it
    moves in the formula. unit: what stands behind the number. log: whether the slider is logarithmic and `step` is in log10. whole:
    whether it has only whole numbers.
    """

    name: str
    label: str
    low: float
    high: float
    usual: float
    step: float
    term: str
    unit: str = ""
    log: bool = False
    whole: bool = False

    def read(self, text: str) -> float:
        """Reads the number from a link. Raises ValueError, with what was expected in a few words, for any other text."""
        try:
            return self.check(float(text))
        except ValueError:
            raise ValueError(f"a number from {self.low:g} to {self.high:g}") from None

    def check(self, value: object) -> float:
        """Returns a browser's value as a float. Raises ValueError or TypeError unless it is a number in the slider's range."""
        value = float(value)
        if not self.low <= value <= self.high:
            raise ValueError(f"expected {self.low:g} to {self.high:g}, got {value:g}")
        return float(round(value)) if self.whole else value


@dataclass(frozen=True)
class Choice:
    """A control for one of a few options.

    options: what people call each option, by its name in links. usual: the name of the option it opens with. term: the key of the term
    that it moves in the formula.
    """

    name: str
    label: str
    options: Mapping[str, str]
    usual: str
    term: str

    def read(self, text: str) -> str:
        """Reads the name of the option from a link, see `check`."""
        return self.check(text)

    def check(self, value: object) -> str:
        """Returns a browser's value. Raises ValueError, with what was expected in a few words, unless it is the name of an option."""
        if value not in self.options:
            raise ValueError(" or ".join(self.options))
        return str(value)


@dataclass(frozen=True)
class Bars:
    """A control for the scores w.x_t of `FRAMES` frames, which links hold as a letter each, to the nearest tenth.

    usual: the scores it opens with. term: the key of the term that it moves in the formula.
    """

    name: str
    label: str
    usual: tuple[float, ...]
    term: str

    def read(self, text: str) -> tuple[float, ...]:
        """Reads the scores from a link. Raises ValueError, with what was expected in a few words, for any other text."""
        try:
            return self.check(letters.decode(text, -SCORE_LIMIT, SCORE_LIMIT, LETTER_STEPS))
        except ValueError:
            raise ValueError(f"{FRAMES} letters") from None

    def check(self, value: object) -> tuple[float, ...]:
        """Returns a browser's list as a tuple of floats. Raises ValueError or TypeError unless it holds `FRAMES` numbers in range."""
        scores = tuple(float(number) for number in value)
        if len(scores) != FRAMES or not all(abs(score) <= SCORE_LIMIT + 1e-9 for score in scores):
            raise ValueError(f"expected {FRAMES} numbers")
        return scores


Control = Slider | Choice | Bars
