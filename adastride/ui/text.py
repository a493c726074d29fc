"""Makes texts of other people safe to show on a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from adastride.wording import visible

_JOINER = "\N{WORD JOINER}"  # has no width, and nothing can be broken at it
_LONGEST_UNBROKEN = 30  # letters of a cell that stays on one line
_ESCAPED = r"[\\`*_\[\]$~|<>^]|&(?=[#\w])"
_AT_THE_START = r"(?:^|(?<=\n))[ \t]*(?:[-+=#]|\d+(?=[.)]))"
# Addresses, icons, arrows and dashes are looked for in what has been read already, where a backslash is no more.
_IN_BETWEEN = r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?<=@)(?=\S)|(?<=[-<>=~+])(?=[-<>=~+])"
_ACTED_ON = re.compile(f"(?P<between>{_IN_BETWEEN})|(?P<escaped>{_ESCAPED})|(?P<start>{_AT_THE_START})", re.IGNORECASE)


def plain(text: str) -> str:
    """Text for st.markdown, st.error and the like, so that it is shown as it is.

    A backslash goes before whatever Markdown would act on, and a joiner, which nobody sees, into what Streamlit would turn into a
    link, an icon, an arrow or a dash. Letters that would reverse what follows are replaced by a mark.
    """
    return _ACTED_ON.sub(_defused, visible(text))


def bullets(sentences: Iterable[str]) -> str:
    """A list in Markdown. No line is broken between a number and its per cent sign."""
    return "\n".join(f"- {sentence}" for sentence in sentences).replace(" %", "\N{NO-BREAK SPACE}%")


def unbroken_cells(rows: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Rows of a table whose short cells stay on one line: browsers break at blanks and behind dashes."""
    return [{column: _together(text) if 1 < len(text) <= _LONGEST_UNBROKEN else text for column, text in row.items()} for row in rows]


def _together(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace("–", f"–{_JOINER}")


def _defused(found: re.Match[str]) -> str:
    part = found.group()
    if found["between"] is not None:
        return _JOINER
    if found["start"] is not None:  # a list, a rule or a heading; indented by four, a program
        return part.strip() + _JOINER if part.strip().isdigit() else f"\\{part.strip()}"
    return f"\\{part}"
