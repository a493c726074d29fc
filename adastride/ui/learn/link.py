"""Links to a step of the lesson: ?step=4&sigma=1&stage=exp.

The settings are those of the step's controls; a control at its usual value is left out. The browser writes links
(frontend/learn/lesson.js).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adastride.lesson import STEPS, Settings
from adastride.ui.query import quoted


@dataclass(frozen=True)
class LessonLink:
    """What a link asks for.

    step: counted from 1. settings: of that step. problems: a sentence for each parameter that was wrong.
    """

    step: int
    settings: Settings
    problems: tuple[str, ...]


def parse(query: Mapping[str, str]) -> LessonLink:
    """Reads the page's query parameters. Whatever is missing or wrong gets its usual value, and what is wrong is reported as a problem."""
    problems: list[str] = []
    text = query.get("step", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= number <= len(STEPS):
        problems.append(f"This link has step = {quoted(text)}, not a number from 1 to {len(STEPS)}: the first is shown.")
        number = 1
    step = STEPS[number - 1]
    settings = step.opening_settings
    for control in step.controls if not problems else ():
        text = query.get(control.name)
        if text is None:
            continue
        try:
            settings[control.name] = control.read(text)
        except ValueError as error:
            problems.append(f"This link has {control.name} = {quoted(text)}, not {error}: left out.")
    return LessonLink(number, settings, tuple(problems))
