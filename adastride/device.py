"""The one place that decides where networks run."""

from __future__ import annotations

import torch


def choose_device(requested: str = "auto") -> torch.device:
    """The device to run networks on: with "auto" CUDA, else Apple's Metal, else the CPU.

    requested: "auto", "cuda", "mps" or "cpu". Raises ValueError for a device that is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested == "auto":
        return torch.device(next(name for name, present in available.items() if present))
    if not available.get(requested, False):
        names = " or ".join(name for name, present in available.items() if present)
        raise ValueError(f"there is no device {requested!r} here: choose {names}")
    return torch.device(requested)


def device_name(device: torch.device | str) -> str:
    """What a person calls a device: "CPU", "Apple GPU", or the name of the graphics card."""
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else {"mps": "Apple GPU", "cpu": "CPU"}[device.type]
