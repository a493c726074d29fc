"""A made-up second kind of network for tests: it tells how loud a clip is, in dB, with one downsampling layer and dropout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.audio import PRESETS, MelPreset
from adastride.clips import Clip
from adastride.downsampling import METHODS, build
from adastride.models.network import Network, NetworkConfig, Output, Resume, unwatched
from adastride.tasks import Batch, Kind, Metric, Prediction, Task
from adastride.tasks.task import stack_mels


@dataclass(frozen=True)
class LoudnessConfig(NetworkConfig):
    kind: ClassVar[str] = "loudness"

    offset: float = 0.0
    methods: tuple[str, ...] = ("adastride",)
    strides: tuple[float, ...] = (2.0,)
    sigma: float = 5**-0.5
    width: int = 8

    def __post_init__(self):
        object.__setattr__(self, "methods", tuple(self.methods))

    @property
    def mel(self) -> MelPreset:
        return PRESETS["classification"]


class LoudnessNetwork(Network):
    def __init__(self, config: LoudnessConfig):
        super().__init__(config)
        known = METHODS[config.methods[0]].parameters
        self.projection = nn.Conv1d(config.mel.n_mels, config.width, 1)
        self.layer = build(config.methods[0], config.width, config.strides[0], **({"sigma": config.sigma} if "sigma" in known else {}))
        self.dropout = nn.Dropout(0.5)
        self.top = nn.Linear(config.width, 1)

    @property
    def downsamplers(self) -> list:
        return [self.layer]

    def forward(self, signal, lengths=None, settings=None, resumes=(), watch=unwatched) -> Output:
        settings, kept = self.check_settings(settings), list(resumes)
        if not kept:
            kept.append(Resume(self.dropout(self.projection(signal / 10)), maths.check_lengths(lengths, signal)))
        with watch(0):
            down = self.layer(kept[0].hidden, kept[0].lengths, settings[0])
        pooled = down.values.sum(2) / down.lengths[:, None]
        return Output(self.top(pooled)[:, 0] + self.config.offset, (down,), down.position_loss, tuple(kept))

    def work_share(self, frames: Sequence[int]) -> float:
        return 1.0


class Loudness(Task[LoudnessNetwork, LoudnessConfig]):
    name = "levels"
    metrics = (Metric("error", "Loudness error", "dB", higher_is_better=False),)

    def predict(self, network, output: Output, edges: Callable[[], np.ndarray]) -> Prediction:
        return Prediction(f"{float(output.head[0]):.1f} dB", values={"dB": float(output.head[0])})

    def describe(self, config) -> str:
        return "loudness in dB"

    def check_config(self, config) -> None:
        return

    def network_fields(self, method: str) -> dict[str, Any]:
        if method not in METHODS:
            raise ValueError(f"there is no method {method!r}")
        return {"methods": (method,)}

    def learned_fields(self, train: Sequence[Clip], valid: Sequence[Clip], options: Mapping[str, Any]) -> dict[str, Any]:
        return {"offset": float(np.mean(self.targets(None, train)))}

    def targets(self, network, clips: Sequence[Clip]) -> list[float]:
        return [float(10 * np.log10(np.mean(np.square(clip.samples)) + 1e-6)) for clip in clips]

    def batch(self, network, sounds, targets) -> Batch:
        return Batch(*stack_mels(sounds, network.config.mel), (torch.tensor(targets, dtype=torch.float32),))

    def loss(self, output: Output, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        return (output.head - batch.targets[0]).square().mean()

    def measure(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        return {"error": (output.head - batch.targets[0]).abs().double()}


LOUDNESS = Kind(LoudnessConfig, LoudnessNetwork, Loudness())
