"""Reading links: what a page's query parameters say, and a sentence for each thing that they get wrong.

Every page's link is read by a `Query`. What is missing or wrong falls back to what the page shows anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import TypeVar

T = TypeVar("T")
LayersOf = Callable[[str | None], int]  # how many layers a checkpoint has; None: the one shown where a link names none


class Query:
    """A page's query parameters. problems: a sentence for each parameter that was wrong, in the order they were read."""

    def __init__(self, parameters: Mapping[str, str]):
        self.parameters = parameters
        self.problems: list[str] = []

    def read(self, name: str, convert: Callable[[str], T], instead: str) -> T | None:
        """What `convert` makes of a parameter; None where it is missing or, with a problem told, wrong.

        convert raises ValueError with what was expected, in a few words: a toast shows a hundred letters. instead: what
        the page does then, "4 is used".
        """
        text = self.parameters.get(name)
        if text is None:
            return None
        try:
            return convert(text)
        except (ValueError, OverflowError) as error:
            self.problems.append(f"This link has {name} = {quoted(text)}, not {error}: {instead}.")
            return None

    def _file_or(self, name: str, known: Container[str], expected: str, instead: str) -> str | None:
        """One of the known names; a link that was made with a person's own file says so, and can't carry it."""
        text = self.parameters.get(name, "")
        if text.startswith("upload:"):
            self.problems.append(f"This link was made with the {name} file {quoted(text[7:])}: upload it to see the same.")
            return None
        return self.read(name, one_of(known, expected), instead)

    def clip(self, clips: Container[str]) -> str | None:
        """The name of a bundled clip."""
        return self._file_or("clip", clips, "a clip here", "the first sample is shown")

    def checkpoint(self, checkpoints: Container[str]) -> str | None:
        """The name of a shipped checkpoint."""
        return self._file_or("checkpoint", checkpoints, "here", "the usual one is used")


def one_of(choices: Container[str], expected: str) -> Callable[[str], str]:
    """A converter for `Query.read`: one of the choices."""

    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(expected)
        return text

    return convert


def number(limits: tuple[float, float]) -> Callable[[str], float]:
    """A converter for `Query.read`: a number from the lower to the upper limit."""

    def convert(text: str) -> float:
        expected = f"a number from {limits[0]:g} to {limits[1]:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        if not limits[0] <= value <= limits[1]:
            raise ValueError(expected)
        return value

    return convert


def for_layers(convert: Callable[[str], T], layers: int) -> Callable[[str], list[T | None]]:
    """A converter for `Query.read`: a value for each layer, lowest first, or one for all; an empty one stands for as trained."""

    def convert_all(text: str) -> list[T | None]:
        values = [convert(part) if part else None for part in text.split(",")]
        if not text or len(values) not in (1, layers):
            raise ValueError(f"one value or {layers}" if layers > 1 else "one value")
        return values * layers if len(values) == 1 else values

    return convert_all


def quoted(text: str) -> str:
    """Somebody else's text, short (a toast cuts what is longer than about 100 letters) and with nothing Markdown acts on."""
    plain = "".join(c if c.isalnum() or c in " .-_,+" else "?" for c in text)
    plain = re.sub(r"(?i)(?<=www)\.", "?", plain)
    return f"“{plain[:20]}{'…' if len(plain) > 20 else ''}”"
