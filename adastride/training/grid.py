"""Trains and tests a grid of runs (tasks x methods x sigma x seeds), each once, and writes a line of a CSV for every run.

Where answers are texts, a second CSV beside it has each speaker's errors (`speaker_counts`), and where they are codes, how long these last
(`code_durations`); a third how right they are at other lengths, where the task asks for it (`length_points`).
What lacks them there, because it was run before, gets them from its finished network.

The grid is a TOML file, whose contents `read_grid` describes. Runs go in the order of its blocks, and inside a block by seed,
then method, then task. Every run is a process of its own (`training.processes`). An interrupted run goes on from its last whole epoch,
and a run that stands in the CSV is never run again.
"""

from __future__ import annotations

import csv
import os
import platform
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import adastride
from adastride import checkpoints, run_columns
from adastride.clips import Clip, DataError
from adastride.code_durations import FILE as DURATIONS
from adastride.code_durations import DurationCount, durations_text, read_durations
from adastride.device import choose_device, device_name
from adastride.downsampling import METHODS
from adastride.files import write_atomically
from adastride.length_points import FILE as LENGTHS
from adastride.length_points import LengthPoint, points_text, read_points
from adastride.models.classifier import ClassifierConfig
from adastride.models.network import Network, NetworkConfig
from adastride.speaker_counts import BASELINES, FILE, SpeakerCount, baseline_run, counts_text, read_counts
from adastride.tables import csv_text, own_text
from adastride.tasks import KINDS, task_of
from adastride.training.datasets import Source
from adastride.training.evaluate import SHIFTS, Prepared, breakdown, evaluate, inference_milliseconds
from adastride.training.lengths import LengthGrid, measure_lengths
from adastride.training.loop import Progress, finished_history, in_share, train, valid_names
from adastride.training.processes import Workplace, append_lines, carry_out, check_time, fitting, lines_of, locked, run_processes
from adastride.training.settings import PRESETS, TrainingSettings
from adastride.training.speakers import count_baselines, count_errors

USUAL_SIGMA_INV2 = 5.0
USUAL_KIND = ClassifierConfig.kind
# Two clips that differ: what can't be configured for them can't be for any.
ANY_CLIPS = tuple(Clip(np.zeros(1600, np.float32), label, label, text="one") for label in "ab")


@dataclass(frozen=True)
class Problem:
    """What the networks of some runs learn, and how.

    sources: the folders to train on; the test splits of the first `tested` of them are what is reported. settings: how to train,
    but for the seed. groups: the groups to hold out, one after the other; (None,) for the manifest's own split. kind: the kind of
    network, a key of `tasks.KINDS`. network: fields of its configuration that are the same in all runs. lengths: what else is measured
    of each network, None for nothing.
    """

    name: str
    sources: tuple[Source, ...]
    tested: int
    settings: TrainingSettings
    groups: tuple[str | None, ...] = (None,)
    kind: str = USUAL_KIND
    network: dict[str, Any] = field(default_factory=dict)
    lengths: LengthGrid | None = None


@dataclass(frozen=True)
class Run:
    """One network to train and test, which becomes one line of the results.

    fold: the group that is held out, or None. sigma_inv2: sigma ** -2, None for a method without sigma. width: channels.
    """

    task: Problem
    fold: str | None
    method: str
    sigma_inv2: float | None
    seed: int
    width: int

    @property
    def id(self) -> str:
        """The name of the run and of its files, "commands-adastride-w128-s0". It tells the kind of network if that is not the usual one."""
        kind = f"-{self.task.kind}" if self.task.kind != USUAL_KIND else ""
        fold = f"={self.fold}" if self.fold is not None else ""
        sigma = f"-sigma_inv2={self.sigma_inv2:g}" if self.sigma_inv2 not in (None, USUAL_SIGMA_INV2) else ""
        return f"{self.task.name}{fold}{kind}-{self.method}{sigma}-w{self.width}-s{self.seed}"

    @property
    def sources(self) -> list[Source]:
        """The folders, the tested ones without the held-out group."""
        return [replace(s, held_out=self.fold) if i < self.task.tested else s for i, s in enumerate(self.task.sources)]

    @property
    def options(self) -> dict[str, Any]:
        """The fields of the network's configuration, without those that follow from the clips. Raises ValueError for an unknown method."""
        sigma = {} if self.sigma_inv2 is None else {"sigma": self.sigma_inv2**-0.5}
        return KINDS[self.task.kind].options(self.method, **sigma, width=self.width, **self.task.network)

    @property
    def sample_rate(self) -> int:
        """The rate of the network's front end in Hz, which does not depend on the clips."""
        return self.config(ANY_CLIPS, ANY_CLIPS).mel.sample_rate

    def config(self, train_clips: Sequence[Clip], valid_clips: Sequence[Clip]) -> NetworkConfig:
        """The network's configuration, made from the clips it is trained on and chosen by; see `tasks.Kind.learn_config`."""
        return KINDS[self.task.kind].learn_config(train_clips, valid_clips, **self.options)


@dataclass(frozen=True)
class Options(Workplace):
    """Where and how long a grid works, with the files beside its results."""

    @property
    def speakers(self) -> Path:
        """The CSV of errors by speaker, beside that of the results."""
        return self.results.with_name(FILE)

    @property
    def durations(self) -> Path:
        """The CSV of how long codes last, beside that of the results."""
        return self.results.with_name(DURATIONS)

    @property
    def lengths(self) -> Path:
        """The CSV of how right networks are at other lengths, beside that of the results."""
        return self.results.with_name(LENGTHS)


def read_grid(path: str | Path, data_root: str | Path) -> list[Run]:
    """Reads a grid file and returns its runs in the order in which they are to be run, each of them once.

        [tasks.NAME]
        kind = "classifier"                   # of network, a key of tasks.KINDS; this one where none is given
        network = {}                          # other fields of its configuration
        preset = "digits"                     # a key of PRESETS
        data = ["fsdd"]                       # folders in data_root; their test split is what is reported
        leave_one_out = false                 # a run for every speaker, session or fold of data, held out in turn
        settings = {epochs = 40}              # other TrainingSettings than the preset's
        label = "label"                       # the column of the folders' manifests that is learned
        lengths = {seconds = [1, 2], resolutions = [1, 2], strides = [2, 4], at = 2}  # what else is measured, see lengths.LengthGrid
        [[tasks.NAME.extra]]                  # folders to train on as well
        folder = "../build/spoken-digits"     # from the grid file's folder
        tested = false                        # whether its test split is reported as well
        script = "../samples/make.py"         # makes the folder, its argument, where it is not there

        [[blocks]]
        tasks = ["digits"]
        methods = ["strided-conv", "adastride"]
        sigma_inv2 = [5.0]                    # for the methods that have a sigma
        seeds = [0, 1]
        width = 128

    Raises DataError for a file that is missing or says anything else.
    """
    path = Path(path)
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is no TOML file: {error}.") from None
    try:
        tasks = {name: _task(name, entry, path, Path(data_root)) for name, entry in text["tasks"].items()}
        runs = [run for block in text["blocks"] for run in _block(block, tasks)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} can't be used: {f'{error} is missing or unknown' if isinstance(error, KeyError) else error}.") from None
    return list({run.id: run for run in runs}.values())


def _task(name: str, entry: dict, path: Path, data_root: Path) -> Problem:
    unknown = set(entry) - {"kind", "network", "preset", "data", "extra", "settings", "leave_one_out", "label", "lengths"}
    if unknown:
        raise ValueError(f"task {name} has an unknown setting {min(unknown)!r}")
    changes: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.get("settings", {}).items()}
    unknown = set(changes) - {option.name for option in fields(TrainingSettings)} | (set(changes) & {"seed"})
    if unknown:
        raise ValueError(f"task {name} has an unknown setting {min(unknown)!r}")
    if type(entry.get("label", "")) is not str:
        raise ValueError(f"task {name} has the label {entry['label']!r}: give the name of a manifest's column")
    tested = [Source(data_root / folder, label=entry.get("label", "label")) for folder in entry["data"]]
    extra: list[Source] = []
    for more in entry.get("extra", ()):
        folder = _folder_from_script(path.parent / more["folder"], path.parent / more["script"] if "script" in more else None)
        (tested if more.get("tested") else extra).append(Source(folder))
    groups = tuple(sorted({group for source in tested for group in source.groups()})) if entry.get("leave_one_out") else (None,)
    kind = entry.get("kind", USUAL_KIND)
    if kind not in KINDS:
        raise ValueError(f"task {name} has the kind {kind!r}: choose one of {', '.join(KINDS)}")
    settings = replace(PRESETS[entry["preset"]], **changes)
    if settings.adversarial and not KINDS[kind].task.reconstructs:
        raise ValueError(f"task {name} is adversarial, but networks of kind {kind} make nothing that could be taken for an original")
    lengths = None
    if "lengths" in entry:
        numbers: dict[str, Any] = {key: tuple(map(float, value)) if isinstance(value, list) else float(value) for key, value in entry["lengths"].items()}
        lengths = LengthGrid(**numbers)
    return Problem(name, (*tested, *extra), len(tested), settings, groups, kind, dict(entry.get("network", {})), lengths)


def _folder_from_script(folder: Path, script: Path | None) -> Path:
    """Returns the folder, after running the script that makes it where it is not there. Raises DataError if the script fails."""
    if not folder.exists() and script is not None:
        print(f"making {folder} with {script}", file=sys.stderr)
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        completed = subprocess.run([sys.executable, str(script), str(partial)], capture_output=True, text=True)
        if completed.returncode:
            reason = (completed.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise DataError(f"{script} can't make {folder}: {reason.rstrip('.')}.")
        if not folder.exists():
            partial.rename(folder)
    return folder


def _block(block: dict[str, Any], tasks: dict[str, Problem]) -> Iterator[Run]:
    unknown = set(block) - {"tasks", "methods", "sigma_inv2", "seeds", "width"}
    if unknown:
        raise ValueError(f"a block has an unknown setting {min(unknown)!r}")
    problems = [tasks[name] for name in block["tasks"]]
    for seed in block["seeds"]:
        for method in block["methods"]:
            for sigma_inv2 in block.get("sigma_inv2", [USUAL_SIGMA_INV2]):
                for problem in problems:
                    layers = KINDS[problem.kind].task.network_fields(method)["methods"]
                    sigma = float(sigma_inv2) if any("sigma" in METHODS[layer].parameters for layer in layers) else None
                    for group in problem.groups:
                        run = Run(problem, group, method, sigma, int(seed), int(block.get("width", 256)))
                        # Says what can't be before anything runs. Two clips that differ allow every kind a configuration.
                        run.config(ANY_CLIPS, ANY_CLIPS)
                        yield run


def selected(runs: Sequence[Run], patterns: Sequence[str]) -> list[Run]:
    """The runs that fit one of the patterns TASK or TASK/METHOD, which may hold * and ?; all runs where there is no pattern.

    Raises DataError for a pattern that no run fits.
    """
    return fitting(runs, patterns, lambda run: run.task.name)


def finished_runs(results: Path) -> set[str]:
    """The ids of the runs that stand in the CSV. Raises DataError for a file with columns that this version does not know."""
    return {row["run"] for row in _read(results)[1]}


def _read(results: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """The columns of the CSV by their present names, and its lines; both are empty where there is no such file."""
    if not results.exists():
        return (), []
    with results.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names = [run_columns.current_name(name) for name in reader.fieldnames or ()]
        try:
            if "run" not in names:
                raise ValueError
            run_columns.united(names, ())
        except ValueError:
            raise DataError(f"{results} has other columns than this version writes: move it away, or name another file with --results.") from None
        reader.fieldnames = names
        return tuple(names), [{name: own_text(cell) if cell else cell for name, cell in row.items()} for row in reader]


def append_row(results: Path, row: dict[str, object]) -> None:
    """Adds a line to the CSV, in one atomic step; a run that stands there already is left as it is.

    The file gets the columns that it lacks: lines before are empty in them.
    """
    results.parent.mkdir(parents=True, exist_ok=True)
    with locked(results.parent):
        columns, rows = _read(results)
        if any(row["run"] == finished["run"] for finished in rows):
            return
        names = run_columns.united(columns, list(row))
        every: list[Mapping[str, object]] = [*rows, row]
        text = csv_text([names, *([one.get(name, "") for name in names] for one in every)])
        write_atomically(results, text.encode())


def append_counts(path: Path, counts: Sequence[SpeakerCount]) -> None:
    """Adds lines to the CSV of errors by speaker, in one atomic step; those of a run that stands there already are left out."""
    append_lines(path, read_counts, counts_text, counts)


def append_durations(path: Path, counts: Sequence[DurationCount]) -> None:
    """Adds lines to the CSV of how long codes last, in one atomic step; those of a run that stands there already are left out."""
    append_lines(path, read_durations, durations_text, counts)


def append_lengths(path: Path, points: Sequence[LengthPoint]) -> None:
    """Adds lines to the CSV of how right networks are at other lengths, in one atomic step; those of a run that stands there are left out."""
    append_lines(path, read_points, points_text, points)


class _Beside(NamedTuple):
    """A CSV beside the results.

    what: it holds, for people. wanted: whether a run has lines there. path: where it is. read: its lines. add: adds those of a run.
    """

    what: str
    wanted: Callable[[Run], bool]
    path: Callable[[Options], Path]
    read: Callable[[Path], list[Any]]
    add: Callable[[Run, Options], None]


_BESIDE = (
    _Beside(
        "errors by speaker", lambda run: KINDS[run.task.kind].task.texts, lambda options: options.speakers, read_counts,
        lambda run, options: append_counts(options.speakers, speaker_counts(run, options)),
    ),
    _Beside(
        "durations of codes", lambda run: KINDS[run.task.kind].task.codes, lambda options: options.durations, read_durations,
        lambda run, options: append_durations(options.durations, code_durations(run, options)),
    ),
    _Beside(
        "lengths", lambda run: run.task.lengths is not None, lambda options: options.lengths, read_points,
        lambda run, options: append_lengths(options.lengths, length_points(run, options)),
    ),
)


def _to_count(run: Run, options: Options) -> list[_Beside]:
    """The files beside the results that lack a run's lines and can have them, from its finished network."""
    lacking = [
        each for each in _BESIDE if each.wanted(run) and run.id not in {line.run for line in lines_of(each.path(options), each.read)}
    ]
    return lacking if lacking and finished_history(options.runs / f"{run.id}.safetensors") is not None else []


def run_grid(runs: Sequence[Run], options: Options, jobs: int = 1, say: Callable[[str], None] = print) -> list[str]:
    """Runs what is not finished yet, `jobs` runs at a time, until all are done or the deadline has come.

    Returns the ids of the runs that failed; each of them has printed why. KeyboardInterrupt stops all of them, and finished runs
    and whole epochs are kept.
    """
    options.runs.mkdir(parents=True, exist_ok=True)
    finished = finished_runs(options.results)
    lacking = {run.id: _to_count(run, options) for run in runs if run.id in finished}
    pending = [run for run in runs if run.id not in finished or lacking[run.id]]
    counts = {each.what: sum(each in own for own in lacking.values()) for each in _BESIDE}
    again = "".join(f" ({count} without {what}, which are counted now)" for what, count in counts.items() if count)
    before = sum(run.id in finished for run in runs)
    say(f"{len(runs)} runs, {before} of them finished before{again}, {jobs} at a time on {device_name(options.device)}")
    return run_processes(_work, pending, options, jobs, say)


def _work(run: Run, options: Options) -> None:
    """What a run's process does: it trains and tests the run, and adds its line to the CSV, and its lines to those beside it."""

    def body(run: Run, say: Callable[[str], None]) -> None:
        if run.id not in finished_runs(options.results):
            row = execute(run, options, say)
            append_row(options.results, row)
            headline = KINDS[run.task.kind].task.headline
            value, in_silence = (float(str(row[run_columns.metric_column(headline.name + end)])) for end in ("", "_in_silence"))
            say(f"finished: {headline.label.lower()} {headline.text(value)}, in silence {headline.text(in_silence)}")
        for each in _to_count(run, options):
            each.add(run, options)
            say(f"{each.what} added to {each.path(options)}")

    carry_out(run, options, body)


def execute(run: Run, options: Options, say: Callable[[str], None] = print) -> dict[str, object]:
    """Trains a run, or goes on with one, looks at the test split once, and returns the run's line of the CSV.

    The checkpoint stays in the folder of runs under the run's id.
    """
    out = options.runs / f"{run.id}.safetensors"
    cache = options.runs / "cache"

    def report(progress: Progress) -> None:
        say(
            f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  position loss {progress.position_loss:.4f}  "
            f"valid {progress.text}  {progress.seconds:.1f} s"
        )
        check_time(options)

    history = finished_history(out)
    if history is None:
        train(run.sources, out, run.config, replace(run.task.settings, seed=run.seed), options.device, report, cache, run.sample_rate)
        history = finished_history(out) or []
    device = choose_device(options.device)
    return _row(run, checkpoints.load(out, device), out, history, cache, device)


def speaker_counts(run: Run, options: Options) -> list[SpeakerCount]:
    """The errors of a run's finished network by speaker, on the test clips of its line of the CSV.

    Those of its task's baselines come along where they are not in the file yet, but not where training joins clips: how much is said in
    these alone is no guess at what is said in several.
    """
    model, clips = _finished(run, options), _tested(run, options)
    cache = options.runs / "cache"
    counts, names = count_errors(run.id, model, clips), {name: baseline_run(run.task.name, run.fold, name) for name in BASELINES}
    if run.task.settings.joined != (1, 1) or set(names.values()) <= {line.run for line in lines_of(options.speakers, read_counts)}:
        return counts
    train_clips = [
        clip for source in run.sources for clip in source.clips("train", run.sample_rate, cache) if in_share(clip.path, run.task.settings)
    ]
    return [*counts, *count_baselines(names, model, train_clips, clips)]


def code_durations(run: Run, options: Options) -> list[DurationCount]:
    """How long the codes of a run's finished network last, on the test clips of its line of the CSV."""
    found = breakdown(_finished(run, options), [clip for _, clip in _tested(run, options)])
    return [DurationCount(run.id, round(found.numbers["codes"]), frames, count) for frames, count in found.durations.items()] if found else []


def length_points(run: Run, options: Options) -> list[LengthPoint]:
    """How right a run's finished network is at the lengths its task asks for, on the test clips of its line of the CSV."""
    clips = [clip for _, clip in _tested(run, options)]
    return list(measure_lengths(_finished(run, options), clips, run.task.lengths or LengthGrid(), run.id))


def _finished(run: Run, options: Options) -> Network:
    return checkpoints.load(options.runs / f"{run.id}.safetensors", choose_device(options.device))


def _tested(run: Run, options: Options) -> list[tuple[str, Clip]]:
    """The test clips of a run's line of the CSV, each with the name of its folder."""
    return [
        (Path(source.folder).resolve().name, clip)
        for source in run.sources[: run.task.tested] for clip in source.clips("test", run.sample_rate, options.runs / "cache")
    ]


def _row(run: Run, model: Network, out: Path, history: list[dict[str, Any]], cache: Path, device: torch.device) -> dict[str, object]:
    task = task_of(model)
    tested, extra = run.sources[: run.task.tested], run.sources[run.task.tested :]
    clips = [clip for source in tested for clip in source.clips("test", run.sample_rate, cache)]
    result = evaluate(model, clips)
    prepared = Prepared.of(model, [clip.samples for clip in clips], task.targets(model, clips))
    geometry = prepared.geometry(model)
    details = checkpoints.details(out)["details"]
    best = history[details["metrics"]["epoch"] - 1]
    strides = [layer.stride for layer in model.downsamplers]
    sigmas = [layer.sigma if "sigma" in METHODS[method].parameters else None for layer, method in zip(model.downsamplers, model.config.methods, strict=True)]
    validated, headline = valid_names(task)[0], task.headline.name
    trained_on = details.get("device", device_name(device))
    numbers = result.breakdown.numbers if result.breakdown else {}
    metrics = {**result.metrics, **numbers, f"{headline}_in_silence": result.value_in_silence, validated: best[validated]}
    row = {
        "run": run.id, "kind": run.task.kind, "task": run.task.name, "fold": run.fold, "method": run.method, "sigma_inv2": run.sigma_inv2,
        "learn_sigma": str(bool(run.options.get("learn_sigma"))).lower(), "seed": run.seed, "width": run.width,
        "clips_train": sum(
            listed.split == "train" and in_share(listed.path, run.task.settings) for source in run.sources for listed in source.rows()
        ),
        "clips_test": len(clips),
        "epochs": len(history), "best_epoch": best["epoch"], "train_loss": best["loss"],
        **{run_columns.metric_column(name): value for name, value in metrics.items()},
        "silence_stride": result.silence_stride, "sound_stride": result.sound_stride,
        "seconds_per_epoch": statistics.median(epoch["seconds"] for epoch in history),
        "peak_memory_mb": max(epoch["peak_memory_mb"] for epoch in history),
        "inference_ms_per_clip": inference_milliseconds(model, clips), "parameters": sum(p.numel() for p in model.parameters()),
        **dict(zip(run_columns.layer_columns("stride", len(strides)), strides, strict=True)),
        **dict(zip(run_columns.layer_columns("sigma", len(sigmas)), sigmas, strict=True)),
        "adaptive_stride_mean": geometry.stride_mean, "adaptive_stride_std": geometry.stride_std,
        **{f"pooled_{n}": share for n, share in enumerate(geometry.pooled)}, "pooled_entropy": geometry.entropy,
        **{f"shift_{n}": prepared.score(model, n) for n in SHIFTS},
        "device": f"CPU {platform.machine()}" if trained_on == "CPU" else trained_on, "threads": torch.get_num_threads(),
        "torch": torch.__version__, "version": adastride.__version__, "git": git_revision(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    tests = {f"test_{headline}": result.value, f"test_{headline}_in_silence": result.value_in_silence}
    tests |= {f"test_{name}": value for name, value in numbers.items()}
    others = {source.name: evaluate(model, source.clips("test", run.sample_rate, cache)).value for source in extra}
    metrics = {**details["metrics"], **tests, f"test_{headline}_of": others}
    checkpoints.save_checkpoint(model, out, {**details, "run": run.id, "task": run.task.name, "metrics": metrics})
    return {name: _cell(row.get(name)) for name in run_columns.united((), list(row))}


def _cell(value: object) -> object:
    """A value as it stands in the CSV: numbers with six significant digits, an empty text for None and NaN."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None else value


def git_revision() -> str:
    """The revision of this program, with -dirty where its code was changed since; "" outside of a repository."""
    folder = Path(adastride.__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
