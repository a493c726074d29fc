"""The columns of a results file, which the grid writes and the Results page reads. It has a line for each run of any kind of network.

Metrics stand in columns `metric:NAME`, and a line is empty where its kind of network has no such metric. There are columns
`stride_N` and `sigma_N` for each layer. A file gets new columns when a run needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

METRIC = "metric:"
POOLED, SHIFTS = 17, 11
# Files from before there were several kinds of network have the classifier's metrics in columns of these names.
_CLASSIFIER_METRICS = ("accuracy", "loss", "accuracy_in_silence", "valid_accuracy")
_FIRST = (
    "run", "kind", "task", "fold", "method", "sigma_inv2", "learn_sigma", "seed", "width", "clips_train", "clips_test", "epochs", "best_epoch",
    "train_loss",
)
_MIDDLE = ("silence_stride", "sound_stride", "seconds_per_epoch", "peak_memory_mb", "inference_ms_per_clip", "parameters")
_LAST = (
    "adaptive_stride_mean", "adaptive_stride_std", *(f"pooled_{n}" for n in range(POOLED)), "pooled_entropy", *(f"shift_{n}" for n in range(SHIFTS)),
    "device", "threads", "torch", "version", "git", "finished",
)


def metric_column(name: str) -> str:
    """The name of a metric's column.

    >>> metric_column("accuracy")
    'metric:accuracy'
    """
    return f"{METRIC}{name}"


def layer_columns(quantity: str, layers: int) -> tuple[str, ...]:
    """The columns of a quantity that every layer has, such as its stride, the lowest layer first.

    >>> layer_columns("stride", 2)
    ('stride_1', 'stride_2')
    """
    return tuple(f"{quantity}_{n + 1}" for n in range(layers))


def current_name(column: str) -> str:
    """The present name of a column, which may have had another name in an older file.

    >>> current_name("accuracy"), current_name("seed")
    ('metric:accuracy', 'seed')
    """
    return metric_column(column) if column in _CLASSIFIER_METRICS else column


def layers_of(columns: Iterable[str]) -> int:
    """How many layers the columns of a file have room for."""
    names = set(columns)
    return next(n for n in range(len(names) + 1) if f"stride_{n + 1}" not in names)


def columns_for(metrics: Sequence[str], layers: int) -> tuple[str, ...]:
    """All columns of a file, in their order. metrics: the names of the metrics. layers: how many layers there are at most."""
    return (
        *_FIRST, *map(metric_column, metrics), *_MIDDLE, *layer_columns("stride", layers), *layer_columns("sigma", layers), *_LAST,
    )


def united(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """The columns that a file needs to hold those of two, in their order. Raises ValueError for a column that is in no results file."""
    both = dict.fromkeys([*map(current_name, first), *second])
    metrics = [name.removeprefix(METRIC) for name in both if name.startswith(METRIC)]
    all_columns = columns_for(metrics, layers_of(both))
    if unknown := set(both) - set(all_columns):
        raise ValueError(f"there is no column {min(unknown)!r} in a results file")
    return all_columns
