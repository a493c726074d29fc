"""Says what networks' answers mean: a `Task` knows how an answer is learned, measured, and shown as a `Prediction`.

`KINDS` maps the kind that a checkpoint names to its configuration, network and task. Whatever loads, trains, evaluates,
sweeps or shows networks goes through it and names no class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from adastride.clips import Clip
from adastride.models.audio_transformer import AudioTransformer, AudioTransformerConfig
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.models.codec import Codec, CodecConfig
from adastride.models.images import ImageClassifier, ImageConfig
from adastride.models.network import Network, NetworkConfig
from adastride.models.picture_network import PictureConfig, PictureNetwork
from adastride.models.recogniser import Recogniser, RecogniserConfig
from adastride.models.spectrograms import SpectrogramClassifier, SpectrogramConfig
from adastride.tasks.classification import ACCURACY, Classification
from adastride.tasks.patches import PatchClassification
from adastride.tasks.prediction import Audible, Bar, CurveLane, Lane, PictureLane, Prediction, Segment, SegmentLane, words
from adastride.tasks.recognition import Recognition
from adastride.tasks.reconstruction import Reconstruction
from adastride.tasks.task import Batch, Breakdown, Metric, Reconstructed, Task

__all__ = [
    "KINDS", "PICTURE_KINDS", "Audible", "Bar", "Batch", "Breakdown", "CurveLane", "Kind", "Lane", "Metric", "PictureKind", "PictureLane", "Prediction",
    "Reconstructed", "Segment", "SegmentLane", "Task", "build", "headline_of", "task_of", "words",
]


class Kind(NamedTuple):
    """One kind of network: the class of its configuration, the network that this builds, and the task that its answers belong to."""

    config: type[NetworkConfig]
    network: type[Network]
    task: Task[Any, Any]

    def options(self, method: str, **others: Any) -> dict[str, Any]:
        """The fields of the configuration of a network named `method`, see `Task.network_fields`; `others` are added or replace them."""
        return {**self.task.network_fields(method), **others}

    def learn_config(self, train: Sequence[Clip], valid: Sequence[Clip], **options: Any) -> NetworkConfig:
        """The configuration of a network that is to be trained on some clips and chosen by others.

        options: the fields that do not follow from the clips. Raises DataError for clips that nothing can be learned from, ValueError
        for options that the configuration does not allow.
        """
        return self.config(**{**options, **self.task.learned_fields(train, valid, options)})


KINDS: dict[str, Kind] = {
    ClassifierConfig.kind: Kind(ClassifierConfig, Classifier, Classification()),
    RecogniserConfig.kind: Kind(RecogniserConfig, Recogniser, Recognition()),
    CodecConfig.kind: Kind(CodecConfig, Codec, Reconstruction()),
    AudioTransformerConfig.kind: Kind(AudioTransformerConfig, AudioTransformer, PatchClassification()),
}


class PictureKind(NamedTuple):
    """One kind of network of pictures: the class of its configuration, and the network that this builds. All of them tell labels apart."""

    config: type[PictureConfig]
    network: type[PictureNetwork]


PICTURE_KINDS: dict[str, PictureKind] = {
    ImageConfig.kind: PictureKind(ImageConfig, ImageClassifier),
    SpectrogramConfig.kind: PictureKind(SpectrogramConfig, SpectrogramClassifier),
}


def build(config: NetworkConfig) -> Network:
    """Builds the untrained network of a configuration."""
    return KINDS[config.kind].network(config)


def headline_of(kind: str) -> Metric:
    """The metric that stands for all of a kind of network, of sound or of pictures. Raises KeyError for another."""
    return ACCURACY if kind in PICTURE_KINDS else KINDS[kind].task.headline


def task_of(network: Network | NetworkConfig) -> Task[Any, Any]:
    """The task of a network or a configuration. Raises KeyError for a kind that is not in `KINDS`."""
    config = network.config if isinstance(network, Network) else network
    return KINDS[config.kind].task.of(config)
