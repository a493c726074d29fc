"""Puts trained networks of a grid into this folder, and checks those that are in it.

    python -m checkpoints.ship take results/results.csv runs DATA_ROOT [TASK|NAME ...]
                                                            copies the networks that are shipped, calibrates those of CALIBRATED,
                                                            writes catalogue.json, the table of README.md and tests/data/shipped.json
    python -m checkpoints.ship pictures results/images.csv runs
                                                            copies the networks of pictures that are shipped
    python -m checkpoints.ship spectrograms results/spectrograms.csv runs
                                                            copies the networks of spectrograms that are shipped
    python -m checkpoints.ship check DATA_ROOT [NAME ...]   evaluates them on the test splits and compares with the catalogue

What is shipped: of every task one network of each of its methods, and of digits one for each sigma.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from adastride import audio, checkpoints, images
from adastride.clips import Clip
from adastride.image_runs import read_image_runs, strides_of
from adastride.inspection.pictures import trace_image
from adastride.inspection.sound_windows import loudest_first, sound_window
from adastride.inspection.tracing import Trace, trace
from adastride.models.classifier import network_label
from adastride.models.picture_network import standardised
from adastride.models.spectrograms import SpectrogramConfig
from adastride.results import read, spectrograms
from adastride.results.pictures import groups_of, title_of, usual
from adastride.samples import drawings, samples
from adastride.speaker_counts import BASELINES, FILE, baseline_run, read_counts
from adastride.spectrogram_runs import read_spectrogram_runs
from adastride.subjects import SUBJECTS
from adastride.tasks import PICTURE_KINDS
from adastride.training.calibrate import calibrated
from adastride.training.grid import read_grid

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
OTHER_SIGMAS = (0.1, 1.0, 10.0)  # sigma_inv2, of digits alone


@dataclass(frozen=True)
class Shipped:
    """What is shipped of a task.

    does: what its networks do, a sentence without its end. data: the folder of its data in the folder of the data sets, or one that the
    grid's script has made. grid: the file in results that trains them. methods: of which one network each is shipped. sigma_inv2: of those
    methods that have a sigma. label: the column of the data's manifest that is told apart.
    """

    does: str
    data: str
    grid: str = "grid.toml"
    kind: str = "classifier"
    methods: tuple[str, ...] = ("strided-conv", "spectral-pool", "diffstride", "dct-diffstride", "adastride", "adastride-f", "adastride-s")
    sigma_inv2: float = 5.0
    label: str = "label"


TASKS = {
    "digits": Shipped("Tells the English digits zero to nine apart", "fsdd"),
    "commands": Shipped("Tells ten English command words, other words and silence apart", "commands"),
    "emotion": Shipped("Tells seven acted emotions in German sentences apart", "emodb"),
    "scenes": Shipped("Tells ten kinds of environmental sound apart", "esc10"),
    "digits-string": Shipped(
        "Writes down strings of English digits", "../build/digit-strings", "recognition.toml", "recogniser",
        ("strided-conv", "spectral-pool", "diffstride", "adastride", "adastride-f"),
    ),
    "phonemes": Shipped("Writes down the phonemes of read English", "speech", "recognition.toml", "recogniser", ("strided-conv", "adastride")),
    "codec": Shipped(
        "Says a sound in codes and durations, and makes its mel of them again", "voice", "codec.toml", "codec",
        ("strided-conv", "spectral-pool", "adastride"), sigma_inv2=1.0,
    ),
    "speakers": Shipped(
        "Tells 18 readers of LibriSpeech, whose names are numbers, apart by their voices", "speakers", "elastic.toml", "audio-transformer",
        ("elastic", "ast-2s", "elastic-adastride"), label="speaker",
    ),
    "scenes-patches": Shipped(
        "Tells ten kinds of environmental sound apart", "esc10", "elastic.toml", "audio-transformer", ("elastic", "ast"),
    ),
}
# Networks whose name is not that of their run.
CALLED = {"speakers-ast-2s": "speakers-ast", "scenes-patches-elastic": "scenes-elastic", "scenes-patches-ast": "scenes-ast"}
# Words that people hear in seconds of silence: how many seconds a network is calibrated in, on the valid split (adastride/training/calibrate.py).
CALIBRATED = {"digits": (2.0, 7.0)}
MOST_BYTES = {
    "classifier": 40_000_000, "recogniser": 25_000_000, "codec": 15_000_000, "audio-transformer": 15_000_000, "images": 15_000_000,
    "spectrogram": 15_000_000,
}
ANSWERED = ("seven", "left", "rhythm", "number", "clock")  # bundled clips
TOLERANCE = 0.002  # of the headline metric, between the catalogue and a check


def shipped_runs() -> dict[str, tuple[str, str, float | None]]:
    """The run that every shipped checkpoint is, by the checkpoint's name: task, method, and sigma_inv2, None for a method without sigma."""
    names = {
        CALLED.get(name := f"{task}-{method}", name): (task, method, shipped.sigma_inv2 if "adastride" in method else None)
        for task, shipped in TASKS.items() for method in shipped.methods
    }
    return names | {f"digits-adastride-{sigma:g}": ("digits", "adastride", sigma) for sigma in OTHER_SIGMAS}


def take(results: Path, runs: Path, root: Path, wanted: list[str]) -> None:
    """Copies the runs of seed 0 that are shipped, writes what belongs to them, and says which are not finished yet.

    root: the folder of the data sets, for calibration. wanted: the tasks and names of the networks to take; all where there are none.
    """
    sources = {run.id: run.sources for run in read_grid(RESULTS / "grid.toml", root)}
    first_runs = [run for run in read(results) if run.seed == 0 and run.fold is None]
    finished_runs = {(run.task, run.method, run.sigma_inv2): run for run in first_runs if run.task in TASKS and run.kind == TASKS[run.task].kind}
    entries = {entry["name"]: entry for entry in json.loads((HERE / "catalogue.json").read_text(encoding="utf-8"))}
    for name, key in shipped_runs().items():
        if wanted and not {name, key[0]} & set(wanted):
            continue
        run = finished_runs.get(key)
        source = runs / f"{run.run}.safetensors" if run else None
        if run is None or source is None or not source.is_file():
            print(f"{name}: no finished run", file=sys.stderr)
            continue
        task, method, sigma = key
        if task in CALIBRATED:
            _calibrate(source, HERE / f"{name}.safetensors", [clip for each in sources[run.run] for clip in each.clips("valid")], CALIBRATED[task])
        else:
            shutil.copyfile(source, HERE / f"{name}.safetensors")
        many = f", σ⁻² = {sigma:g}" if sigma else ""
        entries[name] = {
            "name": name, "file": f"{name}.safetensors", "title": f"{SUBJECTS[task].title} · {network_label(method)}" + many * (method == "adastride"),
            "description": f"{TASKS[task].does}. {_layers(TASKS[task].kind, method)}{many}{_stride(checkpoints.details(source))}, width {run.width}.",
            "task": task, "method": method, "sigma_inv2": sigma,
            "metrics": {run.headline.name: run.value}, "clips": run.clips_test, "width": run.width, "kind": run.kind,
        }
    order = list(shipped_runs())
    pictures = [entry for entry in entries.values() if entry.get("kind") in PICTURE_KINDS]
    entries = {name: entry for name, entry in entries.items() if entry not in pictures}
    entries = [entries[name] for name in sorted(entries, key=lambda name: (list(SUBJECTS).index(entries[name]["task"]), order.index(name)))] + pictures
    (HERE / "catalogue.json").write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for kind, most in MOST_BYTES.items():
        of_kind = [entry for entry in entries if entry.get("kind", "classifier") == kind]
        total = sum((HERE / entry["file"]).stat().st_size for entry in of_kind)
        print(f"{len(of_kind)} of kind {kind}, {total / 1e6:.1f} MB")
        if total > most:
            raise SystemExit(f"{total / 1e6:.1f} MB are more than the {most / 1e6:.0f} MB that may be shipped of kind {kind}: train narrower networks.")
    _write_tables(entries)
    checkpoints.catalogue.cache_clear()
    _write_answers()


def take_pictures(results: Path, runs: Path) -> None:
    """Copies one network of pictures for each method that has a finished run, and writes what belongs to them.

    Those of the largest group that can be compared (`results.pictures.groups_of`), of seed 0 and with strides of 2 at the start.
    """
    (data, epochs), comparable = next(iter(groups_of(read_image_runs(results)).items()))
    entries = {entry["name"]: entry for entry in json.loads((HERE / "catalogue.json").read_text(encoding="utf-8"))}
    for method, own in usual(comparable).items():
        run = next((run for run in own if run.seed == 0), None)
        source = runs / f"{run.run}.safetensors" if run else None
        if run is None or source is None or not source.is_file():
            print(f"images-{method}: no finished run", file=sys.stderr)
            continue
        name, sigma = f"images-{method}", run.sigma_inv2 or None
        shutil.copyfile(source, HERE / f"{name}.safetensors")
        many = f", σ⁻² = {sigma:g}" if sigma else ""
        entries[name] = {
            "name": name, "file": f"{name}.safetensors", "title": f"{title_of(data)} · {network_label(method)}{many}",
            "description": f"Tells ten kinds of things and animals in pictures of 32 × 32 pixels apart. A residual network with three layers of "
            f"{network_label(method)}{many}, stride 2 along both axes, width {run.width}, {epochs} epochs of {title_of(data)} ({run.note}).",
            "task": data, "method": method, "sigma_inv2": sigma, "metrics": {"accuracy": run.accuracy}, "clips": run.pictures, "width": run.width,
            "kind": "images",
        }
    of_kind = _write_pictures(entries, "images")
    lines = ["| checkpoint | method | σ⁻² | width | epochs | valid | test | test pictures |", "|---" * 8 + "|"]
    for entry in of_kind:
        header = checkpoints.details(HERE / entry["file"])
        sigma = "–" if entry["sigma_inv2"] is None else f"{entry['sigma_inv2']:g}"
        shares = (header["details"]["metrics"]["valid_accuracy"], entry["metrics"]["accuracy"])
        cells = [entry["name"], network_label(entry["method"]), sigma, entry["width"], epochs, *map(_percent, shares), entry["clips"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    readme = HERE / "README.md"
    readme.write_text(_replaced(readme.read_text(encoding="utf-8"), "<!-- table of images -->", lines), encoding="utf-8")
    checkpoints.shipped.cache_clear()
    checkpoints.picture_catalogue.cache_clear()
    _write_picture_answers({entry["name"]: {drawing: picture_answer(entry["name"], drawing) for drawing in drawings()} for entry in of_kind}, "pictures")


def take_spectrograms(results: Path, runs: Path) -> None:
    """Copies the network of several tasks of each method and, of DiffStride, that of each task, where their runs of seed 0 are finished."""
    lines = [line for line in next(iter(spectrograms.groups_of(read_spectrogram_runs(results)).values())) if line.seed == 0]
    entries = {entry["name"]: entry for entry in json.loads((HERE / "catalogue.json").read_text(encoding="utf-8"))}
    for run_id in dict.fromkeys(line.run for line in lines):
        own = [line for line in lines if line.run == run_id]
        several, source = len(own) > 1, runs / f"{run_id}.safetensors"
        if not source.is_file() or not (several or own[0].method == "diffstride"):
            continue
        line, title = own[0], SUBJECTS["four-tasks" if several else own[0].task].title
        name = f"spectrogram-{line.method}" + ("" if several else f"-{line.task}")
        shutil.copyfile(source, HERE / f"{name}.safetensors")
        sigma, told = line.sigma_inv2 or None, " and ".join(f"{100 * each.accuracy:.1f} % of {each.clips} {each.task}" for each in own)
        entries[name] = {
            "name": name, "file": f"{name}.safetensors", "title": f"{title} · {network_label(line.method)}",
            "description": f"A two-dimensional convolutional network on spectrograms of 1 s, four layers of {network_label(line.method)} over frequency "
            f"and time that begin with a stride of 2, width {line.width}, {line.epochs} epochs; right about {told}.",
            "task": "four-tasks" if several else line.task, "method": line.method, "sigma_inv2": sigma,
            "metrics": {"accuracy": round(sum(each.accuracy for each in own) / len(own), 5)}, "clips": sum(each.clips for each in own),
            "width": line.width, "kind": "spectrogram",
        }
    of_kind = _write_pictures(entries, "spectrogram")
    rows = ["| checkpoint | method | width | epochs | strides over frequency and time, lowest layer first | test |", "|---" * 6 + "|"]
    for entry in of_kind:
        own = [line for line in lines if line.run == checkpoints.details(HERE / entry["file"])["details"]["run"]]
        told = ", ".join(f"{each.task} {_percent(each.accuracy)} of {each.clips}" for each in own)
        strides = ", ".join(f"{frequency:.3g} × {time:.3g}" for frequency, time in strides_of(own[0].strides))
        cells = (entry["name"], network_label(entry["method"]), entry["width"], own[0].epochs, strides, told)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    readme = HERE / "README.md"
    readme.write_text(_replaced(readme.read_text(encoding="utf-8"), "<!-- table of spectrograms -->", rows), encoding="utf-8")
    checkpoints.shipped.cache_clear()
    checkpoints.picture_catalogue.cache_clear()
    _write_picture_answers({entry["name"]: {clip: spectrogram_answers(entry["name"], clip) for clip in ANSWERED} for entry in of_kind}, "spectrograms")


def _write_pictures(entries: dict[str, dict], kind: str) -> list[dict]:
    """The catalogue with new entries of a kind of network of pictures. Returns those of the kind; exits where they are too large."""
    of_kind = [entry for entry in entries.values() if entry.get("kind") == kind]
    total = sum((HERE / entry["file"]).stat().st_size for entry in of_kind)
    print(f"{len(of_kind)} of kind {kind}, {total / 1e6:.1f} MB")
    if total > MOST_BYTES[kind]:
        raise SystemExit(f"{total / 1e6:.1f} MB are more than the {MOST_BYTES[kind] / 1e6:.0f} MB that may be shipped of kind {kind}.")
    ordered = sorted(entries.values(), key=lambda entry: [None, *PICTURE_KINDS].index(entry["kind"] if entry.get("kind") in PICTURE_KINDS else None))
    (HERE / "catalogue.json").write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return of_kind


def _write_picture_answers(answers: dict[str, dict], what: str) -> None:
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(said)}" for name, said in answers.items())
    (HERE.parent / "tests" / "data" / f"shipped_{what}.json").write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


def spectrogram_answers(name: str, clip: str) -> list[tuple[str, float]]:
    """What a shipped network of spectrograms says to the loudest second of a bundled clip: for each head its answer, and how probable that is."""
    network, waveform = checkpoints.load_pictures(name), audio.read(samples()[clip].path)
    config = cast(SpectrogramConfig, network.config)
    window = sound_window(waveform, config.mel, config.frames, loudest_first(waveform, config.mel, config.frames))
    return [(label, round(probability, 4)) for _, label, probability in trace_image(network, window.pixels).answers]


def picture_answer(name: str, drawing: str) -> tuple[str, float]:
    """What a shipped network of pictures says to a bundled drawing, and how probable it finds it."""
    network = checkpoints.load_pictures(name)
    size, labels = network.config.picture_size[0], network.config.heads[0].labels
    fitted = images.fit(images.read(drawings()[drawing].path).pixels, size)
    with torch.inference_mode():
        probabilities = network(standardised(torch.tensor(fitted.pixels.transpose(2, 0, 1)[None]))).head[0].softmax(dim=0)
    best = int(probabilities.argmax())
    return labels[best], round(float(probabilities[best]), 4)


def _calibrate(run: Path, out: Path, clips: list[Clip], seconds: tuple[float, ...]) -> None:
    """Writes a run's network as sure as it is right on these clips, as they are and in silence."""
    network, temperature = calibrated(checkpoints.load(run), clips, seconds)
    calibration = {"temperature": round(temperature, 4), "clips": len(clips), "seconds": list(seconds)}
    checkpoints.save_checkpoint(network, out, {**checkpoints.details(run)["details"], "calibration": calibration})


def _layers(kind: str, method: str) -> str:
    if kind == "recogniser":
        above = " and spectral pooling" if method == "diffstride" else ""
        return f"Two subsampling blocks with {network_label(method)}{above} under Squeezeformer blocks"
    if kind == "audio-transformer":
        return f"A transformer of patches of 16 bands × 16 frames, {network_label(method)}"
    if kind == "codec":
        return f"Two strided convolutions and above them {network_label(method)}, with a mirrored decoder"
    return "Two strided convolutions and an AdaStride layer above them" if method == "adastride-s" else f"Three layers of {network_label(method)}"


def _stride(header: dict) -> str:
    return ", stride 2" if header["config"]["methods"] else ""


def _write_tables(entries: list[dict]) -> None:
    """The tables of README.md: what each file was measured to do, from its own header."""
    columns = {
        "classifier": ("valid", "test", "test, in silence", "test clips", "espeak-ng voices"),
        "recogniser": ("blocks", "valid, error rate", "test, error rate", "test clips"),
        "codec": ("codes", "valid, mel error", "test, mel error", "test clips"),
        "audio-transformer": ("blocks", "valid", "test", "test clips"),
    }
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    for kind, names in columns.items():
        lines = [f"| {' | '.join(('checkpoint', 'method', 'σ⁻²', 'width', 'epoch kept', *names))} |", "|---" * (5 + len(names)) + "|"]
        for entry in entries:
            if entry.get("kind", "classifier") != kind:
                continue
            header = checkpoints.details(HERE / entry["file"])
            metrics = header["details"]["metrics"]
            sigma = "–" if entry["sigma_inv2"] is None else f"{entry['sigma_inv2']:g}"
            cells = [entry["name"], network_label(entry["method"]), sigma, header["config"]["width"], metrics["epoch"]]
            if kind == "classifier":
                shares = (metrics.get("valid_accuracy"), entry["metrics"]["accuracy"], metrics.get("test_accuracy_in_silence"))
                cells += [*map(_percent, shares), entry["clips"], _percent(metrics.get("test_accuracy_of", {}).get("spoken-digits"))]
            elif kind == "audio-transformer":
                cells += [header["config"]["blocks"], _percent(metrics["valid_accuracy"]), _percent(entry["metrics"]["accuracy"]), entry["clips"]]
            elif kind == "codec":
                cells += [header["config"]["codes"], f"{metrics['valid_mel_error']:.3f}", f"{entry['metrics']['mel_error']:.3f}", entry["clips"]]
            else:
                cells += [header["config"]["blocks"], _percent(metrics["valid_error_rate"]), _percent(entry["metrics"]["error_rate"]), entry["clips"]]
            lines.append(f"| {' | '.join(map(str, cells))} |")
        text = _replaced(text, f"<!-- table of {kind}s -->", lines)
    for task in dict.fromkeys(entry["task"] for entry in entries if entry.get("kind") == "recogniser"):
        text = _replaced(text, f"<!-- {task} by part -->", _by_part([entry for entry in entries if entry["task"] == task]))
    readme.write_text(text, encoding="utf-8")


def _by_part(entries: list[dict]) -> list[str]:
    """A table of a task's error rates by the parts that its test clips are from, with baselines where there are any."""
    counts = read_counts(RESULTS / FILE)
    runs = {entry["name"]: checkpoints.details(HERE / entry["file"])["details"]["run"] for entry in entries}
    runs |= {BASELINES[baseline].lower(): baseline_run(entries[0]["task"], None, baseline) for baseline in BASELINES}
    of_first = [count for count in counts if count.run == runs[entries[0]["name"]]]
    units = {part: sum(count.units for count in of_first if count.part == part) for part in dict.fromkeys(count.part for count in of_first)}
    heads = ("checkpoint", *(f"{part} ({number:,} {of_first[0].unit})" for part, number in units.items()))
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, run in runs.items():
        errors = {part: sum(count.errors for count in counts if (count.run, count.part) == (run, part)) for part in units}
        if any(count.run == run for count in counts):
            lines.append(f"| {' | '.join((name, *(_percent(errors[part] / number) for part, number in units.items())))} |")
    return lines


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _replaced(text: str, mark: str, lines: Sequence[str]) -> str:
    """A text with other lines between a mark and the end of the table that follows it."""
    before, rest = text.split(mark + "\n")
    after = rest.split("<!-- end of the table -->", 1)[1]
    return "\n".join([before + mark, *lines, "<!-- end of the table -->"]) + after


def _write_answers() -> None:
    """What every network says to some bundled clips, for a test: whoever changes the code that runs them will know."""
    answers = {}
    for name in checkpoints.catalogue():
        model = checkpoints.load(name)
        traces = {clip: trace(model, audio.read(samples()[clip].path)) for clip in ANSWERED}
        answers[name] = {clip: (said(heard), round(how_sure(heard), 4)) for clip, heard in traces.items()}
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(clip_answers)}" for name, clip_answers in answers.items())
    (HERE.parent / "tests" / "data" / "shipped.json").write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


def said(seen: Trace) -> str:
    """What a network answers; of a codec how many codes, for which they are is another processor's to say."""
    return seen.top if seen.prediction.followed is None else seen.top.split(",")[0]


def how_sure(seen: Trace) -> float:
    """How probable a network finds its answer: the label, or each token on average; of a codec the mel error in dB."""
    if (followed := seen.prediction.followed) is not None:
        return seen.prediction.values[followed.label]
    if seen.prediction.transcript is None:
        return seen.prediction.values[seen.top]
    tokens = seen.prediction.transcript.tokens
    return sum(token.probability for token in tokens) / len(tokens) if tokens else 1.0


def check(root: Path, names: list[str]) -> None:
    """The headline metric of every shipped checkpoint on all clips of its test split; exits with 1 if one is not what the catalogue says."""
    from adastride.training.datasets import Source
    from adastride.training.evaluate import evaluate

    wrong, clips = [], {}
    for name, entry in checkpoints.catalogue().items():
        if names and name not in names:
            continue
        folder = TASKS[entry.task].data
        clips.setdefault(folder, None)
        if clips[folder] is None:
            where = RESULTS / folder if folder.startswith("..") else root / folder
            clips[folder] = Source(where, label=TASKS[entry.task].label).clips("test")
        result = evaluate(checkpoints.load(name), clips[folder])
        listed = entry.metrics[result.headline.name]
        right = abs(result.value - listed) <= TOLERANCE and result.clips == entry.clips
        print(
            f"{name}: {result.headline.text(result.value)} of {result.clips} clips, catalogue {result.headline.text(listed)} of {entry.clips}"
            f"; first layer's mean stride in silence {result.silence_stride:.2f}, in sound {result.sound_stride:.2f}{'' if right else '  <- DIFFERENT'}",
            flush=True,
        )
        wrong += [] if right else [name]
    if wrong:
        raise SystemExit(f"{len(wrong)} checkpoints differ from the catalogue: {', '.join(wrong)}.")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["take", results, runs, root, *wanted]:
            take(Path(results), Path(runs), Path(root), wanted)
        case ["pictures", results, runs]:
            take_pictures(Path(results), Path(runs))
        case ["spectrograms", results, runs]:
            take_spectrograms(Path(results), Path(runs))
        case ["check", root, *names]:
            check(Path(root), names)
        case _:
            raise SystemExit(__doc__)
