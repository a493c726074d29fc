"""The connection beside Streamlit's: what it answers, whom it refuses, and that it keeps no session alive. A real server, a real client."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from adastride.ui import live
from adastride.ui.live import Channel


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=live.routes()), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def line(port: int, token: str, **options) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}/live/{token}", open_timeout=10, close_timeout=5, **options)


def closed_with(connection: ClientConnection) -> int:
    """The code that the server closes a connection with; it sends nothing else."""
    with pytest.raises(ConnectionClosed) as ended:
        connection.recv(timeout=10)
    return ended.value.rcvd.code


def doubling() -> Channel:
    """A channel that answers a number with its double, and has no answer to anything else."""
    channel = Channel()
    channel.respond = lambda request: bytes([2 * request]) if isinstance(request, int) else None
    return channel


def test_requests_are_answered_in_turn(port: int):
    channel = doubling()
    with line(port, channel.token) as connection:
        for number in (1, 2, 100):
            connection.send(str(number))
            assert connection.recv(timeout=10) == bytes([2 * number])


def test_an_answer_that_only_the_page_has_is_empty(port: int):
    """And the line goes on: the next request may be one it has an answer to."""
    channel = doubling()
    with line(port, channel.token) as connection:
        connection.send('"a word"')
        assert connection.recv(timeout=10) == b""
        connection.send("200")  # 400 is no byte: the answer fails
        assert connection.recv(timeout=10) == b""
        connection.send("4")
        assert connection.recv(timeout=10) == b"\x08"
        channel.respond = None  # the page shows something else now
        connection.send("4")
        assert connection.recv(timeout=10) == b""


def test_a_page_with_long_work_holds_up_no_other_session(port: int):
    """It says that it has no answer and then works under the channel's lock, where an answer may wait already."""
    busy, other = doubling(), doubling()
    with line(port, busy.token) as one, line(port, other.token) as two, busy.lock:
        one.send("3")
        time.sleep(0.2)
        busy.respond = None
        assert one.recv(timeout=5) == b""
        two.send("3")
        assert two.recv(timeout=5) == b"\x06"


def test_two_sessions_get_their_own_answers(port: int):
    first, second = doubling(), Channel()
    second.respond = lambda request: b"other"
    with line(port, first.token) as one, line(port, second.token) as two:
        for connection in (one, two):
            connection.send("3")
        assert (one.recv(timeout=10), two.recv(timeout=10)) == (b"\x06", b"other")


def test_nobody_gets_in_without_a_token(port: int):
    with line(port, "guessed") as connection:
        assert closed_with(connection) == live.UNKNOWN


@pytest.mark.parametrize("text", ["{", "[" * 5000, '"' + "a" * live.MOST_CHARACTERS + '"'])
def test_what_cannot_be_read_ends_the_connection(port: int, text: str):
    channel = doubling()
    with line(port, channel.token) as connection:
        connection.send(text)
        assert closed_with(connection) == live.UNREADABLE


def test_bytes_end_the_connection(port: int):
    channel = doubling()
    with line(port, channel.token) as connection:
        connection.send(b"1")
        assert closed_with(connection) == live.UNREADABLE


def test_another_site_is_refused(port: int):
    """A page of another site that a browser has open may not ask, even if it knew the token; our own page may."""
    channel = doubling()
    with pytest.raises(InvalidStatus), line(port, channel.token, origin="https://elsewhere.example"):
        pass
    with line(port, channel.token, origin=f"http://127.0.0.1:{port}") as connection:
        connection.send("1")
        assert connection.recv(timeout=10) == b"\x02"


def test_a_session_that_ends_takes_its_channel_with_it(port: int):
    """An open connection keeps nothing alive, and is closed when it asks again."""
    channel = doubling()
    with line(port, channel.token) as connection:
        connection.send("1")
        assert connection.recv(timeout=10) == b"\x02"
        token = channel.token
        del channel
        gc.collect()
        assert token not in live._channels
        connection.send("1")
        assert closed_with(connection) == live.UNKNOWN


def test_an_answer_waits_for_a_run_of_the_page(port: int):
    """Both work on what the session knows of the viewer: never at once."""
    channel = doubling()
    with line(port, channel.token) as connection:
        with channel.lock:
            connection.send("1")
            with pytest.raises(TimeoutError):
                connection.recv(timeout=0.3)
        assert connection.recv(timeout=10) == b"\x02"


def test_a_request_that_streamlit_repeats_is_not_new():
    channel = Channel()
    assert channel.is_new(None)
    assert not channel.is_new(None)
    assert channel.is_new({"sequence": 1})
    assert not channel.is_new({"sequence": 1})
    assert channel.is_new(None)


def test_every_answer_has_a_number_and_says_where_to_ask():
    channel = doubling()
    first, second = channel.stamp(), channel.stamp()
    assert second["serial"] == first["serial"] + 1
    assert first["live"] == f"live/{channel.token}"
    assert json.dumps(first)
    channel.respond = None
    assert channel.stamp()["live"] is None
