"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import adastride

# `ui` needs Streamlit, and importing a `__main__` runs it.
MODULES = [
    module.name for module in pkgutil.walk_packages(adastride.__path__, "adastride.", onerror=lambda name: None)
    if not module.name.startswith("adastride.ui") and not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module("adastride.downsampling.adastride"))
    assert sum(len(test.examples) for test in found) >= 3


def test_every_module_says_what_it_is_for():
    for name in MODULES:
        assert (importlib.import_module(name).__doc__ or "").strip(), name
