"""Turns for long work: the order, what those who wait are told, and that no turn is ever lost."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from adastride import audio
from adastride.audio import Waveform
from adastride.ui import live, queue, resources
from adastride.ui.queue import Busy, Line, Replaced, Turn, in_line, waiting_sentence


def until(true: Callable[[], bool]) -> None:
    """Waits for something to become true, ten seconds at the most."""
    last = time.monotonic() + 10
    while not true():
        assert time.monotonic() < last
        time.sleep(0.005)


class Person(threading.Thread):
    """Somebody who takes a turn and keeps it until `go_on` is set. told: what they were told. ended_with: the error that ended it."""

    def __init__(self, line: Line, session: object, request: str = "", stopped: Callable[[], None] = lambda: None) -> None:
        super().__init__(daemon=True)
        self.line, self.session, self.request, self._stopped = line, session, request, stopped
        self.go_on, self.pause, self.has_turn = threading.Event(), threading.Event(), threading.Event()
        self.told: list[int | None] = []
        self.turn: Turn | None = None
        self.ended_with: BaseException | None = None
        self.start()

    def tell(self, before: int | None) -> None:
        self.told.append(before)
        self._stopped()

    def run(self) -> None:
        try:
            with self.line.turn(self.session, self.request, self.tell) as self.turn:
                self.has_turn.set()
                while not self.go_on.wait(0.005):
                    if self.pause.is_set():
                        self.has_turn.clear()
                        self.turn.give_way(after=0.0)
                        self.pause.clear()
                        self.has_turn.set()
        except BaseException as error:
            self.ended_with = error

    def waits(self) -> Person:
        until(lambda: bool(self.told))
        return self

    def works(self) -> Person:
        assert self.has_turn.wait(10)
        return self

    def ends(self) -> Person:
        self.go_on.set()
        self.join(10)
        assert not self.is_alive()
        return self


@contextmanager
def free(line: Line) -> Iterator[None]:
    """Afterwards the line must give a turn to whoever comes."""
    yield
    Person(line, "afterwards").works().ends()


def test_first_come_first_served_and_everybody_knows_where_they_stand():
    line = Line(1)
    with free(line):
        people = [Person(line, 0).works()]
        people += [Person(line, number).waits() for number in range(1, 4)]
        assert [person.told[0] for person in people[1:]] == [1, 2, 3]
        for current, following in itertools.pairwise(people):
            assert not following.has_turn.is_set()
            until(lambda last=people[-1], left=people[-1].session - current.session: last.told[-1] == left)
            current.ends()
            following.works()
        people[-1].ends()
        assert list(dict.fromkeys(people[-1].told)) == [3, 2, 1, None]
        assert people[0].told == []


def test_as_many_at_once_as_there_are_places():
    line = Line(2)
    with free(line):
        first, second = Person(line, 1).works(), Person(line, 2).works()
        third = Person(line, 3).waits()
        assert third.told[0] == 2
        second.ends()
        third.works().ends()
        first.ends()


def test_a_session_has_one_turn_at_the_most():
    """And those behind it need not wait for that."""
    line = Line(2)
    with free(line):
        old, new, other = Person(line, "a").works(), Person(line, "a").waits(), Person(line, "b")
        assert new.told[0] == 0
        other.works()
        assert not new.has_turn.is_set()
        old.ends()
        new.works().ends()
        other.ends()


def test_a_newer_request_of_a_session_takes_the_place_of_the_one_that_waits():
    line = Line(1)
    with free(line):
        first, old = Person(line, "a").works(), Person(line, "b", "page").waits()
        file = Person(line, "b", "a file").waits()
        new = Person(line, "b", "page").waits()
        until(lambda: isinstance(old.ended_with, Replaced))
        assert file.ended_with is None
        first.ends()
        file.works().ends()
        new.works().ends()


def test_who_is_stopped_while_waiting_leaves_the_line():
    class Stop(BaseException):
        pass

    stop = threading.Event()

    def stopped() -> None:
        if stop.is_set():
            raise Stop

    line = Line(1)
    with free(line):
        first, leaving, last = Person(line, 1).works(), Person(line, 2, stopped=stopped).waits(), Person(line, 3).waits()
        stop.set()
        until(lambda: isinstance(leaving.ended_with, Stop))
        until(lambda: last.told[-1] == 1)
        first.ends()
        last.works().ends()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_gives_the_turn_back(error: type[BaseException]):
    line = Line(1)
    with free(line), pytest.raises(error), line.turn("a"):
        raise error


def test_a_turn_inside_of_a_turn_is_the_same():
    """Also while others wait, and the inner end does not end it."""
    line = Line(1)
    with free(line), line.turn("a") as outer:
        other = Person(line, "b").waits()
        with line.turn("a") as inner, line.turn("another") as innermost:
            assert inner is outer is innermost
        assert not other.has_turn.wait(0.05)
        threading.Timer(0.1, other.go_on.set).start()
        inner.give_way(after=0.0)  # only when the other has had its turn
        assert other.has_turn.is_set()


def test_no_more_wait_than_there_is_room_for():
    line = Line(1, most_waiting=2)
    with free(line):
        people = [Person(line, 0).works(), Person(line, 1).waits(), Person(line, 2).waits()]
        with pytest.raises(Busy, match=r"^The server is busy with 3 others: try again in a minute\.$"), line.turn(3):
            pass
        again = Person(line, 2).waits()  # takes a place that was taken already
        people[0].ends()
        people[1].works().ends()
        again.works().ends()


def test_giving_way():
    line = Line(1)
    with free(line):
        long, short = Person(line, "long").works(), Person(line, "short").waits()
        long.pause.set()
        short.works()
        assert not long.has_turn.is_set()
        short.ends()
        long.works()
        assert long.told[-1] is None
        long.pause.set()  # nobody is there to give way to
        until(lambda: not long.pause.is_set())
        long.ends()


def test_nobody_gives_way_early():
    line = Line(1)
    with free(line), line.turn("a") as turn:
        other = Person(line, "b").waits()
        turn.give_way(after=60.0)
        assert not other.has_turn.is_set()
        other.go_on.set()


def test_old_work_of_a_session_ends_where_it_could_pause():
    line = Line(1)
    with free(line):
        old, new = Person(line, "a").works(), Person(line, "a").waits()
        old.pause.set()
        new.works().ends()
        assert isinstance(old.ended_with, Replaced)


def test_many_come_and_go_and_none_is_lost():
    line, at_work, most = Line(2), 0, 0
    lock, done = threading.Lock(), []

    def visit(number: int) -> None:
        nonlocal at_work, most
        with line.turn(number) as turn:
            for _ in range(3):
                with lock:
                    at_work += 1
                    most = max(most, at_work)
                time.sleep(0.001)
                with lock:
                    at_work -= 1
                turn.give_way(after=0.0)
            done.append(number)

    with free(line):
        threads = [threading.Thread(target=visit, args=(number,), daemon=True) for number in range(25)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(done) == list(range(25))
    assert most == 2


def test_sentences():
    assert [waiting_sentence(number) for number in (0, 1, 2)] == [
        "Waiting for your last request to end …", "Waiting for 1 other before you …", "Waiting for 2 others before you …",
    ]


# ------------------------------------------------------------------ pages


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """What pages wait in."""
    line = Line(1, most_waiting=1)
    monkeypatch.setattr(queue, "LONG", line)
    return line


def page() -> None:
    import streamlit as st

    from adastride.ui import queue

    with queue.page_turn(), queue.page_turn():
        st.write("the work")
    st.write("the rest")


def test_a_page_says_where_it_stands_and_then_goes_on(line: Line, monkeypatch: pytest.MonkeyPatch):
    said, place = [], st.delta_generator.DeltaGenerator
    caption, other = place.caption, Person(line, "other").works()

    def heard(self, body: str, *args, **options):
        said.append(body)
        other.go_on.set()  # the other ends when somebody waits, however long the page takes to come that far
        return caption(self, body, *args, **options)

    monkeypatch.setattr(place, "caption", heard)
    app = AppTest.from_function(page).run(timeout=20)
    assert not app.exception
    assert set(said) == {"Waiting for 1 other before you …"}
    assert not app.caption
    assert [each.value for each in app.markdown] == ["the work", "the rest"]
    Person(line, "afterwards").works().ends()


def test_a_page_says_that_the_line_is_full(line: Line):
    other, waiting = Person(line, "other").works(), Person(line, "waiting").waits()
    app = AppTest.from_function(page).run(timeout=20)
    assert not app.exception
    assert [each.value for each in app.error] == ["The server is busy with 2 others: try again in a minute."]
    assert not app.markdown
    other.ends()
    waiting.ends()


def test_a_file_waits_for_its_turn_where_the_clip_is_long(line: Line):
    other = Person(line, "other").works()
    assert in_line(lambda: b"short", "png", 30.0)() == b"short"
    made: list[bytes | str] = []
    thread = threading.Thread(target=lambda: made.append(in_line(lambda: b"long", "png", 31.0)()), daemon=True)
    thread.start()
    thread.join(0.1)
    assert made == []
    other.ends()
    thread.join(10)
    assert made == [b"long"]


def test_a_file_whose_visitor_has_left_is_not_made(line: Line, monkeypatch: pytest.MonkeyPatch):
    other = Person(line, "other").works()
    monkeypatch.setattr(queue, "get_script_run_ctx", lambda: SimpleNamespace(session_id="gone"))
    make = in_line(lambda: b"long", "png", 31.0)
    monkeypatch.setattr(queue.runtime, "exists", lambda: True)
    monkeypatch.setattr(queue.runtime, "get_instance", lambda: SimpleNamespace(is_active_session=lambda session: session != "gone"))
    with pytest.raises(Replaced):
        make()
    other.ends()


@pytest.fixture(scope="module")
def long_clip() -> Waveform:
    return audio.from_samples(np.random.default_rng(0).standard_normal(16_000 * 31).astype(np.float32) / 10, 16_000)


def test_a_long_clip_takes_a_turn_and_what_is_known_of_it_does_not(line: Line, long_clip: Waveform):
    """Who moves the view of a long clip, or comes back to its features, does not stand in line for it."""
    network = "digits-adastride"
    traced, _ = resources.run(network, long_clip, None, None)
    features = resources.features(network, long_clip, "mel", False)
    other, waiting = Person(line, "other").works(), Person(line, "waiting").waits()  # and there is no room for a third
    assert resources.run(network, long_clip, None, traced)[0] is traced
    assert resources.features(network, long_clip, "mel", False) is features
    with pytest.raises(Busy):
        resources.run(network, long_clip, None, None)
    short = audio.from_samples(long_clip.samples[:16_000], 16_000)
    assert len(resources.run(network, short, None, None)[0].layers) == 3
    other.ends()
    waiting.ends()


def test_downloads_that_wait_leave_threads_for_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "prepare", lambda: None)
    go_on = threading.Event()

    async def server() -> bytes:
        async with live.ready(None):
            waiting = [asyncio.create_task(asyncio.to_thread(go_on.wait, 10)) for _ in range(queue.MOST_WAITING)]
            await asyncio.sleep(0.05)
            made = await asyncio.wait_for(asyncio.to_thread(lambda: b"short"), 5)
            go_on.set()
            await asyncio.gather(*waiting)
            return made

    with ThreadPoolExecutor(1) as thread:  # that of the tests has a loop where browser tests ran before
        assert thread.submit(asyncio.run, server()).result() == b"short"
