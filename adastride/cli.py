"""The command line: explain a clip, train a classifier, evaluate it, run the benchmarks.

Whatever is wrong with the input ends in one sentence on stderr and exit code 2. Heavy imports wait until a command
needs them, so that `--help` and a mistyped option answer at once.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import torch

    from adastride.tracing import Trace
    from adastride.training.evaluate import Evaluation

DEFAULT_CHECKPOINT = "digits-adastride"
BAD_INPUT, INTERRUPTED = 2, 130

_SIGMA_INV2 = (1e-4, 1e4)  # sigma from 100 down to 0.01 output frames, as in the methods' registry
_SHORTHANDS = {"adastride-s": ("strided-conv", "strided-conv", "adastride")}
_PLACED_SECONDS, _SNR_DB = 2.0, 30.0


class CommandError(Exception):
    """A command that can't be carried out; the message is one sentence that says what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code: 0, 2 for bad input, 130 when interrupted."""
    try:
        args = _parser().parse_args(argv)
        args.run(args)
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "stopped.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        print(" ".join(sentence.split()), file=sys.stderr)
        return BAD_INPUT
    return 0


def _sentence(error: Exception) -> str | None:
    """What to tell a person about an error; None for one that is a mistake in this program."""
    if isinstance(error, CommandError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} can't be used: {error.strerror or error}."
    from adastride.audio import AudioError
    from adastride.checkpoints import CheckpointError
    from adastride.training.data import DataError

    return str(error) if isinstance(error, AudioError | CheckpointError | DataError) else None


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message.removeprefix('argument ')}; `{self.prog} --help` lists what can be given.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m adastride", description="See where a network spends its time steps.", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    explain = commands.add_parser("explain", help="run a trained network on a clip and show where its time steps went", allow_abbrev=False)
    explain.add_argument("clip", metavar="CLIP", help="a WAV, FLAC, OGG or MP3 file, or the name of a bundled sample")
    explain.add_argument("--checkpoint", metavar="NAME", default=DEFAULT_CHECKPOINT,
                         help="a shipped checkpoint or a .safetensors file (default: %(default)s)")
    explain.add_argument("--sigma-inv2", metavar="X", type=_number(*_SIGMA_INV2),
                         help="σ⁻² of every adaptive layer (default: as trained)")
    explain.add_argument("--stride", metavar="S", type=_number(1),
                         help="input frames per output frame of every layer (default: as trained)")
    explain.add_argument("--variant", choices=("adastride", "adastride-f"), help="run adaptive layers as this method (default: as trained)")
    explain.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    explain.add_argument("--npz", metavar="OUT", help="write mel, positions and full alignments as NumPy arrays")
    explain.add_argument("--png", metavar="OUT", help="write the figure, 200 dpi")
    explain.add_argument("--svg", metavar="OUT", help="write the figure with its text as text")
    explain.add_argument("--csv", metavar="OUT", help="write a table with every output frame's time and stride")
    explain.set_defaults(run=_explain)

    train = commands.add_parser("train", help="train a classifier on a labelled folder; run it again to go on", allow_abbrev=False)
    train.add_argument("--data", metavar="DIR", action="append", required=True,
                       help="folder with a manifest.csv (path, label, split); may be repeated")
    methods = train.add_mutually_exclusive_group()
    methods.add_argument("--method", metavar="METHOD", default="adastride",
                         help="downsampler of all three layers, or adastride-s (default: %(default)s)")
    methods.add_argument("--methods", metavar="A,B,C", help="downsampler of each layer, the lowest first")
    train.add_argument("--stride", metavar="S", type=_number(1), default=2.0,
                       help="input frames per output frame of every layer (default: %(default)g)")
    train.add_argument("--sigma-inv2", metavar="X", type=_number(*_SIGMA_INV2), default=5.0,
                       help="σ⁻² of every adaptive layer (default: %(default)g)")
    train.add_argument("--width", metavar="N", type=_whole(1, 4096), default=256, help="channels of the network (default: %(default)s)")
    train.add_argument("--epochs", metavar="N", type=_whole(1, 100_000), default=30, help="default: %(default)s")
    train.add_argument("--batch-size", metavar="N", type=_whole(1, 100_000), default=64, help="clips per step (default: %(default)s)")
    train.add_argument("--learning-rate", metavar="X", type=_number(1e-8, 10), default=1e-3, help="default: %(default)g")
    train.add_argument("--seed", metavar="N", type=_whole(0, 2**32 - 1), default=0, help="default: %(default)s")
    _add_device(train)
    train.add_argument("--out", metavar="FILE", required=True, help="the checkpoint to write, a .safetensors file")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="accuracy and strides of a checkpoint on a labelled folder", allow_abbrev=False)
    evaluate.add_argument("checkpoint", metavar="CHECKPOINT", help="a shipped checkpoint or a .safetensors file")
    evaluate.add_argument("--data", metavar="DIR", required=True, help="folder with a manifest.csv (path, label, split)")
    evaluate.add_argument("--split", default="test", help="which clips of the manifest (default: %(default)s)")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    _add_device(evaluate)
    evaluate.set_defaults(run=_evaluate)

    bench = commands.add_parser("bench", help="run the benchmarks of this repository", allow_abbrev=False)
    bench.set_defaults(run=_bench)
    return parser


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to run (default: %(default)s)")


def _number(low: float, high: float = math.inf) -> Callable[[str], float]:
    """An argparse type: a finite number from low to high."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            span = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
            raise argparse.ArgumentTypeError(f"expected a number {span}, got {text!r}")
        return value

    return convert


def _whole(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number from low to high."""

    def convert(text: str) -> int:
        if not (text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, got {text!r}")
        return int(text)

    return convert


# explain


def _explain(args: argparse.Namespace) -> None:
    outputs = {kind: Path(path) for kind in ("npz", "png", "svg", "csv") if (path := getattr(args, kind)) is not None}
    clip, title = _find_clip(args.clip)
    _check_outputs(outputs, clip)

    import torch

    from adastride import audio, checkpoints, export, tracing
    from adastride.downsampling import LayerSettings

    model = checkpoints.load(args.checkpoint)
    waveform = audio.read(clip, model.config.mel.sample_rate)
    if waveform.seconds < 30:  # a short clip runs faster on one thread, and its milliseconds measure the layers
        torch.set_num_threads(1)
    sigma = None if args.sigma_inv2 is None else args.sigma_inv2**-0.5
    trace = tracing.trace(model, waveform, LayerSettings(sigma=sigma, stride=args.stride, variant=args.variant))

    # Everything is made before anything is written: a failure leaves no part of the set behind.
    files = {}
    if "npz" in outputs:
        files["npz"] = export.to_npz(trace)
    if "csv" in outputs:
        files["csv"] = export.to_csv(trace).encode()
    if outputs.keys() & {"png", "svg"}:
        from adastride import figures

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a title in letters the font lacks
            figure = figures.publication_figure(trace, title)
            files.update({kind: figures.render(figure, kind) for kind in figures.FORMATS if kind in outputs})
    for kind, data in files.items():
        try:
            checkpoints.write_atomically(outputs[kind], data)
        except OSError as error:
            raise CommandError(f"{outputs[kind]} can't be written: {error.strerror or error}.") from None

    summary = export.summary(trace)
    if args.json:
        print(json.dumps(summary, indent=2, allow_nan=False))
        return
    print(_report(trace, summary["layers"], title))
    for kind, data in files.items():
        print(f"wrote {outputs[kind]} ({len(data) / 1e3:.0f} kB)")


def _find_clip(name: str) -> tuple[Path, str]:
    """The file that CLIP stands for, and its title: a file's name, or a sample's title. A file goes before a sample."""
    path = Path(name)
    if path.is_file():
        return path, path.name
    from adastride.samples import samples

    if name in samples():
        return samples()[name].path, samples()[name].title
    if path.is_dir():
        raise CommandError(f"{name} is a folder: name a sound file in it.")
    raise CommandError(f"there is no file {name!r}: name a WAV, FLAC, OGG or MP3 file, or one of the samples {', '.join(samples())}.")


def _check_outputs(outputs: dict[str, Path], clip: Path) -> None:
    """Finds out before the work starts whether its results can be written."""
    taken = {clip.resolve(): "CLIP"}
    for kind, path in outputs.items():
        if not path.parent.is_dir():
            raise CommandError(f"{path} can't be written: there is no folder {path.parent}.")
        _check_file(path, path.parent)
        other = taken.setdefault(path.resolve(), f"--{kind}")
        if other != f"--{kind}":
            raise CommandError(f"{other} and --{kind} are the same file, {path}: give each one of its own.")


def _check_file(path: Path, folder: Path) -> None:
    """Raises CommandError unless `path` is a file, or nothing yet, and files can be made in `folder`. Leaves no trace."""
    if path.exists() and not path.is_file():
        raise CommandError(f"{path} is {'a folder' if path.is_dir() else 'no ordinary file'}: give the name of a file to write.")
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror or error}.") from None


def _report(trace: Trace, numbers: Sequence[dict], title: str) -> str:
    """The trace as lines of text, a row for each layer; numbers: the layers of its summary."""
    ranked = sorted(trace.probabilities.items(), key=lambda entry: -entry[1])[:3]
    first, *others = [f"{label} ({100 * probability:.1f} %)" for label, probability in ranked]
    rows = [("layer", "method", "frames", "σ⁻²", "stride min", "median", "max", "entropy", "position loss", "time")]
    for layer, number in zip(trace.layers, numbers, strict=True):
        rows.append((
            layer.name,
            layer.label,
            f"{layer.input_frames} → {layer.output_frames}",
            "–" if layer.settings.sigma is None else f"{layer.settings.sigma**-2:.4g}",
            *(f"{number[key]:.2f}" for key in ("stride_min", "stride_median", "stride_max")),
            f"{layer.entropy:.2f} nats",
            f"{layer.position_loss:.4f}",
            f"{layer.milliseconds:.1f} ms",
        ))
    return "\n".join([
        f"{title}: {trace.waveform.seconds:.2f} s, {trace.mel.shape[1]} mel frames of {1e3 / trace.preset.frames_per_second:.0f} ms",
        f"{trace.checkpoint} predicts {first}" + (f", then {', '.join(others)}" if others else ""),
        "",
        *_columns(rows, left=2),
        "strides are in input frames of the layer per output frame",
    ])


def _columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines with aligned columns, the first `left` of them to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    fills = [str.ljust] * left + [str.rjust] * (len(widths) - left)
    return ["  ".join(fill(cell, width) for fill, cell, width in zip(fills, row, widths, strict=True)).rstrip() for row in rows]


# train


def _train(args: argparse.Namespace) -> None:
    out = Path(args.out)
    if out.suffix != ".safetensors":
        raise CommandError(f"--out {out} must end in .safetensors, so that it can be loaded again.")
    existing = next(folder for folder in out.absolute().parents if folder.exists())
    if not existing.is_dir():
        raise CommandError(f"{out} can't be written: {existing} is not a folder.")
    _check_file(out, existing)

    import torch

    from adastride.device import device_name
    from adastride.models import ClassifierConfig
    from adastride.training.loop import Progress, TrainingSettings, train

    methods = _methods(args.methods or args.method)
    device = _device(args.device)
    state = out.with_suffix(".state")
    done = 0

    def config(labels: tuple[str, ...]) -> ClassifierConfig:
        where = f"on {device_name(device)}" + (f", going on from {state}" if state.exists() else "")
        print(f"training {', '.join(methods)} to tell {len(labels)} labels apart {where}", flush=True)
        return ClassifierConfig(labels, methods, (args.stride,) * len(methods), args.sigma_inv2**-0.5, args.width)

    def report(progress: Progress) -> None:
        nonlocal done
        done = progress.epoch
        print(
            f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  position loss {progress.position_loss:.4f}  "
            f"validation accuracy {100 * progress.valid_accuracy:.1f} %  {progress.seconds:.1f} s", flush=True,
        )

    settings = TrainingSettings(epochs=args.epochs, batch_size=args.batch_size, learning_rate=args.learning_rate, seed=args.seed)
    try:
        train(args.data, out, config, settings, str(device), report)
    except KeyboardInterrupt:
        kept = f"after epoch {done} of {args.epochs}" if done else "before another epoch was complete"
        raise KeyboardInterrupt(f"stopped {kept}: run the same command again to go on.") from None
    except torch.OutOfMemoryError:
        raise CommandError("the GPU has too little memory for this: give a smaller --batch-size or --width.") from None
    print(f"wrote {out}")


def _methods(text: str) -> tuple[str, ...]:
    """Registry keys of the three layers: from one method, a shorthand, or three separated by commas."""
    from adastride.downsampling import METHODS
    from adastride.models.classifier import DOWNSAMPLING_BLOCKS

    layers = len(DOWNSAMPLING_BLOCKS)
    keys = tuple(part.strip() for part in text.split(","))
    methods = _SHORTHANDS.get(text) or (keys * layers if len(keys) == 1 else keys)
    for method in methods:
        if method not in METHODS:
            raise CommandError(f"there is no method {method!r}: choose one of {', '.join([*METHODS, *_SHORTHANDS])}.")
    if len(methods) != layers:
        raise CommandError(f"--methods needs {layers} methods separated by commas, got {len(methods)}.")
    return methods


def _device(name: str) -> torch.device:
    from adastride.device import choose_device

    try:
        return choose_device(name)
    except ValueError as error:
        raise CommandError(f"{error}.") from None


# evaluate


def _evaluate(args: argparse.Namespace) -> None:
    from adastride import checkpoints
    from adastride.training.data import load_split
    from adastride.training.evaluate import evaluate

    model = checkpoints.load(args.checkpoint, _device(args.device))
    clips = load_split(args.data, args.split, model.config.mel.sample_rate)
    unknown = sorted({clip.label for clip in clips} - set(model.config.labels))
    if unknown:
        raise CommandError(f"{args.data} has the label {unknown[0]!r}, but {model.name} only knows {', '.join(model.config.labels)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no silence around clips longer than the window: a mean of nothing
        result = evaluate(model, clips, placed_seconds=_PLACED_SECONDS, snr_db=_SNR_DB)
    if args.json:
        numbers = {
            "accuracy": result.accuracy, "accuracy_in_silence": result.accuracy_in_silence,
            "silence_stride": result.silence_stride, "sound_stride": result.sound_stride, "stride_ratio": result.stride_ratio,
        }
        print(json.dumps({
            "checkpoint": model.name, "data": args.data, "split": args.split, "clips": result.clips,
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "labels": list(result.labels), "confusion": result.confusion.tolist(),
        }, indent=2, allow_nan=False))
        return
    print(f"{model.name} on {result.clips} clips of {args.data}, split {args.split}\n")
    print(_evaluation_report(result))


def _evaluation_report(result: Evaluation) -> str:
    def stride(value: float) -> str:
        return f"{value:.2f}" if math.isfinite(value) else "none"

    table = [("", *result.labels), *((label, *map(str, row)) for label, row in zip(result.labels, result.confusion, strict=True))]
    return "\n".join([
        *_columns([
            ("accuracy, clips as they are", f"{100 * result.accuracy:.1f} %"),
            (f"accuracy, placed at random in {_PLACED_SECONDS:g} s at {_SNR_DB:g} dB SNR", f"{100 * result.accuracy_in_silence:.1f} %"),
            ("mean stride of layer 1 in silence, input frames per output frame", stride(result.silence_stride)),
            ("mean stride of layer 1 in sound, input frames per output frame", stride(result.sound_stride)),
            ("stride in silence / stride in sound", stride(result.stride_ratio)),
        ], left=1),
        "",
        "confusion, clips as they are (rows: true, columns: predicted)",
        *_columns(table, left=1),
    ])


# bench


def _bench(args: argparse.Namespace) -> None:
    try:
        from benchmarks import run
    except ImportError as error:
        if not (error.name or "").startswith("benchmarks"):
            raise
        raise CommandError("there are no benchmarks here: run this in the folder of the repository.") from None
    run.main()
