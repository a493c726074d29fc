"""Links that restore a picture, a network and its settings: ?picture=ship&checkpoint=images-adastride&layer=2&height=2,3,2&sigma=0.5.

A test picture of the server's is picture=test,cifar10,cat,12: data set, class and number.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from adastride.downsampling import LayerSettings
from adastride.models.images import STAGES
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE
from adastride.ui.query import Query, for_layers, number, one_of

MOST_NETWORKS = 4
Settings = tuple[tuple[LayerSettings, LayerSettings], ...]


@dataclass(frozen=True)
class Link:
    """What a link asks for. A field is None where the link says nothing usable.

    settings: for each layer those of height and width. layer: the one that is shown, from 0; None for all of them. networks: those that
    are compared; none where the page shows one. problems: a sentence for each parameter that was wrong.
    """

    picture: str | None
    checkpoint: str | None
    settings: Settings
    layer: int | None
    side_by_side: bool
    networks: tuple[str, ...]
    problems: tuple[str, ...]


def parse(parameters: Mapping[str, str], pictures: Container[str], checkpoints: Container[str]) -> Link:
    """Reads the page's query parameters. Whatever is missing or wrong gets its default, and what is wrong is reported as a problem."""
    query = Query(parameters)
    picture, checkpoint = query.picture(pictures), query.checkpoint(checkpoints)
    as_trained = [None] * STAGES
    strides, trained = for_layers(number(STRIDE_RANGE), STAGES), "the trained one is used"
    heights, widths = (query.read(name, strides, trained) or as_trained for name in ("height", "width"))
    sigmas = query.read("sigma", for_layers(number(SIGMA_RANGE), STAGES), trained) or as_trained
    layer = query.read("layer", one_of([str(n + 1) for n in range(STAGES)], f"a layer from 1 to {STAGES}"), "all are shown")
    view = query.read("view", one_of(("one", "compare"), "one or compare"), "one network is shown")
    settings = tuple(
        (LayerSettings(sigma, height), LayerSettings(sigma, width)) for sigma, height, width in zip(sigmas, heights, widths, strict=True)
    )
    networks = query.checkpoints("networks", checkpoints, MOST_NETWORKS)
    return Link(picture, checkpoint, settings, int(layer) - 1 if layer else None, view == "compare", networks, tuple(query.problems))
