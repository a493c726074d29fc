"""Trains the classifier on labelled folders; can be stopped at any time and goes on where it was.

Hugging Face Accelerate runs the loop: the same few calls do on a CPU, one GPU, several GPUs and several machines, and
the loop stays an ordinary PyTorch loop. With several processes (`accelerate launch -m adastride train ...`) each takes its
share of every batch and of the valid split, gradients are averaged, and only the first one writes. Accelerate's own
checkpoints are pickles, so the state of an unfinished run is saved here, as safetensors.

All randomness of an epoch comes from (seed, epoch, place in it): a run that was interrupted gives the numbers of one
that was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
import torchaudio
from accelerate import Accelerator
from accelerate.utils import set_seed
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from adastride import checkpoints
from adastride.clips import Clip, DataError
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.training.augment import batches
from adastride.training.data import licence_line
from adastride.training.datasets import Source, as_source
from adastride.training.evaluate import Prepared, placed
from adastride.training.measure import PeakMemory, stopwatch
from adastride.training.settings import TrainingSettings

PLACED_SECONDS = 2.0
SAMPLE_RATE = 16_000
Settings = TrainingSettings | Callable[[Sequence[Clip], int], TrainingSettings]


@dataclass
class Progress:
    """What is reported after an epoch. loss: mean cross-entropy of its training batches. valid_accuracy: of the clips as
    they are; valid_accuracy_in_silence: placed in silence, None where training never does that. seconds: of training,
    without validation, by `measure.stopwatch`. history: a row like this for every epoch so far. best_epoch: the one whose weights are kept."""

    epoch: int
    epochs: int
    loss: float
    position_loss: float
    valid_accuracy: float
    valid_accuracy_in_silence: float | None
    seconds: float
    best_epoch: int
    history: list[dict] = field(default_factory=list)


def train(
    data: Sequence[str | Path | Source], out: str | Path, config: Callable[[tuple[str, ...]], ClassifierConfig],
    settings: Settings, device: str = "cpu", report: Callable[[Progress], None] = lambda _: None, cache: Path | None = None,
) -> Classifier:
    """Trains on the folders' train splits and writes the checkpoint `out` with the best accuracy on their valid splits.

    config makes the network's configuration from the labels; settings may be made from the training clips and their
    rate in Hz. The best epoch
    is the one with the highest accuracy, as they are and in silence taken together, and of those the one with the lowest loss.
    device: "cpu", or anything else for the accelerator there is. cache: see `Source.clips`.

    The state of an unfinished run lies beside `out` with the suffix .state; calling again with the same settings goes on
    from its last whole epoch. Raises DataError for data that can't be trained on, a state that belongs to other settings,
    or a run whose loss is no longer a number.
    """
    out, sources = Path(out), [as_source(each) for each in data]
    accelerator = Accelerator(cpu=device == "cpu")
    train_clips, valid_clips, labels = _load(sources, cache)
    settings = settings(train_clips, SAMPLE_RATE) if callable(settings) else settings

    set_seed(settings.seed)
    model = Classifier(config(labels))
    optimizer = torch.optim.AdamW(_parameter_groups(model, settings), lr=settings.learning_rate)
    names = [source.name for source in sources]
    state = _State(out.with_suffix(".state"), {"config": model.config.to_dict(), "settings": asdict(settings), "data": names})
    epoch, history = state.load(model, optimizer)
    network, optimizer = accelerator.prepare(model.to(accelerator.device), optimizer)
    valid = _validation(valid_clips, labels, model, settings, accelerator)
    steps = math.ceil(len(train_clips) / settings.batch_size)
    best = _best(history)
    memory = PeakMemory(accelerator.device)
    while epoch < settings.epochs and epoch - best < settings.patience:
        began, losses, position_losses = stopwatch(accelerator.device), [], []
        network.train()
        share = accelerator.process_index, accelerator.num_processes
        for step, batch in enumerate(batches(train_clips, labels, model.config.mel, settings, epoch, *share)):
            mel, lengths, targets = (each.to(accelerator.device, non_blocking=True) for each in batch)
            for group in optimizer.param_groups:
                group["lr"] = group["factor"] * settings.learning_rate * _schedule((epoch * steps + step) / (settings.epochs * steps))
            output = network(mel, lengths)
            loss = F.cross_entropy(output.head, targets, label_smoothing=settings.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            accelerator.backward(loss + settings.position_loss_weight * output.position_loss)
            accelerator.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.detach())
            position_losses.append(output.position_loss.detach())
        means = accelerator.reduce(torch.stack([torch.stack(losses).mean(), torch.stack(position_losses).mean()]), "mean").tolist()
        seconds, peak = stopwatch(accelerator.device) - began, memory.megabytes()
        if not math.isfinite(sum(means)):
            raise DataError(f"training of {out.name} diverged in epoch {epoch + 1}, its loss is no longer a number: give a lower learning rate.")
        scores = _validate(valid, model.eval(), accelerator)
        history.append({"epoch": epoch + 1, "loss": means[0], "position_loss": means[1], **scores, "seconds": seconds, "peak_memory_mb": peak})
        epoch, best = epoch + 1, _best(history)
        if accelerator.is_main_process:
            if best == epoch:
                _save(model, out, sources, settings, history)
            state.save(model, optimizer, epoch, history)
        row = history[-1]
        report(Progress(
            epoch, settings.epochs, *means, row["valid_accuracy"], row["valid_accuracy_in_silence"], seconds, best, history,
        ))
    if accelerator.is_main_process and state.path.exists():
        checkpoints.save_checkpoint(checkpoints.load(out), out, {**checkpoints.details(out)["details"], "history": history})
        state.path.unlink()
    accelerator.wait_for_everyone()
    return checkpoints.load(out, accelerator.device)


def _load(sources: Sequence[Source], cache: Path | None) -> tuple[list[Clip], list[Clip], tuple[str, ...]]:
    """Training clips, valid clips and their labels."""
    train_clips = [clip for source in sources for clip in source.clips("train", cache=cache)]
    valid_clips = [clip for source in sources for clip in source.clips("valid", cache=cache)]
    labels = tuple(sorted({clip.label for clip in train_clips}))
    where = ", ".join(str(source.folder) for source in sources)
    if len(labels) < 2:
        raise DataError(f"all training clips have the label {labels[0]!r} in {where}: at least two classes are needed.")
    unknown = next((clip for clip in valid_clips if clip.label not in labels), None)
    if unknown:
        raise DataError(f"the valid split has the label {unknown.label!r} ({unknown.path} in {where}), which no training clip has.")
    return train_clips, valid_clips, labels


def _parameter_groups(model: Classifier, settings: TrainingSettings) -> list[dict]:
    """Weights decay, biases and strides do not; what places frames learns faster: it starts at zero and has far to go."""
    faster = [p for n, p in model.named_parameters() if ".score." in n or n.endswith("log_sigma")]
    others = [p for n, p in model.named_parameters() if not (".score." in n or n.endswith("log_sigma"))]
    return [
        {"params": [p for p in others if p.dim() > 1], "weight_decay": settings.weight_decay, "factor": 1.0},
        {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0, "factor": 1.0},
        {"params": faster, "weight_decay": 0.0, "factor": settings.score_factor},
    ]


def _schedule(done: float) -> float:
    """Factor on the learning rate: a short warm-up, then a cosine down to 1 %."""
    warm = 0.05
    return done / warm if done < warm else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))


def _validation(clips: list[Clip], labels: tuple[str, ...], model: Classifier, settings: TrainingSettings, accelerator: Accelerator) -> list[Prepared]:
    """This process's share of the valid split: the clips as they are and, if training places clips in silence, placed."""
    preset = model.config.mel
    versions = [[clip.samples for clip in clips]]
    if settings.as_is < 1:
        versions.append(placed(clips, preset, PLACED_SECONDS, seed=settings.seed)[0])
    mine = range(accelerator.process_index, len(clips), accelerator.num_processes)
    targets = [labels.index(clips[i].label) for i in mine]
    return [Prepared.of([sounds[i] for i in mine], targets, preset, accelerator.device) for sounds in versions]


def _validate(valid: list[Prepared], model: Classifier, accelerator: Accelerator) -> dict[str, float | None]:
    sums = torch.tensor([each.score(model) for each in valid], dtype=torch.float32, device=accelerator.device)
    right, loss, count = accelerator.reduce(sums, "sum").T.tolist()
    shares = [a / b for a, b in zip(right, count, strict=True)]
    return {
        "valid_accuracy": shares[0], "valid_accuracy_in_silence": shares[1] if len(shares) > 1 else None, "valid_loss": sum(loss) / sum(count),
    }


def _best(history: Sequence[dict]) -> int:
    """The number of the best epoch so far, the later one of equals; 0 where there is none."""

    def merit(row: dict) -> tuple[float, float, int]:
        silence = row["valid_accuracy_in_silence"]
        return row["valid_accuracy"] + (row["valid_accuracy"] if silence is None else silence), -row["valid_loss"], row["epoch"]

    return max(history, key=merit)["epoch"] if history else 0


def _save(model: Classifier, out: Path, sources: Sequence[Source], settings: TrainingSettings, history: Sequence[dict]) -> None:
    metrics = {name: history[-1][name] for name in ("epoch", "valid_accuracy", "valid_accuracy_in_silence", "valid_loss")}
    checkpoints.save_checkpoint(model, out, {
        "data": [source.name for source in sources], "licence": [line for source in sources if (line := licence_line(source.folder))],
        "training": asdict(settings), "metrics": metrics,
        "versions": {"torch": torch.__version__, "torchaudio": torchaudio.__version__},
    })


def finished_history(out: str | Path) -> list[dict] | None:
    """The epochs of a run that was trained to its end, as in `Progress.history`; None where `out` is not from one."""
    out = Path(out)
    if not out.is_file() or out.with_suffix(".state").exists():
        return None
    return checkpoints.details(out).get("details", {}).get("history")


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
