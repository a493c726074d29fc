"""Reads CIFAR's batches for Python, which Python 2 and NumPy pickled, without unpickling them.

Unpickling runs whatever a file says. Here its instructions are taken apart by pickletools, and carried out by a machine that knows
dictionaries, lists, tuples, texts, whole numbers and one thing more: an array of bytes as NumPy wrote it (numpy.core.multiarray,
_reconstruct). Any other instruction is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any

import numpy as np

from adastride.wording import one_line

MAX_INSTRUCTIONS = 2_000_000  # CIFAR-100's 50 000 images take 220 000
_LONG_TEXT = 256
_GLOBALS = {"numpy.core.multiarray _reconstruct": "_reconstruct", "numpy ndarray": "ndarray", "numpy dtype": "dtype"}
# What NumPy says of every array of bytes: how an empty one is made, and what its type is.
_EMPTY_ARRAY = ("ndarray", (0,), "b")
_BYTE, _BYTE_STATE = ("u1", 0, 1), (3, "|", None, None, None, -1, -1, 0)
_MARK = object()


class BatchError(ValueError):
    """A file that is no such batch; the message is the end of a sentence that begins with its name, without a full stop."""


class _Global:
    """One of the three names that are known."""

    def __init__(self, name: str):
        self.name = name


class _Made:
    """What a call of one of them has made: an array of bytes, or the type of its elements."""

    def __init__(self, kind: str):
        self.kind = kind
        self.complete = False
        self.array: np.ndarray = np.zeros(0, np.uint8)


def read_batch(data: bytes) -> dict[str, Any]:
    """The dictionary that a file holds: texts, whole numbers, lists of them, and arrays of uint8, which are views of `data`.

    Raises BatchError for a file that is damaged or holds anything else.
    """
    try:
        value = _Machine(data).run(_instructions(data))
    except BatchError:
        raise
    # pickletools raises ValueError and others where instructions can't be taken apart; a stack or a memo without what is asked for
    # is a LookupError, a list in the place of a name a TypeError, and a side of more than 2⁶³ an ArithmeticError.
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise BatchError(f"is damaged ({one_line(error).rstrip('.')}): unpack the archive again") from None
    if not isinstance(value, dict):
        raise BatchError("holds no dictionary: it is none of CIFAR's files")
    return {name: each.array if isinstance(each, _Made) and each.complete else each for name, each in value.items()}


def _instructions(data: bytes) -> Iterator[tuple[str, Any, int]]:
    """Name, argument and place of each instruction."""
    for number, (operation, argument, place) in enumerate(pickletools.genops(data)):
        if number == MAX_INSTRUCTIONS:
            raise BatchError(f"holds more than {MAX_INSTRUCTIONS:,} values: it is none of CIFAR's files")
        yield operation.name, argument, place or 0


class _Machine:
    """Carries out instructions: a stack, and a memo of what was on it."""

    def __init__(self, data: bytes):
        self.data = data
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, instructions: Iterator[tuple[str, Any, int]]) -> Any:
        for name, argument, place in instructions:
            if name == "STOP":
                return self.stack.pop()
            if name in ("BININT", "BININT1", "BININT2", "LONG1", "SHORT_BINSTRING"):
                self.stack.append(argument)
            elif name == "BINSTRING":
                # A long one is the bytes of an array; they are not copied.
                begin = place + 5
                long = len(argument) >= _LONG_TEXT
                self.stack.append(memoryview(self.data)[begin : begin + len(argument)] if long else argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in ("EMPTY_LIST", "EMPTY_DICT"):
                self.stack.append([] if name == "EMPTY_LIST" else {})
            elif name in ("BINPUT", "LONG_BINPUT"):
                self.memo[argument] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name == "TUPLE":
                self.stack.append(tuple(self._since_mark()))
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                self.stack.append(tuple(self._taken(int(name[-1]))))
            elif name in ("APPEND", "APPENDS"):
                values = self._taken(1) if name == "APPEND" else self._since_mark()
                self._top(list).extend(values)
            elif name in ("SETITEM", "SETITEMS"):
                values = self._taken(2) if name == "SETITEM" else self._since_mark()
                self._top(dict).update(zip(map(_name, values[::2]), values[1::2], strict=True))
            elif name == "GLOBAL":
                if argument not in _GLOBALS:
                    said = one_line(argument.replace(" ", "."), 60)
                    raise BatchError(f"names {said}, which is none of CIFAR's numbers and texts: don't use it, and get the archive again")
                self.stack.append(_Global(_GLOBALS[argument]))
            elif name == "REDUCE":
                called, values = self._taken(2)
                self.stack.append(_called(called, values))
            elif name == "BUILD":
                (state,) = self._taken(1)
                self._build(self._top(_Made), state)
            elif name != "PROTO":
                raise BatchError(f"has the instruction {name}, which is in none of CIFAR's files: don't use it, and get the archive again")
        raise BatchError("breaks off before its end: unpack the archive again")

    def _taken(self, count: int) -> list[Any]:
        """The uppermost values, taken from the stack."""
        if len(self.stack) < count:
            raise IndexError("a value is missing")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        """The values above the uppermost mark, taken from the stack with it."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                values = self.stack[place + 1 :]
                del self.stack[place:]
                return values
        raise IndexError("a mark is missing")

    def _top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise TypeError(f"a {kind.__name__.strip('_').lower()} is missing")
        return self.stack[-1]

    @staticmethod
    def _build(made: _Made, state: object) -> None:
        """Fills in what was made: the state of a type, or shape, type, order and bytes of an array."""
        if made.kind == "dtype" and _plain(state) == _BYTE_STATE:
            made.complete = True
            return
        if made.kind != "_reconstruct" or not isinstance(state, tuple) or len(state) != 5:
            raise BatchError("holds an array that is not of bytes: it is none of CIFAR's files")
        version, shape, kind, fortran, content = state
        fits = version == 1 and fortran is False and isinstance(kind, _Made) and kind.kind == "dtype" and kind.complete
        if not fits or not isinstance(shape, tuple) or not all(type(length) is int and length >= 0 for length in shape):
            raise BatchError("holds an array that is not of bytes: it is none of CIFAR's files")
        stored = np.frombuffer(content.encode("latin-1") if isinstance(content, str) else content, np.uint8)
        made.array, made.complete = stored.reshape(shape), True


_CONSTANTS = {"MARK": _MARK, "NONE": None, "NEWTRUE": True, "NEWFALSE": False}


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a name is no text")
    return value


def _plain(value: object) -> object:
    """A tuple of the type that is compared, with names in the place of what they stand for."""
    return tuple(each.name if isinstance(each, _Global) else each for each in value) if isinstance(value, tuple) else value


def _called(called: object, values: object) -> _Made:
    """What one of the known names makes of its arguments."""
    if isinstance(called, _Global) and (called.name, _plain(values)) in (("_reconstruct", _EMPTY_ARRAY), ("dtype", _BYTE)):
        return _Made(called.name)
    raise BatchError("holds an array that is not of bytes: it is none of CIFAR's files")
