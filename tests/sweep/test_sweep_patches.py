"""Sweeps of audio transformers: over the layer in front of the patches, or a sentence where there is none."""

from __future__ import annotations

import re

import numpy as np
import pytest
from made_up_codecs import speech
from made_up_transformers import audio_transformer

from adastride.clips import Clip
from adastride.comparison.networks import Answer, settings_with, to_csv
from adastride.inspection import trace
from adastride.sweep.core import Setting, SweepError, layer_settings, sweep_clip
from adastride.sweep.scores import sweep_clips

SENTENCE = "elastic has no layer whose σ or stride could be swept: choose one with a layer in front, such as AdaStride + ElasticAST (elastic-adastride)."
CLIP = speech(0.6, rate=16_000)


@pytest.mark.parametrize("setting", [Setting(), Setting(sigma_inv2=5.0), Setting(stride=2.0)])
def test_a_network_without_layers_is_not_swept(setting: Setting):
    network = audio_transformer("elastic")
    for sweep in (
        lambda: layer_settings(network, setting), lambda: sweep_clip(network, CLIP, [setting]),
        lambda: next(iter(sweep_clips([network], [Clip(CLIP.samples, "one", "a.wav")], [setting]))),
    ):
        with pytest.raises(SweepError, match=re.escape(SENTENCE)):
            sweep()


def test_the_layer_in_front_is_swept():
    network = audio_transformer("front")
    columns = list(sweep_clip(network, CLIP, [Setting(stride=1.0), Setting(stride=2.0), Setting(stride=4.0)]))
    assert [column.stride for column in columns] == [1, 2, 4]
    work = [column.work for column in columns]
    assert work[0] == 1
    assert 0 < work[2] < work[1] < 0.6, "half the tokens are less than half the work"
    assert all(np.isfinite(column.layers[0].moved) for column in columns)


def test_beside_others_a_network_without_layers_has_no_stride():
    network, front = audio_transformer("elastic"), audio_transformer("front")
    assert settings_with(network, 3.0) == ()
    answers = [Answer(each.name, trace(each, CLIP, settings_with(each, 3.0))) for each in (network, front)]
    lines = to_csv(answers).splitlines()
    assert lines[1].startswith("elastic,,,")
    assert lines[2].startswith("front,3,21,")
