"""Reads links: what the query parameters of a page ask for, and a sentence for each parameter that is wrong.

Every page's link is read by a `Query`. In place of what is missing or wrong the page shows what it shows without a link.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Mapping
from typing import TypeVar

T = TypeVar("T")
LayersOf = Callable[[str | None], int]  # how many layers a checkpoint has; None: the one shown where a link names none


class Query:
    """The query parameters of a page. problems: a sentence for each parameter that was wrong, in the order of reading."""

    def __init__(self, parameters: Mapping[str, str]):
        self.parameters = parameters
        self.problems: list[str] = []

    def read(self, name: str, convert: Callable[[str], T], instead: str) -> T | None:
        """Reads a parameter. Returns None where it is missing, and also where it is wrong, which adds a sentence to `problems`.

        convert: returns the value of a text, or raises ValueError with what was expected. It should say so in a few words, for a toast
        shows a hundred letters. instead: what the page does where the parameter is wrong, such as "4 is used".
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
        """Reads one of the known names. A link that was made with a person's own file can't carry it, which adds to `problems`."""
        text = self.parameters.get(name, "")
        if text.startswith("upload:"):
            self.problems.append(f"This link was made with the {name} file {quoted(text[7:])}: upload it to see the same.")
            return None
        return self.read(name, one_of(known, expected), instead)

    def clip(self, clips: Container[str]) -> str | None:
        """Reads the name of a bundled clip."""
        return self._file_or("clip", clips, "a clip here", "the first sample is shown")

    def picture(self, pictures: Container[str]) -> str | None:
        """Reads the name of a bundled picture."""
        return self._file_or("picture", pictures, "a picture here", "the first one is shown")

    def checkpoint(self, checkpoints: Container[str]) -> str | None:
        """Reads the name of a shipped checkpoint."""
        return self._file_or("checkpoint", checkpoints, "here", "the usual one is used")

    def checkpoints(self, name: str, checkpoints: Container[str], most: int) -> tuple[str, ...]:
        """Reads names of shipped checkpoints, with commas between them; each that is not here is left out, which adds to `problems`.

        most: how many of them count.
        """
        found: dict[str, None] = {}
        for text in self.parameters.get(name, "").split(",")[:most]:
            if text.startswith("upload:"):
                self.problems.append(f"This link was made with the checkpoint file {quoted(text[7:])}: upload it to see the same.")
            elif text in checkpoints:
                found[text] = None
            elif text:
                self.problems.append(f"This link has {name} = {quoted(text)}, which is not here: it is left out.")
        return tuple(found)


def one_of(choices: Container[str], expected: str) -> Callable[[str], str]:
    """Makes a converter for `Query.read` that takes one of the choices. expected: what it says was expected otherwise."""

    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(expected)
        return text

    return convert


def number(limits: tuple[float, float]) -> Callable[[str], float]:
    """Makes a converter for `Query.read` that takes a number from the lower to the upper limit."""

    def convert(text: str) -> float:
        low, high = limits
        expected = f"a number from {low:g} to {high:g}" if high < math.inf else f"a number of at least {low:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        if not limits[0] <= value <= limits[1]:
            raise ValueError(expected)
        return value

    return convert


def for_layers(convert: Callable[[str], T], layers: int) -> Callable[[str], list[T | None]]:
    """Makes a converter for `Query.read` that takes a value for each layer, lowest first, or one for all layers.

    convert: the converter of one value. An empty value becomes None, which stands for as trained.
    """

    def convert_all(text: str) -> list[T | None]:
        values = [convert(part) if part else None for part in text.split(",")]
        if not text or len(values) not in (1, layers):
            raise ValueError(f"one value or {layers}" if layers > 1 else "one value")
        return values * layers if len(values) == 1 else values

    return convert_all


def quoted(text: str) -> str:
    """Quotes a text from a link for a toast: cut to 20 letters, and without anything that Markdown would act on."""
    plain = "".join(c if c.isalnum() or c in " .-_,+" else "?" for c in text)
    plain = re.sub(r"(?i)(?<=www)\.", "?", plain)
    return f"“{plain[:20]}{'…' if len(plain) > 20 else ''}”"
