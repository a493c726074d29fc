"""The one place that decides where networks run."""

from __future__ import annotations

import torch


def choose_device(wanted: str = "auto") -> torch.device:
    """CUDA, else Apple's Metal, else the CPU; or the one asked for by name. ValueError where that one is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available.get(wanted, False):
        raise ValueError(f"there is no device {wanted!r} here: choose {' or '.join(name for name, there in available.items() if there)}")
    return torch.device(wanted)


def device_name(device: torch.device | str) -> str:
    """What a person calls it: "CPU", or the name of the graphics card."""
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else {"mps": "Apple GPU", "cpu": "CPU"}[device.type]
