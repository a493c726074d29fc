"""How to train: one frozen set of numbers, and presets for the kinds of sound the project has data for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adastride.clips import Clip


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. All ranges are drawn from uniformly, unless said otherwise.

    epochs, patience: the most epochs, and after how many without a better valid split to stop. balanced: every class is
    drawn equally often. score_factor: what places frames (scores, log sigma) learns this many times as fast as the rest.
    window_seconds: shortest and longest window of silence a clip is placed in, log-uniform. as_is: share of batches whose
    clips are shown without added silence; 1 switches silence off. crop_seconds: longer clips are cut to it at random.
    shift_seconds: a clip shown as it is starts at most this much earlier or later. circular: what leaves a clip on one side
    comes in on the other, by any shift. snr_db: the noise floor below the clip, in decibels. speed: factors, pitch
    included. gain_db: decibels. tilt: natural-log units of level that the lowest and highest band may differ from the
    middle. band_limited: share of clips without the highest bands. time_masks, time_mask, frequency_masks, frequency_mask:
    SpecAugment, how many masks of at most how many frames (or a fifth of the clip) and bands.
    """

    epochs: int = 40
    patience: int = 15
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.05
    position_loss_weight: float = 1.0
    score_factor: float = 4.0
    balanced: bool = False
    window_seconds: tuple[float, float] = (1.0, 2.0)
    as_is: float = 0.5
    crop_seconds: float = 30.0
    shift_seconds: float = 0.1
    circular: bool = False
    snr_db: tuple[float, float] = (0.0, 40.0)
    speed: tuple[float, float] = (0.85, 1.18)
    gain_db: tuple[float, float] = (-20.0, 6.0)
    tilt: float = 1.2
    band_limited: float = 0.1
    time_masks: int = 1
    time_mask: int = 10
    frequency_masks: int = 2
    frequency_mask: int = 10
    seed: int = 0


_COMMANDS = TrainingSettings()
PRESETS = {
    # Words of a second with some silence around them.
    "commands": _COMMANDS,
    # Words cut close, which need silence around them to be placed in; other voices, microphones and telephones.
    "digits": replace(
        _COMMANDS, epochs=25, patience=10, window_seconds=(0.7, 4.5), as_is=0.25, band_limited=0.3, time_mask=6, frequency_mask=8,
    ),
    # Sentences: pace, pitch and loudness carry what is looked for, so speed and gain change little.
    "emotion": replace(
        _COMMANDS, epochs=80, patience=40, batch_size=16, balanced=True, as_is=1.0, crop_seconds=3.0, snr_db=(15.0, 50.0),
        speed=(0.93, 1.07), gain_db=(-6.0, 6.0), tilt=0.6, time_masks=2, time_mask=20,
    ),
    # Recordings of places and things, of one length.
    "scenes": replace(
        _COMMANDS, epochs=80, patience=40, batch_size=16, as_is=1.0, circular=True, snr_db=(20.0, 60.0), speed=(0.8, 1.25),
        time_masks=2, time_mask=40, frequency_masks=2, frequency_mask=12,
    ),
}


def preset_for(clips: Sequence[Clip], sample_rate: int) -> str:
    """The preset that suits clips of such lengths: words cut close, words of a second, long recordings of one length, or others."""
    seconds = [clip.samples.size / sample_rate for clip in clips]
    middle = statistics.median(seconds)
    if middle < 1.5:
        return "digits" if middle < 0.8 else "commands"
    return "scenes" if max(seconds) - min(seconds) < 0.1 else "emotion"
