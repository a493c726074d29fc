"""What the library makes of the pictures of the lesson's step 11."""

from __future__ import annotations

import torch
from torch import Tensor

from adastride.downsampling.images import DownsampledImage, build_image_layer
from adastride.lesson.axes import SMOOTHNESS, pictures


def picture_of(name: str) -> Tensor:
    """A picture of the lesson from 0 to 1: (1, 1, height, width) float64."""
    return torch.from_numpy(pictures()[name]).double()[None, None] / 255


def downsampled(picture: Tensor, method: str, height: float, width: float, contrast: float, sigma: float) -> DownsampledImage:
    """A picture (1, 1, height, width) downsampled with the settings of the step, in float64."""
    parameters = {"adastride": {"sigma": sigma}, "diffstride": {"smoothness": SMOOTHNESS}}.get(method, {})
    layer = build_image_layer(method, 1, (height, width), **parameters).double()
    with torch.no_grad():
        if method == "adastride":
            for axis in (layer.height, layer.width):
                axis.layer.score.weight.fill_(contrast)
        elif method == "diffstride":
            layer.module.strides.copy_(torch.tensor([height, width], dtype=torch.float64))
        return layer(picture)
