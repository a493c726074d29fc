"""The networks that come with the project: they are what the catalogue says, and answer as they did when they were shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adastride import audio, checkpoints
from adastride.checkpoints import catalogue, picture_catalogue
from adastride.image_runs import FILE, read_image_runs
from adastride.inspection.tracing import trace
from adastride.samples import samples
from adastride.spectrogram_runs import FILE as SPECTROGRAMS
from adastride.spectrogram_runs import read_spectrogram_runs
from adastride.tasks import KINDS, task_of
from adastride.text import Vocabulary, compare, learned_tokens
from adastride.ui.checkpoint_picker import DEFAULT
from adastride.ui.images.picker import _described
from checkpoints.ship import ANSWERED, MOST_BYTES, how_sure, picture_answer, said, spectrogram_answers

ANSWERS = json.loads((Path(__file__).parent / "data" / "shipped.json").read_text(encoding="utf-8"))
NAMES = list(catalogue())
PICTURE_NAMES = [name for name, entry in picture_catalogue().items() if entry.kind == "images"]
SPECTROGRAM_NAMES = [name for name, entry in picture_catalogue().items() if entry.kind == "spectrogram"]
DIGITS = {"seven": "7", "three": "3", "six": "6", "nine": "9"}


def answer(name: str, clip: str) -> tuple[str, float]:
    """A network's answer to a bundled clip, and how probable it finds it."""
    seen = trace(checkpoints.load(name), audio.read(samples()[clip].path))
    return said(seen), how_sure(seen)


@pytest.mark.parametrize("kind", MOST_BYTES)
def test_all_fit_into_what_is_allowed(kind: str):
    entries = [*catalogue().values(), *picture_catalogue().values()]
    assert sum(entry.path.stat().st_size for entry in entries if entry.kind == kind) <= MOST_BYTES[kind]


def test_the_catalogue_lists_every_file():
    assert {path.stem for path in checkpoints.FOLDER.glob("*.safetensors")} == {*NAMES, *PICTURE_NAMES, *SPECTROGRAM_NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_what_the_catalogue_says(name: str):
    entry, model = catalogue()[name], checkpoints.load(name)
    assert (entry.kind, model.config.methods) == (model.config.kind, KINDS[entry.kind].task.network_fields(entry.method)["methods"])
    assert model.config.width == entry.width
    if entry.sigma_inv2 is not None:
        assert model.config.sigma**-2 == pytest.approx(entry.sigma_inv2)
    value = entry.metrics[task_of(model).headline.name]
    low, high = {"classifier": (0.5, 1.0), "recogniser": (0.0, 0.55), "codec": (0.0, 0.9), "audio-transformer": (0.5, 1.0)}[entry.kind]
    assert low <= value <= high


def test_answers_of_every_network_are_written_down():
    assert list(ANSWERS) == NAMES
    assert {tuple(answers) for answers in ANSWERS.values()} == {ANSWERED}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_answers_as_it_did(name: str):
    """Bundled clips that no network was trained on; `python -m checkpoints.ship take` wrote the answers down."""
    for clip, (label, probability) in ANSWERS[name].items():
        found = answer(name, clip)
        # A code that is as near as another may be the other one on another processor: some hundredths of a decibel.
        assert found == (label, pytest.approx(probability, abs=0.1 if catalogue()[name].kind == "codec" else 0.02)), clip


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.task == "digits"])
def test_bundled_digits_are_recognised(name: str):
    """Spoken by voices that the training did not have; one of the four may be missed."""
    assert sum(answer(name, clip)[0] == label for clip, label in DIGITS.items()) >= 3


def test_the_first_network_is_sure_of_the_first_sample():
    """What greets everyone: a word in five seconds, most of them silence."""
    assert answer(DEFAULT, next(iter(samples()))) == ("7", pytest.approx(1.0, abs=0.05))


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.task == "digits"])
def test_digits_stay_sure_in_silence(name: str):
    """Of the four words in five seconds they are at least 95 % sure in the mean, and they were calibrated to be."""
    sure = [probability for clip, label in DIGITS.items() for found, probability in [answer(name, clip)] if found == label]
    assert sum(sure) / len(sure) >= 0.95
    assert 0 < checkpoints.details(catalogue()[name].path)["details"]["calibration"]["temperature"] < 1


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.task == "digits-string"])
def test_a_number_is_read(name: str):
    """Said in one breath by a voice that was not trained on."""
    assert answer(name, "number")[0] == "three one nine four seven"


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.task == "phonemes"])
def test_a_sentence_is_read(name: str):
    """By a voice that was not trained on, nor any other synthetic one: every fifth phoneme may be wrong."""
    vocabulary = Vocabulary("phonemes", learned_tokens("phonemes", ()))
    said = vocabulary.counted(vocabulary.encode("there was no sound in the house but the clock"))
    (edits,) = compare([said], [answer(name, "clock")[0].split()])
    assert edits.errors <= 0.2 * edits.units


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.task == "codec"])
def test_a_codec_says_a_sentence_in_few_codes(name: str):
    """Nine bits for each code at most, as many codes as the strides say, and a mel nearer to the sentence than its own mean over time."""
    clip = audio.read(samples()["clock"].path)
    seen = trace(checkpoints.load(name), clip).prediction
    assert seen.values["codes a second"] == pytest.approx(22_050 / 256 / 8, rel=0.03)
    assert seen.values["bits a second"] == pytest.approx(9 * seen.values["codes a second"])
    assert seen.values["distinct codes"] > 10
    mel = seen.arrays["reconstruction"]
    original = audio.mel_of(clip, audio.PRESETS["vq-vae"]).numpy()
    assert abs(mel - original).mean() < 0.6 * abs(original - original.mean(axis=1, keepdims=True)).mean()


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.task == "commands"])
def test_the_bundled_command_is_recognised(name: str):
    assert answer(name, "left")[0] == "left"


# ------------------------------------------------------------------ networks of pictures


@pytest.mark.parametrize("name", PICTURE_NAMES)
def test_a_network_of_pictures_is_what_the_catalogue_says(name: str):
    """And what the results file says: the run that it is has the same accuracy there."""
    entry, network = picture_catalogue()[name], checkpoints.load_pictures(name)
    assert (entry.kind, entry.method, entry.width) == (network.config.kind, network.config.method, network.config.width)
    assert len(network.config.labels) == 10
    assert network.config.size == 32
    details = checkpoints.details(name)["details"]
    (run,) = [run for run in read_image_runs(checkpoints.FOLDER.parent / "results" / FILE) if run.run == details["run"]]
    assert entry.metrics["accuracy"] == pytest.approx(run.accuracy, abs=1e-6)
    assert 0.7 < run.accuracy < 1
    assert entry.clips == run.pictures
    assert run.note in entry.description
    assert f"{run.epochs} epochs" in entry.description


@pytest.mark.parametrize("name", PICTURE_NAMES)
def test_a_network_of_pictures_answers_as_it_did(name: str):
    """Bundled drawings; `python -m checkpoints.ship pictures` wrote the answers down."""
    answers = json.loads((Path(__file__).parent / "data" / "shipped_pictures.json").read_text(encoding="utf-8"))
    assert list(answers) == PICTURE_NAMES
    assert len(answers[name]) >= 8
    for drawing, (label, probability) in answers[name].items():
        assert picture_answer(name, drawing) == (label, pytest.approx(probability, abs=0.02)), drawing


# ------------------------------------------------------------------ networks of spectrograms


@pytest.mark.parametrize("name", SPECTROGRAM_NAMES)
def test_a_network_of_spectrograms_is_what_the_catalogue_says(name: str):
    """And what the results file says: the run that it is has the same accuracies there."""
    entry, network = picture_catalogue()[name], checkpoints.load_pictures(name)
    assert (entry.kind, entry.method, entry.width) == (network.config.kind, network.config.method, network.config.width)
    details = checkpoints.details(name)["details"]
    lines = [line for line in read_spectrogram_runs(checkpoints.FOLDER.parent / "results" / SPECTROGRAMS) if line.run == details["run"]]
    assert [line.task for line in lines] == [head.task for head in network.config.heads]
    assert entry.metrics["accuracy"] == pytest.approx(sum(line.accuracy for line in lines) / len(lines), abs=1e-4)
    assert entry.clips == sum(line.clips for line in lines)
    assert all(f"{100 * line.accuracy:.1f} % of {line.clips} {line.task}" in entry.description for line in lines)
    assert len(details["licence"]) == len(lines)


def test_one_network_does_four_tasks():
    network = checkpoints.load_pictures("spectrogram-diffstride")
    assert [head.task for head in network.config.heads] == ["digits", "commands", "emotion", "scenes"]
    strides = [stride for layer in network.layers for stride in layer.strides]
    assert max(abs(stride - 2) for stride in strides) > 0.1


@pytest.mark.parametrize("name", SPECTROGRAM_NAMES)
def test_a_network_of_spectrograms_answers_as_it_did(name: str):
    """Bundled clips; `python -m checkpoints.ship spectrograms` wrote the answers down."""
    answers = json.loads((Path(__file__).parent / "data" / "shipped_spectrograms.json").read_text(encoding="utf-8"))
    assert list(answers) == SPECTROGRAM_NAMES
    assert set(answers[name]) == set(ANSWERED)
    for clip, heads in answers[name].items():
        assert spectrogram_answers(name, clip) == [(label, pytest.approx(probability, abs=0.02)) for label, probability in heads], clip


def test_what_is_said_of_several_tasks_is_a_mean():
    """A share of all clips would be another number."""
    assert "On average over its tasks" in _described("spectrogram-diffstride", "sound")
    assert "test pictures are right" in _described("images-adastride", "pictures")
