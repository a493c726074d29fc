"""Small untrained audio transformers for tests, one with a name each: their answers mean nothing, but change with what they hear."""

from __future__ import annotations

from typing import Any

import torch
from made_up_networks import unsettle

from adastride.models import AudioTransformer, AudioTransformerConfig

KINDS: dict[str, dict[str, Any]] = {
    "elastic": {}, "ast": {"frames": 200}, "front": {"methods": ("adastride",)}, "pooled": {"methods": ("avg-pool",)},
}


def audio_transformer(kind: str = "elastic", **options: Any) -> AudioTransformer:
    """In evaluation mode. Its biases are not 0, its attention is not even, and a layer in front places frames unevenly."""
    torch.manual_seed(0)
    labels = ("zero", "one", "two", "three")
    network = AudioTransformer(AudioTransformerConfig(labels, **{"width": 24, "blocks": 3, "heads": 2, **KINDS[kind], **options})).eval()
    unsettle(network)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name in ("transformer.embedding.frequency", "transformer.embedding.time"):  # patches are told apart by what they hold
                weight.div_(15.0)
            if "attention.query" in name or "key_value" in name:
                weight.mul_(6.0)
    if hasattr(network.front, "score"):
        torch.nn.init.normal_(network.front.score.weight, std=0.1)
    network.requires_grad_(False)
    network.name = kind
    return network
