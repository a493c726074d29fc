"""Measures how well recognisers understand what codecs make of speech, into intelligibility.csv (the AdaStride paper's PER-R, table 4).

    python -m results.intelligibility DATA [CODEC ...] [--clips N] [--out FILE]

DATA is a folder of clips with texts, whose test split is listened to. CODEC is a shipped checkpoint or a .safetensors file. --clips: of
each speaker only the first N, for a try; give another --out then. What stands in the file is not measured again, so a run can be
stopped and gone on with; lines of a codec or a recogniser of the same name with other weights are replaced.

Sounds: the recordings; their mels as sound; and every codec's mels as sound, by the same vocoder, as a page plays them. Listeners:
pocketsphinx with its own English model, which has heard nothing of this project, counted in words; and the shipped recognisers of phonemes.
The paper has HiFi-GAN for a vocoder and asks a service on the network, so its numbers are of another scale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from adastride import audio, checkpoints
from adastride.audio import PRESETS, MelPreset, Waveform
from adastride.checkpoints import CheckpointError
from adastride.clips import Clip, DataError
from adastride.files import write_atomically
from adastride.intelligibility import BASELINES, FILE, Heard, heard_text, read_heard
from adastride.intervals import cluster_difference, cluster_ratio
from adastride.models import Codec, Network, Recogniser
from adastride.tasks import task_of
from adastride.tasks.mel_sound import power, sound_of
from adastride.text import TextError, compare
from adastride.text.vocabulary import normalised
from adastride.training.datasets import as_source
from adastride.training.evaluate import measure

OUT = Path(__file__).resolve().parent / FILE
PRESET = PRESETS["vq-vae"]  # whose mels are the baseline
HEARING_RATE = 16_000  # Hz, of all listeners
_DIGITS = 12  # of a fingerprint in the file
_AT_A_TIME = 10  # clips between two times that the file is written


@dataclass(frozen=True)
class Sound:
    """A way to make a sound of a clip. name, weights: as in the file. make: from the clip's samples at `PRESET`'s rate."""

    name: str
    weights: str
    make: Callable[[Clip], Waveform]


@dataclass(frozen=True)
class Listener:
    """A recogniser. name, weights, unit: as in the file. count: the (errors, units) of each of some clips at `HEARING_RATE`."""

    name: str
    weights: str
    unit: str
    count: Callable[[Sequence[Clip]], list[tuple[int, int]]]


def baselines() -> list[Sound]:
    """The sounds that no codec has made, in the order of `BASELINES`."""
    made: dict[str, Callable[[Clip], Waveform]] = {
        "original": lambda clip: audio.from_samples(clip.samples, PRESET.sample_rate, PRESET.sample_rate),
        "mel": lambda clip: _sound_of_mel(clip, PRESET),
    }
    return [Sound(name, "", made[name]) for name in BASELINES]


def _sound_of_mel(clip: Clip, preset: MelPreset) -> Waveform:
    mel = audio.log_mel(torch.tensor(clip.samples), preset).numpy()
    return sound_of(mel, preset, power(mel, preset))


def codec_sound(network: Network) -> Sound:
    """What a codec makes of clips. Raises DataError for a network that is none, or whose mels are others than the baseline's."""
    if not isinstance(network, Codec):
        raise DataError(f"{network.name} is a {network.config.kind} and makes no sound: give codecs.")
    if network.config.mel != PRESET:
        raise DataError(f"{network.name} has the front end {network.config.front_end}, whose mels can't be compared with the others'.")

    @torch.inference_mode()
    def make(clip: Clip) -> Waveform:
        signal = network.signal(audio.from_samples(clip.samples, PRESET.sample_rate, PRESET.sample_rate))
        return sound_of(network(signal).head[0].numpy(), PRESET, power(signal[0].numpy(), PRESET))

    return Sound(network.name, network.fingerprint[:_DIGITS], make)


def recogniser_listener(network: Recogniser) -> Listener:
    """A trained recogniser, counted in the units of its headline metric."""
    headline = task_of(network).headline

    def count(clips: Sequence[Clip]) -> list[tuple[int, int]]:
        measured = measure(network, clips)
        return [(round(e), round(u)) for e, u in zip(measured[headline.name], measured[str(headline.per)], strict=True)]

    return Listener(network.name, network.fingerprint[:_DIGITS], str(headline.per), count)


def pocketsphinx_listener() -> Listener:
    """CMU Sphinx with the English model that comes with the package, counted in words."""
    from pocketsphinx import Decoder

    # Normalised by the clip alone ("batch"), so that no answer depends on the clips before.
    decoder = Decoder(cmn="batch", loglevel="FATAL")

    def understood(clip: Clip) -> list[str]:
        decoder.start_utt()
        decoder.process_raw((np.clip(clip.samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return normalised(found.hypstr).split() if found else []

    def count(clips: Sequence[Clip]) -> list[tuple[int, int]]:
        return count_words(clips, [understood(clip) for clip in clips])

    return Listener("pocketsphinx", version("pocketsphinx"), "words", count)


def count_words(clips: Sequence[Clip], understood: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """The errors in what was understood of each clip, and the words of its text. Raises DataError for a text that is none."""
    try:
        said = [normalised(clip.text).split() for clip in clips]
    except TextError as error:
        raise DataError(str(error)) from None
    return [(edits.errors, edits.units) for edits in compare(said, understood)]


def spoken_clips(folder: Path, most: int | None = None) -> list[Clip]:
    """The clips of a folder's test split that have a text, speaker by speaker; of each only the first `most`."""
    clips = sorted((clip for clip in as_source(folder).clips("test", PRESET.sample_rate) if clip.text), key=lambda clip: clip.group)
    if not clips:
        raise DataError(f"no test clip of {folder} has a text: the manifest needs a column text with what is said.")
    return [clip for _, own in groupby(clips, key=lambda clip: clip.group) for clip in list(own)[:most]]


def listen(
    source: str, clips: Sequence[Clip], sounds: Sequence[Sound], listeners: Sequence[Listener], before: Sequence[Heard],
) -> Iterator[list[Heard]]:
    """Has every sound of every clip listened to, a few clips at a time.

    source: the name of the clips' folder. before: lines of earlier runs. Gives all lines so far after each few clips, those of `before`
    that still hold included, and at the end.
    """
    weights = {("sound", each.name): each.weights for each in sounds} | {("listener", each.name): each.weights for each in listeners}
    lines = [
        line for line in before
        if weights.get(("sound", line.sound), line.sound_weights) == line.sound_weights
        and weights.get(("listener", line.listener), line.listener_weights) == line.listener_weights
    ]
    for sound in sounds:
        known = {(line.listener, line.clip) for line in lines if (line.sound, line.source) == (sound.name, source)}
        for begin in range(0, len(clips), _AT_A_TIME):
            some = clips[begin : begin + _AT_A_TIME]
            missing = {listener.name: [clip for clip in some if (listener.name, clip.path) not in known] for listener in listeners}
            wanted = {clip.path: clip for own in missing.values() for clip in own}
            if not wanted:
                continue
            made = {path: _hearable(clip, sound.make(clip)) for path, clip in wanted.items()}
            for listener in listeners:
                own = [made[clip.path] for clip in missing[listener.name]]
                lines += [
                    Heard(
                        sound.name, sound.weights, listener.name, listener.weights, source, clip.group, clip.path,
                        errors, units, listener.unit,
                    )
                    for clip, (errors, units) in zip(own, listener.count(own) if own else [], strict=True)
                ]
            yield lines
    yield lines


def _hearable(clip: Clip, sound: Waveform) -> Clip:
    samples = audio.from_samples(sound.samples, sound.sample_rate, HEARING_RATE).samples
    return Clip(samples, clip.label, clip.path, clip.group, clip.text, clip.part)


def report(lines: Sequence[Heard]) -> str:
    """The error rates by listener, speaker and sound with 95 % intervals over clips, and how far each sound is from that of the mel."""
    places = [*BASELINES, *sorted({line.sound for line in lines} - set(BASELINES))]
    rows = [f"{'listener':24}{'speaker':12}{'sound':28}{'clips':>6}{'errors':>9}  {'95 %':17}more than mel, points"]
    for listener, speaker in sorted({(line.listener, line.speaker) for line in lines}):
        by_sound: dict[str, dict[tuple[str, str], Heard]] = {}
        for line in lines:
            if (line.listener, line.speaker) == (listener, speaker):
                by_sound.setdefault(line.sound, {})[line.source, line.clip] = line
        for sound in sorted(by_sound, key=places.index):
            own = by_sound[sound]
            errors, units = _counts(own.values())
            ends = cluster_ratio(errors, units)
            rate = f"{100 * errors.sum() / max(1, units.sum()):7.1f} %"
            more = _more(own, by_sound.get("mel", {})) if sound not in BASELINES else ""
            rows.append(f"{listener:24}{speaker:12}{sound:28}{len(own):6}{rate:>9}  {_percent(ends):17}{more}".rstrip())
    return "\n".join(rows)


def _counts(lines: Iterable[Heard]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([(line.errors, line.units) for line in lines], dtype=float).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _percent(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"


def _more(own: dict[tuple[str, str], Heard], mel: dict[tuple[str, str], Heard]) -> str:
    """The difference of two sounds' rates on the clips that both have, and its interval."""
    both = [key for key in own if key in mel]
    if not both:
        return ""
    ours, theirs = _counts([own[key] for key in both]), _counts([mel[key] for key in both])
    difference = 100 * (ours[0].sum() / max(1, ours[1].sum()) - theirs[0].sum() / max(1, theirs[1].sum()))
    ends = cluster_difference(*ours, *theirs)
    return f"{difference:+.1f}" + ("" if ends is None else f" ({100 * ends[0]:+.1f} to {100 * ends[1]:+.1f})")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m results.intelligibility", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("codecs", nargs="*")
    parser.add_argument("--clips", type=int)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    if args.clips is not None and args.out == OUT:
        raise SystemExit(f"a part of the clips is no result: give another --out than {OUT.name}.")
    try:
        before, source = read_heard(args.out), as_source(args.data).name
        sounds = [*baselines(), *(codec_sound(checkpoints.load(name)) for name in args.codecs)]
        clips = spoken_clips(args.data, args.clips)
        phonemes = [checkpoints.load(name) for name, entry in checkpoints.catalogue().items() if entry.task == "phonemes"]
        listeners = [pocketsphinx_listener(), *(recogniser_listener(network) for network in phonemes if isinstance(network, Recogniser))]
        for lines in listen(source, clips, sounds, listeners, before):
            write_atomically(args.out, heard_text(lines).encode())
            print(f"\r{len(lines):,} answers", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        print(report(lines))
    except (CheckpointError, DataError, ValueError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
