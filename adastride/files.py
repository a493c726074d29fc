"""Files that come with the project: in the repository they lie at its top, in an installed wheel inside the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

_PACKAGE = Path(str(resources.files("adastride")))


def bundled(name: str) -> Path:
    """A file or folder that comes with the project, such as "samples" or "app.py".

    A wheel carries them in adastride/bundled (pyproject.toml says which); a checkout, and an editable installation of it,
    has them at the top of the repository.
    """
    inside = _PACKAGE / "bundled"
    return (inside if inside.is_dir() else _PACKAGE.parent) / name
