"""What a trained classifier can do: accuracy on clips as they are, in silence and shifted, and where its strides go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.audio import MelPreset
from adastride.clips import Clip, DataError
from adastride.downsampling import METHODS
from adastride.models.classifier import Classifier
from adastride.tasks.task import stack_mels
from adastride.training.data import place_in_silence
from adastride.training.measure import stopwatch

MOST_POOLED = 16
SHIFTS = range(11)
_BATCH_SIZE = 64


@dataclass(frozen=True)
class Evaluation:
    """Results on a list of clips.

    accuracy: share right with the clips as they are; loss: their cross-entropy in nats. accuracy_in_silence: the same
    placed at random in a longer window. silence_stride, sound_stride: mean input frames per output frame of the first
    layer, over output frames whose middle lies outside / inside the clip, in those windows; NaN where there are none.
    confusion: (classes, classes) counts of (true, predicted), clips as they are.
    """

    clips: int
    accuracy: float
    accuracy_in_silence: float
    silence_stride: float
    sound_stride: float
    labels: tuple[str, ...]
    confusion: np.ndarray
    loss: float = float("nan")

    @property
    def stride_ratio(self) -> float:
        return self.silence_stride / self.sound_stride


@dataclass(frozen=True)
class Geometry:
    """What the uppermost adaptive layer does with clips as they are; all of it empty or NaN where there is no such layer.

    stride_mean, stride_std: input frames per output frame, over all output frames of all clips. pooled: (17,) shares of the
    output frames that n = 0 ... 16 input frames went to (the last: 16 or more), each input frame counted for the output
    frame it weighs most in (the paper's figure 10); entropy: of that distribution, in nats.
    """

    stride_mean: float = float("nan")
    stride_std: float = float("nan")
    pooled: tuple[float, ...] = ()
    entropy: float = float("nan")


@dataclass
class Prepared:
    """Log-mels of many clips in batches of about equal length, made once and looked at many times."""

    batches: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)

    @classmethod
    def of(cls, sounds: Sequence[np.ndarray], targets: Sequence[int], preset: MelPreset, device: torch.device | str = "cpu") -> Prepared:
        """sounds: waveforms (n,); targets: their class indices."""
        order = sorted(range(len(sounds)), key=lambda i: sounds[i].size)
        result = cls()
        for begin in range(0, len(order), _BATCH_SIZE):
            chosen = order[begin : begin + _BATCH_SIZE]
            mel, lengths = stack_mels([sounds[i] for i in chosen], preset)
            result.batches.append((mel.to(device), lengths.to(device), torch.tensor([targets[i] for i in chosen], device=device)))
        return result

    @torch.no_grad()
    def score(self, model: Classifier, shift: int = 0) -> tuple[int, float, int]:
        """(clips right, sum of cross-entropies in nats, clips), with the log-mels `shift` frames later."""
        right, loss, count = 0, 0.0, 0
        for mel, lengths, targets in self.batches:
            logits = model(shifted(mel, shift), lengths).head
            right += int((logits.argmax(dim=1) == targets).sum())
            loss += float(F.cross_entropy(logits, targets, reduction="sum"))
            count += len(targets)
        return right, loss, count

    @torch.no_grad()
    def geometry(self, model: Classifier) -> Geometry:
        """See `Geometry`."""
        adaptive = [place for place, method in enumerate(model.config.methods) if METHODS[method].kind == "adaptive"]
        if not adaptive:
            return Geometry()
        strides, counts = [], np.zeros(MOST_POOLED + 1)
        for mel, lengths, _ in self.batches:
            alignment = model(mel, lengths).downsampled[adaptive[-1]].alignment
            widths, nearest = alignment.strides().cpu(), alignment.dense().argmax(dim=1).cpu()
            for row, (frames, outputs) in enumerate(zip(alignment.lengths.tolist(), alignment.output_lengths.tolist(), strict=True)):
                strides.append(widths[row, :outputs].numpy())
                pooled = torch.bincount(nearest[row, :frames], minlength=outputs)[:outputs].clamp(max=MOST_POOLED)
                counts += torch.bincount(pooled, minlength=MOST_POOLED + 1).numpy()
        every, shares = np.concatenate(strides), counts / counts.sum()
        entropy = sum(share * np.log(1 / share) for share in shares if share > 0)
        return Geometry(float(every.mean()), float(every.std()), tuple(shares.tolist()), float(entropy))


def shifted(mel: Tensor, frames: int) -> Tensor:
    """Log-mels (B, n_mels, T) `frames` later: the first frame is repeated in front, what leaves at the end is dropped.

    The example's own length stays, so an example shorter than the shift becomes its first frame alone.
    """
    if frames == 0:
        return mel
    return torch.cat([mel[:, :, :1].expand(-1, -1, frames), mel], dim=2)[:, :, : mel.shape[2]]


def targets_of(model: Classifier, clips: Sequence[Clip]) -> list[int]:
    """Class indices of the clips; DataError for a label the model does not know."""
    labels = model.config.labels
    unknown = sorted({clip.label for clip in clips} - set(labels))
    if unknown:
        raise DataError(f"the data has the label {unknown[0]!r}, which {model.name} does not know: it tells {', '.join(labels)} apart.")
    return [labels.index(clip.label) for clip in clips]


def evaluate(model: Classifier, clips: Sequence[Clip], *, placed_seconds: float = 2.0, snr_db: float = 30.0, seed: int = 0) -> Evaluation:
    """Runs the clips as they are, then placed at a random time in noise `snr_db` below them.

    The window has placed_seconds, or is a second longer than a clip that fills it otherwise.
    """
    labels, targets = model.config.labels, np.array(targets_of(model, clips))
    logits, _ = _predict(model, [clip.samples for clip in clips])
    predicted = logits.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (targets, predicted), 1)
    sounds, spans = placed(clips, model.config.mel, placed_seconds, snr_db, seed)
    in_silence, strides = _predict(model, sounds, spans)
    inside = np.concatenate([s for s, _ in strides])
    outside = np.concatenate([s for _, s in strides])
    return Evaluation(
        clips=len(clips), accuracy=float((predicted == targets).mean()),
        accuracy_in_silence=float((in_silence.argmax(axis=1) == targets).mean()),
        silence_stride=_mean(outside), sound_stride=_mean(inside), labels=labels, confusion=confusion,
        loss=float(F.cross_entropy(torch.tensor(logits), torch.tensor(targets))),
    )


def _mean(values: np.ndarray) -> float:
    """Mean, or NaN without numpy's warning where there is nothing to take it of."""
    return float(values.mean()) if values.size else float("nan")


def placed(clips: Sequence[Clip], preset: MelPreset, seconds: float, snr_db: float = 30.0, seed: int = 0) -> tuple[list[np.ndarray], list[tuple[float, float]]]:
    """Clips in silence, and where each one lies, in mel frames. A clip of `seconds` or more gets a second of silence in all."""
    generator = np.random.default_rng(seed)
    sounds, spans = [], []
    for clip in clips:
        length = int(seconds * preset.sample_rate)
        if length <= clip.samples.size:
            length = clip.samples.size + preset.sample_rate
        start = int(generator.integers(0, length - clip.samples.size + 1))
        sounds.append(place_in_silence(clip.samples, length, start, snr_db, generator))
        # Mel frame j is centred on j hops and occupies [j, j + 1) on the axis of frames.
        spans.append((start / preset.hop + 0.5, (start + clip.samples.size) / preset.hop + 0.5))
    return sounds, spans


def inference_milliseconds(model: Classifier, clips: Sequence[Clip], repeats: int = 30) -> float:
    """Median time of one clip alone, log-mel to logits, over at most `repeats` clips spread over the list, by `measure.stopwatch`."""
    device = next(model.parameters()).device
    chosen = [clips[i] for i in np.linspace(0, len(clips) - 1, min(repeats, len(clips))).round().astype(int)]
    return float(np.median([seconds * 1e3 for seconds in _run_times(model, chosen, device)]))


@torch.inference_mode()
def _run_times(model: Classifier, clips: Sequence[Clip], device: torch.device) -> Iterator[float]:
    for index, clip in enumerate([clips[0], clips[0], *clips]):  # the first runs warm up
        mel, lengths = stack_mels([clip.samples], model.config.mel)
        mel, lengths = mel.to(device), lengths.to(device)
        began = stopwatch(device)
        model(mel, lengths).head.cpu()
        if index >= 2:
            yield stopwatch(device) - began


@torch.inference_mode()
def _predict(model: Classifier, sounds: list[np.ndarray], spans: list[tuple[float, float]] | None = None, batch_size: int = 32):
    """Logits (n, classes), and with spans the first layer's strides inside and outside of each."""
    order = sorted(range(len(sounds)), key=lambda i: sounds[i].size)
    logits, strides = np.zeros((len(sounds), len(model.config.labels)), np.float32), []
    device = next(model.parameters()).device
    for begin in range(0, len(order), batch_size):
        chosen = order[begin : begin + batch_size]
        mel, lengths = stack_mels([sounds[i] for i in chosen], model.config.mel)
        output = model(mel.to(device), lengths.to(device))
        logits[chosen] = output.head.cpu().numpy()
        aligned = output.downsampled[0].alignment
        if spans is None:
            continue
        edges = aligned.boundaries().cpu().numpy()
        for row, index in enumerate(chosen):
            b = edges[row, : int(aligned.output_lengths[row]) + 1]
            middle, width = (b[1:] + b[:-1]) / 2, np.diff(b)
            inside = (middle >= spans[index][0]) & (middle < spans[index][1])
            strides.append((width[inside], width[~inside]))
    return logits, strides
