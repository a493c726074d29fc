"""Trains and tests a grid of networks of pictures, each run once, and writes a line for every run and one for every epoch.

The grid is a TOML file with `pictures = true`, whose contents `read_image_grid` describes. Runs are processes of their own, as those of
`training.grid` are, and go on in the same way.
"""

from __future__ import annotations

import math
import platform
import statistics
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch

import adastride
from adastride import checkpoints
from adastride.clips import DataError
from adastride.device import choose_device, device_name
from adastride.downsampling import METHODS
from adastride.image_runs import (
    EPOCHS_FILE,
    ImageEpochLine,
    ImageRunLine,
    image_epochs_text,
    image_runs_text,
    read_image_epochs,
    read_image_runs,
    strides_text,
)
from adastride.models.images import STAGES, ImageClassifier, ImageConfig
from adastride.models.picture_network import PictureNetwork, standardised
from adastride.training.data import licence_line
from adastride.training.grid import USUAL_SIGMA_INV2, git_revision
from adastride.training.image_datasets import ImageData, read_images
from adastride.training.images import ImageTraining, evaluate_images, train_images
from adastride.training.measure import stopwatch
from adastride.training.picture_loop import PictureProgress, finished_history
from adastride.training.processes import AnyRun, Workplace, append_lines, carry_out, check_time, fitting, lines_of, run_unfinished

_TIMED = 30  # pictures


@dataclass(frozen=True)
class ImageRun:
    """One run. folder: of the data. network: fields of its `ImageConfig` but the labels. note: what has to be said beside its numbers."""

    data: str
    folder: Path
    method: str
    sigma_inv2: float | None
    network: dict[str, Any]
    settings: ImageTraining
    note: str = ""

    @property
    def id(self) -> str:
        """A name that no other run of the grid has."""
        start = "" if set(map(tuple, self.network["strides"])) == {(2.0, 2.0)} else f"-{strides_text(self.network['strides']).replace(' ', '-')}"
        weight = f"-lambda{self.settings.cost_weight:g}" if self.settings.cost_weight else ""
        sigma = "" if self.sigma_inv2 is None else f"-sigma{self.sigma_inv2:g}"
        return f"{self.data}-{self.method}{sigma}{start}{weight}-e{self.settings.epochs}-s{self.settings.seed}"


def says_it_is_of(path: str | Path, what: str) -> bool:
    """Whether a grid file has `what = true`, what being "pictures" or "spectrograms"; False for a file that can't be read, which the reader
    of any grid then says."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8")).get(what) is True
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def read_image_grid(path: str | Path, data_root: str | Path) -> list[ImageRun]:
    """Reads a grid file and returns its runs in the order in which they are to be run, each of them once.

        pictures = true

        [tasks.NAME]
        data = "cifar10"                      # a folder in data_root, see `read_images`
        note = "said beside every number"

        [[blocks]]
        tasks = ["cifar10"]
        methods = ["strided-conv", "diffstride"]
        strides = [[[2, 2], [2, 2], [2, 2]]]  # starts: height and width of every layer; 2 everywhere where none is given
        sigma_inv2 = 5.0                      # for the methods that have a sigma
        cost_weights = [0.0, 0.1]             # lambda of equation 6, for methods that learn their strides
        seeds = [0, 1]
        width = 16
        blocks = 1
        settings = {epochs = 12}              # other ImageTraining than usual

    Raises DataError for a file that is missing or says anything else.
    """
    return read_toml(path, lambda text: [run for block in text["blocks"] for run in _block(block, text["tasks"], Path(data_root))])


def read_toml(path: str | Path, runs_of: Callable[[dict[str, Any]], list[AnyRun]]) -> list[AnyRun]:
    """The runs that a grid file says, each of them once. runs_of: makes them of what the file holds; a KeyError, TypeError or ValueError of
    its is what is wrong with the file. Raises DataError for a file that is missing or can't be used."""
    path = Path(path)
    try:
        runs = runs_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is no TOML file: {error}.") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} can't be used: {f'{error} is missing or unknown' if isinstance(error, KeyError) else error}.") from None
    return list({run.id: run for run in runs}.values())


def _block(block: dict[str, Any], tasks: dict[str, Any], root: Path) -> Iterator[ImageRun]:
    unknown = set(block) - {"tasks", "methods", "strides", "sigma_inv2", "cost_weights", "seeds", "width", "blocks", "settings"}
    unknown |= set(block.get("settings", {})) - {each.name for each in fields(ImageTraining)} | (set(block.get("settings", {})) & {"seed", "cost_weight"})
    if unknown:
        raise ValueError(f"a block has an unknown setting {min(unknown)!r}")
    starts = [tuple((float(height), float(width)) for height, width in start) for start in block.get("strides", [[[2, 2]] * STAGES])]
    for seed, method, start, weight, name in product(block["seeds"], block["methods"], starts, block.get("cost_weights", [0.0]), block["tasks"]):
        if weight and METHODS[method].kind != "learned":
            continue
        sigma = float(block.get("sigma_inv2", USUAL_SIGMA_INV2)) if "sigma" in METHODS[method].parameters else None
        network = {"method": method, "strides": start, "width": block["width"], "blocks": block["blocks"]}
        network |= {} if sigma is None else {"sigma": sigma**-0.5}
        ImageConfig(("a", "b"), **network)
        settings = replace(ImageTraining(**block.get("settings", {})), seed=seed, cost_weight=float(weight))
        yield ImageRun(name, root / tasks[name]["data"], method, sigma, network, settings, tasks[name].get("note", ""))


def selected(runs: Sequence[ImageRun], patterns: Sequence[str]) -> list[ImageRun]:
    """The runs that fit one of the patterns TASK or TASK/METHOD; all where there is none. Raises DataError for one that no run fits."""
    return fitting(runs, patterns, lambda run: run.data)


def run_image_grid(runs: Sequence[ImageRun], where: Workplace, jobs: int = 1, say: Callable[[str], None] = print) -> list[str]:
    """Runs what is not finished yet, `jobs` runs at a time; see `run_unfinished`. Returns the ids of the runs that failed."""
    return run_unfinished(_work, runs, read_image_runs, where, jobs, say)


def _work(run: ImageRun, where: Workplace) -> None:
    def body(run: ImageRun, say: Callable[[str], None]) -> None:
        if run.id in {line.run for line in lines_of(where.results, read_image_runs)}:
            return
        line, epochs = execute_image_run(run, where, say)
        append_lines(where.results.with_name(EPOCHS_FILE), read_image_epochs, image_epochs_text, epochs)
        append_lines(where.results, read_image_runs, image_runs_text, [line])
        say(f"finished: accuracy {100 * line.accuracy:.1f} %, strides {line.strides}")

    carry_out(run, where, body)


def execute_image_run(run: ImageRun, where: Workplace, say: Callable[[str], None] = print) -> tuple[ImageRunLine, list[ImageEpochLine]]:
    """Trains a run, or goes on with one, looks at the test split once, and returns the run's lines.

    The checkpoint stays in the folder of runs under the run's id. Raises DataError for data without a test split.
    """
    out, device, data = where.runs / f"{run.id}.safetensors", choose_device(where.device), read_images(run.folder)
    if "test" not in data.splits:
        raise DataError(f"{run.folder} has no test pictures to measure the run on: add a test split.")

    report = reporter(where, say)
    history = finished_history(out)
    if history is None:
        licence = [line] if (line := licence_line(run.folder)) else []
        train_images(data, out, ImageConfig(data.classes, **run.network), run.settings, device, report, licence)
        history = finished_history(out) or []
    return _lines(run, out, data, history, device)


def reporter(where: Workplace, say: Callable[[str], None]) -> Callable[[PictureProgress], None]:
    """What says a line for every epoch of a run, and stops it where the deadline has come."""

    def report(progress: PictureProgress) -> None:
        strides = strides_text(progress.history[-1]["strides"])
        said = f"loss {progress.loss:.3f}  valid {100 * progress.valid:.1f} %  strides {strides}  {progress.seconds:.1f} s"
        say(f"epoch {progress.epoch}/{progress.epochs}  {said}")
        check_time(where)

    return report


def _lines(
    run: ImageRun, out: Path, data: ImageData, history: list[dict[str, Any]], device: torch.device,
) -> tuple[ImageRunLine, list[ImageEpochLine]]:
    network, details = cast(ImageClassifier, checkpoints.load_pictures(out, device)), checkpoints.details(out)["details"]
    tested = evaluate_images(network, data.splits["test"])
    best, trained = details["metrics"]["epoch"], [row for row in history if row["epoch"]]
    line = ImageRunLine(
        run=run.id, data=run.data, method=run.method, sigma_inv2=run.sigma_inv2 or 0.0, start=strides_text(run.network["strides"]),
        cost_weight=run.settings.cost_weight, seed=run.settings.seed, width=network.config.width, blocks=network.config.blocks,
        epochs=run.settings.epochs, best_epoch=best, pictures=tested.pictures, accuracy=tested.accuracy, loss=round(tested.loss, 5),
        valid_accuracy=details["metrics"]["valid_accuracy"], strides=strides_text(layer.strides for layer in network.layers),
        cost=round(float(network.cost()), 5), parameters=sum(p.numel() for p in network.parameters()),
        seconds_per_epoch=round(statistics.median(row["seconds"] for row in trained), 2),
        peak_memory_mb=round(max(row["peak_memory_mb"] for row in trained), 1), inference_ms=round(_inference_milliseconds(network, data), 3),
        device=f"CPU {platform.machine()}" if device.type == "cpu" else device_name(device), threads=torch.get_num_threads(),
        torch=torch.__version__, version=adastride.__version__, git=git_revision(), finished=datetime.now(UTC).isoformat(timespec="seconds"),
        note=run.note,
    )
    metrics = {**details["metrics"], "test_accuracy": tested.accuracy, "test_loss": tested.loss}
    checkpoints.save_checkpoint(network, out, {**details, "run": run.id, "task": run.data, "metrics": metrics})
    return line, epoch_lines(run.id, history)


def epoch_lines(run: str, history: list[dict[str, Any]]) -> list[ImageEpochLine]:
    """The lines of a run's epochs. history: see `PictureProgress`."""
    return [
        ImageEpochLine(
            run, row["epoch"], round(row.get("loss", math.nan), 5), row.get("valid_accuracy", math.nan), round(row["cost"], 5), strides_text(row["strides"]),
        )
        for row in history
    ]


@torch.inference_mode()
def _inference_milliseconds(network: PictureNetwork, data: ImageData) -> float:
    """The median milliseconds that one picture of the test split takes alone."""
    pictures, times = torch.from_numpy(data.splits["test"].images[:_TIMED]), []
    for number in (0, 0, *range(len(pictures))):
        began = stopwatch(network.device)
        network(standardised(pictures[number : number + 1].to(network.device))).head.cpu()
        times.append(stopwatch(network.device) - began)
    return 1e3 * statistics.median(times[2:])
