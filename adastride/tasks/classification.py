"""Classification: a network says which of a few labels a clip has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.clips import Clip, DataError
from adastride.models.audio_transformer import AudioTransformer, AudioTransformerConfig
from adastride.models.classifier import Classifier, ClassifierConfig, network_options
from adastride.models.network import Output
from adastride.tasks.prediction import Bar, Prediction, words
from adastride.tasks.task import Batch, Breakdown, Metric, Task, stack_mels

MOST_LABELS, MOST_LETTERS = 200, 100  # of a network of somebody's own that a page shows
ACCURACY = Metric("accuracy", "Accuracy", "%", 100.0, proportion=True)


Labelling = TypeVar("Labelling", bound=Classifier | AudioTransformer)
LabellingConfig = TypeVar("LabellingConfig", bound=ClassifierConfig | AudioTransformerConfig)


def percent(probability: float) -> str:
    """Writes a probability as a person reads it.

    >>> percent(0.8149), percent(0.00001), percent(0.99999)
    ('81.5 %', '< 0.1 %', '> 99.9 %')
    """
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= probability < 1 else f"{100 * probability:.1f} %"


class Classification(Task[Labelling, LabellingConfig], Generic[Labelling, LabellingConfig]):
    """The task of networks that tell labels apart. The head of such a network holds one logit for each label: (batch, labels)."""

    name = "classification"
    metrics = (
        ACCURACY,
        Metric("loss", "Cross-entropy", "nats", higher_is_better=False, digits=3),
    )
    mask_value = -5.0  # what the network subtracts from log-mels: a mask is as loud as the middle, neither floor nor click

    def predict(self, network: Labelling, output: Output, edges: Callable[[], np.ndarray]) -> Prediction:
        """The probabilities of the labels as bars, with the most probable label as the headline; `values` has them under their own names."""
        labels = network.config.labels
        probabilities = torch.softmax(output.head[0].double(), dim=0).tolist()
        values = dict(zip(labels, probabilities, strict=True))
        best = max(values, key=values.__getitem__)
        return Prediction(
            headline=words(best), detail=percent(values[best]), bars_title="Class probabilities",
            bars=tuple(Bar(words(label), share, percent(share)) for label, share in values.items()),
            arrays={"labels": np.array(labels), "probabilities": np.array(probabilities)}, values=values,
        )

    def describe(self, config: LabellingConfig) -> str:
        return f"{len(config.labels)} classes"

    def check_config(self, config: LabellingConfig) -> None:
        check_labels(config.labels)

    def network_fields(self, method: str) -> dict[str, Any]:
        return network_options(method)

    def learned_fields(self, train: Sequence[Clip], valid: Sequence[Clip], options: Mapping[str, Any]) -> dict[str, Any]:
        """The labels of the training clips.

        Raises DataError for a clip without a label, for fewer than two labels, or for a valid clip with another label.
        """
        labels = tuple(sorted({clip.label for clip in train}))
        _require_labels([*train, *valid])
        if len(labels) < 2:
            raise DataError(f"all training clips have the label {labels[0]!r}: at least two classes are needed.")
        unknown = next((clip for clip in valid if clip.label not in labels), None)
        if unknown:
            raise DataError(f"the valid split has the label {unknown.label!r} ({unknown.path}), which no training clip has.")
        return {"labels": labels}

    def targets(self, network: Labelling, clips: Sequence[Clip]) -> list[int]:
        """The index of each clip's label. Raises DataError for a clip without one, or with one that the network does not know."""
        labels = network.config.labels
        _require_labels(clips)
        unknown = sorted({clip.label for clip in clips} - set(labels))
        if unknown:
            raise DataError(f"the data has the label {unknown[0]!r}, which {network.name} does not know: it tells {', '.join(labels)} apart.")
        return [labels.index(clip.label) for clip in clips]

    def batch(self, network: Labelling, sounds: Sequence[np.ndarray], targets: Sequence[int]) -> Batch:
        return self.coarser_batch(network, sounds, targets, [1.0] * len(sounds))

    def coarser_batch(self, network: Labelling, sounds: Sequence[np.ndarray], targets: Sequence[int], resolutions: Sequence[float]) -> Batch:
        signal, lengths = stack_mels(sounds, network.config.mel, resolutions)
        return Batch(signal, lengths, (torch.tensor(targets),))

    def loss(self, output: Output, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy, in nats."""
        return F.cross_entropy(output.head, batch.targets[0], label_smoothing=label_smoothing)

    def measure(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        (targets,) = batch.targets
        return {
            "accuracy": (output.head.argmax(dim=1) == targets).double(),
            "loss": F.cross_entropy(output.head, targets, reduction="none").double(),
        }

    def answers(self, output: Output) -> list[int]:
        """The index of the most probable label of each example."""
        return output.head.argmax(dim=1).tolist()

    def breakdown(self, network: Labelling, targets: Sequence[int], answers: Sequence[int]) -> Breakdown:
        """The confusion matrix: counts of (true, predicted)."""
        labels = network.config.labels
        confusion = np.zeros((len(labels), len(labels)), int)
        np.add.at(confusion, (np.asarray(targets), np.asarray(answers)), 1)
        rows = [(label, *map(str, row)) for label, row in zip(labels, confusion, strict=True)]
        return Breakdown(
            "confusion, clips as they are (rows: true, columns: predicted)", (("", *labels), *rows),
            {"labels": list(labels), "confusion": confusion.tolist()},
        )


def check_labels(labels: Sequence[str]) -> None:
    """Raises ValueError, one sentence without its subject, for more classes than a page shows, or for longer names."""
    longest = max(map(len, labels))
    if len(labels) > MOST_LABELS or longest > MOST_LETTERS:
        raise ValueError(
            f"has {len(labels)} classes with names of up to {longest} letters, more than the {MOST_LABELS} of "
            f"{MOST_LETTERS} letters that a page shows"
        )


def _require_labels(clips: Sequence[Clip]) -> None:
    """Raises DataError, one sentence, for a clip without a label."""
    without = next((clip for clip in clips if not clip.label), None)
    if without:
        raise DataError(f"the clip {without.path} has no label: the manifest needs a column label with what is to be told apart.")
