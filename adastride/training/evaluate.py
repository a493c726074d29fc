"""What a trained classifier can do: accuracy on clips as they are and in silence, and where its strides go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from adastride.audio import MelPreset
from adastride.models.classifier import Classifier
from adastride.training.data import Clip, DataError, place_in_silence, stack_mels


@dataclass(frozen=True)
class Evaluation:
    """Results on a list of clips.

    accuracy: share right with the clips as they are. accuracy_in_silence: the same placed at random in a longer window.
    silence_stride, sound_stride: mean input frames per output frame of the first layer, over output frames whose
    middle lies outside / inside the clip, in those windows; NaN where there are none.
    confusion: (classes, classes) counts of (true, predicted), clips as they are.
    """

    clips: int
    accuracy: float
    accuracy_in_silence: float
    silence_stride: float
    sound_stride: float
    labels: tuple[str, ...]
    confusion: np.ndarray

    @property
    def stride_ratio(self) -> float:
        return self.silence_stride / self.sound_stride


def evaluate(model: Classifier, clips: Sequence[Clip], *, placed_seconds: float = 2.0, snr_db: float = 30.0, seed: int = 0) -> Evaluation:
    """Runs the clips as they are, then placed at a random time in `placed_seconds` of noise `snr_db` below them."""
    labels = model.config.labels
    unknown = sorted({clip.label for clip in clips} - set(labels))
    if unknown:
        raise DataError(f"the data has the label {unknown[0]!r}, which {model.name} does not know: it tells {', '.join(labels)} apart.")
    predicted, _ = _predict(model, [clip.samples for clip in clips])
    targets = np.array([labels.index(clip.label) for clip in clips])
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (targets, predicted), 1)
    sounds, spans = _placed(clips, model.config.mel, placed_seconds, snr_db, seed)
    in_silence, strides = _predict(model, sounds, spans)
    inside = np.concatenate([s for s, _ in strides])
    outside = np.concatenate([s for _, s in strides])
    return Evaluation(
        clips=len(clips), accuracy=float((predicted == targets).mean()), accuracy_in_silence=float((in_silence == targets).mean()),
        silence_stride=_mean(outside), sound_stride=_mean(inside), labels=labels, confusion=confusion,
    )


def _mean(values: np.ndarray) -> float:
    """Mean, or NaN without numpy's warning where there is nothing to take it of."""
    return float(values.mean()) if values.size else float("nan")


def accuracy(model: Classifier, clips: Sequence[Clip], *, placed_seconds: float, snr_db: float = 30.0, seed: int = 0) -> float:
    """Share of clips right when placed at random in `placed_seconds` of noise `snr_db` below them."""
    sounds, _ = _placed(clips, model.config.mel, placed_seconds, snr_db, seed)
    predicted, _ = _predict(model, sounds)
    return float(np.mean([model.config.labels[p] == clip.label for p, clip in zip(predicted, clips, strict=True)]))


def _placed(clips: Sequence[Clip], preset: MelPreset, seconds: float, snr_db: float, seed: int) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    """Clips in silence, and where each one lies, in mel frames."""
    generator = np.random.default_rng(seed)
    sounds, spans = [], []
    for clip in clips:
        length = max(int(seconds * preset.sample_rate), clip.samples.size)
        start = int(generator.integers(0, length - clip.samples.size + 1))
        sounds.append(place_in_silence(clip.samples, length, start, snr_db, generator))
        # Mel frame j is centred on j hops and occupies [j, j + 1) on the axis of frames.
        spans.append((start / preset.hop + 0.5, (start + clip.samples.size) / preset.hop + 0.5))
    return sounds, spans


@torch.inference_mode()
def _predict(model: Classifier, sounds: list[np.ndarray], spans: list[tuple[float, float]] | None = None, batch_size: int = 32):
    """Predicted class indices (n,), and with spans the first layer's strides inside and outside of each."""
    order = sorted(range(len(sounds)), key=lambda i: sounds[i].size)
    predicted, strides = np.zeros(len(sounds), int), []
    device = next(model.parameters()).device
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        mel, lengths = stack_mels([sounds[i] for i in chosen], model.config.mel)
        output = model(mel.to(device), lengths.to(device))
        predicted[chosen] = output.logits.argmax(dim=1).cpu().numpy()
        aligned = output.downsampled[0].alignment
        if spans is None:
            continue
        edges = aligned.boundaries().cpu().numpy()
        for row, index in enumerate(chosen):
            b = edges[row, : int(aligned.output_lengths[row]) + 1]
            middle, width = (b[1:] + b[:-1]) / 2, np.diff(b)
            inside = (middle >= spans[index][0]) & (middle < spans[index][1])
            strides.append((width[inside], width[~inside]))
    return predicted, strides
