"""Small answers are not held back: connections of the server, and those that come later, have Nagle's algorithm off."""

import os
import socket
from pathlib import Path

import pytest

from adastride.ui import resources

pytestmark = pytest.mark.skipif(not (Path("/proc/self/fd").exists() or Path("/dev/fd").exists()), reason="needs a list of file descriptors")


def at_once(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_connections_send_at_once():
    """A listening socket as Streamlit makes it, a connection that is there already, and one that comes later."""
    with socket.socket(family=socket.AF_INET) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()) as _:
            early, _address = listening.accept()
            assert not at_once(early)
            resources.send_at_once()
            assert at_once(early)
            with socket.create_connection(listening.getsockname()):
                late, _address = listening.accept()
                assert at_once(late)
                late.close()
            early.close()
        assert listening.fileno() >= 0, "what is looked at stays open"


def test_other_descriptors_are_left_alone(tmp_path: Path):
    with (tmp_path / "file").open("w") as file, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        resources.send_at_once()
        file.write("still open")
        assert datagrams.fileno() >= 0


def test_the_end_of_a_pipe_is_still_heard():
    """No copy of a descriptor is left open. One of a pipe to another process kept it waiting for more: a browser driver of
    the tests never ended."""
    ours, theirs = os.pipe()
    resources.send_at_once()
    os.close(theirs)
    os.set_blocking(ours, False)
    assert os.read(ours, 1) == b"", "somebody still holds the writing end"
    os.close(ours)
