"""How to train: one frozen set of numbers, and presets for the kinds of sound the project has data for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adastride.clips import Clip


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. Values are drawn uniformly from their ranges, unless said otherwise.

    share: of the training clips that are used, always the same ones; an epoch goes over them so often that it is about as long as one
    of all clips. epochs: the most epochs. patience: training stops after so
    many epochs without a better valid split. balanced: whether every class is drawn equally often. score_factor: what places frames
    (scores, log sigma) learns so many times as fast as the rest. window_seconds: the shortest and the longest window of silence
    that a clip is placed in, drawn log-uniformly. as_is: the share of batches whose clips get no silence; 1 switches silence off.
    mixed: whether every clip of a batch gets a window of its own, or none, instead of one for all of them; statistics of the batch, which
    a network keeps for later, are then those of both.
    crop_seconds: longer clips are cut to this length at a random place. least_seconds: where this is not 0, clips are cut to lengths
    drawn log-uniformly from it to crop_seconds; a network that looks at a part of fixed length alone gets parts of that length.
    resolutions: how many times its network's frame shift the frame shift of a clip's mel may be, drawn for every clip (ElasticAST,
    section 3.4); none for the network's own, which is also what a network of fixed length gets. shift_seconds: a clip without silence starts at most so
    much earlier or later. circular: whether clips are shifted by any time instead, and what leaves them on one side comes in on the
    other. snr_db: how far the noise lies below the clip, in decibels. speed: the range of the factor of speed, which changes the
    pitch, too. gain_db: the range of the change of level, in decibels. tilt: by how much the levels of the lowest and the highest
    band may differ from the middle, in natural-log units. band_limited: the share of clips that lose their highest bands.
    time_masks, frequency_masks: how many masks SpecAugment makes. time_mask: the most frames of a mask, which never takes more than
    a fifth of the shortest clip. frequency_mask: the most bands of a mask. time_mask_share: the most of its own clip that a mask
    takes instead, where this is not 0 (the paper's p_S). joined: the fewest and the most clips that are put one after the other to
    make one, and so many texts; gap_seconds: the silence between them, drawn with its square root evenly, so that short gaps are
    frequent; overlap_seconds: by how much a clip may begin before the end of the last. adversarial: whether a discriminator learns to tell
    what the network makes from originals, and the network to be taken for one (`training.adversarial`); codecs alone can do that.
    """

    share: float = 1.0
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
    mixed: bool = False
    crop_seconds: float = 30.0
    least_seconds: float = 0.0
    resolutions: tuple[float, ...] = ()
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
    time_mask_share: float = 0.0
    joined: tuple[int, int] = (1, 1)
    gap_seconds: tuple[float, float] = (0.0, 1.0)
    overlap_seconds: float = 0.03
    adversarial: bool = False
    seed: int = 0


_COMMANDS = TrainingSettings()
PRESETS = {
    # Words of a second with some silence around them.
    "commands": _COMMANDS,
    # Words cut close, which need silence around them to be placed in, up to a lot of it: the mean over time that the classifier takes
    # makes a network unsure where there is more silence than it was trained with. Other voices, microphones and telephones.
    "digits": replace(
        _COMMANDS, epochs=40, patience=15, window_seconds=(0.7, 7.0), as_is=0.25, label_smoothing=0.02, band_limited=0.3, time_mask=6,
        frequency_mask=8,
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
    # Words cut close that are put one after the other, to recognise strings of them. SpecAugment as in the AdaStride paper's section 4.2.
    # Positions learn slowly: with CTC they run away before there is anything to place (a factor of 4 did not learn to read at all).
    # Speeds, and pitches with them, are those of many more people than the recordings are of.
    "strings": replace(
        _COMMANDS, epochs=30, patience=30, as_is=1.0, score_factor=0.25, joined=(1, 7), shift_seconds=0.2, band_limited=0.3,
        snr_db=(5.0, 45.0), speed=(0.8, 1.35), crop_seconds=5.0, time_masks=5, time_mask_share=0.05, frequency_masks=1, frequency_mask=27,
    ),
    # Read sentences.
    "reading": replace(
        _COMMANDS, epochs=50, patience=50, batch_size=8, as_is=1.0, score_factor=0.25, snr_db=(15.0, 50.0), speed=(0.9, 1.1),
        gain_db=(-10.0, 6.0), tilt=0.8, shift_seconds=0.1, time_masks=5, time_mask_share=0.05, frequency_masks=1, frequency_mask=27,
    ),
    # Who speaks, in clips of any length: whole sentences tell a reader by the microphone alone, so parts of them of any length are learned
    # from. A voice keeps its pitch.
    "speakers": replace(
        _COMMANDS, epochs=30, patience=30, batch_size=8, learning_rate=5e-4, as_is=1.0, crop_seconds=6.0, least_seconds=0.5,
        snr_db=(15.0, 50.0), speed=(0.97, 1.03), gain_db=(-10.0, 6.0), tilt=0.8, band_limited=0.2, shift_seconds=0.05,
        frequency_mask=16,
    ),
    # Sound that is to come back as it is: pieces of it at about their own level, for levels take codes. Many small steps, which taught more
    # than half as many of twice the clips. Half of the clips stand in silence, as recordings do: without it, positions stay even. Every
    # clip has a silence of its own: where a batch has one alike for all, what batch normalisation keeps suits neither kind.
    "codec": replace(
        _COMMANDS, epochs=100, patience=100, batch_size=8, as_is=0.5, mixed=True, window_seconds=(1.8, 2.8), crop_seconds=1.5, shift_seconds=0.0,
        snr_db=(35.0, 70.0), speed=(1.0, 1.0), gain_db=(-2.0, 2.0), score_factor=16.0, learning_rate=1e-3,
    ),
}


def preset_for(clips: Sequence[Clip], sample_rate: int, texts: bool = False) -> str:
    """The name of the preset that suits some clips.

    texts: whether their texts are learned, where they have labels as well. Clips with texts and no labels are sentences, or single
    words that are put together to strings. Others go by their lengths: words cut close, words of a second, recordings of one length, or
    others.
    """
    if any(clip.text for clip in clips) and (texts or not any(clip.label for clip in clips)):
        return "reading" if any(len(clip.text.split()) > 1 for clip in clips) else "strings"
    seconds = [clip.samples.size / sample_rate for clip in clips]
    middle = statistics.median(seconds)
    if middle < 1.5:
        return "digits" if middle < 0.8 else "commands"
    return "scenes" if max(seconds) - min(seconds) < 0.1 else "emotion"
