"""Finds the files that come with the project, and writes files so that they are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from importlib import resources
from pathlib import Path

_PACKAGE = Path(str(resources.files("adastride")))


def bundled(name: str) -> Path:
    """The path of a file or folder that comes with the project, such as "samples" or "app.py".

    A wheel carries them in adastride/bundled (pyproject.toml says which); a checkout, and an editable installation of it,
    has them at the top of the repository.
    """
    inside = _PACKAGE / "bundled"
    return (inside if inside.is_dir() else _PACKAGE.parent) / name


def write_atomically(path: str | Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)  # a temporary file is private; the result should be what a plain open() makes
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
