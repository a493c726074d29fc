"""Networks of pictures: they learn, go on where they were stopped, are measured, and stand in a grid's two files."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adastride import checkpoints
from adastride.cli import main
from adastride.clips import DataError
from adastride.image_runs import (
    EPOCHS_FILE,
    FILE,
    ImageRunLine,
    image_runs_text,
    read_image_epochs,
    read_image_runs,
    strides_of,
)
from adastride.models.images import ImageClassifier, ImageConfig
from adastride.training.image_datasets import ImageData, LabelledImages, read_images
from adastride.training.image_grid import read_image_grid
from adastride.training.images import ImageTraining, evaluate_images, image_batches, train_images
from adastride.training.picture_loop import finished_history

CLASSES = ("lying", "standing")
SETTINGS = ImageTraining(epochs=3, batch_size=16, learning_rate=0.05, crop=1)
NETWORK = ImageConfig(CLASSES, method="avg-pool", width=4, blocks=1, size=16)
GRID = """
pictures = true
[tasks.bars]
data = "bars"
note = "drawn"
[[blocks]]
tasks = ["bars"]
methods = ["diffstride", "adastride"]
cost_weights = [0.0, 1.0]
strides = [[[2, 2], [2, 2], [2, 2]], [[3, 1], [1, 1], [2, 2]]]
seeds = [0]
width = 4
blocks = 1
settings = {epochs = 1, batch_size = 16}
"""


def bars(count: int, seed: int) -> LabelledImages:
    """Pictures of bars, which lie or stand, in noise."""
    generator = np.random.default_rng(seed)
    images, labels = generator.integers(0, 60, (count, 3, 16, 16)).astype(np.uint8), np.arange(count) % 2
    for picture, label, place in zip(images, labels, generator.integers(2, 13, count), strict=True):
        if label:
            picture[:, :, place : place + 2] = 230
        else:
            picture[:, place : place + 2] = 230
    return LabelledImages(images, labels.astype(np.int64))


@pytest.fixture(autouse=True)
def nothing_else_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a grid run the main module again, which a test of a page may have left behind."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


@pytest.fixture(scope="module")
def data() -> ImageData:
    return ImageData("bars", CLASSES, {"train": bars(160, 0), "valid": bars(40, 1), "test": bars(40, 2)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: ImageData) -> Path:
    """A folder of data sets with the bars as PNG files in it."""
    root = tmp_path_factory.mktemp("data")
    for split, pictures in data.splits.items():
        for number, (picture, label) in enumerate(zip(pictures.images[:32], pictures.labels, strict=False)):
            path = root / "bars" / split / CLASSES[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.transpose(1, 2, 0)).save(path)
    (root / "grid.toml").write_text(GRID, encoding="utf-8")
    return root


def test_it_learns(data: ImageData, tmp_path: Path):
    seen = []
    network = train_images(data, tmp_path / "bars.safetensors", NETWORK, SETTINGS, report=seen.append)
    assert [progress.epoch for progress in seen] == [1, 2, 3]
    assert seen[-1].loss < seen[0].loss
    result = evaluate_images(network, data.splits["test"])
    assert result.accuracy > 0.9
    assert result.confusion.sum() == result.pictures == 40
    assert not (tmp_path / "bars.state").exists()
    header = checkpoints.details(tmp_path / "bars.safetensors")
    assert header["kind"] == "images"
    assert header["details"]["metrics"]["valid_accuracy"] > 0.9
    with pytest.raises(checkpoints.CheckpointError, match="sees pictures and hears nothing"):
        checkpoints.load(tmp_path / "bars.safetensors")
    with pytest.raises(checkpoints.CheckpointError, match="hears sound and sees no pictures"):
        checkpoints.load_pictures("digits-adastride")


def test_who_is_interrupted_gets_the_same_numbers(data: ImageData, tmp_path: Path):
    def stop(progress):
        raise KeyboardInterrupt

    config = replace(NETWORK, method="diffstride")
    whole = train_images(data, tmp_path / "whole.safetensors", config, SETTINGS)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train_images(data, tmp_path / "parts.safetensors", config, SETTINGS, report=stop)
        assert finished_history(tmp_path / "parts.safetensors") is None
    parts = train_images(data, tmp_path / "parts.safetensors", config, SETTINGS)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], tensor, rtol=0, atol=0, msg=name)
    first, *others = finished_history(tmp_path / "parts.safetensors")
    assert first == {"epoch": 0, "strides": [[2.0, 2.0]] * 3, "cost": 0.328125}
    assert [row["epoch"] for row in others] == [1, 2, 3]
    assert others[-1]["strides"] != first["strides"]
    with pytest.raises(DataError, match="has the classes lying, standing"):
        train_images(data, tmp_path / "other.safetensors", replace(config, labels=("a", "b")), SETTINGS)


def test_a_state_of_other_settings_is_refused(data: ImageData, tmp_path: Path):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_images(data, tmp_path / "bars.safetensors", NETWORK, SETTINGS, report=stop)
    with pytest.raises(DataError, match="belongs to a run with other settings"):
        train_images(data, tmp_path / "bars.safetensors", NETWORK, replace(SETTINGS, seed=1))


def test_the_cost_makes_strides_larger(data: ImageData, tmp_path: Path):
    """Equation 6: what is learned with a weight on the cost costs less."""
    config = replace(NETWORK, method="diffstride", strides=((1.2, 1.2),) * 3)
    costs = [
        float(train_images(data, tmp_path / f"{weight}.safetensors", config, replace(SETTINGS, cost_weight=weight)).cost()) for weight in (0.0, 5.0)
    ]
    assert costs[1] < 0.5 * costs[0]


def test_batches_are_moved_and_mirrored_and_come_again(data: ImageData):
    settings = ImageTraining(batch_size=16, crop=2)
    batches, again = list(image_batches(data.splits["train"], settings, 3)), list(image_batches(data.splits["train"], settings, 3))
    assert len(batches) == 10
    assert all(pictures.shape == (16, 3, 16, 16) for pictures, _ in batches)
    for (pictures, labels), (same, same_labels) in zip(batches, again, strict=True):
        assert torch.equal(pictures, same)
        assert torch.equal(labels, same_labels)
    assert sorted(torch.cat([labels for _, labels in batches]).tolist()) == sorted(data.splits["train"].labels.tolist())
    assert not torch.equal(batches[0][0], next(image_batches(data.splits["train"], settings, 4))[0])
    still = next(image_batches(data.splits["train"], replace(settings, crop=0, flip=False), 3))
    assert all((picture == torch.from_numpy(data.splits["train"].images)).flatten(1).all(dim=1).any() for picture in still[0])


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0.0}, {"cost_weight": -1.0}, {"crop": -1}])
def test_settings_out_of_range(wrong: dict):
    with pytest.raises(ValueError, match=r"must be|needs"):
        ImageTraining(**wrong)


# ------------------------------------------------------------------ the grid


def test_a_grid_runs_once(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    command = ["grid", str(folder / "grid.toml"), "--data-root", str(folder), "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / FILE)]
    assert main([*command, "--device", "cpu", "--only", "bars/diffstride"]) == 0
    runs, epochs = read_image_runs(tmp_path / FILE), read_image_epochs(tmp_path / EPOCHS_FILE)
    assert [run.run for run in runs] == [
        "bars-diffstride-e1-s0", "bars-diffstride-lambda1-e1-s0", "bars-diffstride-3x1-1x1-2x2-e1-s0", "bars-diffstride-3x1-1x1-2x2-lambda1-e1-s0",
    ]
    assert {run.note for run in runs} == {"drawn"}
    assert all(run.pictures == 32 and len(strides_of(run.strides)) == 3 for run in runs)
    assert [(line.run, line.epoch) for line in epochs] == [(run.run, epoch) for run in runs for epoch in (0, 1)]
    assert epochs[0].strides == "2x2 2x2 2x2"
    assert epochs[1].strides == runs[0].strides
    assert np.isnan(epochs[0].loss)
    network = checkpoints.load_pictures(tmp_path / "runs" / "bars-diffstride-e1-s0.safetensors")
    assert evaluate_images(network, read_images(folder / "bars").splits["test"]).accuracy == runs[0].accuracy
    before = (tmp_path / FILE).read_bytes()
    assert main([*command, "--device", "cpu", "--only", "bars/diffstride"]) == 0
    assert (tmp_path / FILE).read_bytes() == before
    assert "4 of them finished before" in capfd.readouterr().out


def test_what_a_grid_has(folder: Path):
    runs = read_image_grid(folder / "grid.toml", folder)
    assert [run.id for run in runs if run.method == "adastride"] == ["bars-adastride-sigma5-e1-s0", "bars-adastride-sigma5-3x1-1x1-2x2-e1-s0"]
    assert runs[1].settings.cost_weight == 1.0
    assert runs[1].note == "drawn"


@pytest.mark.parametrize(("old", "new", "said"), [
    ('methods = ["diffstride", "adastride"]', 'methods = ["nothing"]', "nothing"), ("width = 4\nblocks", "blocks", "width"),
    ("epochs = 1", "epoch = 1", "epoch"), ("epochs = 1", "epochs = 0", "epoch"), ("[[3, 1], [1, 1], [2, 2]]", "[[3, 1], [1, 1]]", "stride"),
    ('tasks = ["bars"]', 'tasks = ["other"]', "other"), ("pictures = true", "pictures = true\nwrong", "TOML"),
])
def test_a_wrong_grid_is_one_sentence(folder: Path, tmp_path: Path, old: str, new: str, said: str):
    assert old in GRID
    (tmp_path / "wrong.toml").write_text(GRID.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read_image_grid(tmp_path / "wrong.toml", folder)
    assert "wrong.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_projects_grid():
    runs = read_image_grid(Path(__file__).parents[2] / "results" / "images.toml", "data")
    assert len({run.id for run in runs}) == len(runs)
    assert {run.method for run in runs} >= {"strided-conv", "adastride", "spectral-pool", "diffstride", "dct-diffstride", "avg-pool", "blur-pool"}
    assert all("JPEG" in run.note for run in runs)


# ------------------------------------------------------------------ the files and the command line


def line(**changes) -> ImageRunLine:
    values = {
        "run": "a", "data": "bars", "method": "diffstride", "sigma_inv2": 0.0, "start": "2x2 2x2 2x2", "cost_weight": 0.0, "seed": 0, "width": 4,
        "blocks": 1, "epochs": 1, "best_epoch": 1, "pictures": 40, "accuracy": 0.5, "loss": 0.7, "valid_accuracy": 0.5, "strides": "2x2 1.5x2 2x2",
        "cost": 0.3, "parameters": 100, "seconds_per_epoch": 1.0, "peak_memory_mb": 1.0, "inference_ms": 1.0, "device": "CPU", "threads": 1,
        "torch": "2", "version": "1", "git": "", "finished": "", "note": "=1+1",
    }
    return ImageRunLine(**{**values, **changes})


@pytest.mark.parametrize("wrong", [{"accuracy": 1.5}, {"strides": "2x2"}, {"strides": "0x2 2x2 2x2"}, {"start": "", "strides": ""}, {"pictures": 0}])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, wrong: dict):
    (tmp_path / FILE).write_text(image_runs_text([line()]), encoding="utf-8")
    assert read_image_runs(tmp_path / FILE) == [line()]
    (tmp_path / FILE).write_text(image_runs_text([line(**wrong)]), encoding="utf-8")
    with pytest.raises(ValueError, match="move it away and run python -m adastride grid"):
        read_image_runs(tmp_path / FILE)


@pytest.mark.parametrize("text", ["", "2", "2x", "2x2x2", "axb", "0.5x2", "nanx2", "1e9x1"])
def test_what_is_no_list_of_strides(text: str):
    with pytest.raises(ValueError, match="is no list of strides"):
        strides_of(text)


def test_train_and_evaluate_at_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "mine.safetensors"
    command = ["train", "--task", "images", "--data", str(folder / "bars"), "--method", "spectral-pool", "--strides", "2x1,1.5x2,2x2", "--width", "4",
               "--epochs", "1", "--batch-size", "8", "--device", "cpu", "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "32 training pictures of 16 × 16 pixels, 2 classes" in said
    assert "strides 2x1 1.5x2 2x2" in said
    assert checkpoints.load_pictures(out).config.size == 16
    assert main(["evaluate", str(out), "--data", str(folder / "bars"), "--device", "cpu", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["pictures"] == 32
    assert measured["strides"] == [[2, 1], [1.5, 2], [2, 2]]
    assert np.sum(measured["confusion"]) == 32
    assert main(["evaluate", str(out), "--data", str(folder / "bars"), "--device", "cpu", "--split", "valid"]) == 0
    assert "rows: true, columns: predicted" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "said"), [
    (["--task", "images", "--preset", "digits"], "--preset is for networks of sound"), (["--task", "images", "--strides", "2,3"], "no list of strides"),
    (["--task", "images", "--strides", "2x2"], "each of 3 layers"), (["--task", "images", "--method", "nothing"], "unknown method"),
    (["--size", "16"], "--size is for networks of pictures"), (["--task", "images", "--data", "other"], "give --data once"),
    (["--task", "images", "--hold-out", "a"], "--hold-out is for networks of sound"),
])
def test_options_that_do_not_go_together(folder: Path, tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--data", str(folder / "bars"), *options, "--device", "cpu", "--out", str(tmp_path / "a.safetensors")]) == 2
    assert said in capsys.readouterr().err


def test_evaluate_refuses_other_pictures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    checkpoints.save_checkpoint(ImageClassifier(replace(NETWORK, labels=("a", "b"))), tmp_path / "other.safetensors", {})
    refused = {"has no split 'nothing'": ["--split", "nothing"], "has other classes than other tells apart": [], "for networks of sound": ["--seconds", "1"]}
    for said, options in refused.items():
        assert main(["evaluate", str(tmp_path / "other.safetensors"), "--data", str(folder / "bars"), "--device", "cpu", *options]) == 2
        assert said in capsys.readouterr().err
