"""Classification by transformers of patches: the networks' names, and what they can do that other classifiers can't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from adastride.audio import MelPreset, mel_band_centres, mel_band_ticks
from adastride.models.audio_transformer import AudioTransformer, AudioTransformerConfig, Seen, transformer_options
from adastride.models.network import Output
from adastride.tasks.attention import Heads, Patches
from adastride.tasks.classification import Classification
from adastride.tasks.prediction import Prediction


class PatchClassification(Classification[AudioTransformer, AudioTransformerConfig]):
    """The task of audio transformers, which have names of their own: "elastic", "ast" and others."""

    name = "elastic"
    usual_method = "elastic"
    hears_parts = True

    def network_fields(self, method: str) -> dict[str, Any]:
        return transformer_options(method)

    def predict(self, network: AudioTransformer, output: Output, edges: Callable[[], np.ndarray]) -> Prediction:
        """The probabilities of the labels; of a run that is looked at, the patches, and how much the answer is made of each as a lane."""
        prediction = super().predict(network, output, edges)
        if not isinstance(output, Seen):
            return prediction
        patches = _patches(network, output, edges())
        lane = patches.lane(f"Where the answer comes from: {patches.made_by}, mean of heads", patches.weights)
        return replace(prediction, lanes=(lane,), patches=patches, arrays={**prediction.arrays, **patches.arrays()})

    def effort(self, network: AudioTransformer, frames: int) -> tuple[int, int]:
        return network.effort(frames)

    def longest_seconds(self, network: AudioTransformer) -> float:
        """What an AST works on; ElasticAST works on all of a clip."""
        frames = network.config.frames
        return float("inf") if frames is None or network.config.methods else frames / network.config.mel.frames_per_second


def _patches(network: AudioTransformer, output: Seen, times: np.ndarray) -> Patches:
    """times: (frames + 1,) seconds at which the frames begin that patches are made of, and the end of the last."""
    config, attended = network.config, output.attended
    size, rows, columns = config.patch, config.mel.n_mels // config.patch, -(-attended.frames // config.patch)
    weights = attended.weights.mean(dim=0).cpu().double().numpy()[attended.leading :].reshape(rows, attended.columns)[:, :columns]
    _, multiply_adds = network.effort(attended.frames)
    return Patches(
        edges=times[np.minimum(np.arange(columns + 1) * size, attended.frames)], hertz=_row_edges(config.mel, size), frames=size,
        weights=weights, made_by="attention pooling" if config.frames is None else "the class token in the last block",
        leading=attended.leading,
        all_columns=attended.columns, cut=float(times[-1] - times[attended.frames]),
        ticks=tuple((text, (band + 0.5) / size - 0.5) for text, band in mel_band_ticks(config.mel)), multiply_adds=multiply_adds,
        attention=Heads.of(attended.queries, attended.keys, attended.scale) if attended.queries else None,
        most_tokens=network.transformer.most_attended,
    )


def _row_edges(preset: MelPreset, size: int) -> np.ndarray:
    """The frequencies in Hz at which rows of patches begin, and the end of the last; those in the middle of two bands' centres."""
    centres = mel_band_centres(preset)
    between = np.concatenate([[preset.low_hz], (centres[1:] + centres[:-1]) / 2, [preset.high_hz]])
    return between[::size]
