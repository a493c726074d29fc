"""Trains and tests a grid of networks of spectrograms, each run once, and writes a line for every run and task and one for every epoch.

The grid is a TOML file with `spectrograms = true`, whose contents `read_spectrogram_grid` describes. Runs are processes of their own, as
those of `training.grid` are, and go on in the same way.
"""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch

import adastride
from adastride import checkpoints
from adastride.device import choose_device, device_name
from adastride.downsampling import METHODS
from adastride.image_runs import ImageEpochLine, image_epochs_text, read_image_epochs, strides_text
from adastride.models.picture_network import standardised
from adastride.models.spectrograms import LAYERS, SpectrogramClassifier, SpectrogramConfig
from adastride.spectrogram_runs import EPOCHS_FILE, SpectrogramRunLine, read_spectrogram_runs, spectrogram_runs_text
from adastride.training.data import licence_line
from adastride.training.grid import USUAL_SIGMA_INV2, git_revision
from adastride.training.image_grid import epoch_lines, read_toml, reporter
from adastride.training.measure import stopwatch
from adastride.training.picture_loop import finished_history
from adastride.training.processes import Workplace, append_lines, carry_out, fitting, lines_of, run_unfinished
from adastride.training.spectrograms import (
    SpectrogramTask,
    SpectrogramTraining,
    evaluate_spectrograms,
    read_spectrograms,
    train_spectrograms,
    windows_of,
)

_TIMED = 30  # windows


@dataclass(frozen=True)
class SpectrogramRun:
    """One run. tasks: names and folders of its data sets. network: fields of its `SpectrogramConfig` but tasks and labels. note: what has to
    be said beside its numbers."""

    tasks: tuple[tuple[str, Path], ...]
    method: str
    sigma_inv2: float | None
    network: dict[str, Any]
    settings: SpectrogramTraining
    note: str = ""

    @property
    def together(self) -> str:
        """Its tasks in one word."""
        return "+".join(name for name, _ in self.tasks)

    @property
    def id(self) -> str:
        """A name that no other run of the grid has."""
        start = "" if set(self.network["strides"]) == {(2.0, 2.0)} else f"-{strides_text(self.network['strides']).replace(' ', '-')}"
        weight = f"-lambda{self.settings.cost_weight:g}" if self.settings.cost_weight else ""
        sigma = "" if self.sigma_inv2 is None else f"-sigma{self.sigma_inv2:g}"
        return f"{self.together}-{self.method}{sigma}{start}{weight}-e{self.settings.epochs}-s{self.settings.seed}"


def read_spectrogram_grid(path: str | Path, data_root: str | Path) -> list[SpectrogramRun]:
    """Reads a grid file and returns its runs in the order in which they are to be run, each of them once.

        spectrograms = true

        [tasks.NAME]
        data = "fsdd"                         # a folder in data_root, see `read_spectrograms`
        note = "said beside every number"

        [[blocks]]
        tasks = ["NAME", "NAME+OTHER"]        # one network for NAME, and one for both
        methods = ["strided-conv", "diffstride"]
        strides = [[[2, 2], [2, 2], [2, 2], [2, 2]]]  # starts: frequency and time of every layer; 2 everywhere where none is given
        sigma_inv2 = 5.0                      # for the methods that have a sigma
        cost_weights = [0.0, 0.1]             # lambda of equation 6, for methods that learn their strides
        seeds = [0, 1]
        width = 16
        settings = {epochs = 12}              # other SpectrogramTraining than usual

    Raises DataError for a file that is missing or says anything else.
    """
    return read_toml(path, lambda text: [run for block in text["blocks"] for run in _block(block, text["tasks"], Path(data_root))])


def _block(block: dict[str, Any], tasks: dict[str, Any], root: Path) -> Iterator[SpectrogramRun]:
    unknown = set(block) - {"tasks", "methods", "strides", "sigma_inv2", "cost_weights", "seeds", "width", "settings"}
    given = set(block.get("settings", {}))
    unknown |= given - {each.name for each in fields(SpectrogramTraining)} | (given & {"seed", "cost_weight"})
    if unknown:
        raise ValueError(f"a block has an unknown setting {min(unknown)!r}")
    starts = [tuple((float(height), float(width)) for height, width in start) for start in block.get("strides", [[[2, 2]] * LAYERS])]
    for seed, together, method, start, weight in product(block["seeds"], block["tasks"], block["methods"], starts, block.get("cost_weights", [0.0])):
        if weight and METHODS[method].kind != "learned":
            continue
        names = together.split("+")
        sigma = float(block.get("sigma_inv2", USUAL_SIGMA_INV2)) if "sigma" in METHODS[method].parameters else None
        network = {"method": method, "strides": start, "width": block["width"]} | ({} if sigma is None else {"sigma": sigma**-0.5})
        SpectrogramConfig(tuple(names), (("a", "b"),) * len(names), **network)
        settings = replace(SpectrogramTraining(**block.get("settings", {})), seed=seed, cost_weight=float(weight))
        notes = dict.fromkeys(note for name in names if (note := tasks[name].get("note", "")))
        yield SpectrogramRun(tuple((name, root / tasks[name]["data"]) for name in names), method, sigma, network, settings, "; ".join(notes))


def selected(runs: Sequence[SpectrogramRun], patterns: Sequence[str]) -> list[SpectrogramRun]:
    """The runs that fit one of the patterns TASKS or TASKS/METHOD; all where there is none. Raises DataError for one that no run fits."""
    return fitting(runs, patterns, lambda run: run.together)


def run_spectrogram_grid(runs: Sequence[SpectrogramRun], where: Workplace, jobs: int = 1, say: Callable[[str], None] = print) -> list[str]:
    """Runs what is not finished yet, `jobs` runs at a time; see `run_unfinished`. Returns the ids of the runs that failed."""
    return run_unfinished(_work, runs, read_spectrogram_runs, where, jobs, say)


def _work(run: SpectrogramRun, where: Workplace) -> None:
    def body(run: SpectrogramRun, say: Callable[[str], None]) -> None:
        if run.id in {line.run for line in lines_of(where.results, read_spectrogram_runs)}:
            return
        lines, epochs = execute_spectrogram_run(run, where, say)
        append_lines(where.results.with_name(EPOCHS_FILE), read_image_epochs, image_epochs_text, epochs)
        append_lines(where.results, read_spectrogram_runs, spectrogram_runs_text, lines)
        reached = ", ".join(f"{line.task} {100 * line.accuracy:.1f} %" for line in lines)
        say(f"finished: accuracy on {reached}, strides {lines[0].strides}")

    carry_out(run, where, body)


def execute_spectrogram_run(
    run: SpectrogramRun, where: Workplace, say: Callable[[str], None] = print,
) -> tuple[list[SpectrogramRunLine], list[ImageEpochLine]]:
    """Trains a run, or goes on with one, looks at the test splits once, and returns the run's lines.

    The checkpoint stays in the folder of runs under the run's id. Raises DataError for data without a test split.
    """
    out, device = where.runs / f"{run.id}.safetensors", choose_device(where.device)
    mel = SpectrogramConfig(("task",), (("a", "b"),)).mel
    data = [read_spectrograms(folder, mel, name) for name, folder in run.tasks]

    report = reporter(where, say)
    history = finished_history(out)
    if history is None:
        config = SpectrogramConfig(tuple(each.task for each in data), tuple(each.classes for each in data), **run.network)
        licence = [line for _, folder in run.tasks if (line := licence_line(folder))]
        train_spectrograms(data, out, config, run.settings, device, report, licence)
        history = finished_history(out) or []
    return _lines(run, out, data, history, device), epoch_lines(run.id, history)


def _lines(
    run: SpectrogramRun, out: Path, data: Sequence[SpectrogramTask], history: list[dict[str, Any]], device: torch.device,
) -> list[SpectrogramRunLine]:
    network, details = cast(SpectrogramClassifier, checkpoints.load_pictures(out, device)), checkpoints.details(out)["details"]
    tested = [evaluate_spectrograms(network, each, "test") for each in data]
    trained = [row for row in history if row["epoch"]]
    milliseconds = _inference_milliseconds(network, data[0])
    lines = [
        SpectrogramRunLine(
            run=run.id, task=each.task, together=run.together, method=run.method, sigma_inv2=run.sigma_inv2 or 0.0,
            start=strides_text(run.network["strides"]), cost_weight=run.settings.cost_weight, seed=run.settings.seed, width=network.config.width,
            epochs=run.settings.epochs, best_epoch=details["metrics"]["epoch"], clips=each.clips, accuracy=round(each.accuracy, 5),
            loss=round(each.loss, 5), valid_accuracy=round(details["metrics"]["valid_accuracy"], 5),
            strides=strides_text(layer.strides for layer in network.layers), cost=round(float(network.cost()), 5),
            parameters=sum(p.numel() for p in network.parameters()),
            seconds_per_epoch=round(statistics.median(row["seconds"] for row in trained), 2),
            peak_memory_mb=round(max(row["peak_memory_mb"] for row in trained), 1), inference_ms=round(milliseconds, 3),
            device=f"CPU {platform.machine()}" if device.type == "cpu" else device_name(device), threads=torch.get_num_threads(),
            torch=torch.__version__, version=adastride.__version__, git=git_revision(),
            finished=datetime.now(UTC).isoformat(timespec="seconds"), note=run.note,
        )
        for each in tested
    ]
    metrics = {**details["metrics"], "test_accuracy": {each.task: each.accuracy for each in tested}}
    checkpoints.save_checkpoint(network, out, {**details, "run": run.id, "task": run.together, "metrics": metrics})
    return lines


@torch.inference_mode()
def _inference_milliseconds(network: SpectrogramClassifier, data: SpectrogramTask) -> float:
    """The median milliseconds that one window of the test split takes alone."""
    windows, times = [windows_of(picture, network.config.frames)[0] for picture in data.splits["test"].pictures[:_TIMED]], []
    for number in (0, 0, *range(len(windows))):
        began = stopwatch(network.device)
        network(standardised(torch.from_numpy(windows[number])[None, None].to(network.device))).head.cpu()
        times.append(stopwatch(network.device) - began)
    return 1e3 * statistics.median(times[2:])
