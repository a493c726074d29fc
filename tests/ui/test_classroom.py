"""Several sessions that drag at once, without a browser: each gets its own answers, and all of them. How fast is for the benchmark."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from benchmarks.classroom import Load, Session, classroom
from tests.e2e.browser import start_server, stop_server

T = TypeVar("T")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    process, address = start_server()
    yield address
    stop_server(process)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it in a thread of its own, because that of the tests has a loop where browser tests ran before."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_six_sessions_get_their_own_answers(address: str):
    load = run(classroom(address, 6, 4.0))
    assert load.crossed == 0
    assert not load.errors
    assert len(load.waits) >= 60, "fewer than ten answers for each session in four seconds"
    assert max(load.sizes) < 6000
    assert not math.isnan(load.newcomer)


def test_an_answer_of_another_session_would_be_noticed(address: str):
    """The load's own check can fail: when a session asks on the line of another, whose clip is another."""
    assert run(crossed(address, own_line=True)) == 0
    assert run(crossed(address, own_line=False)) > 0


async def crossed(address: str, own_line: bool) -> int:
    """How many answers are not its own when a session asks for a moment, on its own line or on another's."""
    one, two = [await Session(address, clip, "digits-adastride").open() for clip in ("seven", "three")]
    load, line = Load(1, 0.1), one.line
    one.line = line if own_line else two.line
    await one.drag(load, time.monotonic() + 0.1, 0.0)
    one.line = line
    await asyncio.gather(one.close(), two.close())
    return load.crossed
