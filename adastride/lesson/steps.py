"""Defines a step of the lesson: words, a formula with named terms, a question, and the controls of its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adastride.lesson.controls import Control, Settings


@dataclass(frozen=True)
class Term:
    """A part of a formula. latex: how it is written. meaning: a short sentence that is shown while the term is in play."""

    latex: str
    meaning: str


@dataclass(frozen=True)
class Step:
    """One step of the lesson.

    key: its name in the code. formula: lines of LaTeX, with «name» where the term of that name goes. terms: by name; the first one is
    in play at the start. controls: of its picture. live: whether the picture needs the server for every change.
    """

    key: str
    title: str
    prose: str
    formula: tuple[str, ...]
    terms: Mapping[str, Term]
    controls: tuple[Control, ...]
    question: str
    answer: str
    live: bool = False

    @property
    def opening_settings(self) -> Settings:
        """The settings that the step opens with, by the name of the control."""
        return {control.name: control.usual for control in self.controls}

    def check(self, settings: Mapping[str, object]) -> Settings:
        """Returns a browser's settings. Raises KeyError, TypeError or ValueError where one is missing or out of range."""
        return {control.name: control.check(settings[control.name]) for control in self.controls}

    def latex(self, in_play: str, colour: str) -> str:
        """The formula with the term `in_play` underlined and in a colour. An unknown name stands for the first term.

        >>> step = Step("why", "Why?", "Because.", ("«s» + «t»",), {"s": Term("s", "One."), "t": Term("t", "Two.")}, (), "?", ".")
        >>> step.latex("t", "red")
        '\\\\begin{gathered} {s} + {\\\\textcolor{red}{\\\\underline{t}}} \\\\end{gathered}'
        """
        in_play = in_play if in_play in self.terms else next(iter(self.terms))
        text = r" \\[0.7em] ".join(self.formula)
        for name, term in self.terms.items():
            latex = rf"\textcolor{{{colour}}}{{\underline{{{term.latex}}}}}" if name == in_play else term.latex
            text = text.replace(f"«{name}»", f"{{{latex}}}")
        return rf"\begin{{gathered}} {text} \end{{gathered}}"
