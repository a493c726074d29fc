"""What a person can move in a step: sliders, choices and bars. Each reads itself from a link and checks what a browser sends."""

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
    """A number. unit: what stands behind it. step: of its arrow keys, in log10 where `log`. term: what it moves in the formula.

    whole: only whole numbers.
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
        """The number a link's text means; ValueError, in a few words, for anything else."""
        try:
            return self.check(float(text))
        except ValueError:
            raise ValueError(f"a number from {self.low:g} to {self.high:g}") from None

    def check(self, value: object) -> float:
        """A browser's value as a float in range; ValueError or TypeError for anything else."""
        value = float(value)
        if not self.low <= value <= self.high:
            raise ValueError(f"expected {self.low:g} to {self.high:g}, got {value:g}")
        return float(round(value)) if self.whole else value


@dataclass(frozen=True)
class Choice:
    """One of a few. options: what each is called, by its name in links."""

    name: str
    label: str
    options: Mapping[str, str]
    usual: str
    term: str

    def read(self, text: str) -> str:
        return self.check(text)

    def check(self, value: object) -> str:
        """The value itself; ValueError, in a few words, if it is no option."""
        if value not in self.options:
            raise ValueError(" or ".join(self.options))
        return str(value)


@dataclass(frozen=True)
class Bars:
    """A score w.x_t for each of `FRAMES` frames; in links a letter each, to the nearest tenth."""

    name: str
    label: str
    usual: tuple[float, ...]
    term: str

    def read(self, text: str) -> tuple[float, ...]:
        try:
            return self.check(letters.decode(text, -SCORE_LIMIT, SCORE_LIMIT, LETTER_STEPS))
        except ValueError:
            raise ValueError(f"{FRAMES} letters") from None

    def check(self, value: object) -> tuple[float, ...]:
        """A browser's list as a tuple of floats; ValueError or TypeError for anything but `FRAMES` numbers in range."""
        scores = tuple(float(number) for number in value)
        if len(scores) != FRAMES or not all(abs(score) <= SCORE_LIMIT + 1e-9 for score in scores):
            raise ValueError(f"expected {FRAMES} numbers")
        return scores


Control = Slider | Choice | Bars
