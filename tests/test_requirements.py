"""The three places that say what the project needs agree: pyproject.toml, requirements*.txt and requirements.lock."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> list[Requirement]:
    """The requirements a file names, those of files it includes left out."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


TOP = read("requirements.txt") + read("requirements-dev.txt")
LOCKED = read("requirements.lock")


def misfits(top: list[Requirement], locked: list[Requirement]) -> list[str]:
    """A sentence for each requirement that a lock does not hold as it is asked for."""
    versions: dict[str, set[str]] = {}
    for requirement in locked:
        versions.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier))
    return [
        f"{requirement} is asked for, and the lock has {' and '.join(versions.get(canonicalize_name(requirement.name), ['none']))}: run `make lock`"
        for requirement in top if versions.get(canonicalize_name(requirement.name)) != {str(requirement.specifier)}
    ]


def test_the_lock_fits_the_requirements():
    assert len(TOP) > 10
    assert misfits(TOP, LOCKED) == []


def test_a_lock_that_does_not_fit_is_found():
    asked = [Requirement("torch==2.11.0"), Requirement("numpy==2.4.6"), Requirement("scipy==1.17.0")]
    sentences = misfits(asked, [Requirement("torch==2.11.0"), Requirement("NumPy==2.4.5")])
    assert [sentence.split("==")[0] for sentence in sentences] == ["numpy", "scipy"]
    assert "the lock has ==2.4.5: run `make lock`" in sentences[0]


def test_the_lock_holds_everything_that_is_needed_in_turn():
    """What the installed packages say they need, followed to the end."""
    names, followed = [requirement.name for requirement in TOP], set()
    while names:
        name = canonicalize_name(names.pop())
        if name in followed:
            continue
        followed.add(name)
        try:
            needed = map(Requirement, metadata.requires(name) or ())
        except metadata.PackageNotFoundError:  # this environment was made for another purpose, such as the app alone
            continue
        names += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    assert len(followed) > 40
    assert followed <= {canonicalize_name(requirement.name) for requirement in LOCKED}


def test_every_version_is_exact_and_the_lock_names_no_server():
    assert all(re.fullmatch(r"==[^,*]+", str(requirement.specifier)) for requirement in TOP + LOCKED)
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert {str(requirement) for requirement in LOCKED if requirement.name in ("torch", "torchaudio")} == {"torch==2.11.0", "torchaudio==2.11.0"}


@pytest.mark.parametrize("extra", ["", "app", "train", "dev"])
def test_what_is_installed_here_is_what_the_package_asks_for(extra: str):
    """`ray` is for several machines, and not among the requirements."""
    asked = map(Requirement, PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"])
    pinned = {requirement.name: str(requirement.specifier).removeprefix("==") for requirement in TOP}
    for requirement in asked:
        assert pinned[requirement.name] in requirement.specifier, requirement
