"""What a step of the lesson is: words, a formula with named terms, a question, and the controls of its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adastride.lesson.controls import Control, Settings


@dataclass(frozen=True)
class Term:
    """A part of a formula. latex: as it is written. meaning: a short sentence for when it is in play."""

    latex: str
    meaning: str


@dataclass(frozen=True)
class Step:
    """One step of the lesson. formula: LaTeX lines with «name» where a term goes; the first term is in play at the start.

    live: its picture needs the server for every change.
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
        """What the step opens with."""
        return {control.name: control.usual for control in self.controls}

    def check(self, settings: Mapping[str, object]) -> Settings:
        """A browser's settings; KeyError, TypeError or ValueError where one is missing or can't be."""
        return {control.name: control.check(settings[control.name]) for control in self.controls}

    def latex(self, in_play: str, colour: str) -> str:
        """The formula, the term `in_play` in a colour and underlined (an unknown one: the first).

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
