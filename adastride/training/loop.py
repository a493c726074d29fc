"""Trains the classifier on a labelled folder; can be stopped at any time and goes on where it was.

Every clip is placed at a random time in a window of quiet noise, so that there is silence for the strides to squeeze
(and some clips are shown as they are). All randomness of an epoch comes from (seed, epoch): a run that was
interrupted gives the numbers of one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from adastride import audio, checkpoints
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.training.data import Clip, DataError, change_speed, licence_line, load_split, place_in_silence, stack_mels
from adastride.training.evaluate import accuracy


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. window_seconds: shortest and longest window a clip is placed in. as_is: share of batches whose
    clips are shown without added silence. snr_db: range of the noise floor below the clip, in decibels. score_factor: the
    scores that place frames start at zero and learn this many times as fast as the rest."""

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    position_loss_weight: float = 1.0
    score_factor: float = 4.0
    window_seconds: tuple[float, float] = (1.0, 4.5)
    as_is: float = 0.25
    snr_db: tuple[float, float] = (15.0, 50.0)
    seed: int = 0


@dataclass
class Progress:
    """What is reported after an epoch."""

    epoch: int
    epochs: int
    loss: float
    position_loss: float
    valid_accuracy: float
    seconds: float
    history: list[dict] = field(default_factory=list)


def train(
    data: Sequence[str | Path], out: str | Path, config: Callable[[tuple[str, ...]], ClassifierConfig],
    settings: TrainingSettings, device: str = "cpu", report: Callable[[Progress], None] = lambda _: None,
) -> Classifier:
    """Trains on the folders' train splits and writes the checkpoint `out` with the best accuracy on their valid splits.

    config makes the network's configuration from the labels. The state of an unfinished run lies beside `out` with the
    suffix .state; calling again with the same settings goes on from its last whole epoch. Raises DataError for data
    that can't be trained on, or a state that belongs to other settings.
    """
    out = Path(out)
    train_clips = [clip for folder in data for clip in load_split(folder, "train")]
    valid_clips = [clip for folder in data for clip in load_split(folder, "valid")]
    labels = tuple(sorted({clip.label for clip in train_clips}))
    if len(labels) < 2:
        raise DataError(f"all training clips have the label {labels[0]!r}: at least two classes are needed.")
    unknown = sorted({clip.label for clip in valid_clips} - set(labels))
    if unknown:
        raise DataError(f"the valid split has the label {unknown[0]!r}, which no training clip has.")

    licences = [line for line in map(licence_line, data) if line]
    torch.manual_seed(settings.seed)
    model = Classifier(config(labels)).to(device)
    scores = [p for n, p in model.named_parameters() if ".score." in n]
    matrices = [p for n, p in model.named_parameters() if p.dim() > 1 and ".score." not in n]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay, "factor": 1.0},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0, "factor": 1.0},
        {"params": scores, "weight_decay": 0.0, "factor": settings.score_factor},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    state = _State(out.with_suffix(".state"), {"config": model.config.to_dict(), "settings": asdict(settings), "data": [Path(d).name for d in data]})
    epoch, history = state.load(model, optimizer)
    steps = math.ceil(len(train_clips) / settings.batch_size)
    while epoch < settings.epochs:
        began, losses, position_losses = time.perf_counter(), [], []
        model.train()
        for step, (mel, lengths, targets) in enumerate(_batches(train_clips, labels, model.config.mel, settings, epoch)):
            for group in optimizer.param_groups:
                group["lr"] = group["factor"] * settings.learning_rate * _schedule((epoch * steps + step) / (settings.epochs * steps))
            output = model(mel.to(device), lengths.to(device))
            loss = F.cross_entropy(output.logits, targets.to(device), label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            (loss + settings.position_loss_weight * output.position_loss).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            position_losses.append(float(output.position_loss.detach()))
        valid = accuracy(model.eval(), valid_clips, placed_seconds=2.0, seed=settings.seed)
        history.append({"epoch": epoch, "loss": float(np.mean(losses)), "position_loss": float(np.mean(position_losses)),
                        "valid_accuracy": valid, "seconds": time.perf_counter() - began})
        epoch += 1
        if valid >= max(entry["valid_accuracy"] for entry in history):
            checkpoints.save_checkpoint(model, out, {
                "data": [Path(d).name for d in data], "licence": licences,
                "training": asdict(settings), "metrics": {"epoch": epoch, "valid_accuracy_in_silence": valid},
                "versions": {"torch": torch.__version__, "torchaudio": torchaudio.__version__},
            })
        state.save(model, optimizer, epoch, history)
        report(Progress(epoch, settings.epochs, history[-1]["loss"], history[-1]["position_loss"], valid, history[-1]["seconds"], history))
    state.path.unlink(missing_ok=True)
    return checkpoints.load(out, device)


def _schedule(done: float) -> float:
    """Factor on the learning rate: a short warm-up, then a cosine down to 1 %."""
    warm = 0.05
    return done / warm if done < warm else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))


def _batches(
    clips: list[Clip], labels: tuple[str, ...], preset: audio.MelPreset, settings: TrainingSettings, epoch: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Shuffled, augmented batches of one epoch: (log-mel (B, n_mels, T), lengths (B,), targets (B,))."""
    generator = np.random.default_rng((settings.seed, epoch))
    order = generator.permutation(len(clips))
    mask = torchaudio.transforms.FrequencyMasking(12)
    for begin in range(0, len(order), settings.batch_size):
        chosen = [clips[i] for i in order[begin : begin + settings.batch_size]]
        alone = generator.random() < settings.as_is
        window = int(generator.uniform(*settings.window_seconds) * preset.sample_rate)
        sounds = []
        for clip in chosen:
            samples = change_speed(clip.samples, generator.uniform(0.85, 1.18)) * np.float32(10 ** generator.uniform(-1.0, 0.3))
            length = samples.size if alone else window
            start = 0 if alone else int(generator.integers(0, max(1, window - samples.size)))
            sounds.append(place_in_silence(samples, length, start, generator.uniform(*settings.snr_db), generator))
        mel, lengths = stack_mels(sounds, preset)
        torch.manual_seed(int(generator.integers(2**31)))
        # A random spectral tilt stands for other microphones and rooms.
        tilt = torch.linspace(-1, 1, preset.n_mels)[:, None] * torch.empty(len(chosen), 1, 1).uniform_(-1.2, 1.2)
        yield mask(mel + tilt), lengths, torch.tensor([labels.index(clip.label) for clip in chosen])


class _State:
    """The unfinished run: model, optimiser and history in one safetensors file."""

    def __init__(self, path: Path, identity: dict):
        self.path, self.identity = path, json.loads(json.dumps(identity))

    def save(self, model: Classifier, optimizer: torch.optim.Optimizer, epoch: int, history: list[dict]) -> None:
        tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
        for index, slot in optimizer.state_dict()["state"].items():
            tensors.update({f"optimizer.{index}.{name}": t for name, t in slot.items()})
        tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        header = json.dumps({"identity": self.identity, "epoch": epoch, "history": history})
        checkpoints.write_atomically(self.path, save(tensors, {"run": header}))

    def load(self, model: Classifier, optimizer: torch.optim.Optimizer) -> tuple[int, list[dict]]:
        if not self.path.exists():
            return 0, []
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads(file.metadata()["run"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError):
            raise DataError(f"{self.path} is no state of an unfinished run: delete it to start again.") from None
        if header["identity"] != self.identity:
            raise DataError(f"{self.path} belongs to a run with other settings: delete it to start again, or give another --out.")
        model.load_state_dict({name[6:]: t for name, t in tensors.items() if name.startswith("model.")})
        slots: dict[int, dict] = {}
        for name, t in tensors.items():
            if name.startswith("optimizer."):
                _, index, slot = name.split(".", 2)
                slots.setdefault(int(index), {})[slot] = t
        optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
        return header["epoch"], header["history"]
