"""The state of an unfinished training run, so that it can go on where it was.

Accelerate's and torch's own checkpoints are pickles; this is a safetensors file, which runs nothing when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from adastride.clips import DataError
from adastride.files import write_atomically


class RunState:
    """The state of an unfinished run in one safetensors file: what learns, and the history.

    identity: what the run is, its settings under "settings"; a state of another one is refused. defaults: of settings, for a state that is
    older than some of them. parts: every network and optimiser that learns, by the name under which
    its tensors stand in the file.
    """

    def __init__(
        self, path: Path, identity: dict[str, Any], parts: Mapping[str, nn.Module | torch.optim.Optimizer], defaults: Mapping[str, Any],
    ):
        self.path, self.identity, self.parts = path, json.loads(json.dumps(identity)), parts
        self.defaults = json.loads(json.dumps(defaults))

    def save(self, epoch: int, history: list[dict[str, Any]]) -> None:
        tensors: dict[str, Tensor] = {}
        for part, learner in self.parts.items():
            state = learner.state_dict()
            if isinstance(learner, torch.optim.Optimizer):
                state = {f"{index}.{name}": t for index, slot in state["state"].items() for name, t in slot.items()}
            tensors.update({f"{part}.{name}": t.detach().cpu().contiguous() for name, t in state.items()})
        header = json.dumps({"identity": self.identity, "epoch": epoch, "history": history})
        write_atomically(self.path, save(tensors, {"run": header}))

    def load(self) -> tuple[int, list[dict[str, Any]]]:
        """Puts what learns into the state of the file and returns the epochs that are done and their history; 0 and [] without a file.

        Raises DataError for a file that is no state, or another run's.
        """
        if not self.path.exists():
            return 0, []
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads(file.metadata()["run"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            # A setting that is younger than the file had its default.
            header["identity"]["settings"] = {**self.defaults, **header["identity"]["settings"]}
        except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError):
            raise DataError(f"{self.path} is no state of an unfinished run: delete it to start again.") from None
        if header["identity"] != self.identity:
            raise DataError(f"{self.path} belongs to a run with other settings: delete it to start again, or give another --out.")
        for part, learner in self.parts.items():
            own = {name.removeprefix(f"{part}."): t for name, t in tensors.items() if name.startswith(f"{part}.")}
            if isinstance(learner, torch.optim.Optimizer):
                slots: dict[int, dict[str, Tensor]] = {}
                for name, t in own.items():
                    index, slot = name.split(".", 1)
                    slots.setdefault(int(index), {})[slot] = t
                learner.load_state_dict({"state": slots, "param_groups": learner.state_dict()["param_groups"]})
            else:
                learner.load_state_dict(own)
        return header["epoch"], header["history"]
