"""A minute of `make fuzz`, and that it finds what there is to be found."""

from __future__ import annotations

import os
import random
import sys
import time

import pytest

from benchmarks import fuzz

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")


def test_damaged_inputs_give_the_documented_errors_alone():
    found, done = fuzz.fuzz({name: count // 10 for name, count in fuzz.COUNTS.items()}, seconds=40)
    assert found == []
    assert set(done) == set(fuzz.COUNTS)
    assert min(done.values()) >= 20


def test_an_input_is_known_by_its_number():
    targets = fuzz._targets()
    for name in fuzz.COUNTS:
        one, again, other = (targets[name].make(random.Random(f"{name} {number}")) for number in (5, 5, 6))
        assert repr(one) == repr(again) != repr(other)


def bad(value: int) -> None:
    """Reads a number, and does what hostile files have done."""
    if value == 1:
        raise KeyError("not documented")
    if value == 2:
        raise ValueError("two\nlines")
    if value == 3:
        time.sleep(60)
    if value == 4:
        os._exit(3)
    if value == 5:
        bytearray(fuzz.MEMORY + 500_000_000)
    if value == 6:
        raise ValueError("documented")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory that the system keeps")
def test_what_there_is_is_found(monkeypatch: pytest.MonkeyPatch):
    make = {f"bad {number}": fuzz.Target(lambda _, number=number: number, bad, (ValueError,)) for number in range(7)}
    monkeypatch.setattr(fuzz, "_targets", lambda: make)
    monkeypatch.setattr(fuzz, "SECONDS", 1.0)
    found, done = fuzz.fuzz(dict.fromkeys(make, 1), jobs=2)
    assert sum(done.values()) == 7
    said = {each.of: each.what for each in found}
    assert sorted(said) == ["bad 1", "bad 2", "bad 3", "bad 4", "bad 5"]
    assert "KeyError" in said["bad 1"]
    assert "no sentence" in said["bad 2"]
    assert "more than 1 s" in said["bad 3"]
    assert "the process ended with" in said["bad 4"]
    assert "memory" in said["bad 5"]
