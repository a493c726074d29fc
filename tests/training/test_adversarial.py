"""Adversarial training: its losses by hand, whose weights each of them moves, and that a run can be interrupted."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from accelerate import Accelerator
from made_up_codecs import clips, codec, mels, speech
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from adastride import checkpoints, cli
from adastride.clips import DataError
from adastride.models import Classifier, ClassifierConfig, Codec
from adastride.tasks import KINDS, Reconstructed, task_of
from adastride.training import adversarial, loop
from adastride.training.adversarial import (
    Adversary,
    Discriminator,
    Terms,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)
from adastride.training.grid import Options, execute, read_grid
from adastride.training.loop import Progress, finished_history, train
from adastride.training.settings import PRESETS, TrainingSettings

KIND = KINDS["codec"]
SETTINGS = replace(PRESETS["codec"], epochs=3, batch_size=4, learning_rate=5e-3, crop_seconds=0.5, as_is=1.0, adversarial=True)
GRID = """
[tasks.fooling]
kind = "KIND"
preset = "codec"
data = ["voice"]
settings = {epochs = 1, batch_size = 4, crop_seconds = 0.3, adversarial = true}

[[blocks]]
tasks = ["fooling"]
methods = ["adastride"]
seeds = [0]
width = 8
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root") / "voice"
    folder.mkdir()
    rows = [("path", "text", "split")]
    for number, clip in enumerate(clips(8)):
        soundfile.write(folder / f"{number}.wav", np.clip(clip.samples, -1, 1), 22_050)
        rows.append((f"{number}.wav", "a sound", "train" if number < 5 else "valid" if number < 7 else "test"))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder


def config(train_clips, valid_clips):
    return KIND.learn_config(train_clips, valid_clips, **KIND.options("adastride", width=8, codes=8))


learn = partial(train, config=config, settings=SETTINGS, sample_rate=22_050)


def discriminator(width: int = 8) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(80, width)


def adversary(**options: int) -> Adversary:
    torch.manual_seed(0)
    made = Adversary(80, 1e-2, **{"width": 8, **options})
    made.prepare(Accelerator(cpu=True))
    return made


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: t.clone() for name, t in module.state_dict().items()}


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


# --- the losses


LENGTHS = torch.tensor([2, 1])


def test_losses_by_hand():
    """Every example counts the same, whatever its length; what stands in the padding counts nothing."""
    original, reconstruction = torch.tensor([[1.0, 0.5], [0.0, 9.0]]), torch.tensor([[0.0, 1.0], [0.5, 9.0]])
    assert discriminator_loss(original, reconstruction, LENGTHS).item() == pytest.approx(((0 + 0.25) / 2 + 1.0 + (0 + 1) / 2 + 0.25) / 2)
    assert adversarial_loss(reconstruction, LENGTHS).item() == pytest.approx(((1 + 0) / 2 + 0.25) / 2)


def test_feature_matching_by_hand():
    """The sum over layers of mean absolute differences: each layer weighs the same, whatever its number of channels."""
    one = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 9.0], [6.0, 9.0]]])  # (batch 2, channels 2, time 2)
    other = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
    first, second = (1 + 2 + 3 + 4) / 4, (4 + 5) / 2
    expected = (first + second) / 2
    assert feature_matching_loss([one], [other], LENGTHS).item() == pytest.approx(expected)
    both = feature_matching_loss([one, one[:, :1]], [other, other[:, :1]], LENGTHS)
    assert both.item() == pytest.approx(expected + ((1 + 2) / 2 + 4) / 2)


def test_the_weights_of_equation_16(monkeypatch: pytest.MonkeyPatch):
    terms = Terms(torch.tensor(7.0), torch.tensor(2.0), torch.tensor(3.0))
    assert terms.loss.item() == 5.0
    monkeypatch.setattr(adversarial, "BETA", 10.0)
    monkeypatch.setattr(adversarial, "GAMMA", 100.0)
    assert terms.loss.item() == 320.0


def test_losses_are_zero_where_they_should_be():
    ones, zeros = torch.ones(2, 3), torch.zeros(2, 3)
    lengths = torch.tensor([3, 3])
    assert discriminator_loss(ones, zeros, lengths).item() == 0
    assert adversarial_loss(ones, lengths).item() == 0
    assert feature_matching_loss([ones[:, None]], [ones[:, None]], lengths).item() == 0


# --- the discriminator


def test_padding_changes_nothing():
    network, mel = discriminator().eval(), mels(2, 80, 60)
    mel[1, :, 40:] = 3.0  # rubbish in the padding of the second
    both, alone = network(mel, torch.tensor([60, 40])), network(mel[1:, :, :40], torch.tensor([40]))
    torch.testing.assert_close(both.scores[1:, :40], alone.scores)
    assert (both.scores[1, 40:] == 0).all()
    for ours, theirs in zip(both.features, alone.features, strict=True):
        torch.testing.assert_close(ours[1:, :, :40], theirs)
        assert (ours[1, :, 40:] == 0).all()


def test_every_layer_has_a_gain_of_one():
    """The largest singular value of its weight, as a matrix of outputs by inputs, stays about 1 while the weight learns."""
    made = adversary(width=16)
    for seed in range(20):
        made.step(Reconstructed(mels(2, 80, 30, seed=seed), mels(2, 80, 30, seed=seed + 50) - 2, torch.tensor([30, 30])))
    for layer in made.discriminator.layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.03)
        assert torch.linalg.matrix_norm(layer.parametrizations.weight.original.flatten(1), 2).item() != pytest.approx(1, abs=0.03)


def test_a_score_hears_21_frames():
    mel = mels(1, 80, 61).requires_grad_()
    discriminator().eval()(mel, torch.tensor([61])).scores[0, 30].backward()
    heard = mel.grad[0].abs().sum(dim=0).nonzero()[:, 0]
    assert (heard.min().item(), heard.max().item()) == (20, 40)


def test_it_learns_to_tell_a_blur():
    """Originals against their means over 8 frames."""
    made = adversary()
    mel, blurred = mels(8, 80, 64), mels(8, 80, 64).unflatten(2, (-1, 8)).mean(dim=3).repeat_interleave(8, dim=2)
    losses = [made.step(Reconstructed(mel, blurred, torch.full((8,), 64))).discriminator_loss.item() for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


# --- whose weights move


def test_a_step_of_the_discriminator_changes_nothing_else():
    """And what it adds to the network's loss has gradients for the reconstruction alone, none of the discriminator's own."""
    network, made = codec().train().requires_grad_(True), adversary()
    before, judge = weights(network), weights(made.discriminator)
    output = network(mels(2, 80, 40), torch.tensor([40, 30]))
    pair = task_of(network).reconstructed(output)
    learned = {name: t for name, t in before.items() if name in dict(network.named_parameters())}
    terms = made.step(pair)
    assert all(torch.equal(t, network.state_dict()[name]) for name, t in learned.items())
    assert all(p.grad is None for p in network.parameters()), "its own loss reaches no weight of the network"
    assert not same(judge, weights(made.discriminator))
    assert not terms.discriminator_loss.requires_grad

    judge, gradients = weights(made.discriminator), [p.grad.clone() for p in made.discriminator.parameters()]
    terms.loss.backward()
    assert sum(p.grad is not None and bool(p.grad.any()) for p in network.decoder.parameters()) > 10
    assert all(torch.equal(p.grad, was) for p, was in zip(made.discriminator.parameters(), gradients, strict=True))
    assert same(judge, weights(made.discriminator))
    assert all(p.requires_grad for p in made.discriminator.parameters())
    assert made.discriminator.training


def test_judging_a_reconstruction_leaves_spectral_norms_where_they_were(monkeypatch: pytest.MonkeyPatch):
    """Only the discriminator's own step goes on with its estimates; it would otherwise depend on how often it is asked."""
    made = adversary()
    monkeypatch.setattr(made, "_learn", lambda pair: torch.tensor(0.0))
    before = weights(made.discriminator)
    made.step(Reconstructed(mels(1, 80, 20), mels(1, 80, 20, seed=2), torch.tensor([20])))
    assert same(before, weights(made.discriminator))


def test_a_reconstruction_moves_towards_the_original(monkeypatch: pytest.MonkeyPatch):
    """By the gradients of equation 16 alone, before a discriminator that stands still."""
    made, mel, lengths = adversary(), mels(2, 80, 40), torch.tensor([40, 40])
    monkeypatch.setattr(made, "_learn", lambda pair: torch.tensor(0.0))
    guess = (mels(2, 80, 40, seed=5) - 1).requires_grad_()
    optimizer = torch.optim.Adam([guess], lr=0.1)
    steps = []
    for _ in range(60):
        steps.append(made.step(Reconstructed(mel, guess, lengths)))
        optimizer.zero_grad()
        steps[-1].loss.backward()
        optimizer.step()
    assert steps[-1].feature_matching_loss < 0.5 * steps[0].feature_matching_loss
    assert steps[-1].adversarial_loss < steps[0].adversarial_loss


# --- the loop


def test_a_few_steps_and_an_interruption_changes_nothing(data: Path, tmp_path: Path):
    """The discriminator, its optimiser and its spectral norms go on from where they were."""
    seen: list[Progress] = []
    whole = learn([data], tmp_path / "whole.safetensors", report=seen.append)
    assert isinstance(whole, Codec)
    history = seen[-1].history
    assert all(np.isfinite([row[name] for name in ("loss", *Terms._fields)]).all() for row in history)
    assert history[-1]["loss"] < history[0]["loss"], "which is equation 10 alone"
    assert history[-1]["discriminator_loss"] < history[0]["discriminator_loss"]

    def halt(progress: Progress) -> None:
        if progress.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn([data], tmp_path / "halted.safetensors", report=halt)
    kept = load_file(tmp_path / "halted.state")
    assert {name.split(".")[0] for name in kept} == {"model", "optimizer", "discriminator", "discriminator_optimizer"}
    torch.rand(7)
    again: list[Progress] = []
    learn([data], tmp_path / "halted.safetensors", report=again.append)
    untimed = [[{name: row[name] for name in ("loss", *Terms._fields)} for row in one[-1].history] for one in (seen, again)]
    assert untimed[0] == untimed[1]
    assert same(load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "halted.safetensors"))


def test_the_checkpoint_holds_the_codec_alone_and_training_without_it_is_another(data: Path, tmp_path: Path):
    learn([data], tmp_path / "with.safetensors", settings=replace(SETTINGS, epochs=1))
    learn([data], tmp_path / "without.safetensors", settings=replace(SETTINGS, epochs=1, adversarial=False))
    ours, theirs = load_file(tmp_path / "with.safetensors"), load_file(tmp_path / "without.safetensors")
    assert ours.keys() == theirs.keys()
    assert not same(ours, theirs)
    assert checkpoints.details(tmp_path / "with.safetensors")["details"]["training"]["adversarial"] is True
    assert "discriminator_loss" in finished_history(tmp_path / "with.safetensors")[0]
    assert not set(Terms._fields) & set(finished_history(tmp_path / "without.safetensors")[0])


def test_a_state_from_before_there_was_the_setting_can_be_gone_on_with(data: Path, tmp_path: Path):
    """It was of a run with the default; a run with another value is another run."""
    def halt(progress: Progress) -> None:
        raise KeyboardInterrupt

    plain, state = replace(SETTINGS, adversarial=False, epochs=2), tmp_path / "m.state"
    with pytest.raises(KeyboardInterrupt):
        learn([data], tmp_path / "m.safetensors", settings=plain, report=halt)
    with safe_open(state, framework="pt") as file:
        header = json.loads(file.metadata()["run"])
    del header["identity"]["settings"]["adversarial"]
    save_file(load_file(state), state, {"run": json.dumps(header)})
    with pytest.raises(DataError, match="other settings"):
        learn([data], tmp_path / "m.safetensors", settings=replace(plain, adversarial=True))
    seen: list[Progress] = []
    learn([data], tmp_path / "m.safetensors", settings=plain, report=seen.append)
    assert [progress.epoch for progress in seen] == [2]


def test_two_processes_train_together(data: Path, tmp_path: Path):
    out = tmp_path / "m.safetensors"
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "adastride", "train", "--data", str(data)]
    tiny = ["--width", "8", "--codes", "8", "--epochs", "2", "--batch-size", "3", "--device", "cpu"]
    command = [sys.executable, *together, "--task", "codec", "--adversarial", "--out", str(out), *tiny]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=Path(loop.__file__).parents[2], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(finished_history(out)) == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["m.safetensors"]


def test_the_grid_takes_the_setting(data: Path, tmp_path: Path):
    (tmp_path / "grid.toml").write_text(GRID.replace("KIND", "codec"), encoding="utf-8")
    (run,) = read_grid(tmp_path / "grid.toml", data.parent)
    (tmp_path / "runs").mkdir()
    row = execute(run, Options(tmp_path / "results.csv", tmp_path / "runs"), lambda _: None)
    assert float(row["metric:mel_error"]) > 0


# --- what can't be


def test_what_makes_no_reconstruction_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "grid.toml").write_text(GRID.replace("KIND", "classifier"), encoding="utf-8")
    with pytest.raises(DataError, match="task fooling is adversarial, but networks of kind classifier make nothing"):
        read_grid(tmp_path / "grid.toml", data.parent)
    network = Classifier(ClassifierConfig(("a", "b"), width=8))
    with pytest.raises(DataError, match="make nothing that could be taken for an original: train them without adversarial"):
        Adversary.beside(network, TrainingSettings(adversarial=True))
    with pytest.raises(DataError, match="networks for classification make nothing"):
        task_of(network).reconstructed(network(network.signal(speech())))
    command = ["train", "--data", str(data), "--out", str(tmp_path / "m.safetensors"), "--adversarial", "--device", "cpu"]
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert said == "--adversarial is for what reconstructs sound (codec), not for a classifier: leave it out.\n"


def test_the_command_line_trains_adversarially(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "m.safetensors"
    tiny = ["--width", "4", "--codes", "4", "--epochs", "1", "--device", "cpu"]
    command = ["train", "--data", str(data), "--out", str(out), "--task", "codec", "--adversarial", *tiny]
    assert cli.main(command) == 0, capsys.readouterr().err
    assert checkpoints.details(out)["details"]["training"]["adversarial"] is True
