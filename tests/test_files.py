"""Files that come with the project are found, and files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adastride import files
from adastride.files import bundled, write_atomically


def test_a_checkout_has_them_at_its_top():
    for name in ("app.py", "pages", "samples", "checkpoints", "results"):
        assert bundled(name) == Path(__file__).resolve().parents[1] / name
        assert bundled(name).exists()


def test_a_wheel_has_them_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "bundled").mkdir()
    monkeypatch.setattr(files, "_PACKAGE", tmp_path)
    assert bundled("samples") == tmp_path / "bundled" / "samples"


def test_write_makes_folders_and_replaces(tmp_path: Path):
    target = tmp_path / "a" / "b" / "file.bin"
    write_atomically(target, b"one")
    write_atomically(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    target = tmp_path / "file.bin"
    write_atomically(target, b"old")
    with pytest.raises(TypeError):
        write_atomically(target, "a text can't be written as bytes")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.bin", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_a_written_file_can_be_read_by_whom_a_plain_one_can(tmp_path: Path):
    """A checkpoint trained by one user is served by another."""
    write_atomically(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode
