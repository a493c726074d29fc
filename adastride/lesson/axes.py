"""The pictures that step 11 makes smaller along two axes: faces, which are drawn here, and the log-mel of the word."""

from __future__ import annotations

import functools

import numpy as np

from adastride.lesson.word import excerpt, word

FACE_PIXELS = 48  # the height and the width of a picture with faces
MEL_RANGE = 80.0  # dB below the loudest that are told apart
SMOOTHNESS = 4.0  # DiffStride's R, as in its paper

_LARGEST = 255
_PLACES = {"face": ((15.5, 17.5),), "two": ((13.5, 12.5), (35.5, 36.5))}  # the middles of the faces: row and column


def _disc(distance: np.ndarray, radius: float) -> np.ndarray:
    """1 inside of a circle and 0 outside; a pixel on its edge counts by about the part that lies inside."""
    return np.clip(radius + 0.5 - distance, 0, 1)


def _face(row: float, column: float) -> np.ndarray:
    """A bright face in the dark with two eyes and a mouth, which a uniform stride of 4 loses: (FACE_PIXELS, FACE_PIXELS) from 0 to 1."""
    down, across = np.mgrid[:FACE_PIXELS, :FACE_PIXELS] - np.array([row, column])[:, None, None]
    face = 0.85 * _disc(np.hypot(down, across), 9.0)
    mouth = _disc(np.abs(np.hypot(down, across) - 5.5), 0.6) * (down > 1.5)
    eyes = sum(_disc(np.hypot(down + 3.0, across - side), 1.3) for side in (-3.5, 3.5))
    return face * (1 - 0.85 * np.clip(mouth + eyes, 0, 1))


@functools.cache
def pictures() -> dict[str, np.ndarray]:
    """The pictures by the option of the step's control: (height, width) uint8 from 0, dark or quiet, to 255.

    The mel has its highest band in row 0, and 0 stands for `MEL_RANGE` dB below its loudest value.

    >>> {name: picture.shape for name, picture in pictures().items()}
    {'face': (48, 48), 'two': (48, 48), 'word': (80, 80)}
    """
    faces = {name: sum(_face(*place) for place in places) for name, places in _PLACES.items()}
    bands = len(word().mel)
    first, frames = excerpt()
    first += (frames - bands) // 2
    mel = word().mel[::-1, first : first + bands]  # square, as the faces are
    shares = faces | {"word": 1 + (mel - mel.max()) / MEL_RANGE}
    return {name: np.round(np.clip(share, 0, 1) * _LARGEST).astype("u1") for name, share in shares.items()}
