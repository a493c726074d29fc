"""Pictures of the test splits of data sets on the server's disk, by class and number; and how links name them.

Names in a link are compared with those that were found, and never become part of a path.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from adastride.clips import DataError
from adastride.images import Picture
from adastride.training.datasets import default_data_root
from adastride.training.image_datasets import TestPictures, looks_like_pictures, read_test_pictures
from adastride.wording import one_line

_log = logging.getLogger(__name__)
_LINK = "test"
State = tuple[tuple[str, int, int], ...]


class HeldOutError(ValueError):
    """Test pictures that can't be used; the message is one sentence for visitors, without the server's paths."""


@dataclass(frozen=True)
class HeldOut:
    """A test picture. data_set: the name of its folder. label: its class. number: its place among those of that class, from 1."""

    data_set: str
    label: str
    number: int

    @property
    def link(self) -> str:
        """Its name in links.

        >>> HeldOut("cifar10", "cat", 12).link
        'test,cifar10,cat,12'
        """
        return f"{_LINK},{self.data_set},{self.label},{self.number}"

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"{one_line(self.label, 40)} {self.number} of {one_line(self.data_set, 40)}’s test split"


def data_sets() -> dict[str, Path]:
    """The folders on the server that look like data sets of pictures, by name."""
    try:
        folders = [each for each in sorted(default_data_root().iterdir()) if each.is_dir() and not each.name.startswith(".")]
        return {folder.name: folder for folder in folders if _looks(str(folder), folder.stat().st_mtime_ns)}
    except OSError:  # none, or one that nobody may read
        return {}


def counts(data_set: str) -> dict[str, int]:
    """How many test pictures each class has. Raises HeldOutError where there are none that can be read."""
    return {label: len(numbers) for label, numbers in _listed(data_set).by_class.items()}


def find(link: str) -> HeldOut | None:
    """The test picture that a link names; None where it names none, or one that is not on this server."""
    kind, _, rest = link.partition(",")
    names, _, number = rest.rpartition(",")
    if kind != _LINK or not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    for data_set in data_sets():
        if not names.startswith(f"{data_set},"):
            continue
        label = names.removeprefix(f"{data_set},")
        try:
            if 1 <= int(number) <= counts(data_set).get(label, 0):
                return HeldOut(data_set, label, int(number))
        except HeldOutError:
            continue
    return None


def picture(asked: HeldOut) -> Picture:
    """Decodes a test picture. Raises HeldOutError for one that can't be read."""
    listed = _listed(asked.data_set)
    try:
        folder = data_sets()[asked.data_set]
        return _decoded(listed, str(folder), _state(folder), listed.by_class[asked.label][asked.number - 1])
    except (DataError, LookupError, OSError) as error:
        _log.warning("test picture %s: %s", asked.link, error)
        raise HeldOutError(f"{asked.title} can't be read: choose another number.") from None


def _listed(data_set: str) -> TestPictures:
    try:
        folder = data_sets()[data_set]
        return _test_pictures(str(folder), _state(folder))
    except (DataError, LookupError, OSError) as error:
        _log.warning("test pictures of %s: %s", data_set, error)
        raise HeldOutError(f"{one_line(data_set, 40)} has no test pictures that can be read here: choose another picture.") from None


def _state(folder: Path) -> State:
    """What changes with a folder: name, size and time of all that lies directly in it."""
    return tuple((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in sorted(folder.iterdir()) if each.exists())


# Caches are keyed by what a folder's state was, so that they do not answer for one that has changed.


@st.cache_data(max_entries=256, show_spinner=False)
def _looks(folder: str, modified: int) -> bool:
    return looks_like_pictures(folder)


@st.cache_resource(max_entries=4, show_spinner="Listing the test pictures …")
def _test_pictures(folder: str, state: State) -> TestPictures:
    return read_test_pictures(folder)


@st.cache_resource(max_entries=64, show_spinner=False)
def _decoded(_listed: TestPictures, folder: str, state: State, number: int) -> Picture:
    return _listed.picture(number)
