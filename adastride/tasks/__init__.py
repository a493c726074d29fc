"""What networks' answers mean: a `Task` says how an answer is learned, measured and shown, as a `Prediction`.

`KINDS` maps the kind that a checkpoint names to its configuration, network and task; whoever loads, trains, evaluates,
sweeps or shows networks goes through it and names no class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from adastride.clips import Clip
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.models.network import Network, NetworkConfig
from adastride.tasks.classification import Classification
from adastride.tasks.prediction import Bar, CurveLane, Lane, PictureLane, Prediction, Segment, SegmentLane
from adastride.tasks.task import Batch, Breakdown, Metric, Task

__all__ = [
    "KINDS", "Bar", "Batch", "Breakdown", "CurveLane", "Kind", "Lane", "Metric", "PictureLane", "Prediction", "Segment", "SegmentLane", "Task", "build",
    "task_of",
]


class Kind(NamedTuple):
    """What belongs together: a configuration's class, the network it builds, and what its answers mean."""

    config: type[NetworkConfig]
    network: type[Network]
    task: Task[Any, Any]

    def options(self, method: str, **others: Any) -> dict[str, Any]:
        """Fields of a configuration: those of a network named `method` (see `Task.network_fields`), and `others` of the same names
        in their place."""
        return {**self.task.network_fields(method), **others}

    def learn_config(self, train: Sequence[Clip], valid: Sequence[Clip], **options: Any) -> NetworkConfig:
        """The configuration of a network that is to learn from some clips and be chosen by others. options: its other fields.

        Raises DataError for clips that nothing can be learned from, ValueError for options that can't be.
        """
        return self.config(**self.task.learned_fields(train, valid), **options)


KINDS: dict[str, Kind] = {ClassifierConfig.kind: Kind(ClassifierConfig, Classifier, Classification())}


def build(config: NetworkConfig) -> Network:
    """An untrained network of a configuration."""
    return KINDS[config.kind].network(config)


def task_of(network: Network | NetworkConfig) -> Task[Any, Any]:
    """What a network's answers mean. KeyError for one of a kind that is not in `KINDS`."""
    return KINDS[(network.config if isinstance(network, Network) else network).kind].task
