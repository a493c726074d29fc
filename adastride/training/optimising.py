"""What every training does alike: which parameters decay and how fast they learn, and a rate that rises and falls."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR


def parameter_groups(model: nn.Module, learning_rate: float, weight_decay: float, score_factor: float) -> list[dict[str, Any]]:
    """The parameters in groups of their own settings for an optimiser.

    Weights decay; biases, norms and strides do not. What places frames or pixels (scores, log sigma) learns `score_factor` times as fast
    as the rest, because it starts at zero and has far to go.
    """
    named = dict(model.named_parameters())
    faster = {name for name in named if ".score." in name or name.endswith("log_sigma")}
    others = [p for name, p in named.items() if name not in faster]
    return [
        {"params": [p for p in others if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0},
        {"params": [p for name, p in named.items() if name in faster], "weight_decay": 0.0, "lr": score_factor * learning_rate},
    ]


def rise_and_fall(optimizer: torch.optim.Optimizer, steps: int, steps_taken: int, warm: int, begin: float, lowest: float) -> LRScheduler:
    """The schedule of a learning rate: a rise over `warm` of all `steps`, then a cosine.

    begin: of the rise, as a share of the rate. lowest: where the cosine ends, a rate. steps_taken: how many were taken before. The schedule
    depends on nothing else, so it takes them again instead of being kept in the state of a run.
    """
    rise = LinearLR(optimizer, begin, total_iters=warm)
    fall = CosineAnnealingLR(optimizer, max(1, steps - warm), eta_min=lowest)
    schedule = SequentialLR(optimizer, [rise, fall], [warm])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch expects a step of the optimiser before each
        for _ in range(steps_taken):
            schedule.step()
    return schedule
