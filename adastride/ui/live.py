"""Answers to a viewer on a connection of its own.

Streamlit answers a component by running its fragment: a thread, seven messages, and a walk of the browser through the whole page.
That costs the server 10 ms and the browser 10 ms beside a network that takes 4. A viewer that has a channel asks there instead
while somebody drags: one message each way, packed as `component.pack` has it. What the session knows of the viewer is the same
dictionary for both ways, so exports and later runs of the page go on from the last answer; and where there is no channel (another
server, a proxy without WebSockets, an answer that needs the page, such as a long clip's spinner) the viewer asks through Streamlit.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit import config

_log = logging.getLogger(__name__)
MAIN_SCRIPT = Path(__file__).parent / "main.py"  # what every session runs, whoever serves it
PATH = "/live"
MOST_CHARACTERS = 20_000  # of a request; ours have about one thousand
# Close codes: the first two are the WebSocket standard's, the third is what the front end's protocol.js goes by.
UNREADABLE, REFUSED, UNKNOWN = 1003, 1008, 4404
# Runs of all sessions, one after another: each uses one core, and two that share the interpreter would only wait for each other. Those
# of several networks or methods and those with a sound, which take ten times as long, have a worker of their own and never stand before the short ones.
_SHORT, _LONGER = (ThreadPoolExecutor(1, thread_name_prefix=name) for name in ("live", "live-longer"))
_channels: weakref.WeakValueDictionary[str, Channel] = weakref.WeakValueDictionary()
_serving = False
_NOTHING = object()  # no request, not even that there is none


class Channel:
    """One viewer of one session. The session holds it, and with the session it goes.

    token: names it in its address; nobody can guess it. lock: held while what the session knows of the viewer is worked on, by
    an answer here or by a run of the page. heard: the last request that came through Streamlit, which repeats it with every run.
    serial: counts answers, so that a browser which is handed an older one again can tell. respond: gives the packed answer to a
    request, or None where the page has to answer it; None while there is nothing to answer with, which a page with long work says
    before it takes the lock. longer: whether its answers take tens of milliseconds.
    """

    def __init__(self, longer: bool = False) -> None:
        self.token = secrets.token_urlsafe(24)
        self.longer = longer
        self.lock = threading.Lock()
        self.heard: object = _NOTHING
        self.serial = 0
        self.respond: Callable[[object], bytes | None] | None = None
        _channels[self.token] = self

    def is_new(self, request: object) -> bool:
        """Whether what Streamlit hands to the page as the request, None for no request yet, is another than in its last run."""
        new, self.heard = request != self.heard, request
        return new

    @property
    def address(self) -> str | None:
        """Where a browser connects to it, below the app's address; None where it is not served."""
        return f"{PATH[1:]}/{self.token}" if _serving else None

    def stamp(self) -> dict[str, str | int | None]:
        """What every answer's header says of the channel: its address, None where nothing is answered there, and which answer it is."""
        self.serial += 1
        return {"channel": self.token, "serial": self.serial, "live": self.address if self.respond else None}

    def answer(self, request: object) -> bytes | None:
        """The packed answer to a request, or None where the page has to answer it: where it is none of ours or could not be answered."""
        while not self.lock.acquire(timeout=0.05):
            if self.respond is None:  # the page is at work on a long clip, perhaps for minutes, and other sessions wait for this thread
                return None
        try:
            return self.respond(request) if self.respond else None
        except Exception:  # whatever it is, the page meets it again and says it in a sentence
            _log.exception("a live answer failed")
            return None
        finally:
            self.lock.release()


def channel_of(key: str, longer: bool = False) -> Channel:
    """The channel of this session's viewer `key`."""
    name = f"{key}_channel"
    if name not in st.session_state:
        st.session_state[name] = Channel(longer)
    return st.session_state[name]


def routes() -> list[WebSocketRoute]:
    """What app.py gives to its server."""
    global _serving
    _serving = True
    base = config.get_option("server.baseUrlPath").strip("/")
    return [WebSocketRoute(f"{'/' + base if base else ''}{PATH}/{{token}}", _serve)]


async def _serve(connection: WebSocket) -> None:
    """Answers requests in the order they come. An empty answer sends the viewer to the page."""
    token = connection.path_params["token"]
    if not _same_origin(connection):
        await connection.close(REFUSED)
        return
    await connection.accept()
    if token not in _channels:  # after accepting, because a browser does not tell its page why it could not connect
        await connection.close(UNKNOWN)
        return
    loop = asyncio.get_running_loop()
    try:
        while True:
            message = await connection.receive()
            if message["type"] == "websocket.disconnect":
                return
            channel = _channels.get(token)  # looked up each time: an open connection keeps no session alive
            request = _read(message.get("text"))
            if channel is None or request is None:
                await connection.close(UNKNOWN if channel is None else UNREADABLE)
                return
            longer = channel.longer or (isinstance(request, dict) and bool(request.get("hear")))  # a sound takes a while to make
            answer = await loop.run_in_executor(_LONGER if longer else _SHORT, channel.answer, request)
            del channel
            await connection.send_bytes(answer or b"")
    except WebSocketDisconnect:  # while it was being answered
        return


def _same_origin(connection: WebSocket) -> bool:
    """Whether the page that opens the connection came from this server, as far as a browser says."""
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host")


def _read(text: str | None) -> object | None:
    """The request in a message; None for what none of our viewers sends: bytes, too much text, no JSON."""
    if text is None or len(text) > MOST_CHARACTERS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@asynccontextmanager
async def ready(app: object) -> AsyncIterator[None]:
    """Has everything imported before the server takes visitors: who comes first, or back after a restart, waits no longer."""
    from adastride.ui import queue, resources

    # Downloads are made in these threads. One that waits for its turn holds one, and six, as there are on two cores, are soon gone.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * queue.MOST_WAITING, thread_name_prefix="download"))
    await asyncio.to_thread(resources.prepare)
    yield
