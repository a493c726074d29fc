"""A kind of network that only tests know: a tower of 1 to 8 layers that says a level, and whose prediction has all that can be shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride import audio, tasks
from adastride.audio import PRESETS, MelPreset
from adastride.clips import Clip
from adastride.downsampling import LayerSettings, build
from adastride.models.network import Network, NetworkConfig, Output, Resume, Watch, unwatched
from adastride.tasks import Audible, Batch, CurveLane, Metric, PictureLane, Prediction, Segment, SegmentLane, Task
from adastride.tasks.task import stack_mels


@dataclass(frozen=True)
class TowerConfig(NetworkConfig):
    """layers: how many downsampling layers. dropout: of the hidden channels."""

    kind: ClassVar[str] = "tower"

    layers: int = 2
    method: str = "adastride"
    width: int = 8
    dropout: float = 0.0

    @property
    def methods(self) -> tuple[str, ...]:
        return (self.method,) * self.layers

    @property
    def mel(self) -> MelPreset:
        return PRESETS["classification"]


class Tower(Network):
    """A projection, layers that downsample, and a mean: its head is one number for each example."""

    config: TowerConfig

    def __init__(self, config: TowerConfig):
        super().__init__(config)
        self.projection = nn.Conv1d(config.mel.n_mels, config.width, 1)
        self.layers = nn.ModuleList(build(method, config.width, 1.5) for method in config.methods)
        self.dropout = nn.Dropout(config.dropout)
        self.last = nn.Linear(config.width, 1)

    @property
    def downsamplers(self) -> list:
        return list(self.layers)

    def forward(
        self, signal: Tensor, lengths: Tensor | None = None, settings: Sequence[LayerSettings | None] | None = None,
        resumes: Sequence[Resume] = (), watch: Watch = unwatched,
    ) -> Output:
        settings, kept, results = self.check_settings(settings), list(resumes), []
        if kept:
            x, lengths = kept[-1].hidden, kept[-1].lengths
        else:
            lengths = maths.check_lengths(lengths, signal)
            x = self.dropout(torch.relu(self.projection((signal + 5) / 4)))
        for place in range(max(len(kept) - 1, 0), len(self.layers)):
            if place >= len(kept):
                kept.append(Resume(x, lengths))
            with watch(place):
                down = self.layers[place](x, lengths, settings[place])
            results.append(down)
            x, lengths = down.values, down.lengths
        mean = x.sum(dim=2) / lengths[:, None].to(x.dtype)
        return Output(self.last(mean)[:, 0], tuple(results), sum(down.position_loss for down in results), tuple(kept))

    def work_share(self, frames: Sequence[int]) -> float:
        return float(sum(frames) / (len(frames) * frames[0]))


class Levels(Task[Tower, TowerConfig]):
    """The number that a label is: "0.3"."""

    name = "levels"
    metrics = (Metric("error", "Absolute error", "dB", higher_is_better=False),)

    def predict(self, network: Tower, output: Output, edges: Callable[[], np.ndarray]) -> Prediction:
        return made_up_prediction(float(output.head[0]))

    def describe(self, config: NetworkConfig) -> str:
        return "a level in dB"

    def check_config(self, config: NetworkConfig) -> None:
        return None

    def network_fields(self, method: str) -> dict[str, object]:
        return {"method": method}

    def targets(self, network: Tower, clips: Sequence[Clip]) -> list[float]:
        return [float(clip.label) for clip in clips]

    def batch(self, network: Tower, sounds: Sequence[np.ndarray], targets: Sequence[float]) -> Batch:
        signal, lengths = stack_mels(sounds, network.config.mel)
        return Batch(signal, lengths, (torch.tensor(targets, dtype=torch.float32),))

    def loss(self, output: Output, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        return (output.head - batch.targets[0]).square().mean()

    def measure(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        return {"error": (output.head - batch.targets[0]).abs().double()}


def made_up_tone(seconds: float) -> np.ndarray:
    """A quiet tone at 8 kHz."""
    return (0.01 * np.sin(np.arange(int(8_000 * seconds)) / 9)).astype(np.float32)


def made_up_prediction(level: float = -12.5, seconds: float = 2.0) -> Prediction:
    """Every kind of lane, no bars, a second sound and an array."""
    edges = np.linspace(0.0, seconds, 41)
    values = np.sin(np.arange(40) / 4)[None] * np.linspace(0.2, 1, 16)[:, None]
    curve = np.where(np.arange(100) % 25 == 0, np.nan, np.cos(np.linspace(0, 9, 100)))
    words = [Segment(0.1 * seconds, 0.3 * seconds, "seven", 0, 0.9), Segment(0.35 * seconds, 0.37 * seconds, "a long word in a narrow place", 1, 0.4),
             Segment(0.5 * seconds, 0.9 * seconds, "nine", 2, 0.6)]
    return Prediction(
        headline=f"{level:.1f} dB",
        lanes=(
            SegmentLane("Words", tuple(words)),
            PictureLane("Reconstruction", values, edges, -1.0, 1.0, "dB", ticks=(("low", 0.0), ("high", 15.0))),
            CurveLane("Pitch", np.linspace(0.0, seconds, 100), curve, "semitones"),
        ),
        sounds=(
            Audible("Made up", f"{level:.6f}", lambda: audio.from_samples(level * made_up_tone(seconds), 8_000)),
            Audible("Steady", "steady", lambda: audio.from_samples(made_up_tone(seconds), 8_000)),
        ),
        arrays={"level": np.array(level)},
    )


@pytest.fixture
def tower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the kind known for a test."""
    monkeypatch.setitem(tasks.KINDS, "tower", tasks.Kind(TowerConfig, Tower, Levels()))


def unsettle(network: nn.Module) -> None:
    """Gives an untrained network positions that are not those of a fixed stride, and biases that are not 0."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".score." in name:
                parameter.normal_(0, 0.3)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.1)


def tower_network(layers: int = 2, **options: object) -> Tower:
    """An untrained network that places frames unevenly, in evaluation mode."""
    torch.manual_seed(0)
    network = Tower(TowerConfig(layers, **options)).eval().requires_grad_(False)
    for layer in network.downsamplers:
        if hasattr(layer, "score"):
            nn.init.normal_(layer.score.weight, std=0.5)
    network.name = "loud"
    return network
