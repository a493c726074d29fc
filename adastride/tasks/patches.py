"""Classification by transformers of patches: the networks' names, and what they can do that other classifiers can't."""

from __future__ import annotations

from typing import Any

from adastride.models.audio_transformer import AudioTransformer, AudioTransformerConfig, transformer_options
from adastride.tasks.classification import Classification


class PatchClassification(Classification[AudioTransformer, AudioTransformerConfig]):
    """The task of audio transformers, which have names of their own: "elastic", "ast" and others."""

    name = "elastic"
    usual_method = "elastic"

    def network_fields(self, method: str) -> dict[str, Any]:
        return transformer_options(method)

    def effort(self, network: AudioTransformer, frames: int) -> tuple[int, int]:
        return network.effort(frames)

    def longest_seconds(self, network: AudioTransformer) -> float:
        """What an AST works on; ElasticAST works on all of a clip."""
        frames = network.config.frames
        return float("inf") if frames is None or network.config.methods else frames / network.config.mel.frames_per_second
