"""Trains a network of any kind on folders of clips. Training can be stopped at any time and goes on where it was.

Hugging Face Accelerate runs the loop: the same few calls work on a CPU, one GPU, several GPUs and several machines, and
the loop stays an ordinary PyTorch loop. With several processes (`accelerate launch -m adastride train ...`) each takes its
share of every batch and of the valid split, gradients are averaged, and only the first one writes. Accelerate's own
checkpoints are pickles, so the state of an unfinished run is saved here, as safetensors.

All randomness of an epoch comes from (seed, epoch, place in it), the network's own (dropout, say) included: a run that was
interrupted gives the numbers of one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torchaudio
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from adastride import checkpoints, tasks
from adastride.clips import Clip, DataError
from adastride.device import device_name
from adastride.models.network import Network, NetworkConfig
from adastride.tasks import Metric, Task, task_of
from adastride.training.adversarial import Adversary
from adastride.training.augment import batches, step_seed
from adastride.training.data import licence_line
from adastride.training.datasets import Source, as_source, share_of
from adastride.training.evaluate import Prepared, placed
from adastride.training.measure import PeakMemory, stopwatch
from adastride.training.optimising import parameter_groups, rise_and_fall
from adastride.training.run_state import RunState
from adastride.training.settings import TrainingSettings

PLACED_SECONDS = 2.0
_WARM_UP, _LOWEST = 0.05, 0.01  # of all steps; of the learning rate
Settings = TrainingSettings | Callable[[Sequence[Clip], int], TrainingSettings]
# A network's configuration, made of the training and the valid clips: see `tasks.Kind.learn_config`.
Configure = Callable[[Sequence[Clip], Sequence[Clip]], NetworkConfig]


@dataclass
class Progress:
    """What is reported after an epoch.

    loss, position_loss: means over the epoch's training batches, without what a discriminator adds. metric: the task's headline metric.
    valid: its value for the valid clips as they are; valid_in_silence: for these clips placed in silence, None where training never does
    that. seconds: of training, without validation, by `measure.stopwatch`. best_epoch: the epoch whose weights are kept. history: a row for
    every epoch so far, with the keys epoch, loss, position_loss, seconds, peak_memory_mb, those of `valid_names` and, where training is
    adversarial, those of `adversarial.Terms`.
    """

    epoch: int
    epochs: int
    loss: float
    position_loss: float
    metric: Metric
    valid: float
    valid_in_silence: float | None
    seconds: float
    best_epoch: int
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The headline metric as a person reads it: "97.2 % (95.0 % in silence)"."""
        silence = "" if self.valid_in_silence is None else f" ({self.metric.text(self.valid_in_silence)} in silence)"
        return f"{self.metric.text(self.valid)}{silence}"


def train(
    data: Sequence[str | Path | Source], out: str | Path, config: Configure, settings: Settings, device: str = "cpu",
    report: Callable[[Progress], None] = lambda _: None, cache: Path | None = None, sample_rate: int = 16_000,
) -> Network:
    """Trains on the folders' train splits and writes the best epoch's network to the checkpoint `out`.

    config: makes the network's configuration from the training and the valid clips; `KINDS[kind].learn_config` with some options
    does that. settings: how to train, or a function that makes them from the training clips and their rate in Hz. device: "cpu", or
    anything else for the accelerator there is. report: called after every epoch. cache: see `Source.clips`. sample_rate: of the network's
    front end, in Hz.

    The best epoch has the best headline metric on the valid splits, the mean of clips as they are and in silence; among equals the
    second metric decides. The state of an unfinished run lies beside `out` with the suffix .state, and a call with the same settings
    goes on from its last whole epoch. Raises DataError for data that can't be trained on, a state that belongs to other settings,
    settings that networks of this kind can't be trained with, or a run whose loss is no longer a number.
    """
    out, sources = Path(out), [as_source(folder) for folder in data]
    accelerator = Accelerator(cpu=device == "cpu")
    clips, valid_clips = (_clips(sources, split, sample_rate, cache) for split in ("train", "valid"))
    settings = settings(clips, sample_rate) if callable(settings) else settings
    clips = [clip for clip in clips if in_share(clip.path, settings)]
    if not clips:
        raise DataError(f"a share of {settings.share:g} of the training clips is none of them: give a larger one.")
    clips *= round(1 / settings.share)

    set_seed(settings.seed)
    model = tasks.build(_configured(config, clips, valid_clips, sources, sample_rate))
    task, names = task_of(model), [source.name for source in sources]
    targets = task.targets(model, clips)
    groups = parameter_groups(model, settings.learning_rate, settings.weight_decay, settings.score_factor)
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    adversary = Adversary.beside(model, settings) if settings.adversarial else None
    identity = {"config": model.config.to_dict(), "settings": asdict(settings), "data": names}
    state = RunState(out.with_suffix(".state"), identity, {
        "model": model, "optimizer": optimizer, **({} if adversary is None else adversary.parts),
    }, asdict(TrainingSettings()))
    epoch, history = state.load()
    steps = math.ceil(len(clips) / settings.batch_size)
    optimizers = [optimizer] if adversary is None else [optimizer, adversary.optimizer]
    schedules = [_schedule(each, settings, settings.epochs * steps, epoch * steps) for each in optimizers]
    network, prepared = accelerator.prepare(model.to(accelerator.device), optimizer)
    if adversary is not None:
        adversary.prepare(accelerator)
    valid = _validation(valid_clips, model, settings, accelerator)
    best = _best(history, task)
    memory = PeakMemory(accelerator.device)
    while epoch < settings.epochs and epoch - best < settings.patience:
        began, terms = stopwatch(accelerator.device), list[dict[str, Tensor]]()
        network.train()
        share = accelerator.process_index, accelerator.num_processes
        for step, batch in enumerate(batches(model, clips, targets, settings, epoch, *share)):
            batch = batch.to(accelerator.device)
            torch.manual_seed(step_seed(settings, epoch, step, accelerator.process_index))
            output = network(batch.signal, batch.lengths)
            step_terms = {"loss": task.loss(output, batch, settings.label_smoothing), "position_loss": output.position_loss}
            loss = step_terms["loss"] + settings.position_loss_weight * output.position_loss
            if adversary is not None:
                judged = adversary.step(task.reconstructed(output))
                loss, step_terms = loss + judged.loss, {**step_terms, **judged._asdict()}
            prepared.zero_grad(set_to_none=True)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(network.parameters(), 5.0)
            prepared.step()
            for schedule in schedules:
                schedule.step()
            terms.append({name: term.detach() for name, term in step_terms.items()})
        means = _means(terms, accelerator)
        seconds, peak = stopwatch(accelerator.device) - began, memory.megabytes()
        if not math.isfinite(sum(means.values())):
            raise DataError(f"training of {out.name} diverged in epoch {epoch + 1}, its loss is no longer a number: give a lower learning rate.")
        scores = _validate(valid, model.eval(), accelerator)
        history.append({"epoch": epoch + 1, **means, **scores, "seconds": seconds, "peak_memory_mb": peak})
        epoch, best = epoch + 1, _best(history, task)
        if accelerator.is_main_process:
            if best == epoch:
                _save(model, out, sources, settings, history)
            state.save(epoch, history)
        as_they_are, in_silence, *_ = valid_names(task)
        report(Progress(
            epoch, settings.epochs, means["loss"], means["position_loss"], task.headline, scores[as_they_are], scores[in_silence], seconds,
            best, history,
        ))
    if accelerator.is_main_process and state.path.exists():
        checkpoints.save_checkpoint(checkpoints.load(out), out, {**checkpoints.details(out)["details"], "history": history})
        state.path.unlink()
    accelerator.wait_for_everyone()
    return checkpoints.load(out, accelerator.device)


def in_share(path: str, settings: TrainingSettings) -> bool:
    """Whether a training clip is used where only a share of them is."""
    return share_of(path) < settings.share


def _clips(sources: Sequence[Source], split: str, sample_rate: int, cache: Path | None) -> list[Clip]:
    return [clip for source in sources for clip in source.clips(split, sample_rate, cache)]


def _configured(
    config: Configure, clips: Sequence[Clip], valid_clips: Sequence[Clip], sources: Sequence[Source], sample_rate: int,
) -> NetworkConfig:
    """Makes the configuration. Raises DataError, with the folders' names, for clips that nothing can be learned from."""
    try:
        configuration = config(clips, valid_clips)
    except DataError as error:
        raise DataError(f"{', '.join(str(source.folder) for source in sources)}: {error}") from None
    if configuration.mel.sample_rate != sample_rate:
        raise ValueError(f"the front end hears {configuration.mel.sample_rate} Hz, and clips were decoded at {sample_rate} Hz")
    return configuration


def _means(terms: Sequence[dict[str, Tensor]], accelerator: Accelerator) -> dict[str, float]:
    """The means of a loss's terms, scalars by name, over the steps of an epoch and all processes."""
    means = torch.stack([torch.stack([step[name] for step in terms]).mean() for name in terms[0]])
    return dict(zip(terms[0], accelerator.reduce(means, "mean").tolist(), strict=True))


def _schedule(optimizer: torch.optim.Optimizer, settings: TrainingSettings, steps: int, steps_taken: int) -> LRScheduler:
    """A short warm-up, then a cosine down to 1 % of the rate; see `rise_and_fall`."""
    warm = max(1, round(_WARM_UP * steps))
    return rise_and_fall(optimizer, steps, steps_taken, warm, begin=1 / (warm + 1), lowest=_LOWEST * settings.learning_rate)


def _validation(clips: list[Clip], model: Network, settings: TrainingSettings, accelerator: Accelerator) -> list[Prepared]:
    """This process's share of the valid split: the clips as they are and, if training places clips in silence, placed."""
    versions, targets = [[clip.samples for clip in clips]], task_of(model).targets(model, clips)
    if settings.as_is < 1:
        versions.append(placed(clips, model.config.mel, PLACED_SECONDS, seed=settings.seed)[0])
    own_clips = range(accelerator.process_index, len(clips), accelerator.num_processes)
    return [Prepared.of(model, [sounds[i] for i in own_clips], [targets[i] for i in own_clips], accelerator.device) for sounds in versions]


def valid_names(task: Task) -> tuple[str, ...]:
    """The keys of the valid split's numbers in a row of a history.

    The first two are the headline metric for the clips as they are and in silence, the others the other metrics, as means over both.

    >>> from adastride.tasks import KINDS
    >>> valid_names(KINDS["classifier"].task)
    ('valid_accuracy', 'valid_accuracy_in_silence', 'valid_loss')
    """
    first = f"valid_{task.headline.name}"
    return first, f"{first}_in_silence", *(f"valid_{metric.name}" for metric in task.metrics[1:])


def _validate(valid: list[Prepared], model: Network, accelerator: Accelerator) -> dict[str, Any]:
    """Measures the valid split and returns the numbers of `valid_names`. That in silence is None where no clips are placed in silence."""
    task, totals = task_of(model), []
    names = list(dict.fromkeys(name for metric in task.metrics for name in (metric.name, metric.per) if name is not None))
    for version in valid:
        sums, clips = version.totals(model)
        totals.append([*(sums.get(name, 0.0) for name in names), float(clips)])
    summed = accelerator.reduce(torch.tensor(totals, dtype=torch.float32, device=accelerator.device), "sum")
    versions = [(dict(zip(names, numbers[:-1], strict=True)), round(numbers[-1])) for numbers in summed.tolist()]
    values = [task.headline.mean(sums, clips) for sums, clips in versions]
    first, in_silence, *others = valid_names(task)
    together = {name: sum(sums[name] for sums, _ in versions) for name in names}
    both = {name: metric.mean(together, sum(clips for _, clips in versions)) for name, metric in zip(others, task.metrics[1:], strict=True)}
    return {first: values[0], in_silence: values[1] if len(values) > 1 else None, **both}


def _best(history: Sequence[dict[str, Any]], task: Task) -> int:
    """The number of the best epoch so far, the later one of equals; 0 where there is none."""
    first, in_silence, *others = valid_names(task)

    def merit(row: dict[str, Any]) -> tuple[float, ...]:
        quiet = row[first] if row[in_silence] is None else row[in_silence]
        values = [row[first] + quiet, *(row[name] for name in others)]
        return *(metric.gain(value) for metric, value in zip(task.metrics, values, strict=True)), row["epoch"]

    return max(history, key=merit)["epoch"] if history else 0


def _save(model: Network, out: Path, sources: Sequence[Source], settings: TrainingSettings, history: Sequence[dict[str, Any]]) -> None:
    metrics = {name: history[-1][name] for name in ("epoch", *valid_names(task_of(model)))}
    checkpoints.save_checkpoint(model, out, {
        "data": [source.name for source in sources], "licence": [line for source in sources if (line := licence_line(source.folder))],
        "training": asdict(settings), "metrics": metrics, "device": device_name(model.device),
        "versions": {"torch": torch.__version__, "torchaudio": torchaudio.__version__},
    })


def finished_history(out: str | Path) -> list[dict[str, Any]] | None:
    """The epochs of the finished run that wrote `out`, as in `Progress.history`; None where `out` is not from a finished run."""
    out = Path(out)
    if not out.is_file() or out.with_suffix(".state").exists():
        return None
    return checkpoints.details(out).get("details", {}).get("history")
