"""Links that restore a clip, a checkpoint and settings: ?clip=seven&checkpoint=digits-adastride&sigma=0.4,0.4,1&stride=3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adastride.downsampling import LayerSettings
from adastride.downsampling.base import VARIANTS
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE


@dataclass(frozen=True)
class Link:
    """What a link asks for; None where it says nothing usable. settings: one for each layer of its network. problems: a
    sentence for each thing it got wrong."""

    clip: str | None
    checkpoint: str | None
    settings: tuple[LayerSettings, ...]
    problems: tuple[str, ...]


def parse(query: Mapping[str, str], clips: Mapping, checkpoints: Mapping, layers_of: Callable[[str | None], int]) -> Link:
    """Reads a page's query parameters. What is missing or wrong falls back to the default and is reported.

    layers_of: how many layers a checkpoint of a name has; None stands for the one that is shown where a link names none.
    """
    problems: list[str] = []

    def known(name: str, choices: Mapping, what: str, instead: str) -> str | None:
        value = query.get(name)
        if value is None or value in choices:
            return value
        if value.startswith("upload:"):
            problems.append(f"This link was made with the {what} file {quoted(value[7:])}: upload it to see the same.")
        else:
            problems.append(f"This link's {what} {quoted(value)} is not here: {instead} is shown.")
        return None

    def numbers(name: str, lowest: float, highest: float) -> list[float | None]:
        def one(text: str) -> float:
            value = float(text)
            if not lowest <= value <= highest:
                raise ValueError
            return value

        return listed(name, one, f"a number from {lowest:g} to {highest:g}")

    def listed(name: str, read, expected: str) -> list:
        text = query.get(name)
        if text is None:
            return [None] * layers
        parts = text.split(",")
        try:
            values = [read(part) if part else None for part in parts] if text else []
        except ValueError:
            values = []
        if len(values) not in (1, layers):
            problems.append(f"This link's {name} {quoted(text)} is not {expected}: the trained one is used.")
            return [None] * layers
        return values * layers if len(values) == 1 else values

    def variant(text: str) -> str:
        if text not in VARIANTS:
            raise ValueError
        return text

    clip = known("clip", clips, "clip", "the first sample")
    checkpoint = known("checkpoint", checkpoints, "checkpoint", "the usual one")
    layers = layers_of(checkpoint)
    settings = zip(numbers("sigma", *SIGMA_RANGE), numbers("stride", *STRIDE_RANGE), listed("variant", variant, " or ".join(VARIANTS)), strict=True)
    return Link(clip, checkpoint, tuple(LayerSettings(*each) for each in settings), tuple(problems))


def quoted(text: str) -> str:
    """Somebody else's text, short (a toast cuts what is longer than about 100 letters) and with nothing Markdown acts on."""
    plain = "".join(c if c.isalnum() or c in " .-_,+" else "?" for c in text).replace("www.", "www?")
    return f"“{plain[:20]}{'…' if len(plain) > 20 else ''}”"
