"""The columns of a results file, which the grid writes and the Results page reads: a line for each run, of networks of any kind.

What only one kind of network has stands in columns `metric:NAME`: a line is empty where its own kind has no such metric.
A network has as many columns `stride_N` and `sigma_N` as layers. A file grows columns when a run needs them.
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
    """The column of a metric.

    >>> metric_column("accuracy")
    'metric:accuracy'
    """
    return f"{METRIC}{name}"


def layer_columns(what: str, layers: int) -> tuple[str, ...]:
    """The columns of what every layer has, lowest first.

    >>> layer_columns("stride", 2)
    ('stride_1', 'stride_2')
    """
    return tuple(f"{what}_{n + 1}" for n in range(layers))


def current_name(column: str) -> str:
    """What a column is called today.

    >>> current_name("accuracy"), current_name("seed")
    ('metric:accuracy', 'seed')
    """
    return metric_column(column) if column in _CLASSIFIER_METRICS else column


def layers_of(columns: Iterable[str]) -> int:
    """How many layers the columns are for."""
    names = set(columns)
    return next(n for n in range(len(names) + 1) if f"stride_{n + 1}" not in names)


def columns_for(metrics: Sequence[str], layers: int) -> tuple[str, ...]:
    """All columns of a line, in their order, for these metrics' names and so many layers."""
    return (
        *_FIRST, *map(metric_column, metrics), *_MIDDLE, *layer_columns("stride", layers), *layer_columns("sigma", layers), *_LAST,
    )


def united(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """The columns of both, in their usual order; ValueError where one of them is in no file of this program's."""
    both = dict.fromkeys([*map(current_name, first), *second])
    metrics = [name.removeprefix(METRIC) for name in both if name.startswith(METRIC)]
    whole = columns_for(metrics, layers_of(both))
    if unknown := set(both) - set(whole):
        raise ValueError(f"there is no column {min(unknown)!r} in a results file")
    return whole
