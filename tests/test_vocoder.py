"""Sound from a mel: its length, that it is always the same, and that it has about the mel that it was made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_up_codecs import speech

from adastride import audio, vocoder
from adastride.audio import PRESETS

PRESET = PRESETS["vq-vae"]


def mel_of(waveform: audio.Waveform) -> torch.Tensor:
    return audio.log_mel(torch.from_numpy(waveform.samples.copy()), PRESET)


def test_the_spectrum_has_the_mel():
    mel = mel_of(speech(1.0))
    spectrum = vocoder.spectrum(mel, PRESET)
    assert spectrum.shape == (513, mel.shape[1])
    assert bool((spectrum >= 0).all())
    again = audio.mel_filters(PRESET).T @ spectrum
    assert float((again - mel.exp()).norm() / mel.exp().norm()) < 0.05


def test_the_spectrum_is_nearer_than_a_clipped_pseudo_inverse():
    """The reason why it is not used."""
    waveform = speech(1.0)
    mel, window = mel_of(waveform), torch.hann_window(1024)
    original = torch.stft(torch.from_numpy(waveform.samples.copy()), 1024, 256, window=window, return_complex=True).abs()
    clipped = (torch.linalg.pinv(audio.mel_filters(PRESET).T) @ mel.exp()).clamp(min=0)
    assert float((vocoder.spectrum(mel, PRESET) - original).norm()) < 0.95 * float((clipped - original).norm())


def test_a_sound_has_about_its_mel():
    waveform = speech(1.0)
    mel = mel_of(waveform)
    sound = vocoder.sound(mel, PRESET)
    assert sound.samples.size == 256 * mel.shape[1]
    assert sound.sample_rate == 22_050
    again = mel_of(sound)[:, : mel.shape[1]]
    assert float((again.exp() - mel.exp()).norm() / mel.exp().norm()) < 0.25
    shorter = vocoder.sound(mel, PRESET, iterations=1)
    assert float((mel_of(shorter)[:, : mel.shape[1]].exp() - mel.exp()).norm()) > float((again.exp() - mel.exp()).norm())


def test_the_same_mel_gives_the_same_sound_whatever_was_drawn_before():
    mel = mel_of(speech(0.3))
    torch.manual_seed(1)
    first, drawn = vocoder.sound(mel, PRESET, 2).samples, torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn), "and nobody else's numbers change"
    np.testing.assert_array_equal(vocoder.sound(mel, PRESET, 2).samples, first)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_mels_and_silence(frames: int):
    for level in (-11.5, 0.0):
        sound = vocoder.sound(torch.full((80, frames), level), PRESET, 4)
        assert sound.samples.size == 256 * frames
        assert np.isfinite(sound.samples).all()
        assert np.abs(sound.samples).max() <= (1e-2 if level < 0 else 1.0)


def test_a_mel_as_loud_as_can_be_stays_within_full_scale():
    sound = vocoder.sound(torch.full((80, 20), 8.0), PRESET, 4)
    assert np.abs(sound.samples).max() == pytest.approx(1.0)
