"""Batches of an epoch: the same from the same seed, fair to classes, and as augmented as the settings say."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from adastride.audio import LOG_FLOOR
from adastride.clips import Clip
from adastride.models import Classifier, ClassifierConfig
from adastride.tasks import task_of
from adastride.training import settings as presets
from adastride.training.augment import augment, batches, epoch_order, mask_mels
from adastride.training.measure import stopwatch
from adastride.training.settings import TrainingSettings, preset_for

PLAIN = TrainingSettings(
    as_is=1.0, shift_seconds=0.0, snr_db=(200.0, 200.0), speed=(1.0, 1.0), gain_db=(0.0, 0.0), tilt=0.0, band_limited=0.0, time_masks=0,
    frequency_masks=0, batch_size=4,
)


def noises(count: int, seconds: float = 0.3) -> list[Clip]:
    generator = np.random.default_rng(1)
    return [Clip(generator.standard_normal(int(16_000 * seconds)).astype(np.float32) * 0.1, "ab"[n % 2], str(n)) for n in range(count)]


NETWORK = Classifier(ClassifierConfig(("a", "b"), width=4))


def collect(settings: TrainingSettings, epoch: int = 0, count: int = 10, **share: int) -> list[tuple[torch.Tensor, ...]]:
    """Signals, lengths and targets of each batch."""
    clips = noises(count)
    made = batches(NETWORK, clips, task_of(NETWORK).targets(NETWORK, clips), settings, epoch, **share)
    return [(batch.signal, batch.lengths, *batch.targets) for batch in made]


def test_an_epoch_shows_every_clip_once():
    assert sorted(epoch_order(["a"] * 7 + ["b"] * 2, False, np.random.default_rng(0)).tolist()) == list(range(9))


def test_a_balanced_epoch_shows_every_class_as_often():
    labels = ["a"] * 70 + ["b"] * 20 + ["c"] * 9
    order = epoch_order(labels, True, np.random.default_rng(0))
    counts = Counter(labels[i] for i in order)
    assert len(order) == 99
    assert max(counts.values()) - min(counts.values()) <= 1
    assert len({i for i in order if labels[i] == "c"}) == 9, "no clip of a rare class is left out"


def test_the_same_epoch_comes_again_and_another_does_not():
    settings = TrainingSettings(batch_size=4)
    one, same, later = collect(settings), collect(settings), collect(settings, epoch=1)
    for ours, theirs in zip(one, same, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not torch.equal(one[0][0][..., :10], later[0][0][..., :10])
    assert sum(len(batch[2]) for batch in one) == 10


def test_batches_leave_the_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    collect(TrainingSettings(batch_size=4))
    assert torch.equal(torch.rand(3), expected)


def test_processes_share_a_batch():
    """Every clip is seen by one of them, augmented as if there were one process alone; all have as many."""
    settings = replace(PLAIN, speed=(0.9, 1.1), gain_db=(-6.0, 6.0))
    whole = collect(settings, count=9)
    shares = [collect(settings, count=9, process=p, processes=2) for p in range(2)]
    for all_of_it, first, second in zip(whole, *shares, strict=True):
        assert len(first[2]) == len(second[2]) == -(-len(all_of_it[2]) // 2)
        for half, offset in ((first, 0), (second, 1)):
            expected = all_of_it[0][offset::2]
            torch.testing.assert_close(half[0][: len(expected)][..., :15], expected[..., :15])


def test_without_augmentation_a_clip_stays_what_it_is():
    clip = noises(1)[0].samples
    np.testing.assert_allclose(augment(clip, None, 16_000, PLAIN, np.random.default_rng(0)), clip, atol=1e-6)


@pytest.mark.parametrize("window", [3200, 16_000])
def test_a_window_has_its_length_whatever_the_clip(window: int):
    """A clip that is longer than its window fills it."""
    clip = noises(1)[0].samples
    sound = augment(clip, window, 16_000, PLAIN, np.random.default_rng(0))
    assert sound.shape == (window,)
    loud = np.flatnonzero(np.abs(sound) > 1e-4)
    assert loud[-1] - loud[0] + 1 == pytest.approx(min(window, clip.size), abs=5)


def test_a_long_clip_is_cropped_at_random():
    clip = np.arange(1.0, 16_001, dtype=np.float32)
    starts = {round(float(augment(clip, None, 16_000, replace(PLAIN, crop_seconds=0.25), np.random.default_rng(n))[0])) for n in range(20)}
    assert len(starts) > 10
    assert augment(clip, None, 16_000, replace(PLAIN, crop_seconds=0.25), np.random.default_rng(0)).size == 4000


def test_a_circular_shift_loses_nothing():
    clip = np.arange(1.0, 1001, dtype=np.float32)
    turned = augment(clip, None, 16_000, replace(PLAIN, circular=True), np.random.default_rng(3))
    np.testing.assert_allclose(np.sort(turned), clip, rtol=1e-5)
    assert abs(turned[0] - 1.0) > 0.5


def test_a_shift_moves_at_most_as_far_as_it_may():
    click = np.zeros(4000, np.float32)
    click[2000] = 1.0
    places = [int(augment(click, None, 16_000, replace(PLAIN, shift_seconds=0.05), np.random.default_rng(n)).argmax()) for n in range(50)]
    assert 1200 <= min(places) < 1600
    assert 2400 < max(places) <= 2800


@pytest.mark.parametrize("snr_db", [0.0, 20.0, 40.0])
def test_noise_is_as_loud_as_it_should_be(snr_db: float):
    clip = np.sin(np.arange(16_000) / 5).astype(np.float32)
    for seed in range(6):  # white, pink and brown
        noise = augment(clip, None, 16_000, replace(PLAIN, snr_db=(snr_db, snr_db)), np.random.default_rng(seed)) - clip
        assert 10 * np.log10(np.mean(clip**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=1.5)


def test_masks_are_neither_floor_nor_noise():
    mel = torch.full((8, 80, 100), 1.0)
    settings = replace(PLAIN, time_masks=1, time_mask=10, frequency_masks=1, frequency_mask=8)
    masked = mask_mels(mel.clone(), torch.full((8,), 100), settings, np.random.default_rng(0), -5.0)
    assert set(masked.unique().tolist()) == {1.0, -5.0}
    assert (masked == -5).float().mean() < 0.2
    assert len({tuple((example == -5).any(dim=0).tolist()) for example in masked}) > 1, "every example has a mask of its own"


def test_band_limits_and_tilts_stay_above_the_floor():
    mel = torch.full((16, 80, 20), float(np.log(LOG_FLOOR)))
    changed = mask_mels(mel, torch.full((16,), 20), replace(PLAIN, tilt=2.0, band_limited=1.0), np.random.default_rng(0), -5.0)
    assert float(changed.min()) >= np.log(LOG_FLOOR) - 1e-5
    limited = mask_mels(torch.zeros(16, 80, 20), torch.full((16,), 20), replace(PLAIN, band_limited=1.0), np.random.default_rng(0), -5.0)
    assert bool((limited[:, 79] < -1).all())
    assert bool((limited[:, :40] == 0).all())


@pytest.mark.parametrize(("seconds", "preset"), [
    ((0.3, 0.5, 0.4), "digits"), ((1.0, 1.0, 0.9), "commands"), ((1.5, 2.8, 9.0), "emotion"), ((5.0, 5.0, 5.001), "scenes"),
])
def test_a_preset_is_found_by_the_clips_lengths(seconds: tuple[float, ...], preset: str):
    assert preset_for([Clip(np.zeros(int(16_000 * s), np.float32), "a", "") for s in seconds], 16_000) == preset


def test_presets_place_short_words_in_silence_and_nothing_else():
    assert {name: settings.as_is < 1 for name, settings in presets.PRESETS.items()} == {
        "commands": True, "digits": True, "emotion": False, "scenes": False, "strings": False, "reading": False,
        "speakers": False, "codec": True,
    }


def test_clips_of_a_batch_have_a_silence_of_their_own_where_they_are_mixed():
    """About half of them get one, each another; where they are not, a batch has one window for all."""
    settings = replace(PLAIN, as_is=0.5, window_seconds=(0.5, 0.9), snr_db=(60.0, 60.0), batch_size=40)
    (mixed,) = collect(replace(settings, mixed=True), count=40)
    as_they_are = mixed[1] == 1 + int(0.3 * 16_000) // 256
    assert 10 < int(as_they_are.sum()) < 30
    placed = mixed[1][~as_they_are]
    assert len(set(placed.tolist())) > 4
    assert (int(placed.min()), int(placed.max())) >= (31, 45)
    for row, length in enumerate(mixed[1].tolist()):
        quiet = int((mixed[0][row, :, :length].mean(dim=0) < mixed[0][row, :, :length].mean(dim=0).max() - 3).sum())
        assert quiet == pytest.approx(length - 18, abs=5), "what is around a clip is silence"
    for epoch in range(6):
        (same,) = collect(settings, epoch, count=40)
        assert len(set(same[1].tolist())) == 1


def test_time_on_one_thread_is_the_processors():
    """Waiting, as for other programs, does not count, so that runs beside each other can be compared."""
    torch.set_num_threads(1)
    began = stopwatch(torch.device("cpu"))
    time.sleep(0.3)
    waited = stopwatch(torch.device("cpu")) - began
    torch.rand(400, 400) @ torch.rand(400, 400)
    assert waited < 0.1
    assert stopwatch(torch.device("cpu")) > began
