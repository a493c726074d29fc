"""Tracing: whose trace it is, in which mode a network answers, and that no kind of network is special."""

import copy
import io
import json

import numpy as np
import pytest
import torch
from made_up_networks import tower as tower
from made_up_networks import tower_network

from adastride import checkpoints, tasks
from adastride.downsampling import LayerSettings
from adastride.inspection import export, figures, tracing
from adastride.models import Classifier, ClassifierConfig
from adastride.sweep import core as sweep
from adastride.sweep.answers import clip_answers


def classifier(seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(ClassifierConfig(("yes", "no"), width=8)).eval()


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(12_000).astype(np.float32) * 0.1


def test_a_trace_of_another_network_of_the_same_name_is_not_taken_for_this_ones(clip):
    first, second = classifier(0), classifier(1)
    assert first.name == second.name == "untitled"
    before = tracing.trace(first, clip)
    after = tracing.trace(second, clip, previous=before)
    assert dict(after.prediction.values) == dict(tracing.trace(second, clip).prediction.values) != dict(before.prediction.values)


def test_a_trace_is_stale_when_the_network_was_trained_further(clip):
    network = classifier()
    before = tracing.trace(network, clip)
    assert tracing.trace(network, clip, previous=before) is before
    with torch.no_grad():
        network.classifier.weight[0] += 0.5
    assert tracing.trace(network, clip, previous=before).prediction.values != before.prediction.values


def test_two_copies_of_a_network_share_a_trace(clip):
    before = tracing.trace(classifier(), clip)
    assert tracing.trace(classifier(), clip, previous=before) is before


def test_a_network_in_training_mode_answers_as_in_evaluation_mode_and_stays_as_it_was(clip):
    network = classifier()
    network.norm.eval()  # a module's own mode is its own
    right = tracing.trace(network, clip)
    network.train()
    network.norm.eval()
    before = copy.deepcopy(network.state_dict())
    assert tracing.trace(network, clip).prediction.values == right.prediction.values
    assert network.training
    assert not network.norm.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_clock_stands_outside_of_the_network(clip):
    """A network's output knows no time; the trace has one for each layer that was run."""
    assert not hasattr(classifier()(torch.zeros(1, 80, 30)), "milliseconds")
    network = classifier()
    before = tracing.trace(network, clip)
    assert all(layer.milliseconds > 0 for layer in before.layers)
    after = tracing.trace(network, clip, (None, LayerSettings(stride=3.0), None), before)
    assert after.layers[0] is before.layers[0]
    assert after.layers[1].milliseconds > 0


@pytest.mark.parametrize("layers", [1, 2, 5, 8])
def test_another_kind_of_network_with_any_number_of_layers(tower, clip, tmp_path, layers):
    """Traced, exported, drawn, swept, saved and loaded without anybody knowing what kind it is."""
    network = tower_network(layers)
    seen = tracing.trace(network, clip)
    assert len(seen.layers) == layers
    assert seen.top.endswith(" dB")
    arrays = np.load(io.BytesIO(export.to_npz(seen)))
    assert arrays["level"] == pytest.approx(float(seen.top.split()[0]), abs=0.06)
    assert "labels" not in arrays
    assert len(export.summary(seen)["layers"]) == layers
    json.dumps(export.summary(seen), allow_nan=False)
    figure = figures.publication_figure(seen, "A clip")
    words = [text.get_text() for text in figure.findobj(figures.matplotlib.text.Text)]
    assert {"Words", "seven", "Reconstruction", "Pitch", "semitones", "dB", seen.top} <= set(words)
    assert "a long word in a narrow place" not in words
    columns = list(sweep.sweep_clip(network, seen.waveform, sweep.points((0.5, 5.0, 50.0))))
    assert all(len(column.layers) == layers for column in columns)
    assert clip_answers(columns, sweep.SIGMA, 5.0)
    changed = tracing.trace(network, clip, (None,) * (layers - 1) + (LayerSettings(stride=2.5),), seen)
    assert changed.layers[:-1] == seen.layers[:-1]
    checkpoints.save_checkpoint(network, tmp_path / "loud.safetensors", {})
    again = checkpoints.load(tmp_path / "loud.safetensors")
    assert type(again) is type(network)
    assert tracing.trace(again, clip).top.endswith(" dB")
    assert tasks.task_of(again).headline.name == "error"


def test_an_unknown_kind_of_checkpoint_is_one_sentence(tower, tmp_path, monkeypatch):
    checkpoints.save_checkpoint(tower_network(), tmp_path / "loud.safetensors", {})
    monkeypatch.delitem(tasks.KINDS, "tower")
    with pytest.raises(checkpoints.CheckpointError, match="written by a newer version"):
        checkpoints.load(tmp_path / "loud.safetensors")


def test_settings_of_another_number_of_layers_are_refused(clip):
    with pytest.raises(ValueError, match="expected settings for 3 layers, got 2"):
        tracing.trace(classifier(), clip, (None, None))


def test_people_read_labels_as_words_and_files_keep_them(clip):
    torch.manual_seed(0)
    network = Classifier(ClassifierConfig(("baby_cry", "dog_bark"), width=8)).eval()
    seen = tracing.trace(network, clip)
    assert [bar.label for bar in seen.prediction.bars] == ["baby cry", "dog bark"]
    assert seen.prediction.headline in ("baby cry", "dog bark")
    assert seen.top in ("baby_cry", "dog_bark")
    assert export.summary(seen)["labels"] == ["baby_cry", "dog_bark"]
    assert np.load(io.BytesIO(export.to_npz(seen)))["labels"].tolist() == ["baby_cry", "dog_bark"]
    columns = list(sweep.sweep_clip(network, clip, sweep.points((0.1, 5.0), ())))
    told = " ".join(answer.text for answer in clip_answers(columns, sweep.SIGMA, 5.0))
    assert "_" not in told
    assert "“baby cry”" in told or "“dog bark”" in told
