"""What the server logs stays small, whatever visitors send."""

from __future__ import annotations

import asyncio
import io
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from adastride.ui.logs import IN_FULL, MOST_CHARACTERS, MOST_LINES, Bounds
from tests.e2e.browser import start_server, stop_server


def until(true: Callable[[], bool]) -> None:
    """Waits for something to become true, ten seconds at the most."""
    last = time.monotonic() + 10
    while not true():
        assert time.monotonic() < last
        time.sleep(0.02)


class Log:
    """A logger with bounds and what it has written. seconds: for which a place is remembered."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.logger, self._written = logging.Logger("adastride.test"), io.StringIO()
        self.logger.addHandler(logging.StreamHandler(self._written))
        self.logger.addFilter(Bounds(seconds))
        logging.Logger.manager.loggerDict["adastride.test"] = self.logger  # where the line that counts the rest finds it

    @property
    def lines(self) -> list[str]:
        return self._written.getvalue().splitlines()


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    logging.Logger.manager.loggerDict.pop("adastride.test", None)


def test_a_long_message_is_cut():
    log = Log()
    log.logger.warning("%s", "x" * 50_000)
    log.logger.warning("short %d", 3)
    assert len(log.lines[0]) == MOST_CHARACTERS
    assert log.lines[0].endswith("x … (50,000 characters)")
    assert log.lines[1] == "short 3"


def test_a_long_traceback_keeps_its_ends():
    log = Log()
    script = "\n".join([*(f"def f{n}(): f{n + 1}()" for n in range(300)), "def f300(): raise ValueError('at the bottom ' + 'x' * 9000)"])
    names: dict = {}
    exec(compile(script, "made_up.py", "exec"), names)
    try:
        names["f0"]()
    except ValueError:
        log.logger.exception("it failed")
    assert len(log.lines) == 1 + MOST_LINES
    assert log.lines[:2] == ["it failed", "Traceback (most recent call last):"]
    assert sum("lines left out" in line for line in log.lines) == 1
    assert "f300" in log.lines[-2]
    assert log.lines[-1].startswith("ValueError: at the bottom xxx")
    assert len(log.lines[-1]) < 600


def test_a_short_traceback_stays_whole():
    log = Log()
    try:
        raise ValueError("at the bottom")
    except ValueError:
        log.logger.exception("it failed")
    assert log.lines[-1] == "ValueError: at the bottom"
    assert not any("left out" in line for line in log.lines)


def test_arguments_that_do_not_fit_are_no_second_error(capsys: pytest.CaptureFixture[str]):
    log = Log()
    log.logger.warning("%d and %d", "one")
    assert log.lines == ["'%d and %d' with arguments that do not fit"]
    assert "Logging error" not in capsys.readouterr().err


def fail(log: Log, error: Exception) -> None:
    log.logger.error("it failed: %s", error, exc_info=error)


def test_one_place_is_written_a_few_times_and_then_counted():
    log = Log(seconds=1.0)
    for number in range(40):
        fail(log, ValueError(str(number)))
    assert [line for line in log.lines if line.startswith("it failed")] == [f"it failed: {number}" for number in range(IN_FULL)]
    until(lambda: "more like those" in log.lines[-1])
    assert log.lines[-1] == "35 more like those before it with ValueError within 1 s were left out, the last one was: it failed: 39"
    assert sum("more like those" in line for line in log.lines) == 1


def test_other_places_and_exceptions_are_written():
    log = Log()
    for number in range(40):
        fail(log, ValueError(str(number)))
    fail(log, KeyError("another kind"))
    log.logger.error("another place")
    assert "it failed: 'another kind'" in log.lines
    assert log.lines[-1] == "another place"


def test_a_minute_later_it_is_written_again():
    log = Log(seconds=0.3)
    for _ in range(40):
        fail(log, ValueError("early"))
    time.sleep(0.35)
    fail(log, ValueError("late"))
    assert "it failed: late" in log.lines


def test_the_count_has_no_thread_that_holds_up_the_end():
    code = "import logging; from adastride.ui import logs; logs.install(); [logging.warning('again') for _ in range(9)]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr.splitlines() == ["WARNING:root:again"] * IN_FULL


def test_loggers_of_before_and_after_are_bounded_whatever_handlers_they_have():
    """Streamlit gives each of its loggers a handler of its own and lets nothing through to the root; uvicorn configures its own."""
    code = """
import logging.config, sys, threading
import uvicorn.config
from streamlit.logger import get_logger
early = [logging.getLogger("adastride.early"), get_logger("streamlit.early"), logging.getLogger()]
from adastride.ui import logs
logs.install()
logs.install()
logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)
late = [get_logger("streamlit.late"), *map(logging.getLogger, ("adastride.late", "uvicorn.error", "uvicorn.made_up"))]
for logger in early + late:
    for _ in range(20):
        logger.error("record %s" % logger.name)
def ends():
    raise ValueError("in a thread")
for _ in range(20):
    thread = threading.Thread(target=ends)
    thread.start()
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    for name in ("adastride.early", "streamlit.early", "root", "adastride.late", "streamlit.late", "uvicorn.error", "uvicorn.made_up"):
        assert done.stderr.count(f"record {name}\n") == IN_FULL, name
    assert done.stderr.count("ValueError: in a thread") == IN_FULL


DAMAGED = ('{"request": %d', "[" * 100_000 + "%d", '{"request": ' + "[" * 900 + "%d" + "]" * 900 + "}")
"""Values of a component that Streamlit or Python can't read, %d being a number."""


class Visitor:
    """A session on the Explore page, which speaks what a browser speaks."""

    def __init__(self, stream: ClientConnection) -> None:
        self._stream = stream

    async def run(self, message: BackMsg) -> tuple[str, str]:
        """Has the page run. Returns the id of the viewer that is shown, and the sentence of an error; "" for none."""
        viewer, error = "", ""
        await self._stream.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(await asyncio.wait_for(self._stream.recv(), 60))
            if answer.HasField("script_finished"):
                return viewer, error
            shown = answer.delta.new_element
            viewer = shown.bidi_component.id if shown.bidi_component.component_name.endswith("explore") else viewer
            error = shown.alert.body or error


def visit() -> BackMsg:
    message = BackMsg()
    message.rerun_script.query_string = "clip=seven"
    return message


def damaged(viewer: str, value: str) -> BackMsg:
    message = BackMsg()
    widget = message.rerun_script.widget_states.widgets.add()
    widget.id, widget.json_value = viewer, value
    return message


async def flood(address: str, log: Path) -> tuple[int, list[str], str]:
    """One session for each kind of damage sends a hundred values of it.

    Returns by how many bytes the log grew, what the last answers of these sessions said, and the viewer of one that comes afterwards.
    """
    stream, said = f"{address.replace('http', 'ws', 1)}/_stcore/stream", []
    async with connect(stream, subprotocols=["streamlit"], max_size=None) as connection:
        await Visitor(connection).run(visit())
    before = log.stat().st_size
    for value in DAMAGED:
        async with connect(stream, subprotocols=["streamlit"], max_size=None) as connection:
            visitor = Visitor(connection)
            viewer, error = await visitor.run(visit())
            assert not error
            for number in range(100):
                _, error = await visitor.run(damaged(viewer, value % number))
            said.append(error)
    grown = log.stat().st_size - before
    async with connect(stream, subprotocols=["streamlit"], max_size=None) as connection:
        viewer, _ = await Visitor(connection).run(visit())
    return grown, said, viewer


def test_damaged_messages_of_a_component_fill_no_log(tmp_path: Path):
    log = tmp_path / "server.log"
    process, address = start_server(log=log)
    try:
        with ThreadPoolExecutor(1) as thread:  # that of the tests has a loop where browser tests ran before
            grown, said, viewer = thread.submit(asyncio.run, flood(address, log)).result()
    finally:
        stop_server(process)
    text = log.read_text()
    assert grown < 100_000, text[:3000]
    assert "JSONDecodeError" in text
    assert "RecursionError" in text
    assert all("error" in error for error in said[:2])  # each session is answered to the end: with a sentence,
    assert not said[2]  # or, where the value can just be read and is none of ours, with the page
    assert viewer
