"""Classification by transformers of patches: the networks' names, and what they can do that other classifiers can't."""

from __future__ import annotations

import re
from typing import Any

from adastride.audio import PRESETS
from adastride.downsampling import METHODS
from adastride.models.audio_transformer import AudioTransformer, AudioTransformerConfig
from adastride.tasks.classification import Classification

AST_SECONDS = 5.0  # of an AST whose name says nothing else
_AST = re.compile(r"ast(?:-(\d{1,3}(?:\.\d)?)s)?")


class PatchClassification(Classification[AudioTransformer, AudioTransformerConfig]):
    """The task of audio transformers, which have names of their own: "elastic", "ast" and others, see `network_fields`."""

    name = "elastic"
    usual_method = "elastic"

    def network_fields(self, method: str) -> dict[str, Any]:
        """The fields that make the transformer of a name: the one of "elastic", "ast", "ast-2s" (of clips of 2 s), "elastic-METHOD", "METHOD".

        The last two are ElasticAST with a downsampling of the mel in front of it. Raises ValueError for any other name.

        >>> PatchClassification().network_fields("ast-2s"), PatchClassification().network_fields("elastic-adastride")
        ({'methods': (), 'frames': 200}, {'methods': ('adastride',)})
        """
        if method == "elastic":
            return {"methods": ()}
        if ast := _AST.fullmatch(method):
            frames = round(float(ast[1] or AST_SECONDS) * PRESETS[AudioTransformerConfig.front_end].frames_per_second)
            if frames:
                return {"methods": (), "frames": frames}
        front = method.removeprefix("elastic-")
        if front not in METHODS:
            raise ValueError(f"there is no audio transformer {method!r}: choose elastic, ast, ast-2s or elastic- and one of {', '.join(METHODS)}")
        return {"methods": (front,)}

    def effort(self, network: AudioTransformer, frames: int) -> tuple[int, int]:
        return network.effort(frames)

    def longest_seconds(self, network: AudioTransformer) -> float:
        """What an AST works on; ElasticAST works on all of a clip."""
        frames = network.config.frames
        return float("inf") if frames is None or network.config.methods else frames / network.config.mel.frames_per_second
