"""Links that restore a clip, a checkpoint and settings: ?clip=seven&checkpoint=digits-adastride&sigma=0.4,0.4,1&stride=3."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass

from adastride.downsampling import LayerSettings
from adastride.downsampling.base import VARIANTS
from adastride.inspection.tracing import EVERYTHING, Hearing
from adastride.ranges import LEAST_HEARD, RESOLUTION_RANGE, SIGMA_RANGE, STRIDE_RANGE
from adastride.ui.query import LayersOf, Query, for_layers, number, one_of


@dataclass(frozen=True)
class Link:
    """What a link asks for. A field is None where the link says nothing usable.

    settings: one for each layer of its network. hearing: how much of the clip the network is to hear, and how finely. problems: a
    sentence for each parameter that was wrong.
    """

    clip: str | None
    checkpoint: str | None
    settings: tuple[LayerSettings, ...]
    problems: tuple[str, ...]
    hearing: Hearing = EVERYTHING


def parse(parameters: Mapping[str, str], clips: Container[str], checkpoints: Container[str], layers_of: LayersOf) -> Link:
    """Reads the page's query parameters. Whatever is missing or wrong gets its default, and what is wrong is reported as a problem."""
    query = Query(parameters)
    clip, checkpoint = query.clip(clips), query.checkpoint(checkpoints)
    layers, hearing = settings(query, layers_of(checkpoint)), _hearing(query)
    return Link(clip, checkpoint, layers, tuple(query.problems), hearing)


def _hearing(query: Query) -> Hearing:
    length = query.read("length", number((LEAST_HEARD, math.inf)), "all of the clip is heard")
    resolution = query.read("resolution", number(RESOLUTION_RANGE), "the trained one is used")
    return Hearing(None if length == math.inf else length, resolution or 1.0)


def settings(query: Query, layers: int) -> tuple[LayerSettings, ...]:
    """Reads the settings that the viewer was moved to: sigma, stride and variant of each layer, or one value for all layers."""
    converters = {"sigma": number(SIGMA_RANGE), "stride": number(STRIDE_RANGE), "variant": one_of(VARIANTS, " or ".join(VARIANTS))}
    as_trained = [None] * layers
    columns = [
        query.read(name, for_layers(convert, layers), "the trained one is used") or as_trained for name, convert in converters.items()
    ]
    return tuple(LayerSettings(*values) for values in zip(*columns, strict=True))
