"""A classroom: sessions that all drag σ on Explore at once, each on its own clip and network, against a real server on this machine.

A session speaks what a browser speaks: Streamlit's protocol to open the page, and then the connection that the page names for a drag
(adastride/ui/live.py), with one request under way. Every answer must carry its own session's clip, network, settings and number.
`python -m benchmarks.classroom` runs 1, 10 and 30 sessions for a minute each and takes eight minutes with the rest that follows.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.browser import start_server, stop_server

CLIPS = ("seven", "three", "six", "nine", "counting", "sentence")
NETWORKS = ("digits-adastride", "digits-adastride-f", "digits-strided-conv", "digits-adastride-10", "digits-adastride-s")
SECONDS = 60.0
REST = 180.0  # seconds after which memory is read again
PATIENCE = 30.0
HEAD = (
    "| sessions | answers a second | waiting, ms, 50 / 95 / 99 % | errors | cross-talk | kB an answer | a newcomer's first picture, s |",
    "|---|---|---|---|---|---|---|",
)


@dataclass
class Load:
    """What a number of sessions got. waits: seconds from each request to its answer. newcomer: seconds until one more has the page.

    replicas: the cookies by which a proxy knows them.
    """

    sessions: int
    seconds: float
    waits: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    crossed: int = 0
    newcomer: float = float("nan")
    replicas: set[str] = field(default_factory=set)

    def row(self) -> str:
        """A line of the table."""
        cuts = statistics.quantiles(self.waits, n=100) if len(self.waits) > 1 else [float("nan")] * 99
        waits = " / ".join(f"{1e3 * cuts[k - 1]:.0f}" for k in (50, 95, 99))
        return (
            f"| {self.sessions} | {len(self.waits) / self.seconds:.0f} | {waits} | {sum(self.errors.values())} | {self.crossed} "
            f"| {statistics.mean(self.sizes) / 1e3:.1f} | {self.newcomer:.2f} |"
        )


def _unpack(data: bytes) -> dict:
    """The header of an answer as `adastride.ui.component.pack` wrote it."""
    (size,) = struct.unpack_from("<I", data)
    return json.loads(data[4 : 4 + size])


class Session:
    """One visitor. `open` it, `drag`, `close`."""

    def __init__(self, address: str, clip: str, network: str):
        self.address, self.clip, self.network = address.replace("http", "ws", 1), clip, network
        self.header: dict = {}
        self.cookie: dict[str, str] = {}

    async def open(self) -> Session:
        """Opens the page as a browser does and waits for the picture."""
        self.stream: ClientConnection = await connect(f"{self.address}/_stcore/stream", subprotocols=["streamlit"], max_size=None)
        # By its cookie a proxy sends the second connection to the same replica.
        cookies = self.stream.response.headers.get_all("Set-Cookie") if self.stream.response else []
        self.cookie = {"Cookie": "; ".join(cookie.split(";")[0] for cookie in cookies)} if cookies else {}
        hello = BackMsg()
        hello.rerun_script.query_string = f"clip={self.clip}&checkpoint={self.network}"
        await self.stream.send(hello.SerializeToString())
        while not self.header:
            message = ForwardMsg.FromString(await asyncio.wait_for(self.stream.recv(), PATIENCE))
            component = message.delta.new_element.bidi_component
            if component.component_name.endswith("explore"):
                self.header = _unpack(component.bytes)
        self.drain = asyncio.create_task(self._drain())
        self.line = await connect(f"{self.address}/{self.header['live']}", max_size=None, additional_headers=self.cookie)
        return self

    async def _drain(self) -> None:
        """Reads on, as a browser does."""
        async for _ in self.stream:
            pass

    async def drag(self, load: Load, until: float, first: float) -> None:
        """Asks for one σ after another, each as soon as the last is answered. first: of this session's own values."""
        trained, clip, revision = self.header["trained"], self.header["clip"]["id"], self.header["revision"]
        for sequence in itertools.count(1):
            if time.monotonic() > until:
                return
            sigma = round(0.3 + (first + 0.003 * sequence) % 1.5, 6)
            # A network without a sigma has its strides dragged, whole ones.
            settings = [{**layer, **({"stride": 1.0 + sequence % 6} if layer["sigma"] is None else {"sigma": sigma})} for layer in trained]
            request = {"sequence": sequence, "revision": revision, "have": clip, "settings": settings, "view": None, "pixels": [940, 112]}
            began = time.monotonic()
            await self.line.send(json.dumps(request))
            try:
                answer = await asyncio.wait_for(self.line.recv(), PATIENCE)
            except (TimeoutError, OSError) as error:
                load.errors[type(error).__name__] += 1
                return
            load.waits.append(time.monotonic() - began)
            load.sizes.append(len(answer))
            if not answer:
                load.errors["no answer"] += 1
                continue
            header = _unpack(answer)
            own = (header["sequence"], header["clip"]["id"], header["revision"], header["settings"], header["channel"])
            load.crossed += own != (sequence, clip, revision, settings, self.header["channel"])

    async def close(self) -> None:
        """Leaves, as a closed tab does."""
        self.drain.cancel()
        await self.line.close()
        await self.stream.close()


async def classroom(address: str, sessions: int, seconds: float) -> Load:
    """So many sessions, dragging for so many seconds; halfway one more comes in."""
    load = Load(sessions, seconds)
    pairs = itertools.cycle(itertools.product(CLIPS, NETWORKS))
    visitors = [await Session(address, *next(pairs)).open() for _ in range(sessions)]
    load.replicas = {cookie for visitor in visitors for cookie in visitor.cookie.values()}
    until = time.monotonic() + seconds
    drags = [asyncio.create_task(visitor.drag(load, until, 0.05 * number)) for number, visitor in enumerate(visitors)]
    await asyncio.sleep(seconds / 2)
    began = time.monotonic()
    newcomer = await Session(address, *next(pairs)).open()
    load.newcomer = time.monotonic() - began
    await asyncio.gather(*drags)
    await asyncio.gather(*(visitor.close() for visitor in [*visitors, newcomer]))
    return load


def report(numbers: tuple[int, ...] = (1, 10, 30), seconds: float = SECONDS, rest: float = REST) -> list[str]:
    """Markdown lines: what a server and its clients on the same cores manage."""
    lines = list(HEAD)
    process, address = start_server()
    try:
        memory = psutil.Process(process.pid).memory_info
        asyncio.run(classroom(address, 1, 3.0))  # warms up
        before = memory().rss / 1e6
        for number in numbers:
            load = asyncio.run(classroom(address, number, seconds))
            lines.append(load.row())
            if load.errors:
                lines.append(f"\nErrors with {number} sessions: {dict(load.errors)}.")
        peak = memory().rss / 1e6
        time.sleep(rest)
        lines += ["", f"Server memory: {before:.0f} MB before, {peak:.0f} MB after the last load, {memory().rss / 1e6:.0f} MB {rest:.0f} s later."]
    finally:
        stop_server(process)
    return lines


def behind(address: str, numbers: tuple[int, ...], seconds: float) -> list[str]:
    """Markdown lines: what a server that somebody else has started gives, or a proxy and the replicas behind it."""
    return [*HEAD, *(asyncio.run(classroom(address, number, seconds)).row() for number in numbers)]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--address", help="of a server on this machine, such as http://127.0.0.1:8501; without it one is started")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rest", type=float, default=REST)
    given = parser.parse_args()
    if given.address and urlsplit(given.address).hostname not in ("127.0.0.1", "localhost", "::1"):
        parser.error("--address has to be of this machine: nobody else's server is to be loaded.")
    numbers = tuple(given.sessions)
    print("\n".join(behind(given.address, numbers, given.seconds) if given.address else report(numbers, given.seconds, given.rest)))


if __name__ == "__main__":
    main()
