"""What networks' answers mean: a `Task` says how an answer is learned, measured and shown, as a `Prediction`.

`KINDS` maps the kind that a checkpoint names to its configuration, network and task; whoever loads, trains, evaluates,
sweeps or shows networks goes through it and names no class.
"""

from __future__ import annotations

from typing import NamedTuple

from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.models.network import Network, NetworkConfig
from adastride.tasks.classification import Classification
from adastride.tasks.prediction import Bar, CurveLane, Lane, PictureLane, Prediction, Segment, SegmentLane
from adastride.tasks.task import Batch, Metric, Task

__all__ = [
    "KINDS", "Bar", "Batch", "CurveLane", "Kind", "Lane", "Metric", "PictureLane", "Prediction", "Segment", "SegmentLane", "Task", "build",
    "task_of",
]


class Kind(NamedTuple):
    """What belongs together: a configuration's class, the network it builds, and what its answers mean."""

    config: type[NetworkConfig]
    network: type[Network]
    task: Task


KINDS: dict[str, Kind] = {ClassifierConfig.kind: Kind(ClassifierConfig, Classifier, Classification())}


def build(config: NetworkConfig) -> Network:
    """An untrained network of a configuration."""
    return KINDS[config.kind].network(config)


def task_of(network: Network | NetworkConfig) -> Task:
    """What a network's answers mean. KeyError for one of a kind that is not in `KINDS`."""
    return KINDS[(network.config if isinstance(network, Network) else network).kind].task
