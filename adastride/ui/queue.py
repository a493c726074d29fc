"""Turns for long work, so that a server with many visitors does a few things at a time and everybody knows where they stand.

Two 10-minute clips at once would only slow each other down and double the memory. So what takes seconds (long clips, sweeps, many
clips, decoding of long recordings) takes a turn of `LONG`, and whoever has to wait reads how many are before them. Short work, such
as an answer to somebody who drags on a short clip, takes no turn and never waits. A turn belongs to a `with` block, and what ends the
block gives it back: an error, or Streamlit, which stops a script by raising in its thread at the next call into it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

Key, Value = TypeVar("Key"), TypeVar("Value")
SHORT_SECONDS = 30.0  # of sound: work on clips up to this long takes no turn
MOST_WAITING = 30
_LOOK = 0.5  # seconds between two looks at whether a waiting script was stopped
_REPLACED = "a newer request of the same visitor has taken the place of this one"
_FAIR_SECONDS = 3.0  # after which work that can pause lets others go before it


class Busy(Exception):
    """There is no room in the line any more; the message is one sentence for people."""


class Replaced(Exception):
    """The same person has asked for the same thing again, or is gone, so nobody waits for this any more."""


@dataclass(eq=False)
class Turn:
    """A place in a line, and later the turn itself.

    session: whose it is. request: of a session's requests of one name the newest counts. tell, began: see `Line.turn`; seconds of the
    monotonic clock. replaced: whether a newer request has taken its place.
    """

    session: Hashable
    request: str
    line: Line
    tell: Callable[[int | None], None]
    began: float = 0.0
    replaced: bool = False

    def give_way(self, after: float = _FAIR_SECONDS) -> None:
        """Lets those who wait go first, where the turn has lasted for `after` seconds, and waits for the next one.

        Raises Replaced where nobody waits for this work any more.
        """
        self.line.give_way(self, after)


class Line:
    """People who wait for a turn, first come first served.

    places: how many turns there are at once; a session has one of them at the most. most_waiting: how many may wait.
    """

    def __init__(self, places: int, most_waiting: int = MOST_WAITING) -> None:
        self._places, self._most_waiting = places, most_waiting
        self._waiting: list[Turn] = []
        self._working: list[Turn] = []
        self._changed = threading.Condition()
        self._mine = threading.local()

    @contextmanager
    def turn(self, session: Hashable, request: str = "", tell: Callable[[int | None], None] = lambda before: None) -> Iterator[Turn]:
        """A turn for the length of the block. Inside of a turn of the same thread it is that one.

        tell: is told twice a second how many others are before this one, while it waits, and None when that is over; what it raises
        ends the waiting. Raises Busy where too many wait, Replaced where the session has asked for the same again while this waited.
        """
        outer = getattr(self._mine, "turn", None)
        if outer is not None:
            yield outer
            return
        turn = Turn(session, request, self, tell)
        try:
            with self._changed:
                self._join(turn)
            self._wait(turn)
            self._mine.turn = turn
            yield turn
        finally:
            self._mine.turn = None
            self._leave(turn)

    def give_way(self, turn: Turn, after: float) -> None:
        """See `Turn.give_way`."""
        with self._changed:
            if any((other.session, other.request) == (turn.session, turn.request) for other in self._waiting):
                raise Replaced(_REPLACED)
            if time.monotonic() < turn.began + after or not any(other.session != turn.session for other in self._waiting):
                return
            self._working.remove(turn)
            self._waiting.append(turn)
            self._changed.notify_all()
        self._wait(turn)

    def _join(self, turn: Turn) -> None:
        """Takes the last place in the line; a waiting request of the same session and name leaves it."""
        for other in [each for each in self._waiting if (each.session, each.request) == (turn.session, turn.request)]:
            other.replaced = True
            self._waiting.remove(other)
            self._changed.notify_all()
        if len(self._waiting) >= self._most_waiting:
            raise Busy(f"The server is busy with {len(self._waiting) + len(self._working)} others: try again in a minute.")
        self._waiting.append(turn)

    def _wait(self, turn: Turn) -> None:
        """Waits until a turn in the line has moved to those at work."""
        told = False
        while (before := self._moved(turn)) is not None:
            told = True
            turn.tell(before)  # without the lock: it may take a while
            with self._changed:
                if not turn.replaced and turn is not self._next():
                    self._changed.wait(_LOOK)
        if told:
            turn.tell(None)

    def _moved(self, turn: Turn) -> int | None:
        """Begins a turn whose time has come and returns None, or else how many others are before it."""
        with self._changed:
            if turn.replaced:
                raise Replaced(_REPLACED)
            if turn is self._next():
                self._waiting.remove(turn)
                self._working.append(turn)
                turn.began = time.monotonic()
                self._changed.notify_all()  # there may be a place for the next one, too
                return None
            before = self._working + self._waiting[: self._waiting.index(turn)]
            return sum(other.session != turn.session for other in before)

    def _next(self) -> Turn | None:
        """Whose turn it is; None where there is no free place or nobody to take it."""
        if len(self._working) >= self._places:
            return None
        at_work = {turn.session for turn in self._working}
        return next((turn for turn in self._waiting if turn.session not in at_work), None)

    def _leave(self, turn: Turn) -> None:
        with self._changed:
            for turns in (self._waiting, self._working):
                if turn in turns:
                    turns.remove(turn)
            self._changed.notify_all()


# Heavy work of all sessions: one at a time on two cores, because the short work needs the other.
LONG = Line(places=max(1, min(3, (os.cpu_count() or 1) // 3)))
# Files of short clips, which take a second: without it a whole class that presses a button would take every core from those who drag.
FILES = Line(places=1)


def waiting_sentence(before: int) -> str:
    """What a person reads who waits behind so many others."""
    if before == 0:
        return "Waiting for your last request to end …"
    return f"Waiting for {before} {'other' if before == 1 else 'others'} before you …"


@contextmanager
def turn() -> Iterator[Turn]:
    """A turn of `LONG` for the session whose page runs; while it waits, the page says where it stands. Raises Busy.

    Inside of another turn it is that one. A page that was asked to run again, or whose visitor has left, ends here.
    """
    context = get_script_run_ctx()
    if context is None:  # not a page: nobody reads along
        with LONG.turn(threading.get_ident()) as taken:
            yield taken
        return
    place = st.empty()  # before it is known whether it is needed, so that what comes after it keeps its place

    def tell(before: int | None) -> None:
        if before is None:
            place.empty()
        else:
            place.caption(waiting_sentence(before))  # a call into Streamlit, which ends a stopped script here

    try:
        with LONG.turn(context.session_id, "page", tell) as taken:
            yield taken
    except Replaced:
        st.stop()


@contextmanager
def page_turn() -> Iterator[Turn]:
    """`turn` for a page that has nothing to show without it: where too many wait, the page says so and ends."""
    try:
        with turn() as taken:
            yield taken
    except Busy as busy:
        show_busy(busy)
        st.stop()


def show_busy(busy: Busy) -> None:
    """Says on the page that the line is full."""
    st.error(str(busy), icon=":material/hourglass_disabled:")


def known_or_in_a_turn(known: MutableMapping[Key, Value], key: Key, make: Callable[[], Value], long: bool = True) -> Value:
    """What is known by a key, or else what `make` gives, in a turn where that is `long`; then it is known, too.

    `make` may look into a cache, but the turn has to be around it: who computes for Streamlit's cache holds up those who want the same,
    and one of them might have the turn. Where too many wait for one, the page says so and ends.
    """
    value = known.get(key)
    if value is None:
        with page_turn() if long else nullcontext():
            value = known[key] = make()
    return value


def in_line(make: Callable[[], bytes | str], name: str, seconds: float) -> Callable[[], bytes | str]:
    """The same function for a download button, which calls it outside of the session's script: it waits for its turn first.

    name: of the file; a second press on the same button takes the place of the first one that waits. seconds: of the clip.
    """
    context = get_script_run_ctx()
    session = context.session_id if context else None

    def still_there(before: int | None) -> None:
        if session is not None and runtime.exists() and not runtime.get_instance().is_active_session(session):
            raise Replaced("the visitor has left")

    def made() -> bytes | str:
        with (LONG if seconds > SHORT_SECONDS else FILES).turn(session or threading.get_ident(), name, still_there):
            return make()

    return made
