"""Reconstruction: a codec says a sound in codes and durations, and makes its log-mel of them again (the AdaStride paper's section 4.3).

A mel is natural-log, so an error of 1 is 8.7 dB. What any codec has to beat is the mel averaged over 8 frames and repeated.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import alignment as maths
from adastride import audio
from adastride.clips import Clip
from adastride.models.codec import Codec, CodecConfig, Coded, codec_options, durations_of
from adastride.models.network import Output
from adastride.tasks.codes import codes_of
from adastride.tasks.mel_sound import mel_sound, power
from adastride.tasks.prediction import Bar, CurveLane, Followed, PictureLane, Prediction, Rate, Segment, SegmentLane
from adastride.tasks.task import Batch, Breakdown, Metric, Reconstructed, Task, stack_mels
from adastride.tasks.workbench import MOST_EDITED, Workbench, map_of

COMMITMENT = 0.1  # its weight, alpha of equation 10
DECIBELS = 20 / math.log(10)  # of a natural-log level of 1
QUIET_DB = -30.0  # a frame so far below a clip's loudest is quiet
SILENCE_DB = 1.0  # so is one whose bands are no farther above the floor of log-mels
LARGE_DB = 12.0  # a mel error that fills its bar
STEP = 8  # frames of the mel that is averaged and repeated
MOST_CODES = 4096  # of a network of somebody's own that a page shows
MOST_HEARD = 30.0  # seconds of a clip whose sounds are offered: making them takes a twentieth of that


class Coding(NamedTuple):
    """What a codec says of a clip. codes: (L,) int64. durations: (L,) int64 mel frames, which sum to the clip's."""

    codes: np.ndarray
    durations: np.ndarray


def averaged(mel: Tensor, lengths: Tensor, step: int = STEP) -> Tensor:
    """Log-mels averaged over groups of `step` frames and repeated.

    Shape: (batch, n_mels, T) -> the same, zero past each example's length.
    """
    valid = maths.length_mask(lengths, mel.shape[2])[:, None].to(mel.dtype)
    rest = -mel.shape[2] % step
    sums, counts = (F.pad(x, (0, rest)).unflatten(2, (-1, step)).sum(dim=3) for x in (mel * valid, valid))
    return (sums / counts.clamp(min=1)).repeat_interleave(step, dim=2)[:, :, : mel.shape[2]] * valid


def quiet_frames(signal: Tensor, lengths: Tensor) -> Tensor:
    """Which frames of log-mels (batch, n_mels, T) are quiet: (batch, T) bool, False past each example's length.

    They are those far below the loudest of their clip, see `QUIET_DB`, and silence itself, which is nothing loud even where there is
    nothing else, see `SILENCE_DB`.
    """
    valid = maths.length_mask(lengths, signal.shape[2])
    levels = DECIBELS * torch.logsumexp(signal, dim=1).masked_fill(~valid, -math.inf)
    silent = DECIBELS * (signal.amax(dim=1) - math.log(audio.LOG_FLOOR)) <= SILENCE_DB
    return valid & (silent | (levels < levels.amax(dim=1, keepdim=True) + QUIET_DB))


def entropy_bits(counts: Sequence[int]) -> float:
    """The entropy of codes that were used so often, in bits for each.

    >>> entropy_bits([2, 1, 1, 0])
    1.5
    """
    total = sum(counts)
    return sum(count / total * math.log2(total / count) for count in counts if count)


class Reconstruction(Task[Codec, CodecConfig]):
    """The task of codecs."""

    name = "reconstruction"
    preset = "codec"
    codes = True
    reconstructs = True
    metrics = (
        Metric("mel_error", "Mel error", "nats", higher_is_better=False, digits=3, per="values"),
        Metric("mel_error_db", "Mel error", "dB", higher_is_better=False, digits=2, per="values"),
        Metric("mel_error_loud_db", "Mel error of loud frames", "dB", higher_is_better=False, digits=2, per="values_loud"),
        Metric("mel_error_quiet_db", "Mel error of quiet frames", "dB", higher_is_better=False, digits=2, per="values_quiet"),
        Metric("step_error", f"Mel error of means over {STEP} frames", "nats", higher_is_better=False, digits=3, per="values"),
        Metric("distinct", "Distinct codes of a clip", "", digits=1),
        Metric("entropy", "Entropy of the codes of a clip", "bits", digits=2),
        Metric("duration_loud", "Duration of codes in loud frames", "mel frames", digits=2, per="codes_loud"),
        Metric("duration_quiet", "Duration of codes in quiet frames", "mel frames", digits=2, per="codes_quiet"),
    )

    def predict(self, network: Codec, output: Output, edges: Callable[[], np.ndarray]) -> Prediction:
        """The codes as segments as long as they last, the reconstructed mel and its error; and the sound of it.

        What a mel loses on its way to sound and back is not the codec's fault, so the original mel can be heard by the same way as well.
        """
        coded = _coded(output)
        mel, preset = coded.head[0].float().cpu().numpy(), network.config.mel
        codes, durations = coded.codes[0].cpu().numpy(), durations_of(coded).numpy()
        seconds = float(edges()[-1])
        # Mel frame j is centred on j hops, so it spans half a hop to either side.
        mel_edges = np.clip((np.arange(mel.shape[1] + 1) - 0.5) / preset.frames_per_second, 0.0, seconds)
        bounds = mel_edges[np.concatenate([[0], np.cumsum(durations)])]
        paints = map_of(network).paints
        segments = tuple(
            Segment(float(begin), float(end), str(code), int(code), frames=(place, place), paint=paints[code])
            for place, (code, begin, end) in enumerate(zip(codes, bounds[:-1], bounds[1:], strict=True)) if end > begin
        )
        bits = math.log2(network.config.codes)
        # All codes have to be sent: one that lasts for no whole frame still says something to the decoder.
        count, distinct, rate = len(codes), len(set(codes.tolist())), len(codes) / max(seconds, 1e-9)
        signal = coded.signal[0].float().cpu().numpy()
        low, high = float(signal.min()), float(signal.max())
        errors, quiet = DECIBELS * np.abs(mel - signal).mean(axis=0), quiet_frames(coded.signal, coded.lengths)[0].cpu().numpy()
        parts = {"all frames": errors, "loud frames": errors[~quiet], "quiet frames": errors[quiet]}
        means = {name: float(part.mean()) for name, part in parts.items() if part.size}
        below = int(coded.upsamplings[-1].lengths[0])

        original = functools.cache(lambda: power(signal, preset))
        louder = functools.cache(lambda: original() / max(power(mel, preset), 1e-12))
        heard = seconds <= MOST_HEARD
        workbench = Workbench(network, codes_of(network, coded), louder) if heard and len(segments) <= MOST_EDITED else None
        missing = "" if workbench else (
            f"; more than {MOST_EDITED:,} codes can’t be edited" if heard else f"; more than {MOST_HEARD:g} s can’t be heard or edited"
        )
        values = {
            "mel error in dB": means["all frames"], "codes a second": rate, "bits a second": bits * rate, "distinct codes": float(distinct),
        }
        return Prediction(
            headline="1 code" if count == 1 else f"{count} codes, {distinct} distinct",
            detail=f"{rate:.1f} codes and {bits * rate:.0f} bits a second{missing}",
            bars_title="Mel error", bars=tuple(Bar(name, min(1.0, mean / LARGE_DB), f"{mean:.1f} dB") for name, mean in means.items()),
            lanes=(
                SegmentLane("Codes", segments, strength=""),
                PictureLane(
                    "Reconstruction", DECIBELS * mel, mel_edges, DECIBELS * low, DECIBELS * max(high, low + 1e-3), "dB",
                    ticks=audio.mel_band_ticks(preset),
                ),
                CurveLane("Mel error, mean over bands", np.arange(mel.shape[1]) / preset.frames_per_second, errors, "dB"),
            ),
            sounds=(mel_sound("Decoded", mel, preset, original), mel_sound("Mel only", signal, preset, original)) if heard else (),
            arrays={"codes": codes, "durations": durations, "reconstruction": mel}, values=values, workbench=workbench,
            followed=Followed("mel error in dB", "Mel error", "dB"), rate=Rate("Bit rate", "bits a second", bits * below / max(seconds, 1e-9)),
        )

    def describe(self, config: CodecConfig) -> str:
        return f"{config.codes} codes"

    def check_config(self, config: CodecConfig) -> None:
        if config.codes > MOST_CODES:
            raise ValueError(f"has {config.codes} codes, more than the {MOST_CODES} that a page shows")

    def network_fields(self, method: str) -> dict[str, Any]:
        return codec_options(method)

    def targets(self, network: Codec, clips: Sequence[Clip]) -> list[None]:
        """None for each clip: what is right is the clip itself, and neither a label nor a text is looked at."""
        return [None] * len(clips)

    def batch(self, network: Codec, sounds: Sequence[np.ndarray], targets: Sequence[None]) -> Batch:
        return Batch(*stack_mels(sounds, network.config.mel), ())

    def loss(self, output: Output, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        """Equation 10: the mean absolute error of the log-mel and the commitment. There are no labels to be smoothed."""
        coded = _coded(output)
        # Both are zero in the padding.
        error = (coded.head - coded.signal).abs().sum() / (coded.lengths.sum() * coded.signal.shape[1])
        return error + COMMITMENT * coded.commitment

    def reconstructed(self, output: Output) -> Reconstructed:
        coded = _coded(output)
        return Reconstructed(coded.signal, coded.head, coded.lengths)

    def measure(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Sums over valid values of the mel and over frames, which give means. Loud and quiet are frames of the signal, see `QUIET_DB`."""
        coded = _coded(output)
        signal, lengths = coded.signal.double(), coded.lengths
        valid = maths.length_mask(lengths, signal.shape[2])
        errors = (coded.head.double() - signal).abs().sum(dim=1) * valid
        bands, frames = signal.shape[1], valid.double()
        quiet = quiet_frames(signal, lengths)
        loud, quiet = (valid & ~quiet).double(), quiet.double()
        counts = torch.zeros(coded.codes.shape, dtype=torch.float64, device=signal.device)
        counts.scatter_add_(1, coded.origins.clamp(min=0), frames)
        shares = frames / counts.gather(1, coded.origins.clamp(min=0)).clamp(min=1)  # a code's frames together are one code
        used = [torch.bincount(row[row >= 0]).tolist() for row in coded.codes.cpu()]
        return {
            "mel_error": errors.sum(dim=1), "mel_error_db": DECIBELS * errors.sum(dim=1), "values": bands * frames.sum(dim=1),
            "mel_error_loud_db": DECIBELS * (errors * loud).sum(dim=1), "values_loud": bands * loud.sum(dim=1),
            "mel_error_quiet_db": DECIBELS * (errors * quiet).sum(dim=1), "values_quiet": bands * quiet.sum(dim=1),
            "step_error": ((averaged(signal, lengths) - signal).abs().sum(dim=1) * valid).sum(dim=1),
            "distinct": torch.tensor([float(np.count_nonzero(row)) for row in used], dtype=torch.float64),
            "entropy": torch.tensor([entropy_bits(row) for row in used], dtype=torch.float64),
            "duration_loud": loud.sum(dim=1), "codes_loud": (loud * shares).sum(dim=1),
            "duration_quiet": quiet.sum(dim=1), "codes_quiet": (quiet * shares).sum(dim=1),
        }

    def answers(self, output: Output) -> list[Coding]:
        coded = _coded(output)
        counts = coded.downsampled[-1].lengths.tolist()
        return [
            Coding(row[:count].cpu().numpy(), durations_of(coded, place).numpy())
            for place, (row, count) in enumerate(zip(coded.codes, counts, strict=True))
        ]

    def breakdown(self, network: Codec, targets: Sequence[None], answers: Sequence[Coding]) -> Breakdown:
        """How the codebook is used over all clips, and how long codes last, where equal neighbours count as one (the paper's figure 5)."""
        known, preset = network.config.codes, network.config.mel
        used = np.bincount(np.concatenate([answer.codes for answer in answers]), minlength=known)
        distinct, entropy = int(np.count_nonzero(used)), entropy_bits(used.tolist())
        seconds = sum(int(answer.durations.sum()) for answer in answers) / preset.frames_per_second
        rate = int(used.sum()) / seconds
        lasting = Counter(duration for answer in answers for duration in lasting_durations(answer))
        total = sum(lasting.values())
        shares = [(str(frames), f"{100 * count / total:.1f} %") for frames, count in sorted(lasting.items())[:20]]
        title = (
            f"{distinct} of {known} codes are used, {entropy:.2f} bits each; {rate:.1f} codes and {entropy * rate:.0f} bits a second "
            f"({math.log2(known) * rate:.0f} if all were used evenly); how long codes last, equal neighbours together"
        )
        return Breakdown(title, (("mel frames", "share of codes"), *shares), {
            "distinct_codes": distinct, "codes": known, "entropy_bits": entropy, "codes_per_second": rate,
            "bits_per_second": entropy * rate,
            "durations": {str(frames): count for frames, count in sorted(lasting.items())},
        }, {"distinct_codes": float(distinct), "codes": float(known), "entropy_bits": entropy, "codes_per_second": rate}, dict(sorted(lasting.items())))


def lasting_durations(answer: Coding) -> list[int]:
    """How many mel frames each run of equal codes lasts; codes that last for no frame take no part.

    >>> lasting_durations(Coding(np.array([4, 4, 7, 4]), np.array([8, 8, 0, 4])))
    [20]
    """
    lasting = [(int(code), int(duration)) for code, duration in zip(*answer, strict=True) if duration]
    return [sum(duration for _, duration in run) for _, run in groupby(lasting, key=lambda pair: pair[0])]


def _coded(output: Output) -> Coded:
    assert isinstance(output, Coded)
    return output
