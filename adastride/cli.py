"""The command line: it explains a clip, writes down what is said, encodes and decodes, trains one network or a grid, evaluates, sweeps,
and starts the app.

Whatever is wrong with the input ends in one sentence on stderr and exit code 2. Heavy imports wait until a command
needs them, so that `--help` and a mistyped option answer at once.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import json
import math
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from adastride.formats import FORMATS
from adastride.ranges import SIGMA_INV2_RANGE, STRIDE_RANGE
from adastride.wording import counted, with_article

if TYPE_CHECKING:
    import torch

    from adastride.clips import Clip
    from adastride.inspection.tracing import Trace
    from adastride.length_points import LengthPoint
    from adastride.models import Codec, NetworkConfig, PictureNetwork, SpectrogramClassifier
    from adastride.models.picture_network import Head
    from adastride.tasks import Kind
    from adastride.tasks.task import Metric
    from adastride.training.datasets import Source
    from adastride.training.evaluate import Evaluation
    from adastride.training.picture_loop import PictureProgress

DEFAULT_CHECKPOINT = "digits-adastride"
BAD_INPUT, INTERRUPTED = 2, 130

_PRESETS = ("commands", "digits", "emotion", "scenes", "strings", "reading", "speakers", "codec")
# What only some commands need, and the extra of pyproject.toml that brings it.
_EXTRAS = {"streamlit": "app", "matplotlib": "app", "plotly": "app", "accelerate": "train", "jiwer": "train", "tokenizers": "train"}
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
    """What to tell a person about an error; None for an error that is a mistake in this program."""
    if isinstance(error, CommandError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (package := (error.name or "").partition(".")[0]) in _EXTRAS:
        extra = _EXTRAS[package]
        return f"this command needs {package}, which is not installed here: `pip install 'adastride[{extra}]'` brings it."
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} can't be used: {error.strerror or error}."
    from adastride.audio import AudioError
    from adastride.checkpoints import CheckpointError
    from adastride.clips import DataError
    from adastride.sweep.core import SweepError
    from adastride.tasks.codes import CodesError
    from adastride.text import TextError

    return str(error) if isinstance(error, AudioError | CheckpointError | CodesError | DataError | SweepError | TextError) else None


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message.removeprefix('argument ')}; `{self.prog} --help` lists what can be given.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m adastride", description="See where a network spends its time steps.", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    explain = commands.add_parser("explain", help="run a trained network on a clip and show where its time steps went", allow_abbrev=False)
    explain.add_argument("clip", metavar="CLIP",
                         help=f"a {FORMATS} file, of which up to an hour is looked at, or the name of a bundled sample")
    explain.add_argument("--from", dest="begin", metavar="SECONDS", type=_number(0), default=0.0,
                         help="where in the clip to begin; times in what is written count from there (default: at its start)")
    explain.add_argument("--to", dest="end", metavar="SECONDS", type=_number(0), help="where in the clip to end (default: at its end)")
    explain.add_argument("--checkpoint", metavar="NAME", default=DEFAULT_CHECKPOINT,
                         help="a shipped checkpoint or a .safetensors file (default: %(default)s)")
    explain.add_argument("--sigma-inv2", metavar="X", type=_number(*SIGMA_INV2_RANGE),
                         help="σ⁻² of every adaptive layer (default: as trained)")
    explain.add_argument("--stride", metavar="S", type=_number(1),
                         help="input frames per output frame of every layer (default: as trained)")
    explain.add_argument("--length", metavar="SECONDS", type=_number(0.001), help="let an audio transformer hear so much of the clip, from its beginning")
    explain.add_argument("--resolution", metavar="C", type=_number(0.1, 100), default=1.0,
                         help="frame shift of an audio transformer over its own (default: %(default)g)")
    explain.add_argument("--variant", choices=("adastride", "adastride-f"), help="run adaptive layers as this method (default: as trained)")
    explain.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    explain.add_argument("--npz", metavar="OUT", help="write mel, positions and full alignments as NumPy arrays")
    explain.add_argument("--png", metavar="OUT", help="write the figure, 200 dpi")
    explain.add_argument("--svg", metavar="OUT", help="write the figure with its text as text")
    explain.add_argument("--csv", metavar="OUT", help="write a table with every output frame's time and stride")
    explain.set_defaults(run=_explain)

    transcribe = commands.add_parser("transcribe", help="write down what a recogniser hears in clips", allow_abbrev=False)
    transcribe.add_argument("clip", metavar="CLIP", nargs="+", help=f"{FORMATS} files of up to an hour, or names of bundled samples")
    transcribe.add_argument("--checkpoint", metavar="NAME",
                            help="a shipped recogniser or a .safetensors file (default: the first shipped one of AdaStride)")
    transcribe.add_argument("--beams", metavar="N", type=_whole(1, 50), help="search with so many beams instead of taking the best token each time, "
                            "and print the second best reading")
    transcribe.add_argument("--json", action="store_true", help="print a JSON object for each clip, one on a line")
    transcribe.add_argument("--textgrid", metavar="OUT", help="write the tokens and their times for Praat")
    transcribe.add_argument("--srt", metavar="OUT", help="write subtitles")
    transcribe.set_defaults(run=_transcribe)

    encode = commands.add_parser("encode", help="write a clip as the codes and durations of a codec", allow_abbrev=False)
    encode.add_argument("clip", metavar="CLIP", help=f"a {FORMATS} file of up to 15 minutes, or the name of a bundled sample")
    encode.add_argument("--checkpoint", metavar="NAME",
                        help="a shipped codec or a .safetensors file (default: the first shipped one of AdaStride)")
    encode.add_argument("--sigma-inv2", metavar="X", type=_number(*SIGMA_INV2_RANGE),
                        help="σ⁻² of the upper layer (default: as trained)")
    encode.add_argument("--stride", metavar="S", type=_number(*STRIDE_RANGE),
                        help="input frames per code of the upper layer, from 1 to 8 (default: as trained)")
    encode.add_argument("--out", metavar="FILE", required=True, help="the JSON file to write: codes, durations in mel frames, mel_frames")
    encode.set_defaults(run=_encode)

    decode = commands.add_parser("decode", help="make a sound of the codes that encode wrote, or that were edited", allow_abbrev=False)
    decode.add_argument("codes", metavar="CODES", help="the JSON file")
    decode.add_argument("--checkpoint", metavar="NAME", help="the codec that wrote them (default: the shipped one that they name)")
    decode.add_argument("--wav", metavar="OUT", help="write the sound")
    decode.add_argument("--mel", metavar="OUT", help="write the log-mel, (bands, frames) as a NumPy array")
    decode.add_argument("--iterations", metavar="N", type=_whole(1, 1000), default=32, help="of Griffin-Lim (default: %(default)s)")
    decode.set_defaults(run=_decode)

    train = commands.add_parser("train", help="train a network on a folder of clips or pictures; run it again to go on", allow_abbrev=False)
    _add_data(train)
    kinds = train.add_mutually_exclusive_group()
    kinds.add_argument("--kind", metavar="KIND", default="classifier", help="of network, as checkpoints name it (default: %(default)s)")
    kinds.add_argument("--task", metavar="TASK", dest="kind",
                       help="what it is to do: classification, recognition, reconstruction, elastic, images or spectrogram")
    train.add_argument("--units", choices=("words", "characters", "phonemes", "pieces"), help="what a recogniser writes (default: characters)")
    train.add_argument("--blocks", metavar="N", type=_whole(1, 64),
                       help="of a recogniser's encoder or an audio transformer (default: 4), or to a stage of a network of pictures (default: 1)")
    train.add_argument("--encoder", choices=("squeezeformer", "conformer"), help="of a recogniser (default: squeezeformer)")
    train.add_argument("--pack", metavar="TOKENS", dest="row_tokens", type=_whole(1, 1 << 20),
                       help="tokens of a row that clips are packed into, of an ElasticAST (default: 2048)")
    train.add_argument("--resolutions", metavar="C", nargs="+", type=_number(0.1, 100),
                       help="frame shifts over the network's own that a clip may have, drawn for each (default: the preset's)")
    train.add_argument("--codes", metavar="N", type=_whole(2, 65_536), help="of a codec's codebook (default: 512)")
    train.add_argument("--front-end", metavar="NAME", help="log-mel front end (default: the network's)")
    methods = train.add_mutually_exclusive_group()
    methods.add_argument("--method", metavar="METHOD",
                         help="downsampler of all layers (of a codec the upper one), or a network's own name such as adastride-s, "
                         "adastride-sigma, elastic, ast-2s (of 2 s) or elastic-adastride (default: adastride, of audio transformers elastic)")
    methods.add_argument("--methods", metavar="A,B,C", help="downsampler of each layer, the lowest first")
    train.add_argument("--stride", metavar="S", type=_number(1), default=2.0,
                       help="input frames per output frame of every layer (default: %(default)g)")
    train.add_argument("--strides", metavar="HxW,HxW,HxW",
                       help="of pictures: strides of height and width of each layer, the lowest first; learned ones begin there")
    train.add_argument("--cost-weight", metavar="X", type=_number(0, 1000), help="of pictures: λ of DiffStride's equation 6 (default: 0)")
    train.add_argument("--size", metavar="N", type=_whole(8, 512),
                       help="of pictures: height and width that they are fitted to, in pixels (default: as they are, where all are alike)")
    train.add_argument("--labels", choices=("fine", "coarse"), help="of CIFAR-100: its 100 classes or its 20 (default: fine)")
    train.add_argument("--sigma-inv2", metavar="X", type=_number(*SIGMA_INV2_RANGE),
                       help="σ⁻² of every adaptive layer (default: 5, of a codec 10)")
    train.add_argument("--learn-sigma", action="store_true", help="every adaptive layer learns its own σ, beginning with --sigma-inv2")
    train.add_argument("--parameter", metavar="NAME=X", type=_assignment, action="append", default=[],
                       help="another parameter of the method, such as smoothness=8 or filter_size=5; may be repeated")
    train.add_argument("--width", metavar="N", type=_whole(1, 4096),
                       help="channels of the network (default: 256, of a recogniser 144, of a codec 128, of an audio transformer 192, of pictures 16)")
    train.add_argument("--preset", choices=_PRESETS, help="what kind of sound the settings below are for (default: by the clips' texts and lengths)")
    train.add_argument("--epochs", metavar="N", type=_whole(1, 100_000), help="the most epochs (default: the preset's)")
    train.add_argument("--patience", metavar="N", type=_whole(1, 100_000), help="stop after so many epochs without a better valid split")
    train.add_argument("--batch-size", metavar="N", type=_whole(1, 100_000), help="clips per step (default: the preset's)")
    train.add_argument("--learning-rate", metavar="X", type=_number(1e-8, 10), help="default: the preset's")
    train.add_argument("--silence", metavar="X", type=_number(0, 1), help="share of batches whose clips are placed in silence (default: the preset's)")
    train.add_argument("--silence-seconds", metavar=("A", "B"), nargs=2, type=_number(0.01, 60), help="shortest and longest of these windows")
    train.add_argument("--balanced", action=argparse.BooleanOptionalAction, help="draw every class equally often (default: the preset's)")
    train.add_argument("--adversarial", action="store_true", default=None,
                       help="a codec learns against a discriminator as well (default: the preset's)")
    train.add_argument("--seed", metavar="N", type=_whole(0, 2**32 - 1), default=0, help="default: %(default)s")
    _add_device(train)
    train.add_argument("--out", metavar="FILE", required=True, help="the checkpoint to write, a .safetensors file")
    train.set_defaults(run=_train)

    grid = commands.add_parser("grid", help="train and test a grid of runs; run it again to go on", allow_abbrev=False)
    grid.add_argument("grid", metavar="GRID", help="a TOML file of tasks and blocks, such as results/grid.toml")
    grid.add_argument("--data-root", metavar="DIR", help="folder of the data sets (default: the variable ADASTRIDE_DATA, else ../shared/data)")
    grid.add_argument("--results", metavar="FILE", help="the CSV to add to (default: results.csv beside GRID)")
    grid.add_argument("--runs", metavar="DIR", default="runs", help="folder for checkpoints and unfinished runs (default: %(default)s)")
    grid.add_argument("--jobs", metavar="N", type=_whole(1, 256), default=1, help="runs at a time, each with one thread (default: %(default)s)")
    grid.add_argument("--only", metavar="TASK[/METHOD]", nargs="+", default=[], help="only the runs that fit, * and ? allowed")
    grid.add_argument("--max-minutes", metavar="M", type=_number(0), default=math.inf, help="stop after so long; unfinished runs can go on later")
    grid.add_argument("--list", action="store_true", help="print the runs in their order and do nothing")
    _add_device(grid)
    grid.set_defaults(run=_grid)

    evaluate = commands.add_parser("evaluate", help="accuracy or error, and strides, of a checkpoint on clips", allow_abbrev=False)
    evaluate.add_argument("checkpoint", metavar="CHECKPOINT", help="a shipped checkpoint or a .safetensors file")
    _add_data(evaluate)
    evaluate.add_argument("--split", default="test", help="which clips (default: %(default)s)")
    evaluate.add_argument("--seconds", metavar="S", nargs="+", type=_number(0.01, 600), help="also of parts of the clips so long")
    evaluate.add_argument("--resolutions", metavar="C", nargs="+", type=_number(0.1, 100), help="also with frame shifts so many times as long")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    _add_device(evaluate)
    evaluate.set_defaults(run=_evaluate)

    sweep = commands.add_parser(
        "sweep", help="accuracy or error of checkpoints on a folder of clips against σ, stride or both", allow_abbrev=False,
    )
    _add_data(sweep)
    sweep.add_argument("--checkpoint", metavar="NAME", action="append", required=True,
                       help="a shipped checkpoint or a .safetensors file; may be repeated")
    sweep.add_argument("--sigma-inv2", metavar=("LOW", "HIGH", "N"), nargs=3, type=_number(), help="N values of σ⁻², each a constant factor above the last")
    sweep.add_argument("--stride", metavar=("LOW", "HIGH", "N"), nargs=3, type=_number(),
                       help="N overall strides, evenly spaced and spread over the layers; with --sigma-inv2 every pair of both")
    sweep.add_argument("--split", default="test", help="which clips (default: %(default)s)")
    sweep.add_argument("--csv", metavar="OUT", required=True, help="write a line for each checkpoint and value")
    sweep.add_argument("--ray", metavar="ADDRESS", help="spread the work over a Ray cluster, or local; needs `pip install ray` here and on its workers")
    _add_device(sweep)
    sweep.set_defaults(run=_sweep)

    app = commands.add_parser("app", help="start the app and open it in the browser", allow_abbrev=False)
    app.add_argument("--port", metavar="N", type=_whole(1, 65_535), help="where the app answers (default: 8501, or the next one that is free)")
    app.add_argument("--address", metavar="HOST", help="who can reach it: localhost for this computer alone (default: the whole network)")
    app.add_argument("--headless", action="store_true", help="do not open a browser")
    app.set_defaults(run=_app)

    bench = commands.add_parser("bench", help="run the benchmarks of this repository", allow_abbrev=False)
    bench.set_defaults(run=_bench)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", action="append", required=True,
                        help="folder with a manifest.csv (path, and label, text and split where there are any), of Speech Commands, "
                             "of IEMOCAP, or with a folder for each class; may be repeated")
    parser.add_argument("--label", metavar="COLUMN", default="label", help="of the manifests, what is to be told apart (default: %(default)s)")
    parser.add_argument("--hold-out", metavar="GROUP", help="speaker, session or fold whose clips are the test split (IEMOCAP: 5)")
    parser.add_argument("--classes", type=int, choices=(12, 35), default=12, help="of Speech Commands (default: %(default)s)")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to run (default: %(default)s)")


def _number(low: float = -math.inf, high: float = math.inf) -> Callable[[str], float]:
    """Makes an argparse type for a finite number from low to high."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            span = f" from {low:g} to {high:g}" if math.isfinite(high) else f" of at least {low:g}" if math.isfinite(low) else ""
            raise argparse.ArgumentTypeError(f"expected a number{span}, got {text!r}")
        return value

    return convert


def _assignment(text: str) -> tuple[str, float]:
    """An argparse type for NAME=X; a whole number X becomes an int."""
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (name and equals and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"expected a name and a number, such as smoothness=8, got {text!r}")
    return name, int(number) if number.is_integer() else number


def _whole(low: int, high: int) -> Callable[[str], int]:
    """Makes an argparse type for a whole number from low to high."""

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
    if args.end is not None and args.end <= args.begin:
        raise CommandError(f"--from is {args.begin:g} s and --to {args.end:g} s: the part has to end after it begins.")

    import torch

    from adastride import checkpoints
    from adastride.clip_parts import read_part
    from adastride.downsampling import LayerSettings
    from adastride.inspection import export, tracing
    from adastride.memory import return_large_blocks
    from adastride.models.elastic import TooManyTokensError

    # A run is thousands of small products. Shared by threads they are at best a little faster; where other programs use the cores
    # as well, threads wait for each other, and a quarter of an hour of sound takes seven times as long.
    torch.set_num_threads(1)
    return_large_blocks()
    model = checkpoints.load(args.checkpoint)
    waveform = read_part(clip, args.begin, args.end, model.config.mel.sample_rate)
    if args.begin or args.end is not None:
        title += f", {args.begin:g}–{args.begin + waveform.seconds:g} s"
    sigma = None if args.sigma_inv2 is None else args.sigma_inv2**-0.5
    settings = LayerSettings(sigma=sigma, stride=args.stride, variant=args.variant)
    try:
        hearing = tracing.resolve_hearing(model, waveform, tracing.Hearing(args.length, args.resolution))
    except ValueError as error:
        raise CommandError(f"{str(error).rstrip('.')}.") from None
    try:
        trace = tracing.trace(model, waveform, settings, hearing=hearing).without_resumes()
    except TooManyTokensError as error:
        many = f"{error.tokens:,} tokens"
        raise CommandError(f"{title} has {many}, too many for {model.name}: give --from and --to, --length, or a larger --resolution.") from None

    # Everything is made before anything is written: a failure leaves no part of the set behind.
    files = {}
    if "npz" in outputs:
        files["npz"] = export.to_npz(trace)
    if "csv" in outputs:
        files["csv"] = export.to_csv(trace).encode()
    if outputs.keys() & {"png", "svg"}:
        from adastride.inspection import figures

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a title in letters the font lacks
            figure = figures.publication_figure(trace, title)
            files.update({kind: figures.render(figure, kind) for kind in figures.FORMATS if kind in outputs})
    for kind, data in files.items():
        _write(outputs[kind], data)

    summary = export.summary(trace)
    if args.json:
        print(json.dumps(summary, indent=2, allow_nan=False))
        return
    print(_report(trace, summary["layers"], title))
    for kind, data in files.items():
        print(f"wrote {outputs[kind]} ({len(data) / 1e3:.0f} kB)")


# transcribe


def _transcribe(args: argparse.Namespace) -> None:
    outputs = {kind: Path(path) for kind in ("textgrid", "srt") if (path := getattr(args, kind)) is not None}
    if outputs and len(args.clip) > 1:
        raise CommandError(f"--{next(iter(outputs))} takes one clip at a time, and here are {len(args.clip)}: give one, or use --json.")
    found = [_find_clip(name) for name in args.clip]
    _check_outputs(outputs, found[0][0])

    import torch

    from adastride import checkpoints, tasks
    from adastride.audio import AudioError
    from adastride.clip_parts import read_part
    from adastride.inspection import tracing, transcripts
    from adastride.memory import return_large_blocks
    from adastride.text import TextError

    torch.set_num_threads(1)  # see `_explain`
    return_large_blocks()
    known = [name for name, entry in checkpoints.catalogue().items() if tasks.KINDS[entry.kind].task.texts]
    model = checkpoints.load(_chosen(args.checkpoint, known, "recogniser"))
    if not tasks.task_of(model).texts:
        raise CommandError(f"{model.name} is {with_article(model.config.kind)} and writes no text: choose {' or '.join(known[:3]) or 'a recogniser'}.")
    wrong = 0
    for path, title in found:
        try:
            waveform = read_part(path, sample_rate=model.config.mel.sample_rate)
            trace = tracing.trace(model, waveform).without_resumes()
            readings = transcripts.transcript_of(trace).readings(args.beams) if args.beams else []
        except (AudioError, TextError) as error:
            if len(found) == 1:
                raise CommandError(str(error)) from None
            print(" ".join(str(error).split()), file=sys.stderr)
            wrong += 1
            continue
        summary = transcripts.summary(trace)
        if readings:
            summary |= {"readings": [{"text": reading.text, "log_probability": round(reading.log_probability, 4)} for reading in readings]}
        files = {"textgrid": transcripts.textgrid, "srt": transcripts.srt}
        for kind, out in outputs.items():
            _write(out, files[kind](trace).encode())
        if args.json:
            print(json.dumps(summary, allow_nan=False, ensure_ascii=False), flush=True)
            continue
        print(f"{title}: {summary['text'] or '(no word heard)'}", flush=True)
        for place, reading in enumerate(readings, start=1):
            print(f"  reading {place}, log-probability {reading.log_probability:.2f} nats: {reading.text or '(nothing)'}")
        for out in outputs.values():
            print(f"wrote {out} ({out.stat().st_size / 1e3:.1f} kB)")
    if wrong:
        raise CommandError(f"{wrong} of {len(found)} clips could not be read: the lines above say why.")


# encode and decode


def _encode(args: argparse.Namespace) -> None:
    clip, title = _find_clip(args.clip)
    out = Path(args.out)
    _check_outputs({"out": out}, clip)

    import torch

    from adastride import audio
    from adastride.downsampling import METHODS, LayerSettings
    from adastride.tasks import codes

    torch.set_num_threads(1)  # see `_explain`
    network = _codec(args.checkpoint)
    waveform = audio.read(clip, network.config.mel.sample_rate)
    top, method = network.downsamplers[-1], METHODS[network.config.methods[-1]]
    if args.sigma_inv2 is not None and "sigma" not in method.parameters:
        raise CommandError(f"{network.name} has no σ ({method.label} has none): leave --sigma-inv2 out.")
    stride = None if args.stride is None else top.nearest_stride(args.stride)
    if stride != args.stride:
        print(f"{method.label} takes whole strides alone: --stride {args.stride:g} is rounded to {stride:g}.", file=sys.stderr)
    sigma = None if args.sigma_inv2 is None else args.sigma_inv2**-0.5
    encoded = codes.encode(network, waveform, LayerSettings(sigma=sigma, stride=args.stride))
    _write(out, encoded.to_json().encode())
    seconds = encoded.mel_frames / network.config.mel.frames_per_second
    print(
        f"{title}: {counted(len(encoded.codes), 'code')}, {len(set(encoded.codes))} of them distinct, "
        f"{len(encoded.codes) / seconds:.1f} a second, "
        f"{len(encoded.codes) * math.log2(network.config.codes) / seconds:.0f} bits a second without their durations"
    )
    print(f"wrote {out}")


def _decode(args: argparse.Namespace) -> None:
    outputs = {kind: Path(path) for kind in ("wav", "mel") if (path := getattr(args, kind)) is not None}
    if not outputs:
        raise CommandError("there is nothing to write: give --wav OUT, --mel OUT or both.")
    if "wav" in outputs and outputs["wav"].suffix.lower() != ".wav":
        raise CommandError(f"--wav {outputs['wav']} must end in .wav: it is a WAV file that is written.")
    path = Path(args.codes)
    if not path.is_file():
        raise CommandError(f"there is no file {args.codes!r}: name a JSON file that `python -m adastride encode` wrote.")
    _check_outputs(outputs, path, "CODES")

    import io

    import numpy as np
    import soundfile
    import torch

    from adastride import checkpoints, vocoder
    from adastride.tasks import codes
    from adastride.wording import one_line

    torch.set_num_threads(1)  # see `_explain`
    if path.stat().st_size > codes.MOST_BYTES:
        raise CommandError(f"{path} has {path.stat().st_size / 1e6:.0f} MB, more than the {codes.MOST_BYTES / 1e6:.0f} MB allowed.")
    known = codes.Codes.from_json(path.read_bytes(), path.name)
    if args.checkpoint is None and known.checkpoint not in checkpoints.catalogue():
        named = one_line(known.checkpoint, 60)
        raise CommandError(f"{path.name} is of {named}, which is not part of this installation: give its file with --checkpoint.")
    network = _codec(args.checkpoint or known.checkpoint)
    codes.check_written(network, known)
    mel = codes.decode(network, known)
    files = {}
    if "mel" in outputs:
        data = io.BytesIO()
        np.save(data, mel, allow_pickle=False)
        files["mel"] = data.getvalue()
    if "wav" in outputs:
        data, waveform = io.BytesIO(), vocoder.sound(torch.from_numpy(mel), network.config.mel, args.iterations)
        soundfile.write(data, waveform.samples, waveform.sample_rate, format="WAV", subtype="PCM_16")
        files["wav"] = data.getvalue()
    for kind, content in files.items():
        _write(outputs[kind], content)
        print(f"wrote {outputs[kind]} ({len(content) / 1e3:.0f} kB)")


def _codec(name: str | None) -> Codec:
    """The codec of a name or a path, by default as `_chosen` says. Raises CommandError for a network of another kind."""
    from adastride import checkpoints
    from adastride.models import Codec

    known = [entry.name for entry in checkpoints.catalogue().values() if entry.kind == "codec"]
    network = checkpoints.load(_chosen(name, known, "codec"))
    if not isinstance(network, Codec):
        raise CommandError(f"{network.name} is {with_article(network.config.kind)} and has no codes: choose {' or '.join(known[:3]) or 'a codec'}.")
    return network


def _chosen(name: str | None, known: Sequence[str], what: str) -> str:
    """The name or path of the checkpoint that a command takes: the one that is given, else the first one of AdaStride, else the first.

    known: the installed checkpoints that the command can use. what: they are. Raises CommandError where there is none, and for a name
    of nothing, so that no checkpoint is recommended that the command would then refuse.
    """
    from adastride import checkpoints

    if name is None:
        if not known:
            raise CommandError(f"no {what} is part of this installation: give the path of one with --checkpoint.")
        return next((one for one in known if one.endswith("-adastride")), known[0])
    if name not in checkpoints.shipped() and not (name.endswith(".safetensors") and os.path.isfile(name)):
        alike = difflib.get_close_matches(name[:80], known, n=3, cutoff=0.3) or known[:3]
        choice = f"choose {' or '.join(alike)}, or give" if alike else "give"
        raise CommandError(f"there is no {what} {name[:80]!r}: {choice} the path of a .safetensors file.")
    return name


def _find_clip(name: str) -> tuple[Path, str]:
    """The file that CLIP stands for, and its title. A file of that name goes before a bundled sample of that name."""
    path = Path(name)
    if path.is_file():
        return path, path.name
    from adastride.samples import samples

    if name in samples():
        return samples()[name].path, samples()[name].title
    if path.is_dir():
        raise CommandError(f"{name} is a folder: name a sound file in it.")
    raise CommandError(f"there is no file {name!r}: name a {FORMATS} file, or one of the samples {', '.join(samples())}.")


def _check_outputs(outputs: dict[str, Path], source: Path, name: str = "CLIP") -> None:
    """Finds out before the work starts whether its results can be written, and none over what is read, which is called `name`."""
    taken = {source.resolve(): name}
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
    """The trace as lines of text with a row for each layer. numbers: the layers of `export.summary`."""
    ranked = sorted(trace.prediction.bars, key=lambda bar: -bar.share)[:3]
    first, *others = [f"{bar.label} ({bar.text})" for bar in ranked] or [trace.prediction.headline]
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
    patches = trace.prediction.patches
    costs = [] if patches is None else ["; ".join(f"{name.lower()}: {value}" for name, value in patches.facts)]
    layers = ["", *_columns(rows, left=2), "strides are in input frames of the layer per output frame"]
    return "\n".join([
        f"{title}: {trace.waveform.seconds:.2f} s, {trace.mel.shape[1]} mel frames of {1e3 / trace.preset.frames_per_second:.0f} ms",
        f"{trace.checkpoint} predicts {first}" + (f", then {', '.join(others)}" if others else ""),
        *costs,
        *(layers if trace.layers else ["no downsampling layer"]),
    ])


def _columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines with aligned columns: the first `left` columns to the left, the others to the right."""
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

    from adastride.tasks import PICTURE_KINDS

    if args.kind in PICTURE_KINDS:
        {"images": _train_images, "spectrogram": _train_spectrograms}[args.kind](args, out)
        return
    _refuse(args, _PICTURE_OPTIONS, "for networks of pictures, --task images or spectrogram")

    import torch

    from adastride.device import device_name
    from adastride.tasks import KINDS
    from adastride.training.loop import Progress, TrainingSettings, train
    from adastride.training.settings import PRESETS, preset_for

    kind = _kind(args)
    options, sample_rate = _network(args, kind)
    if args.adversarial and not kind.task.reconstructs:
        able = ", ".join(name for name, each in KINDS.items() if each.task.reconstructs)
        raise CommandError(f"--adversarial is for what reconstructs sound ({able}), not for {with_article(kind.config.kind)}: leave it out.")
    device = _device(args.device)
    state = out.with_suffix(".state")
    overrides = {"epochs": args.epochs, "patience": args.patience, "batch_size": args.batch_size, "learning_rate": args.learning_rate,
              "as_is": None if args.silence is None else 1 - args.silence, "balanced": args.balanced,
              "window_seconds": args.silence_seconds and tuple(sorted(args.silence_seconds)), "adversarial": args.adversarial,
              "resolutions": args.resolutions and tuple(args.resolutions), "seed": args.seed}
    overrides = {name: value for name, value in overrides.items() if value is not None}
    reached, main = "", int(os.environ.get("RANK", 0)) == 0  # of several processes only the first one prints

    def say(text: str) -> None:
        if main:
            print(text, flush=True)

    def settings(clips: Sequence[Clip], sample_rate: int) -> TrainingSettings:
        preset = args.preset or kind.task.preset or preset_for(clips, sample_rate, texts=kind.task.texts)
        say(f"{len(clips)} training clips, settings for {preset}")
        return replace(PRESETS[preset], **overrides)

    def config(clips: Sequence[Clip], valid_clips: Sequence[Clip]) -> NetworkConfig:
        configuration = kind.learn_config(clips, valid_clips, **options)
        where = f"on {device_name(device)}" + (f", going on from {state}" if state.exists() else "")
        with_layers = f" with {', '.join(configuration.methods)}" if configuration.methods else ""
        say(f"training {with_article(configuration.kind)}{with_layers}, {kind.task.describe(configuration)}, {where}")
        return configuration

    def report(progress: Progress) -> None:
        nonlocal reached
        reached = f"after epoch {progress.epoch} of {progress.epochs}"
        say(
            f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  position loss {progress.position_loss:.4f}  "
            f"validation {progress.metric.label.lower()} {progress.text}  {progress.seconds:.1f} s"
        )

    try:
        train(_sources(args), out, config, settings, str(device), report, sample_rate=sample_rate)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped {reached or 'before another epoch was complete'}: run the same command again to go on.") from None
    except torch.OutOfMemoryError:
        raise CommandError("the GPU has too little memory for this: give a smaller --batch-size or --width.") from None
    say(f"wrote {out}")


# Options of train by the names of their values, and what stands there where they are not given.
_PICTURE_OPTIONS = {"strides": None, "cost_weight": None, "size": None, "labels": None}
_SOUND_OPTIONS = {
    "units": None, "encoder": None, "row_tokens": None, "resolutions": None, "codes": None, "front_end": None, "methods": None, "preset": None,
    "patience": None, "silence": None, "silence_seconds": None, "balanced": None, "adversarial": None, "learn_sigma": False, "label": "label",
    "hold_out": None, "classes": 12,
}


def _refuse(args: argparse.Namespace, options: dict[str, Any], what: str) -> None:
    """Raises CommandError for the first of these options that is given. what: they are for, in a sentence."""
    given = next((name for name, usual in options.items() if getattr(args, name) != usual), None)
    if given is not None:
        option = "pack" if given == "row_tokens" else given.replace("_", "-")
        raise CommandError(f"--{option} is {what}: leave it out.")


def _train_images(args: argparse.Namespace, out: Path) -> None:
    """`train --task images`: trains a network of pictures."""
    _refuse(args, _SOUND_OPTIONS, "for networks of sound, and --task images trains one of pictures")
    if len(args.data) != 1:
        raise CommandError("--task images learns from one data set: give --data once.")

    from adastride.device import device_name
    from adastride.models.images import STAGES, ImageConfig
    from adastride.training.data import licence_line
    from adastride.training.image_datasets import read_images
    from adastride.training.images import ImageTraining, train_images

    device = _device(args.device)
    try:
        settings = ImageTraining(**_picture_settings(args))
        network = _picture_network(args, STAGES, "adastride") | {"blocks": args.blocks or 1}
        ImageConfig(("a", "b"), **network)
    except ValueError as error:
        raise CommandError(f"{error}.") from None
    data = read_images(args.data[0], args.size, args.labels or "fine")
    print(f"{len(data.splits['train'].labels):,} training pictures of {data.size} × {data.size} pixels, {len(data.classes)} classes", flush=True)
    print(f"training a network of pictures with {network['method']} on {device_name(device)}{_going_on(out)}", flush=True)
    licence = [line] if (line := licence_line(args.data[0])) else []
    config = ImageConfig(data.classes, size=data.size, **network)
    _follow_pictures(lambda report: train_images(data, out, config, settings, device, report, licence), out)


def _train_spectrograms(args: argparse.Namespace, out: Path) -> None:
    """`train --task spectrogram`: trains a network of spectrograms, with a head for each folder of --data."""
    sound = {name: usual for name, usual in _SOUND_OPTIONS.items() if name not in ("label", "hold_out", "classes")}
    _refuse(args, sound, "for networks of sound alone, and --task spectrogram trains one that sees their spectrograms as pictures")
    _refuse(args, {"size": None, "labels": None, "blocks": None}, "for networks of pictures, --task images")

    from adastride.device import device_name
    from adastride.models.spectrograms import LAYERS, SpectrogramConfig
    from adastride.training.data import licence_line
    from adastride.training.spectrograms import SpectrogramTraining, read_spectrograms, train_spectrograms

    device = _device(args.device)
    try:
        settings = SpectrogramTraining(**_picture_settings(args))
        network = _picture_network(args, LAYERS, "diffstride")
        usual = SpectrogramConfig(("task",), (("a", "b"),), **network)
    except ValueError as error:
        raise CommandError(f"{error}.") from None
    names = [Path(folder).resolve().name for folder in args.data]
    if len(set(names)) < len(names):
        raise CommandError("two folders of --data have the same name, by which the network calls its tasks: rename one.")
    data = [read_spectrograms(source, usual.mel, name, ("train", "valid")) for source, name in zip(_sources(args), names, strict=True)]
    config = SpectrogramConfig(tuple(each.task for each in data), tuple(each.classes for each in data), **network)
    for each in data:
        print(f"{each.task}: {len(each.splits['train'].labels):,} training clips, {len(each.classes)} classes", flush=True)
    print(f"training a network of spectrograms with {network['method']} on {device_name(device)}{_going_on(out)}", flush=True)
    licence = [line for folder in args.data if (line := licence_line(folder))]
    _follow_pictures(lambda report: train_spectrograms(data, out, config, settings, device, report, licence), out)


def _picture_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `PictureTraining` that the options set."""
    options = {"epochs": args.epochs, "batch_size": args.batch_size, "learning_rate": args.learning_rate, "cost_weight": args.cost_weight, "seed": args.seed}
    return {name: value for name, value in options.items() if value is not None}


def _picture_network(args: argparse.Namespace, layers: int, usual_method: str) -> dict[str, Any]:
    """The fields of a network of pictures that the options set. Raises ValueError for strides that are none."""
    from adastride.image_runs import strides_of

    strides = strides_of(args.strides.replace(",", " ")) if args.strides is not None else ((args.stride, args.stride),) * layers
    network: dict[str, Any] = {"method": args.method or usual_method, "strides": strides, "width": args.width or 16}
    network |= {} if args.sigma_inv2 is None else {"sigma": args.sigma_inv2**-0.5}
    return network | ({"parameters": dict(args.parameter)} if args.parameter else {})


def _going_on(out: Path) -> str:
    state = out.with_suffix(".state")
    return f", going on from {state}" if state.exists() else ""


def _follow_pictures(train: Callable[[Callable[[PictureProgress], None]], object], out: Path) -> None:
    """Says a line for every epoch of a training, and how to go on where it is stopped. train: is given what to call after an epoch."""
    import torch

    from adastride.image_runs import strides_text

    reached = ""

    def report(progress: PictureProgress) -> None:
        nonlocal reached
        reached = f"after epoch {progress.epoch} of {progress.epochs}"
        print(
            f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  validation accuracy {100 * progress.valid:.1f} %  "
            f"strides {strides_text(progress.history[-1]['strides'])}  {progress.seconds:.1f} s", flush=True,
        )

    try:
        train(report)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped {reached or 'before another epoch was complete'}: run the same command again to go on.") from None
    except torch.OutOfMemoryError:
        raise CommandError("the GPU has too little memory for this: give a smaller --batch-size or --width.") from None
    print(f"wrote {out}")


def _sources(args: argparse.Namespace) -> list[Source]:
    """The folders of --data. --hold-out is about the first of them only; the others are added to it."""
    from adastride.training.datasets import Source

    return [Source(folder, args.hold_out if number == 0 else None, args.classes, args.label) for number, folder in enumerate(args.data)]


def _kind(args: argparse.Namespace) -> Kind:
    """The kind that --kind or --task names."""
    from adastride.tasks import KINDS, PICTURE_KINDS

    names = {**KINDS, **{kind.task.name: kind for kind in KINDS.values()}}
    if args.kind not in names:
        raise CommandError(f"there is no kind or task {args.kind!r}: choose one of {', '.join([*names, *PICTURE_KINDS])}.")
    return names[args.kind]


def _network(args: argparse.Namespace, kind: Kind) -> tuple[dict[str, Any], int]:
    """The fields of the network's configuration that the options set, and its sample rate in Hz.

    Raises CommandError for options that can't be combined.
    """
    from adastride.training.grid import ANY_CLIPS

    try:
        if args.methods is None:
            options = kind.options(args.method or kind.task.usual_method)
        else:
            keys, layers = tuple(part.strip() for part in args.methods.split(",")), len(kind.options("strided-conv")["methods"])
            for key in keys:
                kind.options(key)
            if len(keys) != layers:
                raise CommandError(f"--methods needs {layers} methods separated by commas, got {len(keys)}.")
            options = {"methods": keys}
        if options.get("frames") and args.row_tokens:
            raise CommandError(f"--pack is for networks that take clips of any length, and {args.method} crops and pads: leave it out.")
        options |= {"strides": (args.stride,) * len(options["methods"])}
        options |= {} if args.sigma_inv2 is None else {"sigma": args.sigma_inv2**-0.5}
        names = ("width", "units", "blocks", "encoder", "codes", "front_end", "row_tokens")
        given = {name: getattr(args, name) for name in names}
        options |= {name: value for name, value in given.items() if value is not None}
        _check_options(kind, [name for name in names if name in options])
        options |= {"learn_sigma": True} if args.learn_sigma else {}
        options |= {"parameters": dict(args.parameter)} if args.parameter else {}
        sample_rate = kind.learn_config(ANY_CLIPS, ANY_CLIPS, **options).mel.sample_rate
    except ValueError as error:
        raise CommandError(f"{error}.") from None
    except TypeError as error:  # every kind has fields of its own
        raise CommandError(f"{with_article(kind.config.kind)} does not take all of these options ({error}).") from None
    return options, sample_rate


def _check_options(kind: Kind, names: Sequence[str]) -> None:
    """Raises CommandError for an option that networks of another kind alone have. names: of fields of configurations."""
    from adastride.tasks import KINDS

    def takes(other: Kind, name: str) -> bool:
        return name in {field.name for field in fields(other.config)}

    for name in names:
        if not takes(kind, name):
            option = "--pack" if name == "row_tokens" else f"--{name}"
            able = " or ".join(other.task.name for other in KINDS.values() if takes(other, name))
            raise CommandError(f"{option} is for --task {able}, not for {with_article(kind.config.kind)}: leave it out.")


def _device(name: str) -> torch.device:
    from adastride.device import choose_device

    try:
        return choose_device(name)
    except ValueError as error:
        raise CommandError(f"{error}.") from None


# grid


def _grid(args: argparse.Namespace) -> None:
    from adastride import image_runs, spectrogram_runs
    from adastride.training import grid, image_grid, spectrogram_grid
    from adastride.training.datasets import default_data_root

    root = args.data_root or default_data_root()
    runs: list[Any]
    run_grid: Callable[..., list[str]]
    if image_grid.says_it_is_of(args.grid, "pictures"):
        runs, run_grid = image_grid.selected(image_grid.read_image_grid(args.grid, root), args.only), image_grid.run_image_grid
        file = image_runs.FILE
    elif image_grid.says_it_is_of(args.grid, "spectrograms"):
        runs = spectrogram_grid.selected(spectrogram_grid.read_spectrogram_grid(args.grid, root), args.only)
        run_grid, file = spectrogram_grid.run_spectrogram_grid, spectrogram_runs.FILE
    else:
        runs, run_grid, file = grid.selected(grid.read_grid(args.grid, root), args.only), grid.run_grid, "results.csv"
    if args.list:
        print("\n".join(run.id for run in runs))
        return
    results = Path(args.results) if args.results else Path(args.grid).with_name(file)
    failed = run_grid(runs, grid.Options(results, Path(args.runs), str(_device(args.device)), time.time() + 60 * args.max_minutes), args.jobs)
    if failed:
        raise CommandError(f"{len(failed)} of the runs failed, {', '.join(failed[:5])}{', ...' if len(failed) > 5 else ''}: the lines above say why.")


# evaluate


def _evaluate(args: argparse.Namespace) -> None:
    from adastride import checkpoints
    from adastride.models import PictureNetwork, SpectrogramClassifier
    from adastride.training.evaluate import evaluate
    from adastride.training.lengths import LengthGrid, measure_lengths

    model = checkpoints.load_any(args.checkpoint, _device(args.device))
    if isinstance(model, SpectrogramClassifier):
        _evaluate_spectrograms(args, model)
        return
    if isinstance(model, PictureNetwork):
        _evaluate_images(args, model)
        return
    model = checkpoints.of_sound(model)
    clips, where = [clip for source in _sources(args) for clip in source.clips(args.split, model.config.mel.sample_rate)], ", ".join(args.data)
    result = evaluate(model, clips, placed_seconds=_PLACED_SECONDS, snr_db=_SNR_DB)
    points = measure_lengths(model, clips, LengthGrid(tuple(args.seconds or ()), tuple(args.resolutions or ())))
    lengths = list(points) if args.seconds or args.resolutions else []
    if args.json:
        strides = {"silence_stride": result.silence_stride, "sound_stride": result.sound_stride, "stride_ratio": result.stride_ratio}
        numbers = {**result.metrics, **{f"{name}_in_silence": value for name, value in result.in_silence.items()}, **strides}
        print(json.dumps({
            "checkpoint": model.name, "data": where, "split": args.split, "clips": result.clips,
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            **(result.breakdown.data if result.breakdown else {}),
            **({"lengths": [_length_numbers(point) for point in lengths]} if lengths else {}),
        }, indent=2, allow_nan=False))
        return
    print(f"{model.name} on {result.clips} clips of {where}, split {args.split}\n")
    print(_evaluation_report(result, layers=bool(model.downsamplers)))
    if lengths:
        print("\n" + _lengths_report(lengths))


def _evaluate_images(args: argparse.Namespace, network: PictureNetwork) -> None:
    """`evaluate` for a network of pictures."""
    options = {"label": "label", "hold_out": None, "classes": 12, "seconds": None, "resolutions": None}
    _refuse(args, options, f"for networks of sound, and {network.name} sees pictures")
    if len(args.data) != 1:
        raise CommandError("a network of pictures is measured on one data set: give --data once.")
    from adastride.image_runs import strides_text
    from adastride.training.image_datasets import read_images
    from adastride.training.images import evaluate_images

    data, labels = read_images(args.data[0], network.config.picture_size[0]), network.config.heads[0].labels
    if args.split not in data.splits:
        raise CommandError(f"{args.data[0]} has no split {args.split!r}: choose {' or '.join(data.splits)}.")
    if data.classes != labels:
        raise CommandError(f"{args.data[0]} has other classes than {network.name} tells apart, which are {', '.join(labels)}.")
    result = evaluate_images(network, data.splits[args.split])
    strides = strides_text(layer.strides for layer in network.layers)
    if args.json:
        print(json.dumps({
            "checkpoint": network.name, "data": args.data[0], "split": args.split, "pictures": result.pictures, "accuracy": result.accuracy,
            "loss": result.loss, "strides": [list(layer.strides) for layer in network.layers], "labels": list(labels),
            "confusion": result.confusion.tolist(),
        }, indent=2, allow_nan=False))
        return
    print(f"{network.name} on {result.pictures} pictures of {args.data[0]}, split {args.split}\n")
    print(f"accuracy {100 * result.accuracy:.1f} %, cross-entropy {result.loss:.3f} nats, strides (height x width) {strides}\n")
    print(_confusion_report(labels, result.confusion.tolist()))


def _confusion_report(labels: Sequence[str], confusion: list[list[int]]) -> str:
    rows = [("", *labels), *((label, *map(str, row)) for label, row in zip(labels, confusion, strict=True))]
    return "confusion (rows: true, columns: predicted)\n" + "\n".join(_columns(rows, left=1))


def _head_for(network: SpectrogramClassifier, source: Source, split: str) -> Head:
    """The head that knows the labels of a folder's split; of several the one that is called like the folder."""
    labels = {row.label for row in source.rows() if row.split == split}
    able = [head for head in network.config.heads if labels <= set(head.labels)]
    named = [head for head in able if head.task == source.name]
    if not able:
        known = "; ".join(f"{head.task}: {', '.join(head.labels)}" for head in network.config.heads)
        raise CommandError(f"{source.folder} has other labels than {network.name} tells apart, which are {known}.")
    if len(able) > 1 and not named:
        raise CommandError(
            f"{source.folder} has labels that {' and '.join(head.task for head in able)} of {network.name} all know: call the folder like one of them.",
        )
    return (named or able)[0]


def _evaluate_spectrograms(args: argparse.Namespace, network: SpectrogramClassifier) -> None:
    """`evaluate` for a network of spectrograms: each folder by the head that knows its labels."""
    _refuse(args, {"seconds": None, "resolutions": None}, f"for other networks of sound, and {network.name} sees windows of {network.config.seconds:g} s")
    from adastride.image_runs import strides_text
    from adastride.training.spectrograms import evaluate_spectrograms, read_spectrograms

    found = []
    for source, folder in zip(_sources(args), args.data, strict=True):
        head = _head_for(network, source, args.split)
        data = read_spectrograms(source, network.config.mel, head.task, (args.split,), head.labels)
        found.append((folder, head, evaluate_spectrograms(network, data, args.split)))
    strides = strides_text(layer.strides for layer in network.layers)
    if args.json:
        print(json.dumps({
            "checkpoint": network.name, "split": args.split, "strides": [list(layer.strides) for layer in network.layers],
            "tasks": [
                {"data": folder, "task": head.task, "clips": result.clips, "accuracy": result.accuracy, "loss": result.loss, "labels": list(head.labels),
                 "confusion": result.confusion.tolist()}
                for folder, head, result in found
            ],
        }, indent=2, allow_nan=False))
        return
    print(f"{network.name}, strides (frequency x time) {strides}")
    for folder, head, result in found:
        print(f"\n{head.task} on {result.clips} clips of {folder}, split {args.split}: accuracy {100 * result.accuracy:.1f} %, "
              f"cross-entropy {result.loss:.3f} nats\n")
        print(_confusion_report(head.labels, result.confusion.tolist()))


def _length_numbers(point: LengthPoint) -> dict[str, float | None]:
    """A point as JSON has it: multiply-adds one by one, as `explain` counts them; null for the seconds of whole clips and what is not there."""
    measured = {name: getattr(point, name) for name in ("resolution", "accuracy", "low", "high", "clips")}
    tokens, multiply_adds = (point.tokens, round(1e6 * point.multiply_adds)) if point.tokens else (None, None)
    return {"seconds": point.seconds or None, **measured, "tokens": tokens, "multiply_adds": multiply_adds}


def _lengths_report(points: Sequence[LengthPoint]) -> str:
    rows = [("part", "frame shift ×", "accuracy", "95 % interval", "tokens", "million multiply-adds")]
    for point in points:
        part = f"{point.seconds:g} s" if point.seconds else "whole clips"
        effort = (f"{point.tokens:.0f}", f"{point.multiply_adds:.0f}") if point.tokens else ("none", "none")
        interval = f"{100 * point.low:.1f} to {100 * point.high:.1f} %"
        rows.append((part, f"{point.resolution:g}", f"{100 * point.accuracy:.1f} %", interval, *effort))
    return "\n".join(_columns(rows, left=1))


def _evaluation_report(result: Evaluation, layers: bool) -> str:
    """The table of an evaluation. layers: whether the network has any, without which there are no strides to speak of."""

    def stride(value: float) -> str:
        return f"{value:.2f}" if math.isfinite(value) else "none"

    def value(metric: Metric, number: float) -> str:
        return metric.text(number) if math.isfinite(number) else "–"

    headline = result.headline
    strides = [
        ("mean stride of layer 1 in silence, input frames per output frame", stride(result.silence_stride)),
        ("mean stride of layer 1 in sound, input frames per output frame", stride(result.sound_stride)),
        ("stride in silence / stride in sound", stride(result.stride_ratio)),
    ]
    lines = _columns([
        (f"{headline.label.lower()}, clips as they are", value(headline, result.value)),
        (
            f"{headline.label.lower()}, placed at random in {_PLACED_SECONDS:g} s at {_SNR_DB:g} dB SNR",
            value(headline, result.value_in_silence),
        ),
        *((f"{metric.label.lower()}, clips as they are", value(metric, result.metrics[metric.name])) for metric in result.others),
        *(strides if layers else ()),
    ], left=1)
    if result.breakdown:
        lines += ["", result.breakdown.title, *_columns(result.breakdown.table, left=1)]
    return "\n".join(lines)


# sweep


def _sweep(args: argparse.Namespace) -> None:
    if args.sigma_inv2 is None and args.stride is None:
        raise CommandError("there is nothing to sweep: give --sigma-inv2 LOW HIGH N, --stride LOW HIGH N, or both.")
    out = Path(args.csv)
    if not out.parent.is_dir():
        raise CommandError(f"{out} can't be written: there is no folder {out.parent}.")
    _check_file(out, out.parent)

    from adastride import checkpoints
    from adastride.sweep import core as sweep
    from adastride.sweep.scores import on_ray, scores_csv, sweep_clips

    settings = sweep.points(
        () if args.sigma_inv2 is None else sweep.sigma_values(*args.sigma_inv2[:2], _count(args.sigma_inv2)),
        () if args.stride is None else sweep.stride_values(*args.stride[:2], _count(args.stride)),
    )
    device = _device("cpu" if args.ray and args.device == "auto" else args.device)  # workers may have no GPU
    models = [checkpoints.load(name, device) for name in dict.fromkeys(args.checkpoint)]
    rates = sorted({model.config.mel.sample_rate for model in models})
    if len(rates) > 1:
        raise CommandError(f"these checkpoints hear sound at {' and '.join(map(str, rates))} Hz: sweep them one by one.")
    clips = [clip for source in _sources(args) for clip in source.clips(args.split, rates[0])]
    spread = {"spread": on_ray(args.ray)} if args.ray else {}

    scores, share = (), 0.0
    try:
        for progress in sweep_clips(models, clips, settings, **spread):
            scores, share = progress.scores, progress.share
            print(f"\r{100 * share:3.0f} % of {len(models)} × {len(settings)} × {len(clips)} runs", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"\nstopped at {100 * share:.0f} %; nothing was written.") from None
    print(file=sys.stderr)
    _write(out, scores_csv(scores).encode())
    rows = [("checkpoint", "σ⁻²", "stride", scores[0].metric.label.lower(), "95 % interval", "work")]
    rows += [(
        score.checkpoint, "as trained" if score.setting.sigma_inv2 is None else f"{score.setting.sigma_inv2:.4g}", f"{score.stride:.4g}",
        score.text, score.bounds_text, f"{100 * score.work:.0f} %",
    ) for score in scores]
    print("\n".join(_columns(rows, left=1)))
    print(f"of {scores[0].basis}; interval: {scores[0].interval}")
    print("work: frames that the network works on, weighted by what they cost, relative to a stride of 1 everywhere")
    print(f"wrote {out}")


def _count(values: Sequence[float]) -> int:
    """The whole number N of an option's LOW HIGH N. Raises CommandError for a number that is not whole."""
    if not values[2].is_integer():
        raise CommandError(f"the number of values must be whole, not {values[2]:g}.")
    return int(values[2])


def _write(path: Path, data: bytes) -> None:
    """Writes a file in one step. Raises CommandError if that can't be done."""
    from adastride.files import write_atomically

    try:
        write_atomically(path, data)
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror or error}.") from None


# app


def _app(args: argparse.Namespace) -> None:
    if importlib.util.find_spec("streamlit") is None:
        raise ModuleNotFoundError(name="streamlit")
    from adastride.files import bundled

    command = [sys.executable, "-m", "streamlit", "run", str(bundled("app.py"))]
    command += [] if args.port is None else ["--server.port", str(args.port)]
    command += [] if args.address is None else ["--server.address", args.address]
    command += ["--server.headless", "true"] if args.headless else []
    # The server takes this process's place: it gets Ctrl-C and every other signal itself, and its exit code is the command's.
    sys.stdout.flush()
    os.execv(command[0], command)


# bench


def _bench(args: argparse.Namespace) -> None:
    try:
        from benchmarks import run
    except ImportError as error:
        if not (error.name or "").startswith("benchmarks"):
            raise
        raise CommandError("there are no benchmarks here: run this in the folder of the repository.") from None
    run.main()
