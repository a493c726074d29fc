"""Inputs damaged at random, thousands a minute, for all that takes something from outside: `make fuzz`.

Recordings, pictures, zips, manifests, CIFAR's pickled batches, checkpoints, links and what a browser sends are mutated and read in
warm processes that were forked from this one. A finding is an error that is not the documented one, a crash, more than 5 s, or more
than 2 GB. The number of an input says what it is: `python -m benchmarks.fuzz --of zips --only 123` reads it again, here, with a
traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import math
import multiprocessing
import os
import random
import resource
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from PIL import Image
from safetensors.torch import load as load_tensors
from safetensors.torch import save

from adastride import audio, checkpoints, images, media
from adastride.clips import DataError
from adastride.downsampling import LayerSettings
from adastride.models import Classifier, ClassifierConfig
from adastride.samples import samples
from adastride.training.archive import read_zip
from adastride.training.python_batches import BatchError, read_batch
from adastride.ui.compare import link as compare_link
from adastride.ui.compare import viewer as compare_viewer
from adastride.ui.explore import link as explore_link
from adastride.ui.explore import viewer as explore_viewer
from adastride.ui.learn import link as learn_link
from adastride.ui.learn import viewer as learn_viewer
from adastride.ui.sigma import link as sigma_link
from tests import recordings

SECONDS, MEMORY = 5.0, 2_000_000_000  # of one input
ODD_BYTES = (0, 1, 0x7F, 0x80, 0xFF)
ODD_WORDS = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD_VALUES: tuple[Any, ...] = (
    None, True, "", "3", "x" * 50_000, 0, -1, 10**400, -(10**400), 1e308, -0.0, math.nan, math.inf, [], {}, [[]], [1] * 5000, {"a": None},
    "\u202e=1+1\n", "adastride",
)
ODD_TEXTS = ("nan", "inf", "1e999", "9" * 5000, "-", ",", ",,,", "\0", "\u202e", "upload:", "upload:x", "٣", "1_0", " 3 ",
             "0x10", "%", "🙂" * 300)


@dataclass(frozen=True)
class Target:
    """Something that takes input. make: an input by its own random numbers. read: takes it in, and raises nothing but `documented`."""

    make: Callable[[random.Random], Any]
    read: Callable[[Any], None]
    documented: tuple[type[Exception], ...] = ()


@dataclass(frozen=True)
class Finding:
    """of, number: which input. what: happened."""

    of: str
    number: int
    what: str


# ------------------------------------------------------------------ what is wrong with an input


def damaged(draw: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """Bytes with a few bytes or numbers changed, stretches cut, doubled, emptied, or exchanged for those of another file."""
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        if not made:
            break
        place = draw.randrange(min(len(made), 400)) if draw.random() < 0.5 else draw.randrange(len(made))
        length = draw.choice((1, 2, 4, 16, 100, 1000))
        kind = draw.randrange(7)
        if kind == 0:
            made[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            made[place] = draw.choice(ODD_BYTES)
        elif kind == 2:
            made[place : place + 4] = draw.choice(ODD_WORDS).to_bytes(4, draw.choice(("little", "big")))
        elif kind == 3:
            del made[place : place + length]
        elif kind == 4:
            made[place:place] = made[place : place + length]
        elif kind == 5:
            made[place : place + length] = bytes(length)
        else:
            made[place : place + length] = other[place : place + length]
    return bytes(made[: draw.randrange(len(made) + 1)] if draw.random() < 0.1 else made)


def deranged(draw: random.Random, value: Any) -> Any:
    """A value of JSON with something in it exchanged, left out or doubled."""
    value = copy.deepcopy(value)
    for _ in range(draw.choice((1, 1, 2, 3))):
        node = value
        while isinstance(node, dict | list) and node:
            key = draw.choice(list(node)) if isinstance(node, dict) else draw.randrange(len(node))
            if isinstance(node[key], dict | list) and node[key] and draw.random() < 0.6:
                node = node[key]
                continue
            if draw.random() < 0.15:
                del node[key]
            else:
                node[key] = copy.deepcopy(draw.choice(ODD_VALUES))
            break
    return value if draw.random() < 0.97 else copy.deepcopy(draw.choice(ODD_VALUES))


# ------------------------------------------------------------------ what takes them in


def _sound(kind: str, subtype: str | None = None, channels: int = 1) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (4000, channels))
    soundfile.write(file, noise, 16_000, format=kind, subtype=subtype)
    return file.getvalue()


def _zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def _decode(data: bytes) -> None:
    sound = audio.decode(data)
    if not np.isfinite(sound.samples).all() or sound.seconds > audio.MAX_SECONDS:
        raise AssertionError("the sound is endless or has samples that are not numbers")


def _decode_media(data: bytes) -> None:
    """What the other process does, in this one; what it says is then heard as its caller hears it."""
    kind = media.container(data)
    if kind is None:
        return
    said = io.BytesIO()
    media.main(kind, io.BytesIO(data), said)
    said.seek(0)
    messages = media._messages(said.read)
    media._header(next(messages)[1])
    for block in media._blocks(messages):
        if block.dtype != np.float32:
            raise AssertionError("a block is of another type")


def _picture(kind: str, mode: str, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (24, 30, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).convert("RGB" if mode == "CMYK" else mode).convert(mode).save(file, kind, exif=exif, **options)
    return file.getvalue()


def _look(data: bytes) -> None:
    seen = images.decode(data).pixels
    if seen.dtype != np.uint8 or seen.shape[2] != 3 or not 0 < seen.size <= 3 * images.MAX_PIXELS:
        raise AssertionError(f"the picture is {seen.dtype} {seen.shape}")


def _batch(data: bytes) -> None:
    for name, value in read_batch(data).items():
        if not isinstance(name, str) or (isinstance(value, np.ndarray) and value.dtype != np.uint8):
            raise AssertionError(f"{name!r} is something else than texts, numbers and bytes")


def _unzip(data: bytes) -> None:
    read_zip(data, "a.zip")


def _load(data: bytes) -> None:
    checkpoints.load_bytes(data, "own.safetensors")


def _links(parameters: dict[str, str]) -> None:
    for page in (explore_link, compare_link):
        _ended(page.parse(parameters, samples(), checkpoints.catalogue(), lambda _: 3).problems)
    subjects, kinds = ("clip", "many"), ("sigma", "stride", "both")
    _ended(sigma_link.parse(parameters, samples(), checkpoints.catalogue(), subjects, kinds, lambda _: 3).problems)
    _ended(learn_link.parse(parameters).problems)


def _ended(problems: Iterable[str]) -> None:
    for problem in problems:
        if not problem.endswith(".") or "\n" in problem or len(problem) > 300:
            raise AssertionError(f"no sentence: {problem[:80]!r}")


def _messages(value: Any) -> None:
    explore_viewer._request(value, (LayerSettings(0.4, 2.0, "adastride"),) * 3)
    compare_viewer._request(value)
    learn_viewer._request(value)


def _targets() -> dict[str, Target]:
    """All of them, with their whole inputs made once."""
    kinds: tuple[tuple[Any, ...], ...] = (
        ("WAV",), ("WAV", "PCM_24", 2), ("WAV", "FLOAT"), ("WAV", "MS_ADPCM"), ("FLAC",), ("OGG", "VORBIS"), ("OGG", "OPUS"),
        ("MP3",), ("AIFF",),
        ("CAF", "ALAC_16"),
    )
    sounds = [_sound(*each) for each in kinds]
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 6000).astype(np.float32)
    pictures = [
        *(_picture("PNG", mode, {}) for mode in ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")),
        *(_picture("JPEG", mode, {"progressive": steps}) for mode, steps in (("L", False), ("RGB", False), ("RGB", True), ("CMYK", False))),
        *(_picture("WEBP", mode, {"lossless": lossless}) for mode, lossless in (("RGB", False), ("RGBA", False), ("RGBA", True))),
        *(_picture(kind, "RGB", {"save_all": True, "append_images": [Image.new("RGB", (30, 24))]}) for kind in ("PNG", "WEBP")),
    ]
    # As Python 2 and NumPy wrote it.
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07(K\x01K\x02M\x2c\x01\x86cnumpy\ndtype\nq\x08"
        b"U\x02u1K\x00K\x01\x87Rq\x09(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x58\x02\0\0" + bytes(600) + b"tb"
    )
    batch = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x01K\x02eU\x04dataq\x04" + array + b"u."
    films = [recordings.recording(noise[: kind.rate // 8], kind) for kind in recordings.KINDS.values()]
    files = {"low/a.wav": sounds[0], "high/b.flac": sounds[4]}
    zips = [_zipped(files, method) for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)]
    manifest = b"path,label,split\nlow/a.wav,one,test\nhigh/b.flac,two,train\n"
    torch.manual_seed(0)
    network = Classifier(ClassifierConfig(("no", "yes"), ("strided-conv", "adastride-f", "adastride"), (2, 2.5, 3), width=4))
    header = {"format": 1, "kind": "classifier", "config": network.config.to_dict(), "details": {}}
    tensors = network.state_dict()
    whole = save(tensors, {"adastride": json.dumps(header)})

    def checkpoint(draw: random.Random) -> bytes:
        if draw.random() < 0.5:
            return damaged(draw, whole)
        return save(load_tensors(whole), {"adastride": json.dumps(deranged(draw, header))})

    usual = {
        "clip": "seven", "checkpoint": "digits-adastride", "sigma": "0.4,0.4,1", "stride": "2,2,3.5", "variant": "adastride",
        "methods": "adastride,cif",
        "source": "mel", "scores": "energy", "drawn": "Ae8", "pin": "", "view": "0.1,0.5", "sweep": "many", "over": "both",
        "at": "3", "sigmas": "0.1,10,5",
        "strides": "1,8,5", "step": "3", "pins": "adastride:2:0.4", "axes": "2",
    }

    def listed(draw: random.Random) -> bytes:
        return _zipped({**files, "manifest.csv": damaged(draw, manifest)}, zipfile.ZIP_STORED)

    def link(draw: random.Random) -> dict[str, str]:
        made = {name: usual[name] for name in draw.sample(list(usual), draw.randrange(1, 8))}
        for name in draw.sample(list(made), draw.randrange(1, len(made) + 1)):
            kind = draw.randrange(3)
            if kind == 0:
                made[name] = draw.choice(ODD_TEXTS)
            elif kind == 1:
                made[name] = draw.choice(list(usual.values()))
            else:
                made[name] = damaged(draw, made[name].encode()).decode("utf-8", "replace")
        return made

    sent, moved = {"sequence": 1, "revision": "a", "have": "b/c"}, {"stride": 2.0, "sigma": 0.4, "drawn": [0.1, 0.2]}
    requests: list[dict[str, Any]] = [
        {**sent, "settings": [{"sigma": 0.4, "stride": 2.0, "variant": "adastride"}] * 3, "view": [0.0, 1.0], "pixels": [800, 300]},
        {**sent, **moved, "pins": {"cif": {**moved, "scores": "energy"}}, "view": [0, 1], "settled": True},
        *({**sent, "step": step.key, "settings": {control.name: 1.0 for control in step.controls}, "client": "a", "term": "s", "action": "run"}
          for step in learn_viewer.STEPS),
    ]
    return {
        "sounds": Target(lambda draw: damaged(draw, draw.choice(sounds), draw.choice(sounds)), _decode, (audio.AudioError,)),
        "films": Target(lambda draw: damaged(draw, draw.choice(films), draw.choice(films)), _decode_media, (media.MediaError,)),
        "pictures": Target(lambda draw: damaged(draw, draw.choice(pictures), draw.choice(pictures)), _look, (images.ImageError,)),
        "batches": Target(lambda draw: damaged(draw, batch, batch[::-1]), _batch, (BatchError,)),
        "zips": Target(lambda draw: damaged(draw, draw.choice(zips), draw.choice(zips)), _unzip, (DataError,)),
        "manifests": Target(listed, _unzip, (DataError,)),
        "checkpoints": Target(checkpoint, _load, (checkpoints.CheckpointError,)),
        "links": Target(link, _links),
        "messages": Target(lambda draw: deranged(draw, draw.choice(requests)), _messages),
    }


# ------------------------------------------------------------------ processes


def _read(target: Target, of: str, number: int) -> str:
    """What is to be found about an input; "" for nothing."""
    value = target.make(random.Random(f"{of} {number}"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        target.read(value)
    except target.documented as error:
        if "\n" in str(error) or not str(error):
            return f"no sentence: {str(error)[:100]!r}"
    except MemoryError:
        return "more memory than allowed"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024)
    return f"{grown / 1e9:.1f} GB" if grown > MEMORY // 2 else ""


def _work(targets: dict[str, Target], connection: Connection) -> None:
    """The life of a process: it is asked for inputs, and says what was found."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write about every damage
    with contextlib.suppress(OSError, ValueError, StopIteration):
        used = 1024 * int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")).split()[1])
        resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY,) * 2)
    with contextlib.suppress(EOFError):
        while True:
            of, number = connection.recv()
            connection.send(_read(targets[of], of, number))


class _Worker:
    """A process, and the input it is at."""

    def __init__(self, targets: dict[str, Target]):
        context = multiprocessing.get_context("fork")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_work, args=(targets, other), daemon=True)
        self.process.start()
        other.close()
        self.at: tuple[str, int] | None = None
        self.since = 0.0

    def ask(self, of: str, number: int) -> None:
        self.at, self.since = (of, number), time.monotonic()
        self.connection.send((of, number))

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def fuzz(counts: dict[str, int], jobs: int = 2, begin: int = 0, seconds: float = math.inf) -> tuple[list[Finding], Counter[str]]:
    """Reads so many inputs of each target, from number `begin` on, until `seconds` are over.

    Returns what was found, and how many of each were read.
    """
    torch.set_num_threads(1)
    targets, deadline = _targets(), time.monotonic() + seconds
    found: list[Finding] = []
    done: Counter[str] = Counter()
    waiting = _inputs({name: range(begin, begin + count) for name, count in counts.items()})
    workers = [_Worker(targets) for _ in range(jobs)]
    try:
        while True:
            for worker in workers:
                if worker.at is None and time.monotonic() < deadline and (following := next(waiting, None)):
                    worker.ask(*following)
            busy = [worker for worker in workers if worker.at is not None]
            if not busy:
                return found, done
            ready = wait([worker.connection for worker in busy], timeout=0.2)
            for worker in busy:
                assert worker.at is not None
                late = time.monotonic() - worker.since > SECONDS
                if worker.connection in ready:
                    try:
                        what = worker.connection.recv()
                    except (EOFError, ConnectionError):
                        worker.process.join()
                        what = f"the process ended with {worker.process.exitcode}"
                elif late:
                    what = f"more than {SECONDS:g} s"
                else:
                    continue
                if what:
                    found.append(Finding(*worker.at, what))
                done[worker.at[0]] += 1
                worker.at = None
                if late or not worker.process.is_alive():
                    worker.end()
                    workers[workers.index(worker)] = _Worker(targets)
    finally:
        for worker in workers:
            worker.end()


def _inputs(numbers: dict[str, range]) -> Iterator[tuple[str, int]]:
    """Targets in turns, so that a run that is cut short has seen all of them."""
    for place in range(max(map(len, numbers.values()), default=0)):
        yield from ((name, each[place]) for name, each in numbers.items() if place < len(each))


COUNTS = {
    "sounds": 2500, "films": 2500, "pictures": 2500, "batches": 2500, "zips": 2500, "manifests": 1500, "checkpoints": 2000, "links": 3000,
    "messages": 3000,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what was found; the exit code is 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--of", choices=COUNTS, help="one kind of input alone")
    parser.add_argument("--times", type=float, default=1.0, help="as many inputs as usual, times this (default: %(default)g)")
    parser.add_argument("--begin", type=int, default=0, help="number of the first input (default: %(default)s)")
    parser.add_argument("--only", type=int, help="read the input of this number here, with a traceback")
    args = parser.parse_args(arguments)
    if args.only is not None:
        target = _targets()[args.of]
        target.read(target.make(random.Random(f"{args.of} {args.only}")))
        return 0
    counts = {name: round(args.times * count) for name, count in COUNTS.items() if args.of in (None, name)}
    since = time.monotonic()
    found, done = fuzz(counts, jobs=os.cpu_count() or 1, begin=args.begin)
    for (of, what), count in Counter((each.of, each.what) for each in found).most_common():
        first = next(each.number for each in found if (each.of, each.what) == (of, what))
        print(f"{count} × {of}: {what} (--of {of} --only {first})")
    kinds = ", ".join(f"{count:,} {of}" for of, count in done.items())
    print(f"{sum(done.values()):,} inputs in {time.monotonic() - since:.0f} s ({kinds}): {len(found)} findings")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
