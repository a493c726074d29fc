"""The numbers that tests/frontend/learn_maths.test.js holds the browser's maths to, written by the library itself.

`python tests/lesson/test_learn_golden.py` writes them anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from lesson_axes import downsampled

from adastride.alignment import Alignment, output_lengths, position_loss, unit_positions
from adastride.downsampling import METHODS
from adastride.downsampling.spectral import (
    cosine_transform,
    dct_diff_stride,
    dct_diff_stride_mask,
    diff_stride,
    diff_stride_mask,
    inverse_cosine_transform,
    vertical_mask,
)
from adastride.lesson.prose import EVENT, JUMP
from adastride.lesson.tones import TONE_FRAMES, tone

GOLDEN = Path(__file__).resolve().parents[1] / "frontend" / "golden" / "learn_maths.json"
DIGITS = 9  # of a number in the file: far more than any picture shows
_SHORT = EVENT[4:16]  # a matrix of 12 columns says as much as one of 24
_HALVES = (0.0,) * 5  # at stride 2 every other frame lies halfway between two output frames


def golden() -> dict:
    """Everything in the file, by the function of maths.js that it is for."""
    return _rounded({
        "positions": [_positions(scores, stride) for scores in (EVENT, JUMP, (0.0,) * 7) for stride in (1.0, 2.0, 3.7, 8.0)],
        "weights": [
            _weights(scores, stride, sigma, nearest)
            for scores, stride, sigma in (
                (_SHORT, 1.0, 0.447), (_SHORT, 2.0, 0.05), (_SHORT, 2.0, 0.447), (_SHORT, 3.7, 2.0), (_SHORT, 5.0, 20.0), (_HALVES, 2.0, 1.0),
            )
            for nearest in (False, True)
        ],
        "spectra": [_spectrum(frames) for frames in (16, 17)],
        "masks": [
            _mask(kind, frames, stride, smoothness)
            for kind in ("diffstride", "dct-diffstride")
            for frames, stride, smoothness in ((16, 2.0, 4.0), (16, 1.0, 4.0), (16, 8.0, 0.5), (16, 10.0, 4.0), (17, 1.2, 20.0))
        ],
        "tones": [{"frequency": frequency, "values": tone(frequency)[:5]} for frequency in (0.0, 0.2, 0.5)],
        "toneFrames": TONE_FRAMES,
        "downsampled": [_downsampled(key) for key in ("avg-pool", "blur-pool")],
        "verticalMasks": [_vertical_mask(*each) for each in ((12, 2.0), (13, 3.3), (7, 1.0), (12, 8.0))],
        "axes": [
            _axes(method, size, *strides)
            for method in ("avg-pool", "adastride", "diffstride")
            for size, strides in (((12, 9), (1.0, 2.0)), ((11, 14), (3.7, 1.3)))
        ],
    })


def _alignment(scores: tuple[float, ...], stride: float, sigma: float = 0.447, nearest: bool = False) -> Alignment:
    lengths = torch.tensor([len(scores)])
    unit = unit_positions(torch.tensor([scores], dtype=torch.float64), lengths)
    return Alignment(unit, lengths, output_lengths(lengths, stride), sigma, nearest, torch.float64)


def _positions(scores: tuple[float, ...], stride: float) -> dict:
    alignment = _alignment(scores, stride)
    positions = alignment.positions
    return {
        "scores": scores, "stride": stride, "frames": alignment.frames, "unit": alignment.unit_positions[0], "positions": positions[0],
        "loss": position_loss(positions, alignment.lengths),
    }


def _weights(scores: tuple[float, ...], stride: float, sigma: float, nearest: bool) -> dict:
    alignment = _alignment(scores, stride, sigma, nearest)
    values = torch.linspace(0.1, 0.9, len(scores), dtype=torch.float64)
    return {
        "scores": scores, "stride": stride, "sigma": sigma, "nearest": nearest, "dense": alignment.dense()[0],
        "values": values, "pooled": alignment.pool(values[None, None])[0, 0],
    }


def _signal(frames: int) -> torch.Tensor:
    return torch.sin(torch.arange(frames, dtype=torch.float64) ** 1.5 / 3) + 0.2


def _spectrum(frames: int) -> dict:
    signal = _signal(frames)
    cosines = cosine_transform(signal)
    fewer = cosines[: frames // 2]
    return {
        "signal": signal, "fourier": torch.view_as_real(torch.fft.rfft(signal)), "cosines": cosines,
        "shorter": inverse_cosine_transform(fewer) * math.sqrt(len(fewer) / frames),
    }


def _mask(kind: str, frames: int, stride: float, smoothness: float) -> dict:
    make, run = (diff_stride_mask, diff_stride) if kind == "diffstride" else (dct_diff_stride_mask, dct_diff_stride)
    size = torch.tensor([stride], dtype=torch.float64, requires_grad=True)
    mask = make(frames, size, smoothness)
    slope = [torch.autograd.grad(value, size, retain_graph=True)[0][0] for value in mask]
    return {
        "kind": kind, "stride": stride, "smoothness": smoothness, "signal": _signal(frames), "mask": mask.detach(),
        "slope": torch.stack(slope), "out": run(_signal(frames), size.detach(), smoothness),
    }


def _downsampled(key: str) -> dict:
    """What a layer makes of a short tone, and its matrix whole: as rows that begin at 0."""
    frames, stride = 12, 3
    with torch.no_grad():
        matrix = METHODS[key].build(1, stride=stride)(torch.eye(frames)[:, None]).values[:, 0].T.double()
    signal = _signal(frames)
    return {"signal": signal, "first": [0] * len(matrix), "weights": matrix.flatten(), "out": matrix @ signal}


def _vertical_mask(height: int, stride: float) -> dict:
    above, below = vertical_mask(height, torch.tensor(stride, dtype=torch.float64), 4.0)
    return {"height": height, "stride": stride, "above": above, "below": below.flip(0)}


def _axes(method: str, size: tuple[int, int], height: float, width: float) -> dict:
    """A picture made smaller along two axes, with the matrices of both where the method has them."""
    settings = {"method": method, "height": height, "width": width, "contrast": 2.0, "sigma": 0.447}
    picture = _signal(size[0] * size[1]).reshape(size)
    down = downsampled(picture[None, None], **settings)
    matrices = [each.alignment.dense()[0] for each in down.along] if method != "diffstride" else []
    return {"settings": settings, "picture": picture, "out": down.values[0, 0], "matrices": matrices}


def _rounded(value: object) -> object:
    """As JSON has it, numbers to `DIGITS` digits."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, torch.Tensor | np.ndarray):
        return _rounded(value.tolist())
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every number and word with where it stands."""
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, f"{path}.{name}")
    else:
        yield path.removeprefix("."), value


def test_the_golden_numbers_are_the_librarys():
    """Compared as numbers: another machine's last digit may differ."""
    assert GOLDEN.exists(), f"{GOLDEN.name} is missing: write it with python tests/lesson/test_learn_golden.py"
    now, kept = dict(_leaves(golden())), dict(_leaves(json.loads(GOLDEN.read_text())))
    differing = [path for path in now.keys() | kept.keys() if not _same(now.get(path), kept.get(path))]
    assert not differing, (
        f"{GOLDEN.name} is out of date, {len(differing)} numbers differ, {min(differing)} among them: "
        "write it anew with python tests/lesson/test_learn_golden.py, if the library is meant to answer differently"
    )


def _same(one: object, other: object) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one == other


if __name__ == "__main__":
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(json.dumps(golden(), ensure_ascii=False) + "\n")
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes")
