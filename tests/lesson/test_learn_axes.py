"""The pictures of two axes (step 11), and what the step says of them."""

from __future__ import annotations

import pytest
from lesson_axes import downsampled, picture_of

from adastride.lesson import NUMBER, STEPS
from adastride.lesson.axes import FACE_PIXELS, MEL_RANGE, pictures
from adastride.lesson.word import word

AXES = STEPS[NUMBER["axes"] - 1]
USUAL = {"height": 4.0, "width": 3.0, "contrast": 6.0, "sigma": 0.447}


def test_the_options_are_the_pictures():
    (choice,) = (control for control in AXES.controls if control.name == "picture")
    assert set(choice.options) == set(pictures())
    assert {name: AXES.opening_settings[name] for name in USUAL} == USUAL


def test_faces_are_off_the_middle_and_the_word_is_upright():
    face = picture_of("face")[0, 0]
    assert face.shape == (FACE_PIXELS, FACE_PIXELS)
    assert face.min() == 0
    assert 0.8 < face.max() < 1
    assert face[: FACE_PIXELS // 2].sum() > 5 * face[FACE_PIXELS // 2 :].sum()
    mel = picture_of("word")[0, 0]
    assert mel.max() == 1
    row, column = divmod(int(mel.argmax()), mel.shape[1])
    band = int(word().mel.max(axis=1).argmax())
    assert row == len(word().mel) - 1 - band, "the highest band is above"
    assert mel[row, column] == pytest.approx(1 + (word().mel.max() - word().mel.max()) / MEL_RANGE)


def test_adastride_gives_a_face_more_pixels_and_two_faces_less():
    """The question's point: what two faces on a diagonal gain is far less than what one gains, because pixels go to rows and columns."""
    gains = {}
    for name in ("face", "two"):
        bright = (picture_of(name) >= 0.5).double()
        means = {}
        for method in ("avg-pool", "adastride"):
            along = downsampled(picture_of(name), method, **USUAL).along
            rows, columns = (each.alignment.dense()[0].double() for each in along)
            means[method] = float((rows @ bright[0, 0] @ columns.T).mean())
        assert means["avg-pool"] == pytest.approx(float(bright.mean()))
        gains[name] = means["adastride"] / means["avg-pool"]
    assert gains["face"] > 3
    assert 1 < gains["two"] < gains["face"] / 2
