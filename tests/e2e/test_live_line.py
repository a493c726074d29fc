"""The connection a viewer asks on during a drag: what travels where, and what a person sees when it is not there or breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from browser import start_server
from explorer import Explorer, wait_for
from playwright.sync_api import Page, WebSocketRoute
from test_compare import Comparer
from test_explore_files import download
from test_learn_lesson import Learner

pytestmark = pytest.mark.e2e


class Lines:
    """What a page sends on its two connections, and a hand on the second one."""

    def __init__(self, page: Page, answered: bool = True):
        """answered: whether what is asked on the second one reaches the server."""
        self.page, self.answered, self.open = page, answered, list[WebSocketRoute]()
        self.asked = {"live": 0, "stream": 0}
        page.route_web_socket("**/live/*", self._second)
        page.on("websocket", lambda socket: socket.on("framesent", lambda _: self._count("stream")) if "stream" in socket.url else None)

    def _count(self, name: str) -> None:
        self.asked[name] += 1

    def _second(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        self.open.append(socket)

        def forward(message: str) -> None:
            self._count("live")
            if self.answered:
                server.send(message)

        socket.on_message(forward)

    def ready(self) -> Lines:
        wait_for(lambda: self.open, why="there is no second connection")
        self.page.wait_for_timeout(200)
        return self

    def cut(self) -> None:
        for socket in self.open:
            socket.close()
        self.open.clear()


def test_a_drag_asks_on_the_second_line_alone(page: Page, server: str):
    """Streamlit's connection is silent, and the page goes on from the last answer: exports, another clip, the address bar."""
    lines = Lines(page)
    explorer = Explorer(page, server).open()
    lines.ready()
    sent = lines.asked["stream"]
    explorer.drag("stride", 0.7)
    stride = explorer.setting("stride ")[0]
    assert lines.asked["live"] >= 1
    assert lines.asked["stream"] == sent
    assert explorer.query()["stride"] == f"{stride:g}"
    rows = download(explorer, "CSV")[1].decode().splitlines()
    assert sum(row.startswith("1,") for row in rows) == explorer.frames()[0][1]
    before = explorer.told()
    explorer.choose_sample("One word in silence: three")
    assert explorer.setting("stride ")[0] == stride, "another clip brought old settings back"
    assert explorer.told() != before
    explorer.drag("stride", 0.3)
    assert explorer.setting("stride ")[0] < stride
    assert explorer.frames()[0][1] > 0


def test_a_line_that_breaks_in_mid_drag_loses_nothing(page: Page, server: str):
    """What was under way is asked again through Streamlit, so is the rest, and it all ends on the last value."""
    lines = Lines(page)
    explorer = Explorer(page, server).open()
    lines.ready().answered = False
    x, y = explorer.grab("sigma")
    for step in range(1, 5):
        page.mouse.move(x + 20 * step, y)
    wait_for(lambda: lines.asked["live"], why="nothing was asked")
    sent = lines.asked["stream"]
    lines.answered = True
    lines.cut()
    for step in range(5, 9):
        page.mouse.move(x + 20 * step, y)
    page.mouse.up()
    explorer.settle()
    assert lines.asked["stream"] > sent
    sigma = explorer.setting("σ = ")[0]
    assert explorer.query()["sigma"].startswith(f"{sigma:.2f}"[:3])
    expected = explorer.told()
    explorer.open(explorer.address())
    assert explorer.told() == expected, "the server's last answer was not to the last value"


def test_a_page_without_a_second_line_works(page: Page, server: str):
    """Behind a proxy that lets only Streamlit's connection through."""
    page.route_web_socket("**/live/*", lambda socket: socket.close())
    explorer = Explorer(page, server).open()
    explorer.drag("stride", 0.7)
    frames = explorer.frames()
    explorer.drag("sigma", 0.6)
    assert explorer.frames() == frames
    assert explorer.setting("stride ")[0] > 2


def test_two_visitors_do_not_meet(new_page: Callable[..., Page], server: str):
    """Each drags its own clip with its own settings, both at once, and each sees what a link to its own settings shows."""
    first, second = (Explorer(new_page(), server).open() for _ in range(2))
    second.choose_sample("One word in silence: three")
    places = [explorer.grab("stride") for explorer in (first, second)]
    for step in range(1, 12):
        for explorer, (x, y), by in zip((first, second), places, (14, -3), strict=True):
            explorer.page.mouse.move(x + by * step, y)
    for explorer in (first, second):
        explorer.page.mouse.up()
        explorer.settle()
    assert first.setting("stride ")[0] > 2 > second.setting("stride ")[0]
    for explorer in (first, second):
        expected = explorer.told()
        explorer.open(explorer.address())
        assert explorer.told() == expected


def test_compare_asks_on_the_second_line(page: Page, server: str):
    """While a hand drags; the slow numbers come through Streamlit when it rests, and exports are of the last answer."""
    lines = Lines(page)
    comparer = Comparer(page, server).open()
    lines.ready()
    sent = lines.asked["stream"]
    comparer.drag("stride", 0.7, hold=True)
    wait_for(lambda: all("stride 5.9" in facts or "stride 6" in facts for facts in comparer.look()["facts"]))
    assert lines.asked["live"] >= 3
    assert lines.asked["stream"] == sent
    page.mouse.up()
    comparer.settle()
    assert lines.asked["stream"] > sent
    facts = comparer.look()["facts"]
    assert [f"stride {float(row['stride']):g}" in fact for row, fact in zip(comparer.numbers(), facts, strict=True)] == [True] * 4
    comparer.open(comparer.address())
    assert comparer.look()["facts"] == facts


def test_compare_works_without_a_second_line(page: Page, server: str):
    page.route_web_socket("**/live/*", lambda socket: socket.close())
    comparer = Comparer(page, server).open()
    comparer.drag("stride", 0.7)
    wait_for(lambda: all("stride 5.9" in facts or "stride 6" in facts for facts in comparer.look()["facts"]))
    comparer.settle()


class OwnServer:
    """A server that may be killed, as by a crash, and started again where it was."""

    def __init__(self):
        self.process, self.address = start_server()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def begin_again(self) -> None:
        self.process, _ = start_server(port=urlsplit(self.address).port)


@pytest.fixture(scope="module")
def _own_server() -> Iterator[OwnServer]:
    server = OwnServer()
    yield server
    server.kill()


@pytest.fixture
def own_server(_own_server: OwnServer) -> OwnServer:
    """Who kills it starts it again, so that the next test need not."""
    if _own_server.process.poll() is not None:
        _own_server.begin_again()
    return _own_server


def test_a_restarted_server_gives_a_comparison_back(new_page: Callable[..., Page], own_server: OwnServer):
    """In mid-drag: with the stride in hand, the methods and the clip, and it goes on."""
    page = new_page()
    comparer = Comparer(page, own_server.address).open("?clip=three&methods=avg-pool,adastride")
    comparer.drag("stride", 0.5, hold=True)
    own_server.kill()
    own_server.begin_again()
    comparer.page.mouse.move(900, 20)
    page.mouse.up()
    wanted = page.locator('.slider[data-name="stride"] output').inner_text()
    wait_for(lambda: page.locator(".compare .method h3").count() == 2 and "clip=three" in page.url, 20)
    comparer.settle()
    assert page.locator('.slider[data-name="stride"] output').inner_text() == wanted
    comparer.drag("stride", 0.1)
    wait_for(lambda: page.locator('.slider[data-name="stride"] output').inner_text() != wanted)
    comparer.settle()


def test_a_restarted_server_gives_a_lesson_back(new_page: Callable[..., Page], own_server: OwnServer):
    """A step whose picture needs the server: after its restart the page loads itself again, at the step and with the settings in hand."""
    page = new_page()
    learner = Learner(page, own_server.address).open("?step=4&sigma=1.5")
    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))
    before = learner.numbers()
    own_server.kill()
    own_server.begin_again()
    wait_for(lambda: page.wait_for_timeout(50) or loads, 20, "the page never came back")
    page.locator(".learn .actions .link").wait_for(timeout=40_000)
    learner.settle().reach(4)
    assert learner.numbers() == before
    assert "sigma=1.5" in page.url


def test_a_restarted_server_gives_the_picture_back(new_page: Callable[..., Page], own_server: OwnServer):
    """The server is killed in mid-drag and started again: the page comes back by itself, with the settings in hand and the clip."""
    page = new_page()
    loads: list[str] = []
    explorer = Explorer(page, own_server.address).open("?clip=three")
    page.on("load", lambda _: loads.append(page.url))
    x, y = explorer.grab("stride")
    for step in range(1, 6):
        page.mouse.move(x + 10 * step, y)
    own_server.kill()
    for step in range(6, 11):
        page.mouse.move(x + 10 * step, y)
    page.mouse.up()
    wanted = explorer.slider("stride").input_value()
    own_server.begin_again()
    back = time.monotonic()
    wait_for(lambda: page.wait_for_timeout(50) or loads, why="the page never came back")
    explorer.ready()
    took = time.monotonic() - back
    assert explorer.slider("stride").input_value() == wanted
    assert explorer.setting("stride ")[0] == pytest.approx(float(wanted), abs=0.006)
    assert explorer.query()["clip"] == "three"
    explorer.drag("stride", 0.1)
    assert took < 12, f"{took:.1f} s after the server was back"
    print(f"settled {took:.1f} s after the server was back")
