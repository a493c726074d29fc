"""Links that restore a picture or a second of sound, a network and its settings.

?picture=ship&checkpoint=images-adastride&layer=2&height=2,3,2&sigma=0.5, and ?what=sound&clip=seven&second=1.8&width=1.5,,,2.
A test picture of the server's is picture=test,cifar10,cat,12: data set, class and number.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from adastride.audio import MAX_SECONDS
from adastride.downsampling import LayerSettings
from adastride.models.images import STAGES, ImageConfig
from adastride.models.spectrograms import LAYERS, SpectrogramConfig
from adastride.ranges import SIGMA_RANGE, STRIDE_RANGE
from adastride.ui.query import Query, for_layers, number, one_of

MOST_NETWORKS = 4
Settings = tuple[tuple[LayerSettings, LayerSettings], ...]
WHAT = {"pictures": "Pictures", "sound": "Sound"}
KIND_OF = {"pictures": ImageConfig.kind, "sound": SpectrogramConfig.kind}  # of the networks that look at it
_LAYERS_OF = {"pictures": STAGES, "sound": LAYERS}


@dataclass(frozen=True)
class Link:
    """What a link asks for. A field is None where the link says nothing usable.

    what: a key of WHAT. second: of the clip, at which the window that is looked at begins. settings: for each layer those of height and
    width, in sound frequency and time. layer: the one that is shown, from 0; None for all of them. networks: those that are compared; none
    where the page shows one. problems: a sentence for each parameter that was wrong.
    """

    what: str
    picture: str | None
    clip: str | None
    second: float | None
    checkpoint: str | None
    settings: Settings
    layer: int | None
    side_by_side: bool
    networks: tuple[str, ...]
    problems: tuple[str, ...]


def parse(
    parameters: Mapping[str, str], pictures: Container[str], clips: Container[str], checkpoints: Mapping[str, Container[str]],
) -> Link:
    """Reads the page's query parameters. Whatever is missing or wrong gets its default, and what is wrong is reported as a problem.

    checkpoints: the names of the networks of each kind.
    """
    query = Query(parameters)
    what = query.read("what", one_of(WHAT, "pictures or sound"), "pictures are shown") or "pictures"
    sound, known, layers = what == "sound", checkpoints[KIND_OF[what]], _LAYERS_OF[what]
    picture, clip = (None, query.clip(clips)) if sound else (query.picture(pictures), None)
    second = query.read("second", number((0.0, MAX_SECONDS)), "the loudest is shown") if sound else None
    checkpoint = query.checkpoint(known)
    as_trained = [None] * layers
    strides, trained = for_layers(number(STRIDE_RANGE), layers), "the trained one is used"
    heights, widths = (query.read(name, strides, trained) or as_trained for name in ("height", "width"))
    sigmas = query.read("sigma", for_layers(number(SIGMA_RANGE), layers), trained) or as_trained
    layer = query.read("layer", one_of([str(n + 1) for n in range(layers)], f"a layer from 1 to {layers}"), "all are shown")
    view = query.read("view", one_of(("one", "compare"), "one or compare"), "one network is shown")
    settings = tuple(
        (LayerSettings(sigma, height), LayerSettings(sigma, width)) for sigma, height, width in zip(sigmas, heights, widths, strict=True)
    )
    networks = query.checkpoints("networks", known, MOST_NETWORKS)
    return Link(what, picture, clip, second, checkpoint, settings, int(layer) - 1 if layer else None, view == "compare", networks, tuple(query.problems))
