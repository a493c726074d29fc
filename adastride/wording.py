"""Words in a sentence: other people's names of files, labels, what a library says of a broken file; articles; plurals."""

from __future__ import annotations

import unicodedata

# What turns the direction of the text that follows: marks, embeddings, overrides and isolates.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MARK = "\N{REPLACEMENT CHARACTER}"
_LONGEST = 120


def visible(text: str) -> str:
    """A text with a mark in the place of each letter that would steer a terminal, reverse what follows, or can't be written. Lines
    stay."""
    return "".join(letter if letter == "\n" or _harmless(letter) else _MARK for letter in text)


def _harmless(letter: str) -> bool:
    return letter not in _BIDI and unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")


def one_line(text: object, most: int = _LONGEST) -> str:
    """A text as a sentence can carry it: at most `most` letters on one line, and `visible`.

    >>> one_line("a" + chr(0x202e) + "vaw.exe" + chr(10) + "rm")
    'a�vaw.exe�rm'
    """
    shown = visible(str(text)[: most + 1]).replace("\n", _MARK)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def with_article(name: str) -> str:
    """A name with its indefinite article.

    >>> with_article("audio-transformer"), with_article("codec")
    ('an audio-transformer', 'a codec')
    """
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def counted(count: int, noun: str) -> str:
    """A number of things, of which more than one is told by an s.

    >>> counted(1, "code"), counted(0, "code")
    ('1 code', '0 codes')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
