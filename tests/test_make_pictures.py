"""The drawn pictures: what the catalogue says is there, and the script draws them again as they are."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from adastride import images
from adastride.samples import FOLDER, drawings

sys.path.append(str(FOLDER))


def test_every_drawing_can_be_read_and_is_large_enough():
    assert len(drawings()) == 8
    for sample in drawings().values():
        picture = images.read(sample.path)
        assert picture.pixels.shape == (160, 160, 3)
        assert picture.pixels.std() > 20
        assert sample.label
    assert sum(sample.path.stat().st_size for sample in drawings().values()) < 400_000


def test_the_script_draws_what_is_there(tmp_path: Path):
    make = importlib.import_module("make_pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "DRAWINGS", {"bird": make.DRAWINGS["bird"]})
        make.main(tmp_path)
    made, known = (images.read(folder / "bird.png").pixels.astype(int) for folder in (tmp_path, FOLDER / "pictures"))
    assert np.abs(made - known).max() <= 2, "run samples/make_pictures.py again"
